/* virga host power: by which script a host is switched off and on, and what became of it. */
#include "cli/commands.h"
#include "cli/host_find.h"
#include "common/clock.h"
#include "common/password.h"
#include "common/seal.h"
#include "db/store_host_power.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct power {
    struct cli *cli;
    const char *host_id; /* "" for all hosts without a script of their own */
    struct host_power_row row;
    struct host_power_job job;
    const char *sealed;
    bool found, has_job;
};

static int name_host(struct power *p, struct db_conn *c, struct error *e)
{
    p->host_id = "";
    return p->cli->argument_count > 0 ? host_find_id(p->cli, c, &p->host_id, e) : 0;
}

static int look(struct db_conn *c, void *arg, struct error *e)
{
    struct power *p = arg;
    int rc = name_host(p, c, e);
    rc = rc ? rc : store_host_power_get(c, p->host_id, &p->cli->arena, &p->row, &p->found, e);
    return rc ? rc : store_host_power_job(c, p->host_id, &p->cli->arena, &p->job, &p->has_job, e);
}

static int write_row(struct db_conn *c, void *arg, struct error *e)
{
    struct power *p = arg;
    struct cli *cli = p->cli;
    const char *address = command_value(cli, "address"), *user = command_value(cli, "user");
    int rc = name_host(p, c, e);
    struct host_power_row row = {.host_id = p->host_id,
                                 .script = command_value(cli, "script"),
                                 .address = address ? address : "",
                                 .username = user ? user : "",
                                 .secret = p->sealed,
                                 .updated_us = clock_now_us()};
    rc = rc ? rc : store_host_power_set(c, &row, e);
    return rc || !*p->host_id ? rc : store_host_power_trust(c, p->host_id, e);
}

static int change(struct db_conn *c, void *arg, struct error *e)
{
    struct power *p = arg;
    struct cli *cli = p->cli;
    int rc = name_host(p, c, e);
    if (!rc && command_flag(cli, "forget"))
        return store_host_power_clear(c, p->host_id, e);
    if (!rc && !*p->host_id)
        return error_set(e, ERR_INVALID, "name a host");
    if (!rc && command_flag(cli, "trust"))
        return store_host_power_trust(c, p->host_id, e);
    if (!rc && command_flag(cli, "cancel"))
        return store_host_power_cancel(c, p->host_id, clock_now_us(), e);
    return rc ? rc
              : store_host_power_ask(c, p->host_id, command_flag(cli, "on") ? "on" : "status", "asked", clock_now_us(),
                                     e);
}

/* The password comes from standard input and is kept sealed. */
static int seal(struct power *p, struct error *e)
{
    struct cli *cli = p->cli;
    struct seal_key key;
    char line[PASSWORD_MAX + 2];
    if (!command_flag(cli, "password-stdin"))
        return 0;
    if (!fgets(line, sizeof(line), stdin))
        return error_set(e, ERR_INVALID, "no password came on standard input");
    line[strcspn(line, "\r\n")] = '\0';
    int rc = seal_key_read(command_place(cli, "/etc/virga/master.key"), &key, e);
    if (!rc) {
        p->sealed = seal_close(&key, line, strlen(line), &cli->arena);
        seal_key_wipe(&key);
    }
    explicit_bzero(line, sizeof(line));
    return rc;
}

static void show(const struct power *p)
{
    char text[CLOCK_TEXT_SIZE];
    if (!p->found)
        printf("no script is set: an operator must confirm that it is off (virga host fence)\n");
    else
        printf("%s at %s%s%s%s%s\n", p->row.script, *p->row.address ? p->row.address : "the host's own address",
               *p->row.username ? " as " : "", p->row.username, p->row.secret ? ", with a password" : "",
               *p->row.host_id ? "" : " (of all hosts without their own)");
    if (p->has_job)
        printf("%s (%s): %s, %" PRId64 " %s, %s%s%s\n", p->job.wish, p->job.reason,
               store_host_power_state_name(p->job.state), p->job.attempts, p->job.attempts == 1 ? "try" : "tries",
               clock_text(p->job.updated_us, CLOCK_ISO_Z, text), p->job.message ? ": " : "",
               p->job.message ? p->job.message : "");
}

static int run(struct cli *cli, struct error *e)
{
    struct power p = {.cli = cli};
    int rc = 0;
    bool changes = command_flag(cli, "forget") || command_flag(cli, "trust") || command_flag(cli, "cancel");
    bool asks = command_flag(cli, "on") || command_flag(cli, "check");
    if (!command_value(cli, "script") && (command_value(cli, "address") || command_value(cli, "user")))
        return error_set(e, ERR_INVALID, "--address and --user go with --script");
    if (command_value(cli, "script")) {
        rc = seal(&p, e);
        rc = rc ? rc : host_find_change(cli, write_row, &p, e);
    } else if (changes || asks) {
        rc = host_find_change(cli, change, &p, e);
    } else {
        rc = command_open(cli, false, e);
    }
    if (!rc && asks)
        rc = host_find_wait_power(cli, &p.job, e);
    rc = rc ? rc : db_snapshot(db_reader(cli->db), look, &p, e);
    if (!rc)
        show(&p);
    if (!rc && asks && p.has_job && p.job.state != HOST_POWER_DONE)
        cli->status = 1;
    return rc;
}

static const struct command_option options[] = {
    {"script", "NAME", "ipmi, redfish, another one in the scheduler's folder, or an absolute path."},
    {"address", "ADDRESS", "Of its management controller; %h stands for the host's name. Default: the host's own."},
    {"user", "NAME", "User of the management controller."},
    {"password-stdin", NULL, "Read the user's password from standard input; it is kept sealed."},
    {"check", NULL, "Ask the script whether the host is on or off."},
    {"on", NULL, "Switch it on."},
    {"cancel", NULL, "Give up what is being done to its power."},
    {"trust", NULL, "Use its script for fencing again, after it said off of a host that went on."},
    {"forget", NULL, "Take the script away."},
};

const struct command host_power_command = {
    .name = "host power",
    .arguments = "[HOST]",
    .summary = "By which script a host (name or id; none: all without their own) is switched, and what became of it",
    .help = "The scheduler that leads runs the script: off|on|status NAME ADDRESS ID. Exit status 0: done; \"status\" "
            "says on or off. With a script a host that falls silent is switched off by itself, and its servers are "
            "built anew elsewhere.",
    COMMAND_OPTIONS(options),
    .run = run,
};
