/* Rows of application_credential and what belongs to them. */
#include "db/store_application_credential.h"
#include "db/rows.h"

#define COLUMNS                                                                                                        \
    "c.id, c.user_id, c.project_id, c.name, c.secret_hash, c.description, c.expires_us, c.unrestricted, c.created_us"

static void from_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct application_credential_row *)ret =
        (struct application_credential_row){.id = rows_text(rows, 0, a),
                                            .user_id = rows_text(rows, 1, a),
                                            .project_id = rows_text(rows, 2, a),
                                            .name = rows_text(rows, 3, a),
                                            .secret_hash = rows_text(rows, 4, a),
                                            .description = rows_text(rows, 5, a),
                                            .expires_us = db_get_int(rows, 6),
                                            .unrestricted = db_get_int(rows, 7),
                                            .created_us = db_get_int(rows, 8)};
}

DB_STATEMENT(application_credential_by_id, "SELECT " COLUMNS " FROM application_credential c WHERE c.id = $1");
int store_application_credential_get(struct db_conn *c, const char *id, struct arena *a,
                                     struct application_credential_row *ret, struct error *e)
{
    return rows_one(c, &application_credential_by_id, DB_ARGS(db_text(id)), from_row, a, ret, e);
}

DB_STATEMENT(application_credential_by_name,
             "SELECT " COLUMNS " FROM application_credential c WHERE c.user_id = $1 AND c.name = $2");
int store_application_credential_find(struct db_conn *c, const char *user_id, const char *name, struct arena *a,
                                      struct application_credential_row *ret, struct error *e)
{
    return rows_one(c, &application_credential_by_name, DB_ARGS(db_text(user_id), db_text(name)), from_row, a, ret, e);
}

DB_STATEMENT(application_credential_count, "SELECT COUNT(*) FROM application_credential WHERE user_id = $1");
DB_STATEMENT(application_credential_of_user,
             "SELECT " COLUMNS " FROM application_credential c WHERE c.user_id = $1 ORDER BY c.id LIMIT $2");
int store_application_credential_list(struct db_conn *c, const char *user_id, struct arena *a,
                                      struct application_credential_row **ret, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int64_t count;
    int rc = db_query_int(c, &application_credential_count, &count, e, DB_ARGS(db_text(user_id)));
    if (!rc)
        rc = db_query(c, &application_credential_of_user, &rows, e, DB_ARGS(db_text(user_id), db_int(count)));
    if (rc)
        return rc;
    *ret = arena_array(a, (size_t)count + 1, sizeof(**ret));
    *ret_count = 0;
    while (db_next(&rows))
        from_row(&rows, a, &(*ret)[(*ret_count)++]);
    return db_rows_done(&rows, e);
}

DB_STATEMENT(application_credential_of, "SELECT " COLUMNS " FROM application_credential c WHERE c.user_id = $1 AND "
                                        "(c.project_id = $2 OR $2 IS NULL) ORDER BY c.id");
