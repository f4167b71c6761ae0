/* Security groups: see store_secgroup.h. */
#include "db/store_secgroup.h"
#include "common/uuid.h"
#include "db/rows.h"

#define GROUP_COLUMNS "id, project_id, name, description, stateful, is_default, tags, created_us, updated_us, revision"
#define RULE_COLUMNS                                                                                                   \
    "id, group_id, project_id, direction, ethertype, protocol, port_min, port_max, remote_prefix, remote_group_id, "   \
    "description, created_us, updated_us, revision"

static void read_group(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct secgroup_row *)ret = (struct secgroup_row){
        .id = db_dup_text(rows, 0, a),
        .project_id = db_dup_text(rows, 1, a),
        .name = db_dup_text(rows, 2, a),
        .description = db_dup_text(rows, 3, a),
        .stateful = db_get_int(rows, 4) != 0,
        .is_default = db_get_int(rows, 5) != 0,
        .tags = db_dup_text(rows, 6, a),
        .created_us = db_get_int(rows, 7),
        .updated_us = db_get_int(rows, 8),
        .revision = db_get_int(rows, 9),
    };
}

static void read_rule(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct secgroup_rule_row *)ret = (struct secgroup_rule_row){
        .id = db_dup_text(rows, 0, a),
        .group_id = db_dup_text(rows, 1, a),
        .project_id = db_dup_text(rows, 2, a),
        .direction = db_dup_text(rows, 3, a),
        .ethertype = db_dup_text(rows, 4, a),
        .protocol = db_dup_text(rows, 5, a),
        .has_port_min = !db_is_null(rows, 6),
        .port_min = db_get_int(rows, 6),
        .has_port_max = !db_is_null(rows, 7),
        .port_max = db_get_int(rows, 7),
        .remote_prefix = db_dup_text(rows, 8, a),
        .remote_group_id = db_dup_text(rows, 9, a),
        .description = db_dup_text(rows, 10, a),
        .created_us = db_get_int(rows, 11),
        .updated_us = db_get_int(rows, 12),
        .revision = db_get_int(rows, 13),
    };
}

DB_STATEMENT(secgroup_get,
             "SELECT " GROUP_COLUMNS " FROM security_group WHERE id = $1 AND (project_id = $2 OR $2 IS NULL)");
int store_secgroup_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                       struct secgroup_row *ret, struct error *e)
{
    int rc = rows_one(c, &secgroup_get, DB_ARGS(db_text(id), db_text(project_id)), read_group, a, ret, e);
    return rc == ERR_NOT_FOUND
               ? error_set_type(e, ERR_NOT_FOUND, "SecurityGroupNotFound", "Security group %s does not exist", id)
               : rc;
}

DB_STATEMENT(secgroup_list_all,
             "SELECT " GROUP_COLUMNS " FROM security_group WHERE id > $1 AND (name = $3 OR $3 IS NULL) "
             "ORDER BY id LIMIT $2");
DB_STATEMENT(secgroup_list_project,
             "SELECT " GROUP_COLUMNS
             " FROM security_group WHERE project_id = $1 AND id > $2 AND (name = $4 OR $4 IS NULL) "
             "ORDER BY id LIMIT $3");
