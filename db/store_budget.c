/* Budgets. A crossing is one row whatever is computed how often, by whom. */
#include "db/store_budget.h"
#include "common/clock.h"

DB_STATEMENT(
    budget_put,
    "INSERT INTO budget (id, account_id, project_id, amount_nano, thresholds, webhook, created_us, email, hard) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id, "
    "project_id = excluded.project_id, amount_nano = excluded.amount_nano, thresholds = excluded.thresholds, "
    "webhook = excluded.webhook, email = excluded.email, hard = excluded.hard");
int store_budget_put(struct db_conn *c, const struct budget_row *r, struct error *e)
{
    return db_exec(c, &budget_put, NULL, e,
                   DB_ARGS(db_text(r->id), db_text(r->account_id), db_text(r->project_id), db_int(r->amount_nano),
                           db_text(r->thresholds), db_text(r->webhook), db_int(r->created_us), db_text(r->email),
                           db_int(r->hard)));
}

DB_STATEMENT(budget_crossing_drop, "DELETE FROM budget_crossing WHERE budget_id = $1");
DB_STATEMENT(budget_mail_drop, "DELETE FROM budget_mail WHERE budget_id = $1");
DB_STATEMENT(budget_delete, "DELETE FROM budget WHERE id = $1");
int store_budget_delete(struct db_conn *c, const char *id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &budget_crossing_drop, NULL, e, DB_ARGS(db_text(id)));
    rc = rc ? rc : db_exec(c, &budget_mail_drop, NULL, e, DB_ARGS(db_text(id)));
    rc = rc ? rc : db_exec(c, &budget_delete, &changed, e, DB_ARGS(db_text(id)));
    return rc || changed > 0 ? rc : error_set(e, ERR_NOT_FOUND, "there is no budget %s", id);
}

#define BUDGET_COLUMNS "id, account_id, project_id, thresholds, webhook, amount_nano, created_us, email, hard"
DB_STATEMENT(budget_all, "SELECT " BUDGET_COLUMNS " FROM budget ORDER BY id");
DB_STATEMENT(budget_of_account, "SELECT " BUDGET_COLUMNS " FROM budget WHERE account_id = $1 ORDER BY id");
DB_STATEMENT(budget_of_project, "SELECT " BUDGET_COLUMNS " FROM budget WHERE project_id = $1 ORDER BY id");
int store_budget_list(struct db_conn *c, const char *account_id, const char *project_id, struct arena *a,
                      struct budget_row **ret, size_t *ret_count, struct error *e)
{
    struct budget_row *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = project_id   ? db_query(c, &budget_of_project, &rows, e, DB_ARGS(db_text(project_id)))
             : account_id ? db_query(c, &budget_of_account, &rows, e, DB_ARGS(db_text(account_id)))
                          : db_query(c, &budget_all, &rows, e, DB_NO_ARGS);
    if (rc) {
        return rc;
    }
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct budget_row){.id = db_dup_text(&rows, 0, a),
                                            .account_id = db_dup_text(&rows, 1, a),
                                            .project_id = db_dup_text(&rows, 2, a),
                                            .thresholds = db_dup_text(&rows, 3, a),
                                            .webhook = db_dup_text(&rows, 4, a),
                                            .amount_nano = db_get_int(&rows, 5),
                                            .created_us = db_get_int(&rows, 6),
                                            .email = db_dup_text(&rows, 7, a),
                                            .hard = db_get_int(&rows, 8) != 0};
    }
    rc = db_rows_done(&rows, e);
    *ret = list;
    *ret_count = count;
    return rc;
}

DB_STATEMENT(budget_cross,
             "INSERT INTO budget_crossing (budget_id, month, threshold, spent_nano, crossed_us, attempts, "
             "due_us) SELECT $1, $2, $3, $4, $5, 0, $6 FROM budget WHERE id = $1 AND amount_nano = $7 ON CONFLICT "
             "(budget_id, month, threshold) DO NOTHING");
#define CROSSING_BELOW                                                                                                 \
    "budget_id = $1 AND month = $2 AND threshold = $3 AND spent_nano < $4 AND EXISTS (SELECT 1 FROM budget WHERE id "  \
    "= $1 AND amount_nano = $5)"
