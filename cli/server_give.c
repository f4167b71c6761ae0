/* virga server give: another project owns the server from now on, and pays for it. */
#include "cli/commands.h"
#include "common/clock.h"
#include "db/store_operator.h"
#include "db/store_server_give.h"
#include <stdio.h>

struct giving {
    struct cli *cli;
    const char *server_id, *project_id;
};

static int give(struct db_conn *c, void *arg, struct error *e)
{
    const struct giving *g = arg;
    return store_server_give(c, g->server_id, g->project_id, clock_now_us(), &g->cli->arena, e);
}

static int server_give_run(struct cli *cli, struct error *e)
{
    const char *ids[2];
    size_t count = 0;
    struct db_conn *c = NULL;
    int rc = command_open(cli, false, e);
    rc = rc ? rc : store_operator_find_server(db_reader(cli->db), cli->arguments[0], &cli->arena, ids, &count, e);
    if (!rc && count != 1) {
        rc = error_set(e, count ? ERR_INVALID : ERR_NOT_FOUND, "%s server has the id or name \"%s\"",
                       count ? "more than one" : "no", cli->arguments[0]);
    }
    struct giving g = {cli, rc ? NULL : ids[0], cli->arguments[1]};
    rc = rc ? rc : db_conn_open(cli->db, &c, e);
    rc = rc ? rc : db_transact(c, give, &g, e);
    db_conn_close(&c);
    if (!rc) {
        printf("%s belongs to project %s now\n", g.server_id, g.project_id);
    }
    return rc;
}

const struct command server_give_command = {
    .name = "server give",
    .arguments = "SERVER PROJECT",
    .summary = "Make another project the owner of a server",
    .help = "SERVER is an id, or a name that only one server has; PROJECT is an id. Each project is billed for its own "
            "seconds. The server's quota and the ports that were made with it go along; the server must be at rest, "
            "without ports of its tenant's own and in no server group.",
    .run = server_give_run,
};
