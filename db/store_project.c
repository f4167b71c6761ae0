/* Rows of project. */
#include "db/store_project.h"
#include "db/rows.h"

#define COLUMNS                                                                                                        \
    "p.id, p.domain_id, p.parent_id, p.is_domain, p.enabled, p.name, p.description, p.tags, p.options, p.extra, "      \
    "p.created_us"
/* The role assignments of user $1, own and through groups. */
#define MINE                                                                                                           \
    "mine AS (SELECT target_kind, target_id, inherited FROM role_assignment "                                          \
    "WHERE (actor_kind = 'user' AND actor_id = $1) OR (actor_kind = 'group' AND actor_id IN "                          \
    "(SELECT group_id FROM group_member WHERE user_id = $1)))"

/* `a` NULL: the texts stay borrowed. */
static void from_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct project_row *)ret = (struct project_row){.id = rows_text(rows, 0, a),
                                                      .domain_id = rows_text(rows, 1, a),
                                                      .parent_id = rows_text(rows, 2, a),
                                                      .is_domain = db_get_int(rows, 3),
                                                      .enabled = db_get_int(rows, 4),
                                                      .name = rows_text(rows, 5, a),
                                                      .description = rows_text(rows, 6, a),
                                                      .tags = rows_text(rows, 7, a),
                                                      .options = rows_text(rows, 8, a),
                                                      .extra = rows_text(rows, 9, a),
                                                      .created_us = db_get_int(rows, 10)};
}

static int many(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count,
                store_project_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct project_row row;
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

DB_STATEMENT(project_by_id, "SELECT " COLUMNS " FROM project p WHERE p.id = $1");
int store_project_get(struct db_conn *c, const char *id, struct arena *a, struct project_row *ret, struct error *e)
{
    return rows_one(c, &project_by_id, DB_ARGS(db_text(id)), from_row, a, ret, e);
}

DB_STATEMENT(project_by_domain_name, "SELECT " COLUMNS " FROM project p WHERE p.domain_id = $1 AND p.name = $2");
int store_project_find(struct db_conn *c, const char *domain_id, const char *name, struct arena *a,
                       struct project_row *ret, struct error *e)
{
    return rows_one(c, &project_by_domain_name, DB_ARGS(db_text(domain_id), db_text(name)), from_row, a, ret, e);
}

#define FILTERED                                                                                                       \
    "p.id > $1 AND (p.domain_id = $2 OR $2 IS NULL) AND (p.enabled = $3 OR $3 IS NULL) AND "                           \
    "(p.is_domain = $4 OR $4 IS NULL) AND (p.id = $5 OR $5 IS NULL)"
DB_STATEMENT(project_all, "SELECT " COLUMNS " FROM project p WHERE " FILTERED " ORDER BY p.id LIMIT $6");
DB_STATEMENT(project_all_by_parent, "SELECT " COLUMNS " FROM project p WHERE " FILTERED
                                    " AND p.parent_id = $6 AND (p.name = $7 OR $7 IS NULL) ORDER BY p.id LIMIT $8");
DB_STATEMENT(project_all_by_name,
             "SELECT " COLUMNS " FROM project p WHERE " FILTERED " AND p.name = $6 ORDER BY p.id LIMIT $7");
DB_STATEMENT(project_all_of_domain,
             "SELECT " COLUMNS " FROM project p WHERE p.domain_id = $1 AND p.id > $2 AND "
             "(p.enabled = $3 OR $3 IS NULL) AND (p.is_domain = $4 OR $4 IS NULL) AND (p.id = $5 OR $5 IS NULL) "
             "ORDER BY p.id LIMIT $6");
int store_project_each(struct db_conn *c, const struct project_filter *f, const struct page *page,
                       store_project_fn each, void *arg, struct error *e)
{
    struct db_value after = PAGE_AFTER(page), limit = PAGE_LIMIT(page), domain = db_text(f->domain_id),
                    id = db_text(f->id), enabled = db_int_opt(f->enabled >= 0, f->enabled),
                    is_domain = db_int_opt(f->is_domain >= 0, f->is_domain), name = db_text(f->name);
    if (f->parent_id)
        return many(c, &project_all_by_parent,
                    DB_ARGS(after, domain, enabled, is_domain, id, db_text(f->parent_id), name, limit), each, arg, e);
    if (f->name)
        return many(c, &project_all_by_name, DB_ARGS(after, domain, enabled, is_domain, id, name, limit), each, arg, e);
    if (f->domain_id)
        return many(c, &project_all_of_domain, DB_ARGS(domain, after, enabled, is_domain, id, limit), each, arg, e);
    return many(c, &project_all, DB_ARGS(after, domain, enabled, is_domain, id, limit), each, arg, e);
}

DB_STATEMENT(project_all_of_user,
             "WITH RECURSIVE " MINE ", down (id) AS (SELECT target_id FROM mine WHERE inherited = 1 "
             "UNION SELECT p.id FROM project p JOIN down ON p.parent_id = down.id) "
             "SELECT " COLUMNS " FROM project p WHERE p.is_domain = 0 AND "
             "(p.id IN (SELECT target_id FROM mine WHERE target_kind = 'project' AND inherited = 0) "
             "OR p.parent_id IN (SELECT id FROM down)) ORDER BY p.id");
int store_project_each_of_user(struct db_conn *c, const char *user_id, store_project_fn each, void *arg,
                               struct error *e)
{
    return many(c, &project_all_of_user, DB_ARGS(db_text(user_id)), each, arg, e);
}

DB_STATEMENT(project_domains_of_user,
             "WITH " MINE " SELECT " COLUMNS " FROM project p WHERE p.is_domain = 1 AND p.id IN "
             "(SELECT target_id FROM mine WHERE target_kind = 'domain' AND inherited = 0) ORDER BY p.id");
int store_project_each_domain_of_user(struct db_conn *c, const char *user_id, store_project_fn each, void *arg,
                                      struct error *e)
{
    return many(c, &project_domains_of_user, DB_ARGS(db_text(user_id)), each, arg, e);
}

DB_STATEMENT(project_all_above,
             "WITH RECURSIVE up (id, depth) AS (SELECT parent_id, 1 FROM project WHERE id = $1 UNION "
             "SELECT p.parent_id, up.depth + 1 FROM project p JOIN up ON p.id = up.id) "
             "SELECT " COLUMNS " FROM project p JOIN up ON up.id = p.id ORDER BY up.depth");
int store_project_each_above(struct db_conn *c, const char *id, store_project_fn each, void *arg, struct error *e)
{
    return many(c, &project_all_above, DB_ARGS(db_text(id)), each, arg, e);
}

DB_STATEMENT(project_all_below, "WITH RECURSIVE down (id, depth) AS (SELECT id, 0 FROM project WHERE id = $1 UNION "
                                "SELECT p.id, down.depth + 1 FROM project p JOIN down ON p.parent_id = down.id) "
                                "SELECT " COLUMNS " FROM project p JOIN down ON down.id = p.id WHERE down.depth > 0 "
                                "ORDER BY down.depth, p.id");
int store_project_each_below(struct db_conn *c, const char *id, store_project_fn each, void *arg, struct error *e)
{
    return many(c, &project_all_below, DB_ARGS(db_text(id)), each, arg, e);
}

DB_STATEMENT(project_add,
             "INSERT INTO project (id, domain_id, parent_id, is_domain, enabled, name, description, tags, options, "
             "extra, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
int store_project_insert(struct db_conn *c, const struct project_row *row, struct error *e)
{
    return db_exec(c, &project_add, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->domain_id), db_text(row->parent_id), db_int(row->is_domain),
                           db_int(row->enabled), db_text(row->name), db_text(row->description), db_text(row->tags),
                           db_text(row->options), db_text(row->extra), db_int(row->created_us)));
}

