/* What containers may send, as rules of the packet filter: their text, and that the kernel takes them, in a network
 * namespace of the test's own. */
#include "compute-agent/nft/nft.h"
#include "compute-agent/nft/port_guard.h"
#include "tests/unit/agent/samples.h"
#include "tests/unit/check.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT     "vc000000000001"
#define IN_TABLE "bridge virga-ed8bc42b " PORT

static void names_of(struct names *names)
{
    names_init(names, "cloud-1", "01890000-9999-7222-8333-000000000001");
}

static char *put_text(void)
{
    struct names names;
    struct strbuf text;
    struct spec *spec = sample_read(SAMPLE(""));
    names_of(&names);
    strbuf_init(&text, 0);
    port_guard_put(&text, &names, spec);
    spec_free(&spec);
    return strbuf_take(&text);
}

TEST("a port sends as whoever it is allowed to be, and all else is dropped")
{
    static const char *const senders[][2] = {{"fa:16:3e:00:00:01", "0.0.0.0/32"},
                                             {"fa:16:3e:00:00:01", "::/128"},
                                             {"fa:16:3e:00:00:01", "fe80::f816:3eff:fe00:1/128"},
                                             {"fa:16:3e:00:00:01", "10.0.0.5/32"},
                                             {"fa:16:3e:00:00:01", "fd00::5/128"},
                                             {"fa:16:3e:00:00:01", "10.0.0.128/25"},
                                             {"00:00:5e:00:01:01", "10.0.0.9/32"},
                                             {"00:00:5e:00:01:01", "fe80::200:5eff:fe00:101/128"}};
    struct strbuf wanted;
    char *text = put_text();
    strbuf_init(&wanted, 0);
    strbuf_append_text(&wanted, "# ports " PORT "\nadd chain " IN_TABLE "\nflush chain " IN_TABLE "\n");
    for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
        const char *mac = senders[i][0], *net = senders[i][1];
        if (strchr(net, ':')) {
            strbuf_appendf(&wanted, "add rule " IN_TABLE " ether saddr %s ether type ip6 ip6 saddr %s accept\n", mac,
                           net);
            continue;
        }
        strbuf_appendf(&wanted, "add rule " IN_TABLE " ether saddr %s ether type ip ip saddr %s accept\n", mac, net);
        strbuf_appendf(&wanted,
                       "add rule " IN_TABLE " ether saddr %s arp htype 1 arp ptype ip arp hlen 6 arp plen 4 "
                       "arp saddr ether %s arp saddr ip %s accept\n",
                       mac, mac, net);
    }
    strbuf_append_text(&wanted, "add rule " IN_TABLE " drop\n"
                                "add element bridge virga-ed8bc42b ports { " PORT " : jump " PORT " }\n");
    CHECK_TEXT(text, wanted.data);
    strbuf_done(&wanted);
    free(text);
}

TEST("the ports of a text are found, also of two joined, and none in what has none")
{
    char port[NAMES_BRIDGE_SIZE], *text = put_text();
    struct strbuf both;
    const char *at = text;
    CHECK(port_guard_next(&at, port));
    CHECK_TEXT(port, PORT);
    CHECK(!port_guard_next(&at, port));
    strbuf_init(&both, 0);
    port_guard_join(&both, "# ports vcold " PORT "\nadd chain t vcold\nadd chain t vcolder\nadd chain t " PORT "\n",
                    text);
    at = both.data;
    CHECK(port_guard_next(&at, port));
    CHECK_TEXT(port, "vcold");
    CHECK(port_guard_next(&at, port));
    CHECK_TEXT(port, PORT);
    CHECK(!port_guard_next(&at, port));
    CHECK(strstr(both.data, "\nadd chain t vcold\nadd chain " IN_TABLE "\n") && !strstr(both.data, "vcolder"));
    strbuf_reset(&both); /* a second time there is nothing to be added */
    char *joined = strbuf_print("# ports vcold\nadd rule t vcold drop\nadd element t ports { vcold : jump vcold }\n");
    port_guard_join(&both, joined, "");
    CHECK_TEXT(both.data, joined);
    free(joined);
    strbuf_reset(&both);
    port_guard_join(&both, text, text);
    CHECK_TEXT(both.data, text);
    const char *others[] = {"", "add table x\n", "# ports\n", "# ports \n", "# ports averyverylongname\n"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        at = others[i];
        CHECK(!port_guard_next(&at, port));
    }
    strbuf_done(&both);
    free(text);
}

static void check_guarded(const struct names *names, bool guarded)
{
    struct strbuf command, answer;
    struct error e = {0};
    strbuf_init(&command, 0);
    strbuf_init(&answer, 0);
    port_guard_ask(&command, names);
    CHECK_OK(nft_ask(command.data, &answer, &e), &e);
    CHECK(port_guard_has(answer.data, PORT) == guarded);
    CHECK(!port_guard_has(answer.data, "vc00000000000"));
    strbuf_done(&command);
    strbuf_done(&answer);
}

TEST("the kernel takes the rules, as often as they are given, and gives them up")
{
    struct names names;
    struct strbuf commands;
    struct error e = {0};
    if (geteuid() != 0 || unshare(CLONE_NEWNET)) {
        printf("    skipped: no network namespace without root\n");
        return;
    }
    char *text = put_text();
    names_of(&names);
    strbuf_init(&commands, 0);
    port_guard_table(&commands, &names);
    CHECK_OK(nft_run(commands.data, &e), &e);
    check_guarded(&names, false);
    strbuf_append_text(&commands, text);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(nft_run(commands.data, &e), &e);
        check_guarded(&names, true);
    }
    strbuf_reset(&commands);
    for (int i = 0; i < 2; i++) { /* also when it is not there */
        port_guard_take(&commands, &names, PORT);
        CHECK_OK(nft_run(commands.data, &e), &e);
        check_guarded(&names, false);
    }
    strbuf_append_text(&commands, "add nonsense\n");
    CHECK(nft_run(commands.data, &e) == ERR_IO);
    CHECK(strchr(error_text(&e), '\n') == NULL);
    strbuf_reset(&commands);
    for (int i = 0; i < 2; i++) {
        port_guard_end(&commands, &names);
        error_clear(&e);
        CHECK_OK(nft_run(commands.data, &e), &e);
    }
    strbuf_done(&commands);
    free(text);
}
