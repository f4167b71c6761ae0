/* virga server clone, virga server flatten: a server that begins with what another has on its disk, and the end of what
 * they share. */
#include "cli/commands.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "db/store_operation.h"
#include "db/store_server_clone.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLONE_LOOK_NS (200 * 1000000)

struct cloning {
    struct cli *cli;
    const char *server_id, *made, *request_id;
    struct server_row row;
};

static struct server_clone_wish who_asks(const struct cloning *x)
{
    return (struct server_clone_wish){
        .request_id = x->request_id, .user_id = x->row.user_id, .project_id = x->row.project_id, .unlimited = true};
}

static int clone_server(struct db_conn *c, void *arg, struct error *e)
{
    struct cloning *x = arg;
    int rc = store_server_get(c, x->server_id, &x->cli->arena, &x->row, e);
    if (rc)
        return rc;
    struct server_clone_wish wish = who_asks(x);
    wish.name = x->cli->arguments[1];
    return store_server_clone_begin(c, &x->row, &wish, clock_now_us(), &x->cli->arena, &x->made, e);
}

static int flatten(struct db_conn *c, void *arg, struct error *e)
{
    struct cloning *x = arg;
    int rc = store_server_get(c, x->server_id, &x->cli->arena, &x->row, e);
    if (rc)
        return rc;
    struct server_clone_wish who = who_asks(x);
    return store_server_clone_flatten_begin(c, &x->row, &who, clock_now_us(), &x->cli->arena, e);
}

static int begin(struct cloning *x, int (*work)(struct db_conn *c, void *arg, struct error *e), struct error *e)
{
    struct db_conn *c = NULL;
    char id[UUID_SIZE];
    x->request_id = arena_printf(&x->cli->arena, "req-%s", uuid_random(id));
    int rc = command_server(x->cli, &x->server_id, e);
    rc = rc ? rc : db_conn_open(x->cli->db, &c, e);
    rc = rc ? rc : db_transact(c, work, x, e);
    db_conn_close(&c);
    return rc;
}

static int server_clone_run(struct cli *cli, struct error *e)
{
    struct cloning x = {.cli = cli};
    int rc = begin(&x, clone_server, e);
    if (!rc) {
        printf("%s is made as a clone of %s\n", x.made, x.server_id);
    }
    return rc;
}

/* Until its operation is another one or none. */
static int follow(struct cloning *x, struct error *e)
{
    const char *task = x->row.operation_id, *told = "", *said = NULL;
    int rc = 0;
    while (!rc && x->row.operation == SERVER_OPERATION_FLATTENING) {
        rc = store_server_clone_flatten_said(db_reader(x->cli->db), task, &x->cli->arena, &said, e);
        if (!rc && said && strcmp(said, told) != 0) {
            printf("%s\n", told = said);
        }
        nanosleep(&(struct timespec){.tv_nsec = CLONE_LOOK_NS}, NULL);
        rc = rc ? rc : store_server_get(db_reader(x->cli->db), x->server_id, &x->cli->arena, &x->row, e);
    }
    return rc;
}

static int server_flatten_run(struct cli *cli, struct error *e)
{
    struct cloning x = {.cli = cli};
    struct operation_row done = {.state = ""};
    int rc = begin(&x, flatten, e);
    rc = rc ? rc : follow(&x, e);
    rc = rc ? rc : store_operation_by_request(db_reader(cli->db), x.server_id, x.request_id, &cli->arena, &done, e);
    if (!rc && strcmp(done.state, "done") != 0) {
        return error_set(e, ERR_CONFLICT, "%s is not flattened: %s", x.server_id, done.message ? done.message : "");
    }
    if (!rc) {
        printf("%s needs no other disk any more\n", x.server_id);
    }
    return rc;
}

const struct command server_clone_command = {
    .name = "server clone",
    .arguments = "SERVER NAME",
    .summary = "Make a server that begins with what another has on its disk",
    .help =
        "SERVER is an id, or a name that only one server has. The clone has the same flavor, networks and security "
        "groups and addresses of its own, and is made on the same host as fast for a large disk as for a small one: "
        "the two share what is there now and write apart. SERVER may be on; its file systems are frozen for that "
        "moment where its image says that it has QEMU's guest agent. Quota and budgets do not keep an operator.",
    .run = server_clone_run,
};

const struct command server_flatten_command = {
    .name = "server flatten",
    .arguments = "SERVER",
    .summary = "Make a server's disk share nothing with others any more",
    .help = "SERVER is an id, or a name that only one server has; it may be on meanwhile. What is said of its progress "
            "are bytes of its disk. What it shared is removed when nobody else needs it. A container that is on needs "
            "nothing of its image any more from its next start on.",
    .run = server_flatten_run,
};
