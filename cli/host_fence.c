/* virga host fence: proof that a host is off, without which nothing of it is started elsewhere. */
#include "cli/commands.h"
#include "cli/host_find.h"
#include "common/clock.h"
#include "common/strbuf.h"
#include "db/store_host.h"
#include "db/store_host_power.h"
#include "db/store_host_work.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct fence {
    struct cli *cli;
    const char *host_id, *by;
    struct host_row row;
};

static int find(struct db_conn *c, void *arg, struct error *e)
{
    struct fence *f = arg;
    int rc = host_find_id(f->cli, c, &f->host_id, e);
    return rc ? rc : store_host_get(c, f->host_id, &f->cli->arena, &f->row, e);
}

/* Whatever switches machines off: ipmitool, Redfish, a switched outlet. Its exit status 0 is the proof. */
static int run_script(const struct fence *f, const char *script, struct error *e)
{
    int status = 0;
    pid_t pid = fork();
    if (pid < 0)
        return error_set(e, ERR_IO, "fork: %s", strerror(errno));
    if (pid == 0) {
        execl(script, script, "off", f->row.name, f->row.address, f->row.id, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return error_set(e, ERR_UNAVAILABLE, "%s did not switch the host off (status %d): there is no proof", script,
                     WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static int note(struct db_conn *c, void *arg, struct error *e)
{
    const struct fence *f = arg;
    return store_host_work_fence(c, f->host_id, f->by, clock_now_us(), e);
}

static int cancel(struct db_conn *c, void *arg, struct error *e)
{
    struct fence *f = arg;
    int rc = host_find_id(f->cli, c, &f->host_id, e);
    return rc ? rc : store_host_power_cancel(c, f->host_id, clock_now_us(), e);
}

static int ask(struct db_conn *c, void *arg, struct error *e)
{
    struct fence *f = arg;
    struct host_power_row how;
    bool found = false;
    int rc = find(c, f, e);
    rc = rc ? rc : store_host_power_get(c, f->host_id, &f->cli->arena, &how, &found, e);
    if (!rc && !found)
        return error_set(e, ERR_INVALID,
                         "set a script (virga host power), give --script FILE, which switches the host off, or "
                         "--confirmed when you have made sure yourself that it is off and stays off");
    if (!rc && clock_now_us() - f->row.seen_us <= STORE_HOST_ALIVE_US)
        return error_set(e, ERR_CONFLICT, "the host is heard: it is not off");
    return rc ? rc : store_host_power_ask(c, f->host_id, "off", "fence", clock_now_us(), e);
}

/* The scheduler does it, by the host's own script. */
static int ask_and_wait(struct fence *f, struct error *e)
{
    struct host_power_job job = {0};
    int rc = host_find_change(f->cli, ask, f, e);
    rc = rc ? rc : host_find_wait_power(f->cli, &job, e);
    if (rc)
        return rc;
    printf("%s: %s: %s\n", f->row.name, store_host_power_state_name(job.state), job.message ? job.message : "");
    if (job.state == HOST_POWER_WAITING)
        printf("It is tried again until it is off, the host is heard, or --cancel.\n");
    f->cli->status = job.state == HOST_POWER_DONE ? 0 : 1;
    return 0;
}

static int run(struct cli *cli, struct error *e)
{
    struct fence f = {.cli = cli};
    const char *script = command_value(cli, "script");
    if (command_flag(cli, "cancel"))
        return host_find_change(cli, cancel, &f, e);
    if (!script && !command_flag(cli, "confirmed"))
        return ask_and_wait(&f, e);
    int rc = command_open(cli, false, e);
    rc = rc ? rc : find(db_reader(cli->db), &f, e);
    if (!rc && script)
        rc = run_script(&f, script, e);
    f.by = script ? arena_printf(&cli->arena, "script %s", script) : "the operator's word";
    if (!rc)
        rc = host_find_change(cli, note, &f, e);
    if (!rc)
        printf("%s is taken for off; `virga host drain %s` builds its servers anew elsewhere\n", f.row.name,
               f.row.name);
    return rc;
}

static const struct command_option options[] = {
    {"confirmed", NULL, "You have made sure that it is off."},
    {"cancel", NULL, "Give up what the scheduler is doing to fence it."},
    {"script", "FILE",
     "Program that switches it off: called with off NAME ADDRESS ID; its exit status 0 is the proof."},
};

const struct command host_fence_command = {
    .name = "host fence",
    .arguments = "HOST",
    .summary = "Note the proof that a silent host (name or id) is off, so that its servers may run elsewhere",
    .help = "Without an option the scheduler does it by the host's own script (virga host power). A host that is heard "
            "cannot be fenced. A host that comes back removes its copies of servers that were "
            "built anew elsewhere.",
    COMMAND_OPTIONS(options),
    .run = run,
};
