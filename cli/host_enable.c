/* virga host enable and disable: whether new servers may come. Those that are there stay. */
#include "cli/commands.h"
#include "common/uuid.h"
#include "db/store_host_admin.h"

struct change {
    struct cli *cli;
    bool enabled;
    const char *reason;
};

static int apply(struct db_conn *c, void *arg, struct error *e)
{
    const struct change *x = arg;
    const char *id = x->cli->arguments[0];
    int rc = uuid_valid(id) ? 0 : store_host_admin_find(c, id, &x->cli->arena, &id, e);
    return rc ? rc : store_host_admin_enable(c, id, x->enabled, x->reason, e);
}

static int change(struct cli *cli, bool enabled, const char *reason, struct error *e)
{
    struct change x = {.cli = cli, .enabled = enabled, .reason = reason};
    struct db_conn *c = NULL;
    int rc = command_open(cli, false, e);
    rc = rc ? rc : db_conn_open(cli->db, &c, e);
    rc = rc ? rc : db_transact(c, apply, &x, e);
    db_conn_close(&c);
    return rc;
}

static int run_enable(struct cli *cli, struct error *e)
{
    return change(cli, true, NULL, e);
}

static int run_disable(struct cli *cli, struct error *e)
{
    return change(cli, false, command_value(cli, "reason"), e);
}

static const struct command_option disable_options[] = {
    {"reason", "TEXT", "Why; shown by host list and os-services."},
};

const struct command host_enable_command = {
    .name = "host enable",
    .arguments = "HOST",
    .summary = "Let new servers come to the host (name or id)",
    .help = NULL,
    .options = NULL,
    .option_count = 0,
    .run = run_enable,
};

const struct command host_disable_command = {
    .name = "host disable",
    .arguments = "HOST",
    .summary = "Keep new servers away from the host (name or id); those that are there stay",
    .help = NULL,
    COMMAND_OPTIONS(disable_options),
    .run = run_disable,
};
