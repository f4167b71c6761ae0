/* virga status: which daemons run, what the database holds, who leads. */
#include "cli/commands.h"
#include "cli/pid.h"
#include "cli/table.h"
#include "common/clock.h"
#include "db/store_operator.h"
#include <inttypes.h>
#include <stdio.h>

static const char *const daemons[] = {"virga", "virga-api", "virga-scheduler", "virga-metering", "virga-agent"};

/* Either a table for people or JSON is filled, row by row. */
struct status {
    struct cli *cli;
    struct table table;
    struct json_out *out; /* NULL: the table */
    int64_t now_us;
};

static void start_table(struct status *s, const char *first, const char *second)
{
    const char *headings[] = {first, second, NULL};
    table_init(&s->table, &s->cli->arena, headings);
}

static void end_table(struct status *s)
{
    table_print(&s->table);
    printf("\n");
}

static int put_daemons(struct status *s, struct error *e)
{
    int rc = 0;
    if (s->out)
        json_out_object(s->out, "daemons");
    else
        start_table(s, "DAEMON", "PROCESS");
    for (size_t i = 0; !rc && i < sizeof(daemons) / sizeof(daemons[0]); i++) {
        pid_t pid = 0;
        rc = pid_read(command_place(s->cli, arena_printf(&s->cli->arena, "/run/virga/%s.pid", daemons[i])), &pid, e);
        if (s->out && pid)
            json_out_int(s->out, daemons[i], pid);
        else if (s->out)
            json_out_null(s->out, daemons[i]);
        if (s->out)
            continue;
        table_add(&s->table, daemons[i]);
        if (pid)
            table_addf(&s->table, "%d", (int)pid);
        else
            table_add(&s->table, "not running");
    }
    if (s->out)
        json_out_object_end(s->out);
    else
        end_table(s);
    return rc;
}

static int put_figures(struct status *s, struct db_conn *c, struct error *e)
{
    int64_t value = 0;
    int rc = store_operator_level(c, &value, e);
    if (s->out) {
        json_out_object(s->out, "database");
        json_out_text(s->out, "place", db_engine(s->cli->db) == DB_SQLITE ? db_path(s->cli->db) : "PostgreSQL");
        json_out_int(s->out, "migration", value);
        json_out_object_end(s->out);
        json_out_object(s->out, "figures");
    } else {
        start_table(s, "DATABASE", db_engine(s->cli->db) == DB_SQLITE ? db_path(s->cli->db) : "PostgreSQL");
        table_add(&s->table, "migration");
        table_addf(&s->table, "%" PRId64, value);
    }
    for (size_t i = 0; !rc && i < store_operator_figure_count(); i++) {
        rc = store_operator_figure(c, i, s->now_us, &value, e);
        if (s->out) {
            json_out_int(s->out, store_operator_figure_name(i), value);
            continue;
        }
        table_add(&s->table, store_operator_figure_name(i));
        table_addf(&s->table, "%" PRId64, value);
    }
    if (s->out)
        json_out_object_end(s->out);
    else
        end_table(s);
    return rc;
}

static int put_lease(void *arg, const char *name, const char *holder, int64_t epoch, int64_t until_us, struct error *e)
{
    (void)e;
    struct status *s = arg;
    bool held = *holder && until_us > s->now_us;
    if (!s->out) {
        table_add(&s->table, name);
        table_addf(&s->table, "%s", held ? holder : "nobody");
        return 0;
    }
    json_out_object(s->out, NULL);
    json_out_text(s->out, "name", name);
    json_out_text(s->out, "holder", held ? holder : NULL);
    json_out_int(s->out, "epoch", epoch);
    json_out_int(s->out, "until_us", until_us);
    json_out_object_end(s->out);
    return 0;
}

static int put_leases(struct status *s, struct db_conn *c, struct error *e)
{
    if (s->out)
        json_out_array(s->out, "leases");
    else
        start_table(s, "LEASE", "HOLDER");
    int rc = store_operator_leases(c, put_lease, s, e);
    if (s->out)
        json_out_array_end(s->out);
    else
        table_print(&s->table);
    return rc;
}

static int status_run(struct cli *cli, struct error *e)
{
    struct status s = {.cli = cli, .now_us = clock_now_us()};
    struct strbuf text;
    struct json_out out;
    int rc = command_open(cli, false, e);
    if (rc)
        return rc;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    if (cli->json) {
        s.out = &out;
        json_out_object(&out, NULL);
    }
    rc = put_daemons(&s, e);
    if (!rc)
        rc = put_figures(&s, db_reader(cli->db), e);
    if (!rc)
        rc = put_leases(&s, db_reader(cli->db), e);
    if (!rc && s.out) {
        json_out_object_end(&out);
        command_print_json(&out);
    }
    strbuf_done(&text);
    return rc;
}

const struct command status_command = {
    .name = "status",
    .arguments = "",
    .summary = "Show which daemons run, what the database holds and who leads",
    .run = status_run,
};
