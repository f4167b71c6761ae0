/* virga rebalance plan, apply, status, cancel: which few servers should move, why, and moving them. */
#include "cli/commands.h"
#include "cli/host_find.h"
#include "cli/table.h"
#include "common/clock.h"
#include "db/store_rebalance.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_PAUSE_MS 100

struct rebalance {
    struct cli *cli;
    struct rebalance_row row;
    struct rebalance_move_row *moves;
    size_t count;
    int64_t id; /* 0: the newest */
};

static int load(struct db_conn *c, void *arg, struct error *e)
{
    struct rebalance *x = arg;
    int rc = store_rebalance_get(c, x->id, &x->cli->arena, &x->row, e);
    x->id = rc ? x->id : x->row.id;
    return rc ? rc : store_rebalance_moves(c, x->id, &x->cli->arena, &x->moves, &x->count, e);
}

static void percent(struct table *t, int64_t permille)
{
    table_addf(t, "%" PRId64 ".%" PRId64 " %%", permille / 10, permille % 10);
}

static void show_moves(struct rebalance *x)
{
    static const char *const headings[] = {"SERVER", "FROM", "LOAD", "AFTER", "TO", "LOAD THERE", "STATE", "WHY", NULL};
    struct table t;
    table_init(&t, &x->cli->arena, headings);
    for (size_t i = 0; i < x->count; i++) {
        const struct rebalance_move_row *m = &x->moves[i];
        table_add(&t, m->server_name ? m->server_name : m->server_id);
        table_add(&t, m->source_name ? m->source_name : m->source_host);
        percent(&t, m->before_permille);
        if (strcmp(x->row.goal, "consolidate") == 0)
            table_add(&t, "empty");
        else
            percent(&t, m->after_permille);
        table_add(&t, m->target_name ? m->target_name : m->target_host);
        percent(&t, m->target_permille);
        table_add(&t, m->state);
        table_add(&t, m->message ? m->message : "");
    }
    table_print(&t);
}

static int show(struct rebalance *x, struct error *e)
{
    int rc = db_snapshot(db_reader(x->cli->db), load, x, e);
    if (rc)
        return rc;
    printf("plan %" PRId64 " (%s%s), %s: %s\n", x->row.id, x->row.goal, x->row.automatic ? ", by itself" : "",
           x->row.state, x->row.message ? x->row.message : "is being made");
    if (x->count > 0)
        show_moves(x);
    return 0;
}

/* Until its state is none of the two. */
static int wait_while(struct rebalance *x, const char *state, struct error *e)
{
    struct timespec pause = {.tv_nsec = WAIT_PAUSE_MS * 1000000L};
    int rc = db_snapshot(db_reader(x->cli->db), load, x, e);
    while (!rc && strcmp(x->row.state, state) == 0) {
        nanosleep(&pause, NULL);
        rc = db_snapshot(db_reader(x->cli->db), load, x, e);
    }
    return rc;
}

static int ask(struct db_conn *c, void *arg, struct error *e)
{
    struct rebalance *x = arg;
    const char *goal = command_value(x->cli, "goal");
    x->row = (struct rebalance_row){.goal = goal ? goal : "relieve",
                                    .state = "asked",
                                    .user_id = "",
                                    .project_id = "",
                                    .created_us = clock_now_us()};
    if (strcmp(x->row.goal, "relieve") != 0 && strcmp(x->row.goal, "consolidate") != 0)
        return error_set(e, ERR_INVALID, "--goal is relieve or consolidate");
    int rc = store_rebalance_insert(c, &x->row, e);
    x->id = x->row.id;
    return rc;
}

static int run_plan(struct cli *cli, struct error *e)
{
    struct rebalance x = {.cli = cli};
    int rc = host_find_change(cli, ask, &x, e);
    rc = rc ? rc : wait_while(&x, "asked", e);
    return rc ? rc : show(&x, e);
}

