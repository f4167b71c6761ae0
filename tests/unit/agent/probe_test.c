/* Guests are asked by HTTP inside their own network only: a tenant's address that is one of the operator's network
 * leads nowhere. In a network namespace of the test's own, with two further ones for the guest and the operator's
 * machine. */
#include "common/child.h"
#include "compute-agent/http/http_probe.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <sched.h>
#include <string.h>

static const char networks[] =
    "mkdir www; echo fine >www/index.html; ip link set lo up; "
    "machine() { unshare -n sleep 600 </dev/null >/dev/null 2>&1 & p=$!; "
    "for i in $(seq 1500); do [ \"$(readlink /proc/$p/ns/net)\" = \"$(readlink /proc/self/ns/net)\" ] || break; sleep "
    "0.02; done; "
    "ip link add $1 type veth peer name eth0 netns $p; ip addr add $2.1/24 dev $1; ip link set $1 up; "
    "nsenter -t $p -n sh -c \"ip addr add $2.2/24 dev eth0; ip link set eth0 up; busybox httpd -p 80 -h $PWD/www\"; "
    "for q in /proc/[0-9]*; do [ \"$(readlink $q/ns/net)\" != \"$(readlink /proc/$p/ns/net)\" ] || echo ${q#/proc/} "
    ">>pids; done; }; "
    "machine guest 10.9.0; machine operator 10.7.0; ip link add bare type bridge; ip link set bare up";

static void shell(const char *text)
{
    char script[2048];
    struct child child = {.argv = (const char *[]){"bash", "-ec", script, NULL}, .deadline_ms = 120000};
    struct error e = {0};
    snprintf(script, sizeof(script), "cd %s; %s", scratch_folder(), text);
    CHECK_OK(child_run(&child, NULL, &e), &e);
}

static int ask(const char *address, const char *interface, int64_t port, const char *path, bool *asked, struct error *e)
{
    struct hypervisor_probe probe = {
        .address = address, .path = path, .port = port, .timeout_ms = 60000, .status_from = 200, .status_to = 299};
    error_clear(e);
    return http_probe(&probe, interface, asked, e);
}

TEST("a guest is asked in its own network, and nothing is reached beyond it")
{
    struct error e = {0};
    bool asked = false;
    if (unshare(CLONE_NEWNET)) /* only root can */
        return;
    scratch_clear(scratch_folder());
    mkdir(scratch_folder(), 0700);
    shell(networks);
    CHECK_OK(ask("10.9.0.2", "guest", 80, "/", &asked, &e), &e);
    CHECK(asked);
    CHECK_OK(ask("10.7.0.2", "operator", 80, "/", &asked, &e), &e); /* it is there ... */
    CHECK(ask("10.7.0.2", "guest", 80, "/", &asked, &e) != 0); /* ... and is not reached through the guest's bridge */
    CHECK_INT(ask("10.9.0.2", "guest", 80, "/none", &asked, &e), ERR_PEER);
    CHECK(asked && strstr(error_text(&e), "status 404"));
    CHECK_INT(ask("10.9.0.2", "guest", 81, "/", &asked, &e), ERR_PEER);
    CHECK(asked && strstr(error_text(&e), "nothing listens on port 81"));
    shell("kill $(cat pids)");
}

TEST("what is no guest's address, or cannot be reached from here, is not asked")
{
    struct error e = {0};
    bool asked = true;
    CHECK_INT(ask("127.0.0.1", "guest", 80, "/", &asked, &e), ERR_INVALID);
    CHECK(!asked);
    CHECK_INT(ask("metadata.example.org", "guest", 80, "/", &asked, &e), ERR_INVALID);
    CHECK(!asked);
    CHECK_INT(ask("10.9.0.2", "bare", 80, "/", &asked, &e), ERR_UNAVAILABLE);
    CHECK(!asked);
}
