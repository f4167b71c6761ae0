/* virga release: an imported server's machine is given back to its host. */
#include "cli/commands.h"
#include "common/clock.h"
#include "db/store_import.h"
#include <stdio.h>

struct releasing {
    struct cli *cli;
    const char *server_id;
};

static int release(struct db_conn *c, void *arg, struct error *e)
{
    const struct releasing *r = arg;
    return store_import_release(c, r->server_id, clock_now_us(), &r->cli->arena, e);
}

static int release_run(struct cli *cli, struct error *e)
{
    const char *id = NULL;
    struct db_conn *c = NULL;
    int rc = command_server(cli, &id, e);
    struct releasing r = {cli, rc ? NULL : id};
    rc = rc ? rc : db_conn_open(cli->db, &c, e);
    rc = rc ? rc : db_transact(c, release, &r, e);
    db_conn_close(&c);
    if (!rc) {
        printf("%s is given back as soon as its host has heard it\n", r.server_id);
    }
    return rc;
}

const struct command release_command = {
    .name = "release",
    .arguments = "SERVER",
    .summary = "Give an imported server back to its host",
    .help =
        "The machine goes on running with its disks; the server ends, and with it what it costs. SERVER is an id, or a "
        "name that only one server has. Servers that were not imported are refused.",
    .run = release_run,
};