int store_secgroup_list(struct db_conn *c, const char *project_id, const char *name, const char *after, int64_t limit,
                        struct arena *a, struct secgroup_row **ret, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    const char *from = after == NULL ? "" : after;
    int rc = project_id == NULL
                 ? db_query(c, &secgroup_list_all, &rows, e, DB_ARGS(db_text(from), db_int(limit), db_text(name)))
                 : db_query(c, &secgroup_list_project, &rows, e,
                            DB_ARGS(db_text(project_id), db_text(from), db_int(limit), db_text(name)));
    return rc != 0 ? rc : rows_all(&rows, read_group, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(secgroup_insert,
             "INSERT INTO security_group (id, project_id, name, description, stateful, is_default, tags, created_us, "
             "updated_us, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
int store_secgroup_insert(struct db_conn *c, const struct secgroup_row *r, struct error *e)
{
    static const char *const ethertypes[] = {"IPv4", "IPv6"};
    int rc = db_exec(c, &secgroup_insert, NULL, e,
                     DB_ARGS(db_text(r->id), db_text(r->project_id), db_text(r->name), db_text(r->description),
                             db_int(r->stateful), db_int(r->is_default), db_text(r->tags), db_int(r->created_us),
                             db_int(r->updated_us), db_int(r->revision)));
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        char id[UUID_SIZE];
        struct secgroup_rule_row rule = {
            .id = uuid_ordered(id),
            .group_id = r->id,
            .project_id = r->project_id,
            .direction = "egress",
            .ethertype = ethertypes[i],
            .description = "",
            .created_us = r->created_us,
            .updated_us = r->created_us,
        };
        rc = store_secgroup_rule_insert(c, &rule, e);
    }
    return rc;
}

DB_STATEMENT(secgroup_default, "SELECT id FROM security_group WHERE project_id = $1 AND is_default = 1");
static int find_default(struct db_conn *c, const char *project_id, struct arena *a, const char **ret_id,
                        struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &secgroup_default, &rows, e, DB_ARGS(db_text(project_id)));
    if (rc != 0)
        return rc;
    *ret_id = NULL;
    while (db_next(&rows))
        *ret_id = db_dup_text(&rows, 0, a);
    return db_rows_done(&rows, e);
}

int store_secgroup_has_default(struct db_conn *c, const char *project_id, bool *ret, struct error *e)
{
    struct arena scratch;
    const char *id = NULL;
    arena_init(&scratch);
    int rc = find_default(c, project_id, &scratch, &id, e);
    *ret = id != NULL;
    arena_done(&scratch);
    return rc;
}

/* Members of the group may reach each other. */
static int insert_default(struct db_conn *c, const char *id, const char *project_id, int64_t now_us, struct error *e)
{
    static const char *const ethertypes[] = {"IPv4", "IPv6"};
    struct secgroup_row row = {
        .id = id,
        .project_id = project_id,
        .name = "default",
        .description = "Default security group",
        .stateful = true,
        .is_default = true,
        .tags = "[]",
        .created_us = now_us,
        .updated_us = now_us,
        .revision = 1,
    };
    int rc = store_secgroup_insert(c, &row, e);
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        char rule_id[UUID_SIZE];
        struct secgroup_rule_row rule = {
            .id = uuid_ordered(rule_id),
            .group_id = id,
            .project_id = project_id,
            .direction = "ingress",
            .ethertype = ethertypes[i],
            .remote_group_id = id,
            .description = "",
            .created_us = now_us,
            .updated_us = now_us,
        };
        rc = store_secgroup_rule_insert(c, &rule, e);
    }
    return rc;
}

int store_secgroup_default(struct db_conn *c, const char *project_id, int64_t now_us, struct arena *a,
                           const char **ret_id, struct error *e)
{
    char id[UUID_SIZE];
    const char *found = NULL;
    int rc = find_default(c, project_id, a, &found, e);
    if (rc == 0 && found == NULL) {
        found = arena_strdup(a, uuid_ordered(id));
        rc = insert_default(c, found, project_id, now_us, e);
    }
    if (rc == 0)
        *ret_id = found;
    return rc;
}

DB_STATEMENT(secgroup_update,
             "UPDATE security_group SET name = $3, description = $4, stateful = $5, tags = $6, updated_us = $7, "
             "revision = revision + 1 WHERE id = $1 AND revision = $2");
int store_secgroup_update(struct db_conn *c, const struct secgroup_row *r, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &secgroup_update, &changed, e,
                     DB_ARGS(db_text(r->id), db_int(r->revision), db_text(r->name), db_text(r->description),
                             db_int(r->stateful), db_text(r->tags), db_int(r->updated_us)));
    if (rc == 0 && changed == 0)
        rc = error_set(e, ERR_CONFLICT, "Security group %s was changed meanwhile.", r->id);
    return rc;
}

DB_STATEMENT(secgroup_touch, "UPDATE security_group SET updated_us = $2, revision = revision + 1 WHERE id = $1");
int store_secgroup_touch(struct db_conn *c, const char *id, int64_t now_us, struct error *e)
{
    return db_exec(c, &secgroup_touch, NULL, e, DB_ARGS(db_text(id), db_int(now_us)));
}

DB_STATEMENT(secgroup_has_port,
             "SELECT count(*) FROM (SELECT 1 FROM port_security_group WHERE group_id = $1 LIMIT 1) p");
