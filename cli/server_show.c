/* virga server show: a server as its rows have it, and the addresses that its guest says it has. */
#include "cli/commands.h"
#include "cli/table.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/model/server.h"
#include "common/uuid.h"
#include "db/store_agent_query.h"
#include "db/store_server.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOK_NS    (100 * 1000000)
#define WAIT_MS    15000
#define EXPIRES_US (30 * CLOCK_SECOND_US)

struct showing {
    struct cli *cli;
    struct server_row row;
    struct table table;
    const char *query_id, *answer;
};

static void add(struct showing *x, const char *name, const char *value)
{
    table_add(&x->table, name);
    table_add(&x->table, value);
}

/* ---- what the guest says ---- */

static int ask(struct db_conn *c, void *arg, struct error *e)
{
    struct showing *x = arg;
    int64_t now = clock_now_us();
    x->query_id = uuid_ordered(arena_alloc(&x->cli->arena, UUID_SIZE));
    return store_agent_query_insert(c, x->query_id, x->row.host_id, x->row.id, "addresses", "{}", now, now + EXPIRES_US,
                                    e);
}

static int wait_for_answer(struct showing *x, struct error *e)
{
    int64_t until = clock_mono_us() + WAIT_MS * 1000;
    struct db_conn *c = NULL;
    int rc = db_conn_open(x->cli->db, &c, e);
    rc = rc ? rc : db_transact(c, ask, x, e);
    db_conn_close(&c);
    while (!rc && !x->answer && clock_mono_us() < until) {
        rc = store_agent_query_get(db_reader(x->cli->db), x->query_id, &x->cli->arena, &x->answer, e);
        if (!rc && !x->answer) {
            nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
        }
    }
    return rc;
}

static void add_nics(struct showing *x, json_value *nics)
{
    for (size_t i = 0; i < json_in_count(nics); i++) {
        json_value *nic = json_in_item(nics, i), *addresses = json_in_member(nic, "addresses");
        const char *name = json_in_text(json_in_member(nic, "name")), *mac = json_in_text(json_in_member(nic, "mac"));
        for (size_t k = 0; k < json_in_count(addresses); k++) {
            add(x, arena_printf(&x->cli->arena, "guest %s %s", name ? name : "", mac ? mac : ""),
                json_in_text(json_in_item(addresses, k)));
        }
    }
}

static int add_answer(struct showing *x, struct error *e)
{
    struct json_doc doc;
    if (!x->answer) {
        add(x, "guest", "its host does not answer");
        return 0;
    }
    int rc = json_in_parse(x->answer, strlen(x->answer), &doc, e);
    if (rc) {
        return rc;
    }
    const char *error = json_in_text(json_in_member(doc.root, "error"));
    if (error) {
        add(x, "guest", error);
    } else {
        add_nics(x, json_in_member(json_in_member(doc.root, "output"), "nics"));
    }
    json_in_done(&doc);
    return 0;
}

/* ---- the server ---- */

static void add_row(struct showing *x)
{
    const struct server_row *row = &x->row;
    struct server_situation s = store_server_situation_at(row, clock_now_us());
    char time[CLOCK_TEXT_SIZE];
    add(x, "id", row->id);
    add(x, "name", row->name);
    add(x, "project", row->project_id);
    add(x, "status", server_words(&s).status);
    add(x, "flavor", row->flavor_name);
    add(x, "host", row->host_name);
    add(x, "addresses", row->addresses);
    add(x, "created", clock_text(row->created_us, CLOCK_ISO_Z, time));
    if (row->fault_code) {
        add(x, "fault", row->fault_message);
    }
}

static int find(struct showing *x, struct error *e)
{
    struct cli *cli = x->cli;
    const char *id;
    int rc = command_server(cli, &id, e);
    return rc ? rc : store_server_get(db_reader(cli->db), id, &cli->arena, &x->row, e);
}

static int server_show_run(struct cli *cli, struct error *e)
{
    static const char *const headings[] = {"of the server", "is", NULL};
    struct showing x = {.cli = cli};
    int rc = find(&x, e);
    if (rc) {
        return rc;
    }
    table_init(&x.table, &cli->arena, headings);
    add_row(&x);
    if (x.row.host_id && x.row.observed_state == SERVER_STATE_RUNNING) {
        rc = wait_for_answer(&x, e);
        rc = rc ? rc : add_answer(&x, e);
    }
    if (!rc) {
        table_print(&x.table);
    }
    return rc;
}

const struct command server_show_command = {
    .name = "server show",
    .arguments = "SERVER",
    .summary = "Show a server, and the addresses that its guest says it has",
    .help = "SERVER is an id, or a name that only one server has. The guest's own word comes from QEMU's guest agent; "
            "guests without it, or whose agent does not answer, are shown with that.",
    .run = server_show_run,
};
