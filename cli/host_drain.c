/* virga host drain: everything is to leave a host; shows how far it is, and what cannot go and why. */
#include "cli/commands.h"
#include "cli/host_find.h"
#include "cli/table.h"
#include "common/clock.h"
#include "db/store_host_leave.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DRAIN_PARALLEL 2
#define DRAIN_PAUSE_MS 500

struct drain {
    struct cli *cli;
    const char *host_id;
    int64_t parallel;
    struct host_drain_row row;
    struct host_drain_figures figures;
    bool found;
    struct host_row host;
    bool off; /* proved */
    struct table table;
};

static int begin(struct db_conn *c, void *arg, struct error *e)
{
    struct drain *d = arg;
    const char *reason = command_value(d->cli, "reason");
    int rc = host_find_id(d->cli, c, &d->host_id, e);
    struct host_drain_row row = {
        .host_id = d->host_id, .user_id = "", .project_id = "", .parallel = d->parallel, .started_us = clock_now_us()};
    return rc ? rc : store_host_work_drain(c, &row, reason ? reason : "drained by the operator", e);
}

static int cancel(struct db_conn *c, void *arg, struct error *e)
{
    struct drain *d = arg;
    int rc = host_find_id(d->cli, c, &d->host_id, e);
    return rc ? rc : store_host_work_cancel_drain(c, d->host_id, clock_now_us(), e);
}

static int look(struct db_conn *c, void *arg, struct error *e)
{
    struct drain *d = arg;
    int rc = d->host_id ? 0 : host_find_id(d->cli, c, &d->host_id, e);
    rc = rc ? rc : store_host_work_get_drain(c, d->host_id, &d->cli->arena, &d->row, &d->found, e);
    return rc || !d->found ? rc : store_host_work_figures(c, &d->row, &d->figures, e);
}

static int add_left(void *arg, const struct server_row *row, struct error *e)
{
    struct drain *d = arg;
    const char *why = "";
    int rc = store_host_leave_why(db_reader(d->cli->db), &d->row, row, &d->host, d->off, &d->cli->arena, &why, e);
    table_add(&d->table, row->id);
    table_add(&d->table, row->name);
    table_add(&d->table, server_state_name(row->observed_state));
    table_add(&d->table, why);
    return rc;
}

static int show_left(struct drain *d, struct error *e)
{
    static const char *const headings[] = {"SERVER", "NAME", "STATE", "WHY IT IS STILL THERE", NULL};
    struct server_query q = {.sort = SERVER_SORT_CREATED, .ascending = true, .limit = 1000, .host = d->host_id};
    struct db_conn *c = db_reader(d->cli->db);
    table_init(&d->table, &d->cli->arena, headings);
    int rc = store_host_get(c, d->host_id, &d->cli->arena, &d->host, e);
    rc = rc ? rc : store_host_work_is_off(c, d->host_id, clock_now_us(), &d->off, NULL, &d->cli->arena, e);
    rc = rc ? rc : store_server_list(c, &q, add_left, d, e);
    if (!rc)
        table_print(&d->table);
    return rc;
}

static int show(struct drain *d, struct error *e)
{
    int rc = db_snapshot(db_reader(d->cli->db), look, d, e);
    if (rc)
        return rc;
    if (!d->found) {
        printf("not drained\n");
        return 0;
    }
    printf("%s: %" PRId64 " moved, %" PRId64 " on their way, %" PRId64 " tries failed, %" PRId64 " still there\n",
           store_host_work_drain_name(d->row.state), d->figures.moved, d->figures.moving, d->figures.failed,
           d->figures.left);
    if (d->row.state == HOST_DRAIN_STUCK)
        d->cli->status = 1;
    return d->figures.left > 0 ? show_left(d, e) : 0;
}

static int wait_for_end(struct drain *d, struct error *e)
{
    struct timespec pause = {.tv_nsec = DRAIN_PAUSE_MS * 1000000L};
    int rc = db_snapshot(db_reader(d->cli->db), look, d, e);
    while (!rc && d->found && d->row.state == HOST_DRAIN_RUNNING) {
        nanosleep(&pause, NULL);
        rc = db_snapshot(db_reader(d->cli->db), look, d, e);
    }
    return rc;
}

static int run(struct cli *cli, struct error *e)
{
    struct drain d = {.cli = cli};
    int rc = command_number(cli, "parallel", 1, 1000, DRAIN_PARALLEL, &d.parallel, e);
    if (rc)
        return rc;
    if (command_flag(cli, "cancel"))
        return host_find_change(cli, cancel, &d, e);
    if (command_flag(cli, "status")) {
        rc = command_open(cli, false, e);
        return rc ? rc : show(&d, e);
    }
    rc = host_find_change(cli, begin, &d, e);
    if (!rc && command_flag(cli, "wait"))
        rc = wait_for_end(&d, e);
    return rc ? rc : show(&d, e);
}

static const struct command_option options[] = {
    {"parallel", "N", "Servers on their way at a time; 2 when not given."},
    {"reason", "TEXT", "Why; shown by host list and os-services."},
    {"wait", NULL, "Wait until the host is empty, or nothing more can leave."},
    {"status", NULL, "Only show how far it is."},
    {"cancel", NULL, "Stop: what has not moved stays, and is not called back."},
};

const struct command host_drain_command = {
    .name = "host drain",
    .arguments = "HOST",
    .summary = "Move every server off the host (name or id): live where the guest can, cold where not",
    .help = "No new servers come meanwhile, nor afterwards until `virga host enable`. What cannot be moved is tried "
            "again from time to time; what never can, such as an imported machine, is not. A shelved server leaves "
            "its host for its image. With proof that the host is off (virga host fence) its servers are built anew "
            "elsewhere, but those whose metadata says virga:on_host_failure=stay_down. Exit status 1: something "
            "cannot be moved.",
    COMMAND_OPTIONS(options),
    .run = run,
};

/* ---- maintain ---- */

static int run_maintain(struct cli *cli, struct error *e)
{
    struct drain d = {.cli = cli, .parallel = DRAIN_PARALLEL};
    int rc = host_find_change(cli, begin, &d, e);
    rc = rc ? rc : wait_for_end(&d, e);
    return rc ? rc : show(&d, e);
}

static const struct command_option maintain_options[] = {
    {"reason", "TEXT", "Why; shown by host list and os-services."},
};

const struct command host_maintain_command = {
    .name = "host maintain",
    .arguments = "HOST",
    .summary = "Empty the host (name or id), wait until it is empty, and keep it so until host enable",
    .help = NULL,
    COMMAND_OPTIONS(maintain_options),
    .run = run_maintain,
};