DB_STATEMENT(budget_cross_smaller, "DELETE FROM budget_crossing WHERE " CROSSING_BELOW);
DB_STATEMENT(budget_mail_smaller, "DELETE FROM budget_mail WHERE budget_id = $1 AND month = $2 AND threshold = $3 AND "
                                  "EXISTS (SELECT 1 FROM budget_crossing WHERE " CROSSING_BELOW ")");
DB_STATEMENT(budget_mail_add, "INSERT INTO budget_mail (budget_id, month, threshold, attempts, due_us) "
                              "VALUES ($1, $2, $3, 0, $4)");
int store_budget_cross(struct db_conn *c, const struct budget_crossing *x, bool tell, bool mail, bool *ret_new,
                       struct error *e)
{
    const struct db_statement *smaller[] = {&budget_mail_smaller, &budget_cross_smaller};
    int64_t changed = 0;
    int rc = 0;
    for (size_t i = 0; i < 2 && !rc; i++) {
        rc = db_exec(c, smaller[i], NULL, e,
                     DB_ARGS(db_text(x->budget_id), db_text(x->month), db_text(x->threshold), db_int(x->needed_nano),
                             db_int(x->amount_nano)));
    }
    rc = rc ? rc
            : db_exec(c, &budget_cross, &changed, e,
                      DB_ARGS(db_text(x->budget_id), db_text(x->month), db_text(x->threshold), db_int(x->spent_nano),
                              db_int(x->crossed_us), db_int_opt(tell, x->crossed_us), db_int(x->amount_nano)));
    *ret_new = changed > 0;
    if (!rc && mail && *ret_new) {
        rc = db_exec(c, &budget_mail_add, NULL, e,
                     DB_ARGS(db_text(x->budget_id), db_text(x->month), db_text(x->threshold), db_int(x->crossed_us)));
    }
    return rc;
}

static void read_crossing(const struct db_rows *rows, struct arena *a, struct budget_crossing *ret)
{
    *ret = (struct budget_crossing){.budget_id = db_dup_text(rows, 0, a),
                                    .month = db_dup_text(rows, 1, a),
                                    .threshold = db_dup_text(rows, 2, a),
                                    .spent_nano = db_get_int(rows, 3),
                                    .crossed_us = db_get_int(rows, 4),
                                    .attempts = db_get_int(rows, 5),
                                    .webhook = db_dup_text(rows, 6, a),
                                    .email = db_dup_text(rows, 7, a)};
}

DB_STATEMENT(budget_crossings,
             "SELECT x.budget_id, x.month, x.threshold, x.spent_nano, x.crossed_us, x.attempts, CASE WHEN x.due_us IS "
             "NULL THEN '' ELSE 'due' END, CASE WHEN m.due_us IS NULL THEN '' ELSE 'due' END FROM budget_crossing x "
             "LEFT JOIN budget_mail m ON m.budget_id = x.budget_id AND m.month = x.month AND m.threshold = x.threshold "
             "WHERE x.budget_id = $1 ORDER BY x.month DESC, x.threshold DESC LIMIT $2");
int store_budget_crossings(struct db_conn *c, const char *budget_id, int64_t limit, struct arena *a,
                           struct budget_crossing **ret, size_t *ret_count, struct error *e)
{
    struct budget_crossing *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &budget_crossings, &rows, e, DB_ARGS(db_text(budget_id), db_int(limit)));
    if (rc) {
        return rc;
    }
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        read_crossing(&rows, a, &list[count++]);
    }
    rc = db_rows_done(&rows, e);
    *ret = list;
    *ret_count = count;
    return rc;
}

DB_STATEMENT(budget_due,
             "SELECT x.budget_id, x.month, x.threshold, x.spent_nano, x.crossed_us, x.attempts, b.webhook, NULL FROM "
             "budget_crossing x JOIN budget b ON b.id = x.budget_id WHERE x.due_us <= $1 ORDER BY x.due_us "
             "LIMIT 1");
