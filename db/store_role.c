/* Rows of role and role_implied. */
#include "db/store_role.h"
#include "db/rows.h"

#define COLUMNS      "r.id, r.name, r.domain_id, r.description, r.options, r.extra, r.created_us"
#define COLUMN_COUNT 7

static void from_row(const struct db_rows *rows, int at, struct arena *a, struct role_row *ret)
{
    *ret = (struct role_row){.id = rows_text(rows, at, a),
                             .name = rows_text(rows, at + 1, a),
                             .domain_id = rows_text(rows, at + 2, a),
                             .description = rows_text(rows, at + 3, a),
                             .options = rows_text(rows, at + 4, a),
                             .extra = rows_text(rows, at + 5, a),
                             .created_us = db_get_int(rows, at + 6)};
}

static void from_start(const struct db_rows *rows, struct arena *a, void *ret)
{
    from_row(rows, 0, a, ret);
}

static int many(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count,
                store_role_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct role_row row;
    int stop = 0, rc = db_query(c, s, &rows, e, args, count);
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        from_row(&rows, 0, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(role_by_id, "SELECT " COLUMNS " FROM role r WHERE r.id = $1");
int store_role_get(struct db_conn *c, const char *id, struct arena *a, struct role_row *ret, struct error *e)
{
    return rows_one(c, &role_by_id, DB_ARGS(db_text(id)), from_start, a, ret, e);
}

DB_STATEMENT(role_by_domain_name, "SELECT " COLUMNS " FROM role r WHERE r.domain_id = $1 AND r.name = $2");
int store_role_find(struct db_conn *c, const char *domain_id, const char *name, struct arena *a, struct role_row *ret,
                    struct error *e)
{
    return rows_one(c, &role_by_domain_name, DB_ARGS(db_text(domain_id), db_text(name)), from_start, a, ret, e);
}

DB_STATEMENT(role_all,
             "SELECT " COLUMNS " FROM role r WHERE r.id > $1 AND r.domain_id = $2 AND (r.name = $3 OR $3 IS NULL) "
             "ORDER BY r.id LIMIT $4");
int store_role_each(struct db_conn *c, const char *domain_id, const char *name, const struct page *page,
                    store_role_fn each, void *arg, struct error *e)
{
    return many(c, &role_all, DB_ARGS(PAGE_AFTER(page), db_text(domain_id), db_text(name), PAGE_LIMIT(page)), each, arg,
                e);
}

DB_STATEMENT(role_all_implied, "SELECT " COLUMNS " FROM role r JOIN role_implied i ON i.implied_id = r.id "
                               "WHERE i.prior_id = $1 ORDER BY r.id");
int store_role_each_implied(struct db_conn *c, const char *prior_id, store_role_fn each, void *arg, struct error *e)
{
    return many(c, &role_all_implied, DB_ARGS(db_text(prior_id)), each, arg, e);
}

DB_STATEMENT(role_add, "INSERT INTO role (id, name, domain_id, description, options, extra, created_us) "
                       "VALUES ($1, $2, $3, $4, $5, $6, $7)");
int store_role_insert(struct db_conn *c, const struct role_row *row, struct error *e)
{
    return db_exec(c, &role_add, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->name), db_text(row->domain_id), db_text(row->description),
                           db_text(row->options), db_text(row->extra), db_int(row->created_us)));
}

DB_STATEMENT(role_update, "UPDATE role SET name = $2, description = $3, options = $4, extra = $5 WHERE id = $1");
int store_role_update(struct db_conn *c, const struct role_row *row, struct error *e)
{
    return db_exec(c, &role_update, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->name), db_text(row->description), db_text(row->options),
                           db_text(row->extra)));
}

DB_STATEMENT(role_delete_assignments, "DELETE FROM role_assignment WHERE role_id = $1");
DB_STATEMENT(role_delete_implied, "DELETE FROM role_implied WHERE prior_id = $1 OR implied_id = $1");
DB_STATEMENT(role_delete_app_roles, "DELETE FROM application_credential_role WHERE role_id = $1");
DB_STATEMENT(role_delete, "DELETE FROM role WHERE id = $1");
int store_role_delete(struct db_conn *c, const char *id, struct error *e)
{
    static const struct db_statement *const all[] = {&role_delete_assignments, &role_delete_implied,
                                                     &role_delete_app_roles, &role_delete};
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof(all) / sizeof(all[0]); i++)
        rc = db_exec(c, all[i], NULL, e, DB_ARGS(db_text(id)));
    return rc;
}

DB_STATEMENT(role_imply, "INSERT INTO role_implied (prior_id, implied_id) VALUES ($1, $2) ON CONFLICT DO NOTHING");
int store_role_imply(struct db_conn *c, const char *prior_id, const char *implied_id, struct error *e)
{
    return db_exec(c, &role_imply, NULL, e, DB_ARGS(db_text(prior_id), db_text(implied_id)));
}

DB_STATEMENT(role_unimply, "DELETE FROM role_implied WHERE prior_id = $1 AND implied_id = $2");
int store_role_unimply(struct db_conn *c, const char *prior_id, const char *implied_id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &role_unimply, &changed, e, DB_ARGS(db_text(prior_id), db_text(implied_id)));
    return rc ? rc : changed ? 0 : ERR_NOT_FOUND;
}

DB_STATEMENT(role_implies, "SELECT COUNT(*) FROM role_implied WHERE prior_id = $1 AND implied_id = $2");
int store_role_implies(struct db_conn *c, const char *prior_id, const char *implied_id, bool *ret, struct error *e)
{
    int64_t count;
    int rc = db_query_int(c, &role_implies, &count, e, DB_ARGS(db_text(prior_id), db_text(implied_id)));
    if (!rc)
        *ret = count > 0;
    return rc;
}

DB_STATEMENT(role_reaches, "WITH RECURSIVE down (id) AS (SELECT implied_id FROM role_implied WHERE prior_id = $1 UNION "
                           "SELECT i.implied_id FROM role_implied i JOIN down ON i.prior_id = down.id) "
                           "SELECT COUNT(*) FROM down WHERE id = $2");
int store_role_reaches(struct db_conn *c, const char *id, const char *other, bool *ret, struct error *e)
{
    int64_t count;
    int rc = db_query_int(c, &role_reaches, &count, e, DB_ARGS(db_text(id), db_text(other)));
    if (!rc)
        *ret = count > 0;
    return rc;
}

DB_STATEMENT(role_all_inferences,
             "SELECT " COLUMNS ", s.id, s.name, s.domain_id, s.description, s.options, s.extra, s.created_us "
             "FROM role_implied i JOIN role r ON r.id = i.prior_id JOIN role s ON s.id = i.implied_id "
             "ORDER BY i.prior_id, i.implied_id");
int store_role_each_inference(struct db_conn *c, store_role_inference_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct role_row prior, implied;
    int stop = 0, rc = db_query(c, &role_all_inferences, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        from_row(&rows, 0, NULL, &prior);
        from_row(&rows, COLUMN_COUNT, NULL, &implied);
        stop = each(arg, &prior, &implied, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}
