/* virga server give: another project owns the server from now on, and pays for it. */
#include "cli/commands.h"
#include "common/clock.h"
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
    const char *id = NULL;
    struct db_conn *c = NULL;
    int rc = command_server(cli, &id, e);
    struct giving g = {cli, rc ? NULL : id, cli->arguments[1]};
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