DB_STATEMENT(project_update,
             "UPDATE project SET name = $2, description = $3, enabled = $4, tags = $5, options = $6, extra = $7 "
             "WHERE id = $1");
int store_project_update(struct db_conn *c, const struct project_row *row, struct error *e)
{
    return db_exec(c, &project_update, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->name), db_text(row->description), db_int(row->enabled),
                           db_text(row->tags), db_text(row->options), db_text(row->extra)));
}

DB_STATEMENT(project_delete_app_roles, "DELETE FROM application_credential_role WHERE application_credential_id IN "
                                       "(SELECT id FROM application_credential WHERE project_id = $1)");
DB_STATEMENT(project_delete_app_rules, "DELETE FROM application_credential_rule WHERE application_credential_id IN "
                                       "(SELECT id FROM application_credential WHERE project_id = $1)");
DB_STATEMENT(project_delete_apps, "DELETE FROM application_credential WHERE project_id = $1");
DB_STATEMENT(project_delete_credentials, "DELETE FROM credential WHERE project_id = $1");
DB_STATEMENT(project_delete_assignments,
             "DELETE FROM role_assignment WHERE target_kind IN ('project', 'domain') AND target_id = $1");
DB_STATEMENT(project_delete_defaults,
             "UPDATE user_account SET default_project_id = NULL WHERE default_project_id = $1");
DB_STATEMENT(project_delete, "DELETE FROM project WHERE id = $1");
int store_project_delete(struct db_conn *c, const char *id, struct error *e)
{
    static const struct db_statement *const all[] = {
        &project_delete_app_roles,   &project_delete_app_rules, &project_delete_apps, &project_delete_credentials,
        &project_delete_assignments, &project_delete_defaults,  &project_delete};
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof(all) / sizeof(all[0]); i++)
        rc = db_exec(c, all[i], NULL, e, DB_ARGS(db_text(id)));
    return rc;
}

DB_STATEMENT(project_disabled_above, "WITH RECURSIVE up (id) AS (SELECT id FROM project WHERE id = $1 UNION "
                                     "SELECT p.parent_id FROM project p JOIN up ON p.id = up.id) "
                                     "SELECT COUNT(*) FROM project p JOIN up ON up.id = p.id WHERE p.enabled = 0");
int store_project_usable(struct db_conn *c, const char *id, bool *ret, struct error *e)
{
    int64_t disabled;
    int rc = db_query_int(c, &project_disabled_above, &disabled, e, DB_ARGS(db_text(id)));
    if (!rc)
        *ret = disabled == 0;
    return rc;
}