int store_application_credential_each_of(struct db_conn *c, const char *user_id, const char *project_id,
                                         store_application_credential_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct application_credential_row row;
    int stop = 0,
        rc = db_query(c, &application_credential_of, &rows, e, DB_ARGS(db_text(user_id), db_text(project_id)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        from_row(&rows, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(application_credential_add,
             "INSERT INTO application_credential (id, user_id, project_id, name, secret_hash, description, expires_us, "
             "unrestricted, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
int store_application_credential_insert(struct db_conn *c, const struct application_credential_row *row,
                                        struct error *e)
{
    return db_exec(c, &application_credential_add, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->user_id), db_text(row->project_id), db_text(row->name),
                           db_text(row->secret_hash), db_text(row->description),
                           db_int_opt(row->expires_us != 0, row->expires_us), db_int(row->unrestricted),
                           db_int(row->created_us)));
}

DB_STATEMENT(application_credential_add_role,
             "INSERT INTO application_credential_role (application_credential_id, role_id) "
             "VALUES ($1, $2) ON CONFLICT DO NOTHING");
int store_application_credential_add_role(struct db_conn *c, const char *id, const char *role_id, struct error *e)
{
    return db_exec(c, &application_credential_add_role, NULL, e, DB_ARGS(db_text(id), db_text(role_id)));
}

DB_STATEMENT(application_credential_add_rule,
             "INSERT INTO application_credential_rule (application_credential_id, access_rule_id) "
             "VALUES ($1, $2) ON CONFLICT DO NOTHING");
int store_application_credential_add_rule(struct db_conn *c, const char *id, const char *rule_id, struct error *e)
{
    return db_exec(c, &application_credential_add_rule, NULL, e, DB_ARGS(db_text(id), db_text(rule_id)));
}

DB_STATEMENT(application_credential_delete_roles,
             "DELETE FROM application_credential_role WHERE application_credential_id = $1");
DB_STATEMENT(application_credential_delete_rules,
             "DELETE FROM application_credential_rule WHERE application_credential_id = $1");
DB_STATEMENT(application_credential_delete, "DELETE FROM application_credential WHERE id = $1");
int store_application_credential_delete(struct db_conn *c, const char *id, struct error *e)
{
    int rc = db_exec(c, &application_credential_delete_roles, NULL, e, DB_ARGS(db_text(id)));
    if (!rc)
        rc = db_exec(c, &application_credential_delete_rules, NULL, e, DB_ARGS(db_text(id)));
    return rc ? rc : db_exec(c, &application_credential_delete, NULL, e, DB_ARGS(db_text(id)));
}

#define ROLE "SELECT r.id, r.name, r.domain_id, r.description, r.options, r.extra FROM role r "
static int each_role(struct db_conn *c, const struct db_statement *s, const char *id, store_role_fn each, void *arg,
                     struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, s, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct role_row row = {.id = db_get_text(&rows, 0),
                               .name = db_get_text(&rows, 1),
                               .domain_id = db_get_text(&rows, 2),
                               .description = db_get_text(&rows, 3),
                               .options = db_get_text(&rows, 4),
                               .extra = db_get_text(&rows, 5)};
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(application_credential_roles, ROLE "JOIN application_credential_role x ON x.role_id = r.id "
                                                "WHERE x.application_credential_id = $1 ORDER BY r.name, r.id");
int store_application_credential_each_role(struct db_conn *c, const char *id, store_role_fn each, void *arg,
                                           struct error *e)
{
    return each_role(c, &application_credential_roles, id, each, arg, e);
}

DB_STATEMENT(application_credential_implied,
             "WITH RECURSIVE has (role_id) AS (SELECT role_id FROM application_credential_role "
             "WHERE application_credential_id = $1 UNION SELECT i.implied_id FROM role_implied i "
             "JOIN has ON has.role_id = i.prior_id) " ROLE "JOIN has ON has.role_id = r.id ORDER BY r.name");
int store_application_credential_each_implied(struct db_conn *c, const char *id, store_role_fn each, void *arg,
                                              struct error *e)
{
    return each_role(c, &application_credential_implied, id, each, arg, e);
}

DB_STATEMENT(application_credential_rules, "SELECT a.id, a.user_id, a.service, a.method, a.path FROM access_rule a "
                                           "JOIN application_credential_rule x ON x.access_rule_id = a.id "
                                           "WHERE x.application_credential_id = $1 ORDER BY a.id");
int store_application_credential_each_rule(struct db_conn *c, const char *id, store_access_rule_fn each, void *arg,
                                           struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &application_credential_rules, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct access_rule_row row = {db_get_text(&rows, 0), db_get_text(&rows, 1), db_get_text(&rows, 2),
                                      db_get_text(&rows, 3), db_get_text(&rows, 4)};
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(application_credential_renew_hash,
             "UPDATE application_credential SET secret_hash = $3 WHERE id = $1 AND secret_hash = $2");
int store_application_credential_renew_hash(struct db_conn *c, const char *id, const char *old, const char *fresh,
                                            struct error *e)
{
    return db_exec(c, &application_credential_renew_hash, NULL, e, DB_ARGS(db_text(id), db_text(old), db_text(fresh)));
}
