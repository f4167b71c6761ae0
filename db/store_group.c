/* Rows of user_group and group_member. */
#include "db/store_group.h"
#include "db/rows.h"

#define COLUMNS "g.id, g.domain_id, g.name, g.description, g.extra, g.created_us"

static void from_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct group_row *)ret = (struct group_row){.id = rows_text(rows, 0, a),
                                                  .domain_id = rows_text(rows, 1, a),
                                                  .name = rows_text(rows, 2, a),
                                                  .description = rows_text(rows, 3, a),
                                                  .extra = rows_text(rows, 4, a),
                                                  .created_us = db_get_int(rows, 5)};
}

static int many(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count,
                store_group_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct group_row row;
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

DB_STATEMENT(group_by_id, "SELECT " COLUMNS " FROM user_group g WHERE g.id = $1");
int store_group_get(struct db_conn *c, const char *id, struct arena *a, struct group_row *ret, struct error *e)
{
    return rows_one(c, &group_by_id, DB_ARGS(db_text(id)), from_row, a, ret, e);
}

DB_STATEMENT(group_by_domain_name, "SELECT " COLUMNS " FROM user_group g WHERE g.domain_id = $1 AND g.name = $2");
int store_group_find(struct db_conn *c, const char *domain_id, const char *name, struct arena *a, struct group_row *ret,
                     struct error *e)
{
    return rows_one(c, &group_by_domain_name, DB_ARGS(db_text(domain_id), db_text(name)), from_row, a, ret, e);
}

DB_STATEMENT(group_all, "SELECT " COLUMNS " FROM user_group g WHERE g.id > $1 AND (g.domain_id = $2 OR $2 IS NULL) "
                        "ORDER BY g.id LIMIT $3");
DB_STATEMENT(group_all_by_name,
             "SELECT " COLUMNS " FROM user_group g WHERE g.id > $1 AND (g.domain_id = $2 OR $2 IS NULL) "
             "AND g.name = $3 ORDER BY g.id LIMIT $4");
int store_group_each(struct db_conn *c, const char *domain_id, const char *name, const struct page *page,
                     store_group_fn each, void *arg, struct error *e)
{
    if (name)
        return many(c, &group_all_by_name,
                    DB_ARGS(PAGE_AFTER(page), db_text(domain_id), db_text(name), PAGE_LIMIT(page)), each, arg, e);
    return many(c, &group_all, DB_ARGS(PAGE_AFTER(page), db_text(domain_id), PAGE_LIMIT(page)), each, arg, e);
}

DB_STATEMENT(group_all_of_user, "SELECT " COLUMNS " FROM user_group g JOIN group_member m ON m.group_id = g.id "
                                "WHERE m.user_id = $1 ORDER BY g.id");
int store_group_each_of_user(struct db_conn *c, const char *user_id, store_group_fn each, void *arg, struct error *e)
{
    return many(c, &group_all_of_user, DB_ARGS(db_text(user_id)), each, arg, e);
}

DB_STATEMENT(group_add, "INSERT INTO user_group (id, domain_id, name, description, extra, created_us) "
                        "VALUES ($1, $2, $3, $4, $5, $6)");
int store_group_insert(struct db_conn *c, const struct group_row *row, struct error *e)
{
    return db_exec(c, &group_add, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->domain_id), db_text(row->name), db_text(row->description),
                           db_text(row->extra), db_int(row->created_us)));
}

DB_STATEMENT(group_update, "UPDATE user_group SET name = $2, description = $3, extra = $4 WHERE id = $1");
int store_group_update(struct db_conn *c, const struct group_row *row, struct error *e)
{
    return db_exec(c, &group_update, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->name), db_text(row->description), db_text(row->extra)));
}

DB_STATEMENT(group_delete_members, "DELETE FROM group_member WHERE group_id = $1");
DB_STATEMENT(group_delete_assignments, "DELETE FROM role_assignment WHERE actor_kind = 'group' AND actor_id = $1");
DB_STATEMENT(group_delete, "DELETE FROM user_group WHERE id = $1");
int store_group_delete(struct db_conn *c, const char *id, struct error *e)
{
    int rc = db_exec(c, &group_delete_members, NULL, e, DB_ARGS(db_text(id)));
    if (!rc)
        rc = db_exec(c, &group_delete_assignments, NULL, e, DB_ARGS(db_text(id)));
    return rc ? rc : db_exec(c, &group_delete, NULL, e, DB_ARGS(db_text(id)));
}

DB_STATEMENT(group_add_user, "INSERT INTO group_member (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING");
int store_group_add_user(struct db_conn *c, const char *id, const char *user_id, struct error *e)
{
    return db_exec(c, &group_add_user, NULL, e, DB_ARGS(db_text(id), db_text(user_id)));
}

DB_STATEMENT(group_remove_user, "DELETE FROM group_member WHERE group_id = $1 AND user_id = $2");
int store_group_remove_user(struct db_conn *c, const char *id, const char *user_id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &group_remove_user, &changed, e, DB_ARGS(db_text(id), db_text(user_id)));
    return rc ? rc : changed ? 0 : ERR_NOT_FOUND;
}

DB_STATEMENT(group_has_user, "SELECT COUNT(*) FROM group_member WHERE group_id = $1 AND user_id = $2");
int store_group_has_user(struct db_conn *c, const char *id, const char *user_id, bool *ret, struct error *e)
{
    int64_t count;
    int rc = db_query_int(c, &group_has_user, &count, e, DB_ARGS(db_text(id), db_text(user_id)));
    if (!rc)
        *ret = count > 0;
    return rc;
}
