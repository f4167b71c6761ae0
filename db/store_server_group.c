/* Server groups. */
#include "db/store_server_group.h"

#define GROUP_COLUMNS "id, project_id, user_id, name, policy, max_per_host, created_us"

static void map(const struct db_rows *rows, struct server_group_row *ret)
{
    *ret = (struct server_group_row){
        .id = db_get_text(rows, 0),
        .project_id = db_get_text(rows, 1),
        .user_id = db_get_text(rows, 2),
        .name = db_get_text(rows, 3),
        .policy = db_get_text(rows, 4),
        .max_per_host = db_get_int(rows, 5),
        .created_us = db_get_int(rows, 6),
    };
}

static int not_found(const char *id, struct error *e)
{
    return error_set(e, ERR_NOT_FOUND, "Instance group %s could not be found.", id);
}

DB_STATEMENT(server_group_get,
             "SELECT " GROUP_COLUMNS " FROM server_group WHERE id = $1 AND (project_id = $2 OR $2 IS NULL)");
int store_server_group_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                           struct server_group_row *ret, struct error *e)
{
    struct db_rows rows;
    struct server_group_row row = {0};
    int rc = db_query(c, &server_group_get, &rows, e, DB_ARGS(db_text(id), db_text(project_id)));
    if (rc) {
        return rc;
    }
    bool found = db_next(&rows);
    if (found) {
        map(&rows, &row);
        row.id = arena_strdup(a, row.id);
        row.project_id = arena_strdup(a, row.project_id);
        row.user_id = arena_strdup(a, row.user_id);
        row.name = arena_strdup(a, row.name);
        row.policy = arena_strdup(a, row.policy);
    }
    rc = db_rows_done(&rows, e);
    if (!rc && found) {
        *ret = row;
    }
    return rc || found ? rc : not_found(id, e);
}

DB_STATEMENT(server_group_insert, "INSERT INTO server_group (" GROUP_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7)");
int store_server_group_insert(struct db_conn *c, const struct server_group_row *row, struct error *e)
{
    return db_exec(c, &server_group_insert, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->project_id), db_text(row->user_id), db_text(row->name),
                           db_text(row->policy), db_int(row->max_per_host), db_int(row->created_us)));
}

DB_STATEMENT(server_group_delete, "DELETE FROM server_group WHERE id = $1 AND (project_id = $2 OR $2 IS NULL)");
DB_STATEMENT(server_group_leave, "UPDATE server SET group_id = NULL, revision = revision + 1 WHERE group_id = $1");
int store_server_group_delete(struct db_conn *c, const char *id, const char *project_id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &server_group_delete, &changed, e, DB_ARGS(db_text(id), db_text(project_id)));
    if (!rc && changed == 0) {
        rc = not_found(id, e);
    }
    return rc ? rc : db_exec(c, &server_group_leave, NULL, e, DB_ARGS(db_text(id)));
}

#define GROUP_PAGE "(created_us, id) > ($1, $2) ORDER BY created_us, id LIMIT $3"
DB_STATEMENT(server_group_list_all, "SELECT " GROUP_COLUMNS " FROM server_group WHERE " GROUP_PAGE);
DB_STATEMENT(server_group_list_own, "SELECT " GROUP_COLUMNS " FROM server_group WHERE project_id = $4 AND " GROUP_PAGE);
int store_server_group_list(struct db_conn *c, const char *project_id, int64_t limit,
                            const struct server_group_row *after, server_group_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    struct db_value from = db_int(after ? after->created_us : INT64_MIN), id = db_text(after ? after->id : "");
    int rc = project_id
                 ? db_query(c, &server_group_list_own, &rows, e, DB_ARGS(from, id, db_int(limit), db_text(project_id)))
                 : db_query(c, &server_group_list_all, &rows, e, DB_ARGS(from, id, db_int(limit)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        struct server_group_row row;
        map(&rows, &row);
        rc = fn(arg, &row, e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(server_group_members, "SELECT id FROM server WHERE group_id = $1 ORDER BY created_us, id");
int store_server_group_members(struct db_conn *c, const char *id, server_group_member_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &server_group_members, &rows, e, DB_ARGS(db_text(id)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        rc = fn(arg, db_get_text(&rows, 0), e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(server_group_count, "SELECT count(*) FROM server_group WHERE project_id = $1");
int store_server_group_count(struct db_conn *c, const char *project_id, int64_t *ret, struct error *e)
{
    return db_query_int(c, &server_group_count, ret, e, DB_ARGS(db_text(project_id)));
}