static int set_state(struct db_conn *c, struct rebalance *x, const char *state, struct error *e)
{
    int rc = load(c, x, e);
    const char *from = x->row.state;
    x->row.state = state;
    x->row.updated_us = clock_now_us();
    return rc ? rc : store_rebalance_set(c, &x->row, from, e);
}

static int apply(struct db_conn *c, void *arg, struct error *e)
{
    struct rebalance *x = arg;
    int rc = load(c, x, e);
    if (!rc && strcmp(x->row.state, "planned") != 0)
        return error_set(e, ERR_CONFLICT, "plan %" PRId64 " is %s: make one with virga rebalance plan", x->id,
                         x->row.state);
    return rc ? rc : set_state(c, x, "applying", e);
}

static int cancel(struct db_conn *c, void *arg, struct error *e)
{
    struct rebalance *x = arg;
    int rc = load(c, x, e);
    if (!rc && (strcmp(x->row.state, "done") == 0 || strcmp(x->row.state, "cancelled") == 0))
        return error_set(e, ERR_CONFLICT, "plan %" PRId64 " is %s already", x->id, x->row.state);
    rc = rc ? rc : set_state(c, x, "cancelled", e);
    return rc ? rc : store_rebalance_abort(c, x->id, e);
}

static int read_id(struct rebalance *x, struct error *e)
{
    return command_number(x->cli, "plan", 1, INT64_MAX, 0, &x->id, e);
}

static int run_apply(struct cli *cli, struct error *e)
{
    struct rebalance x = {.cli = cli};
    int rc = read_id(&x, e);
    rc = rc ? rc : host_find_change(cli, apply, &x, e);
    if (!rc && command_flag(cli, "wait"))
        rc = wait_while(&x, "applying", e);
    return rc ? rc : show(&x, e);
}

static int run_status(struct cli *cli, struct error *e)
{
    struct rebalance x = {.cli = cli};
    int rc = read_id(&x, e);
    rc = rc ? rc : command_open(cli, false, e);
    return rc ? rc : show(&x, e);
}

static int run_cancel(struct cli *cli, struct error *e)
{
    struct rebalance x = {.cli = cli};
    int rc = read_id(&x, e);
    rc = rc ? rc : host_find_change(cli, cancel, &x, e);
    return rc ? rc : show(&x, e);
}

static const struct command_option plan_options[] = {
    {"goal", "GOAL", "relieve: cool the hosts that are hot; consolidate: empty the most hosts. Default: relieve."},
};
static const struct command_option id_options[] = {
    {"plan", "N", "Which plan; the newest when not given."},
};
static const struct command_option apply_options[] = {
    {"plan", "N", "Which plan; the newest when not given."},
    {"wait", NULL, "Wait until all its moves have ended."},
};

const struct command rebalance_plan_command = {
    .name = "rebalance plan",
    .arguments = "",
    .summary = "Find the few servers whose move helps most, and show each move with its gain",
    .help = "From what servers and hosts use, as measured. Nothing moves until virga rebalance apply. A server whose "
            "metadata says virga:rebalance=no stays where it is.",
    COMMAND_OPTIONS(plan_options),
    .run = run_plan,
};
const struct command rebalance_apply_command = {
    .name = "rebalance apply",
    .arguments = "",
    .summary = "Move what the plan says, a few servers at a time",
    .help = NULL,
    COMMAND_OPTIONS(apply_options),
    .run = run_apply,
};
const struct command rebalance_status_command = {
    .name = "rebalance status",
    .arguments = "",
    .summary = "Show a plan and how far it is",
    .help = NULL,
    COMMAND_OPTIONS(id_options),
    .run = run_status,
};
const struct command rebalance_cancel_command = {
    .name = "rebalance cancel",
    .arguments = "",
    .summary = "Stop a plan: what has not moved stays, and is not called back",
    .help = NULL,
    COMMAND_OPTIONS(id_options),
    .run = run_cancel,
};
