/* Rolling up: the sums are read, the rows are deleted, the sums are written, in the caller's transaction. */
#include "db/store_roll.h"
#include "db/store_amount.h"
#include "db/store_counter.h"

#define GROUPED     "generation, subject_no, shape_no, host_no"
#define SUM(column) "CAST(sum(" #column ") AS BIGINT)"
DB_STATEMENT(
    roll_counters,
    "SELECT min(hour_us), " GROUPED
    ", count(*), " SUM(cpu_ns) ", " SUM(disk_read_bytes) ", " SUM(disk_write_bytes) ", " SUM(disk_read_ops) ", " SUM(
        disk_write_ops) ", " SUM(net_in_bytes) ", " SUM(net_out_bytes) " FROM usage_counter WHERE project_no = $1 AND "
                                                                       "hour_us >= $2 AND hour_us < $3 "
                                                                       "GROUP BY hour_us / $4, " GROUPED);
DB_STATEMENT(roll_amounts, "SELECT min(hour_us), " GROUPED
                           ", count(*), " SUM(amount) ", resource FROM usage_amount "
                                                      "WHERE project_no = $1 AND hour_us >= $2 AND hour_us < $3 "
                                                      "GROUP BY hour_us / $4, " GROUPED ", resource");
DB_STATEMENT(roll_forget_counters,
             "DELETE FROM usage_counter WHERE project_no = $1 AND hour_us >= $2 AND hour_us < $3");
DB_STATEMENT(roll_forget_amounts, "DELETE FROM usage_amount WHERE project_no = $1 AND hour_us >= $2 AND hour_us < $3");

struct rolled {
    struct arena arena;
    int64_t before;
    struct counter_hour *counters;
    struct amount_row *amounts;
    size_t counter_count, amount_count;
};

static int read_counters(struct rolled *r, struct db_rows *rows, int64_t project_no, struct error *e)
{
    size_t room = 0;
    while (db_next(rows)) {
        r->counters = arena_more(&r->arena, r->counters, r->counter_count, &room, sizeof(*r->counters));
        struct counter_hour *h = &r->counters[r->counter_count++];
        *h = (struct counter_hour){.project_no = project_no,
                                   .hour_us = db_get_int(rows, 0),
                                   .generation = db_get_int(rows, 1),
                                   .subject_no = db_get_int(rows, 2),
                                   .shape_no = db_get_int(rows, 3),
                                   .host_no = db_get_int(rows, 4)};
        r->before += db_get_int(rows, 5);
        for (int k = 0; k < COUNTER_COUNT; k++) {
            h->used[k] = db_get_int(rows, 6 + k);
        }
    }
    return db_rows_done(rows, e);
}

static int read_amounts(struct rolled *r, struct db_rows *rows, int64_t project_no, struct error *e)
{
    size_t room = 0;
    while (db_next(rows)) {
        r->amounts = arena_more(&r->arena, r->amounts, r->amount_count, &room, sizeof(*r->amounts));
        r->amounts[r->amount_count++] = (struct amount_row){.project_no = project_no,
                                                            .hour_us = db_get_int(rows, 0),
                                                            .generation = db_get_int(rows, 1),
                                                            .subject_no = db_get_int(rows, 2),
                                                            .shape_no = db_get_int(rows, 3),
                                                            .host_no = db_get_int(rows, 4),
                                                            .amount = db_get_int(rows, 6),
                                                            .resource = db_dup_text(rows, 7, &r->arena)};
        r->before += db_get_int(rows, 5);
    }
    return db_rows_done(rows, e);
}

static int read_sums(struct db_conn *c, struct rolled *r, int64_t project_no, int64_t from_us, int64_t to_us,
                     int64_t bucket_us, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &roll_counters, &rows, e,
                      DB_ARGS(db_int(project_no), db_int(from_us), db_int(to_us), db_int(bucket_us)));
    rc = rc ? rc : read_counters(r, &rows, project_no, e);
    rc = rc ? rc
            : db_query(c, &roll_amounts, &rows, e,
                       DB_ARGS(db_int(project_no), db_int(from_us), db_int(to_us), db_int(bucket_us)));
    return rc ? rc : read_amounts(r, &rows, project_no, e);
}

int store_roll_forget(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t *ret_gone,
                      struct error *e)
{
    int64_t counters = 0, amounts = 0;
    int rc =
        db_exec(c, &roll_forget_counters, &counters, e, DB_ARGS(db_int(project_no), db_int(from_us), db_int(to_us)));
    rc =
        rc ? rc
           : db_exec(c, &roll_forget_amounts, &amounts, e, DB_ARGS(db_int(project_no), db_int(from_us), db_int(to_us)));
    if (!rc) {
        *ret_gone = counters + amounts;
    }
    return rc;
}

int store_roll(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t bucket_us,
               int64_t *ret_gone, struct error *e)
{
    struct rolled r = {.before = 0};
    int64_t gone = 0;
    arena_init(&r.arena);
    int rc = read_sums(c, &r, project_no, from_us, to_us, bucket_us, e);
    int64_t fewer = r.before - (int64_t)(r.counter_count + r.amount_count);
    if (!rc && fewer > 0) {
        rc = store_roll_forget(c, project_no, from_us, to_us, &gone, e);
        for (size_t i = 0; !rc && i < r.counter_count; i++) {
            rc = store_counter_add(c, &r.counters[i], e);
        }
        for (size_t i = 0; !rc && i < r.amount_count; i++) {
            rc = store_amount_add(c, &r.amounts[i], e);
        }
    }
    arena_done(&r.arena);
    if (!rc) {
        *ret_gone = fewer;
    }
    return rc;
}