DB_STATEMENT(
    budget_mail_due_first,
    "SELECT x.budget_id, x.month, x.threshold, x.spent_nano, x.crossed_us, m.attempts, NULL, b.email FROM "
    "budget_mail m JOIN budget b ON b.id = m.budget_id JOIN budget_crossing x ON x.budget_id = m.budget_id AND "
    "x.month = m.month AND x.threshold = m.threshold WHERE m.due_us <= $1 ORDER BY m.due_us LIMIT 1");
int store_budget_due(struct db_conn *c, int64_t now_us, struct arena *a, struct budget_crossing *ret, bool *ret_found,
                     struct error *e)
{
    const struct db_statement *ways[] = {&budget_due, &budget_mail_due_first};
    int rc = 0;
    *ret_found = false;
    for (size_t i = 0; i < 2 && !rc && !*ret_found; i++) {
        struct db_rows rows;
        rc = db_query(c, ways[i], &rows, e, DB_ARGS(db_int(now_us)));
        if (rc) {
            return rc;
        }
        *ret_found = db_next(&rows);
        if (*ret_found) {
            read_crossing(&rows, a, ret);
        }
        rc = db_rows_done(&rows, e);
    }
    return rc;
}

DB_STATEMENT(budget_told, "UPDATE budget_crossing SET attempts = attempts + 1, due_us = $4 WHERE budget_id = $1 AND "
                          "month = $2 AND threshold = $3 AND crossed_us = $5");
DB_STATEMENT(budget_mailed,
             "UPDATE budget_mail SET attempts = attempts + 1, due_us = $4 WHERE budget_id = $1 AND "
             "month = $2 AND threshold = $3 AND EXISTS (SELECT 1 FROM budget_crossing WHERE budget_id = $1 AND "
             "month = $2 AND threshold = $3 AND crossed_us = $5)");
int store_budget_told(struct db_conn *c, const struct budget_crossing *x, int64_t due_us, struct error *e)
{
    return db_exec(c, x->email ? &budget_mailed : &budget_told, NULL, e,
                   DB_ARGS(db_text(x->budget_id), db_text(x->month), db_text(x->threshold),
                           db_int_opt(due_us != 0, due_us), db_int(x->crossed_us)));
}

DB_STATEMENT(budget_spent, "UPDATE budget SET spent_nano = $3, spent_month = $2 WHERE id = $1 AND "
                           "(spent_nano <> $3 OR spent_month <> $2)");
int store_budget_spent(struct db_conn *c, const char *id, const char *month, int64_t nano, struct error *e)
{
    return db_exec(c, &budget_spent, NULL, e, DB_ARGS(db_text(id), db_text(month), db_int(nano)));
}

/* By the two indexes; POST /servers waits for it. */
DB_STATEMENT(
    budget_stops,
    "SELECT id FROM budget WHERE project_id = $1 AND hard = 1 AND spent_month = $2 AND spent_nano >= amount_nano "
    "UNION ALL SELECT b.id FROM billing_member m JOIN budget b ON b.account_id = m.account_id "
    "WHERE m.project_id = $1 AND b.hard = 1 AND b.spent_month = $2 AND b.spent_nano >= b.amount_nano "
    "UNION ALL SELECT id FROM budget WHERE account_id = $1 AND hard = 1 AND spent_month = $2 AND "
    "spent_nano >= amount_nano LIMIT 1");
static int find_used_up(struct db_conn *c, const char *project_id, const char *month, struct arena *a,
                        const char **ret_id, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &budget_stops, &rows, e, DB_ARGS(db_text(project_id), db_text(month)));
    if (rc) {
        return rc;
    }
    *ret_id = db_next(&rows) ? db_dup_text(&rows, 0, a) : NULL;
    return db_rows_done(&rows, e);
}

int store_budget_check(struct db_conn *c, const char *project_id, int64_t now_us, struct arena *a, struct error *e)
{
    char month[CLOCK_TEXT_SIZE];
    const char *budget = NULL;
    clock_text(now_us, CLOCK_ISO_Z, month);
    month[7] = '\0'; /* 2026-10 */
    int rc = find_used_up(c, project_id, month, a, &budget, e);
    if (!rc && budget)
        rc = error_set(e, ERR_FORBIDDEN,
                       "The budget %s is used up for %s: no new servers until next month or until it is raised.",
                       budget, month);
    return rc;
}