DB_STATEMENT(secgroup_delete_rules, "DELETE FROM security_group_rule WHERE group_id = $1 OR remote_group_id = $1");
DB_STATEMENT(secgroup_delete, "DELETE FROM security_group WHERE id = $1");
int store_secgroup_delete(struct db_conn *c, const char *id, struct error *e)
{
    int64_t ports = 0;
    int rc = db_query_int(c, &secgroup_has_port, &ports, e, DB_ARGS(db_text(id)));
    if (rc == 0 && ports > 0)
        rc = error_set_type(e, ERR_CONFLICT, "SecurityGroupInUse", "Security Group %s in use.", id);
    if (rc == 0)
        rc = db_exec(c, &secgroup_delete_rules, NULL, e, DB_ARGS(db_text(id)));
    if (rc == 0)
        rc = db_exec(c, &secgroup_delete, NULL, e, DB_ARGS(db_text(id)));
    return rc;
}

DB_STATEMENT(secgroup_rule_get,
             "SELECT " RULE_COLUMNS " FROM security_group_rule WHERE id = $1 AND (project_id = $2 OR $2 IS NULL)");
int store_secgroup_rule_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                            struct secgroup_rule_row *ret, struct error *e)
{
    int rc = rows_one(c, &secgroup_rule_get, DB_ARGS(db_text(id), db_text(project_id)), read_rule, a, ret, e);
    return rc == ERR_NOT_FOUND ? error_set_type(e, ERR_NOT_FOUND, "SecurityGroupRuleNotFound",
                                                "Security group rule %s does not exist", id)
                               : rc;
}

DB_STATEMENT(secgroup_rule_list_all,
             "SELECT " RULE_COLUMNS " FROM security_group_rule WHERE id > $1 ORDER BY id LIMIT $2");
DB_STATEMENT(secgroup_rule_list_project,
             "SELECT " RULE_COLUMNS " FROM security_group_rule WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3");
int store_secgroup_rule_list(struct db_conn *c, const char *project_id, const char *after, int64_t limit,
                             struct arena *a, struct secgroup_rule_row **ret, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    const char *from = after == NULL ? "" : after;
    int rc = project_id == NULL ? db_query(c, &secgroup_rule_list_all, &rows, e, DB_ARGS(db_text(from), db_int(limit)))
                                : db_query(c, &secgroup_rule_list_project, &rows, e,
                                           DB_ARGS(db_text(project_id), db_text(from), db_int(limit)));
    return rc != 0 ? rc : rows_all(&rows, read_rule, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(secgroup_rules_of, "SELECT " RULE_COLUMNS " FROM security_group_rule WHERE group_id = $1 ORDER BY id");
int store_secgroup_rules_of(struct db_conn *c, const char *group_id, struct arena *a, struct secgroup_rule_row **ret,
                            size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &secgroup_rules_of, &rows, e, DB_ARGS(db_text(group_id)));
    return rc != 0 ? rc : rows_all(&rows, read_rule, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(secgroup_rule_insert,
             "INSERT INTO security_group_rule (id, group_id, project_id, direction, ethertype, protocol, port_min, "
             "port_max, remote_prefix, remote_group_id, description, created_us, updated_us, revision) "
             "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)");
int store_secgroup_rule_insert(struct db_conn *c, const struct secgroup_rule_row *r, struct error *e)
{
    return db_exec(c, &secgroup_rule_insert, NULL, e,
                   DB_ARGS(db_text(r->id), db_text(r->group_id), db_text(r->project_id), db_text(r->direction),
                           db_text(r->ethertype), db_text(r->protocol), db_int_opt(r->has_port_min, r->port_min),
                           db_int_opt(r->has_port_max, r->port_max), db_text(r->remote_prefix),
                           db_text(r->remote_group_id), db_text(r->description), db_int(r->created_us),
                           db_int(r->updated_us), db_int(r->revision)));
}

DB_STATEMENT(secgroup_rule_delete, "DELETE FROM security_group_rule WHERE id = $1");
int store_secgroup_rule_delete(struct db_conn *c, const char *id, struct error *e)
{
    return db_exec(c, &secgroup_rule_delete, NULL, e, DB_ARGS(db_text(id)));
}
