/* Rows of user_account. */
#include "db/store_user.h"
#include "db/rows.h"

#define COLUMNS                                                                                                        \
    "u.id, u.domain_id, u.name, u.enabled, u.default_project_id, u.password_hash, u.password_changed_us, "             \
    "u.password_expires_us, u.options, u.extra, u.created_us"

static void from_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct user_row *)ret = (struct user_row){.id = rows_text(rows, 0, a),
                                                .domain_id = rows_text(rows, 1, a),
                                                .name = rows_text(rows, 2, a),
                                                .enabled = db_get_int(rows, 3),
                                                .default_project_id = rows_text(rows, 4, a),
                                                .password_hash = rows_text(rows, 5, a),
                                                .password_changed_us = db_get_int(rows, 6),
                                                .password_expires_us = db_get_int(rows, 7),
                                                .options = rows_text(rows, 8, a),
                                                .extra = rows_text(rows, 9, a),
                                                .created_us = db_get_int(rows, 10)};
}

static int many(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count,
                store_user_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct user_row row;
    int stop = 0, rc = db_query(c, s, &rows, e, args, count);
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        from_row(&rows, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(user_by_id, "SELECT " COLUMNS " FROM user_account u WHERE u.id = $1");
int store_user_get(struct db_conn *c, const char *id, struct arena *a, struct user_row *ret, struct error *e)
{
    return rows_one(c, &user_by_id, DB_ARGS(db_text(id)), from_row, a, ret, e);
}

DB_STATEMENT(user_by_domain_name, "SELECT " COLUMNS " FROM user_account u WHERE u.domain_id = $1 AND u.name = $2");
int store_user_find(struct db_conn *c, const char *domain_id, const char *name, struct arena *a, struct user_row *ret,
                    struct error *e)
{
    return rows_one(c, &user_by_domain_name, DB_ARGS(db_text(domain_id), db_text(name)), from_row, a, ret, e);
}

#define FILTERED "u.id > $1 AND (u.domain_id = $2 OR $2 IS NULL) AND (u.enabled = $3 OR $3 IS NULL)"
DB_STATEMENT(user_all, "SELECT " COLUMNS " FROM user_account u WHERE " FILTERED " ORDER BY u.id LIMIT $4");
DB_STATEMENT(user_all_by_name,
             "SELECT " COLUMNS " FROM user_account u WHERE " FILTERED " AND u.name = $4 ORDER BY u.id LIMIT $5");
int store_user_each(struct db_conn *c, const struct user_filter *f, const struct page *page, store_user_fn each,
                    void *arg, struct error *e)
{
    struct db_value after = PAGE_AFTER(page), limit = PAGE_LIMIT(page), domain = db_text(f->domain_id),
                    enabled = db_int_opt(f->enabled >= 0, f->enabled);
    if (f->name)
        return many(c, &user_all_by_name, DB_ARGS(after, domain, enabled, db_text(f->name), limit), each, arg, e);
    return many(c, &user_all, DB_ARGS(after, domain, enabled, limit), each, arg, e);
}

DB_STATEMENT(user_all_of_group, "SELECT " COLUMNS " FROM user_account u JOIN group_member m ON m.user_id = u.id "
                                "WHERE m.group_id = $1 ORDER BY u.id");
int store_user_each_of_group(struct db_conn *c, const char *group_id, store_user_fn each, void *arg, struct error *e)
{
    return many(c, &user_all_of_group, DB_ARGS(db_text(group_id)), each, arg, e);
}

static struct db_value time_or_null(int64_t us)
{
    return db_int_opt(us != 0, us);
}

DB_STATEMENT(user_add, "INSERT INTO user_account (id, domain_id, name, enabled, default_project_id, password_hash, "
                       "password_changed_us, password_expires_us, options, extra, created_us) "
                       "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
int store_user_insert(struct db_conn *c, const struct user_row *row, struct error *e)
{
    return db_exec(c, &user_add, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->domain_id), db_text(row->name), db_int(row->enabled),
                           db_text(row->default_project_id), db_text(row->password_hash),
                           time_or_null(row->password_changed_us), time_or_null(row->password_expires_us),
                           db_text(row->options), db_text(row->extra), db_int(row->created_us)));
}

DB_STATEMENT(user_update,
             "UPDATE user_account SET name = $2, enabled = $3, default_project_id = $4, password_hash = $5, "
             "password_changed_us = $6, password_expires_us = $7, options = $8, extra = $9 WHERE id = $1");
int store_user_update(struct db_conn *c, const struct user_row *row, struct error *e)
{
    return db_exec(c, &user_update, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->name), db_int(row->enabled), db_text(row->default_project_id),
                           db_text(row->password_hash), time_or_null(row->password_changed_us),
                           time_or_null(row->password_expires_us), db_text(row->options), db_text(row->extra)));
}

DB_STATEMENT(user_delete_app_roles, "DELETE FROM application_credential_role WHERE application_credential_id IN "
                                    "(SELECT id FROM application_credential WHERE user_id = $1)");
DB_STATEMENT(user_delete_app_rules, "DELETE FROM application_credential_rule WHERE application_credential_id IN "
                                    "(SELECT id FROM application_credential WHERE user_id = $1)");
DB_STATEMENT(user_delete_apps, "DELETE FROM application_credential WHERE user_id = $1");
DB_STATEMENT(user_delete_rules, "DELETE FROM access_rule WHERE user_id = $1");
DB_STATEMENT(user_delete_credentials, "DELETE FROM credential WHERE user_id = $1");
DB_STATEMENT(user_delete_assignments, "DELETE FROM role_assignment WHERE actor_kind = 'user' AND actor_id = $1");
DB_STATEMENT(user_delete_memberships, "DELETE FROM group_member WHERE user_id = $1");
DB_STATEMENT(user_delete, "DELETE FROM user_account WHERE id = $1");
int store_user_delete(struct db_conn *c, const char *id, struct error *e)
{
    static const struct db_statement *const all[] = {
        &user_delete_app_roles,   &user_delete_app_rules,   &user_delete_apps,        &user_delete_rules,
        &user_delete_credentials, &user_delete_assignments, &user_delete_memberships, &user_delete};
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof(all) / sizeof(all[0]); i++)
        rc = db_exec(c, all[i], NULL, e, DB_ARGS(db_text(id)));
    return rc;
}

DB_STATEMENT(user_count, "SELECT COUNT(*) FROM user_account");
int store_user_count(struct db_conn *c, int64_t *ret, struct error *e)
{
    return db_query_int(c, &user_count, ret, e, DB_NO_ARGS);
}

DB_STATEMENT(user_renew_hash, "UPDATE user_account SET password_hash = $3 WHERE id = $1 AND password_hash = $2");
int store_user_renew_hash(struct db_conn *c, const char *id, const char *old, const char *fresh, struct error *e)
{
    return db_exec(c, &user_renew_hash, NULL, e, DB_ARGS(db_text(id), db_text(old), db_text(fresh)));
}
