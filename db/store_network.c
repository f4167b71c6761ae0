/* Networks: see store_network.h. The list of subnet ids is gathered by the statement, so that a page of networks costs
 * one query. */
#include "db/store_network.h"
#include "db/rows.h"

#define NETWORK_OWN_COLUMNS                                                                                            \
    "n.id, n.project_id, n.name, n.description, n.admin_state_up, n.shared, n.external, n.is_default, "                \
    "n.port_security, n.mtu, n.provider_type, n.provider_physical, n.provider_segment, n.zone_hints, n.tags, "         \
    "n.created_us, n.updated_us, n.revision"
#define NETWORK_SUBNETS_SQLITE                                                                                         \
    ", (SELECT group_concat(s.id, ',') FROM (SELECT id FROM subnet WHERE network_id = n.id ORDER BY id) s)"
#define NETWORK_SUBNETS_POSTGRES                                                                                       \
    ", (SELECT string_agg(s.id, ',' ORDER BY s.id) FROM subnet s WHERE s.network_id = n.id)"
#define NETWORK_STATEMENT(ident, tail)                                                                                 \
    DB_STATEMENT2(ident, "SELECT " NETWORK_OWN_COLUMNS NETWORK_SUBNETS_SQLITE " FROM network n " tail,                 \
                  "SELECT " NETWORK_OWN_COLUMNS NETWORK_SUBNETS_POSTGRES " FROM network n " tail)

static void read_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct network_row *)ret = (struct network_row){
        .id = db_dup_text(rows, 0, a),
        .project_id = db_dup_text(rows, 1, a),
        .name = db_dup_text(rows, 2, a),
        .description = db_dup_text(rows, 3, a),
        .admin_state_up = db_get_int(rows, 4) != 0,
        .shared = db_get_int(rows, 5) != 0,
        .external = db_get_int(rows, 6) != 0,
        .is_default = db_get_int(rows, 7) != 0,
        .port_security = db_get_int(rows, 8) != 0,
        .mtu = db_get_int(rows, 9),
        .provider_type = db_dup_text(rows, 10, a),
        .provider_physical = db_dup_text(rows, 11, a),
        .has_segment = !db_is_null(rows, 12),
        .provider_segment = db_get_int(rows, 12),
        .zone_hints = db_dup_text(rows, 13, a),
        .tags = db_dup_text(rows, 14, a),
        .created_us = db_get_int(rows, 15),
        .updated_us = db_get_int(rows, 16),
        .revision = db_get_int(rows, 17),
        .subnets = db_dup_text(rows, 18, a),
    };
}

/* Two are enough to know that the choice is not ours. */
DB_STATEMENT(network_auto, "SELECT id FROM network WHERE project_id = $1 AND external = 0 UNION "
                           "SELECT id FROM network WHERE shared = 1 AND external = 0 LIMIT 2");
int store_network_auto(struct db_conn *c, const char *project_id, struct arena *a, const char **ret_network_id,
                       struct error *e)
{
    struct db_rows rows;
    const char *found = NULL;
    size_t count = 0;
    int rc = db_query(c, &network_auto, &rows, e, DB_ARGS(db_text(project_id)));
    if (rc != 0)
        return rc;
    for (; db_next(&rows); count++)
        found = db_dup_text(&rows, 0, a);
    rc = db_rows_done(&rows, e);
    if (rc == 0 && count > 1)
        rc = error_set(e, ERR_CONFLICT, "Multiple possible networks found, use a Network ID to be more specific.");
    if (rc == 0)
        *ret_network_id = found;
    return rc;
}

NETWORK_STATEMENT(network_get,
                  "WHERE n.id = $1 AND (n.project_id = $2 OR n.shared = 1 OR n.external = 1 OR $2 IS NULL)");
int store_network_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                      struct network_row *ret, struct error *e)
{
    int rc = rows_one(c, &network_get, DB_ARGS(db_text(id), db_text(project_id)), read_row, a, ret, e);
    return rc == ERR_NOT_FOUND ? error_set_type(e, rc, "NetworkNotFound", "Network %s could not be found.", id) : rc;
}

NETWORK_STATEMENT(network_list_all, "WHERE n.id > $1 AND (n.name = $3 OR $3 IS NULL) ORDER BY n.id LIMIT $2");
/* Each part by an index of its own: other projects' networks cost nothing. */
NETWORK_STATEMENT(network_list_visible,
                  "WHERE n.id IN (SELECT id FROM network WHERE project_id = $1 UNION SELECT id FROM network WHERE "
                  "shared = 1 UNION SELECT id FROM network WHERE external = 1) AND n.id > $2 AND "
                  "(n.name = $4 OR $4 IS NULL) ORDER BY n.id LIMIT $3");
int store_network_list(struct db_conn *c, const char *project_id, const char *name, const char *after, int64_t limit,
                       struct arena *a, struct network_row **ret, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    const char *from = after == NULL ? "" : after;
    int rc = project_id == NULL
                 ? db_query(c, &network_list_all, &rows, e, DB_ARGS(db_text(from), db_int(limit), db_text(name)))
                 : db_query(c, &network_list_visible, &rows, e,
                            DB_ARGS(db_text(project_id), db_text(from), db_int(limit), db_text(name)));
    return rc != 0 ? rc : rows_all(&rows, read_row, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(network_insert,
             "INSERT INTO network (id, project_id, name, description, admin_state_up, shared, external, is_default, "
             "port_security, mtu, provider_type, provider_physical, provider_segment, zone_hints, tags, created_us, "
             "updated_us, revision) "
             "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)");
int store_network_insert(struct db_conn *c, const struct network_row *r, struct error *e)
{
    return db_exec(c, &network_insert, NULL, e,
                   DB_ARGS(db_text(r->id), db_text(r->project_id), db_text(r->name), db_text(r->description),
                           db_int(r->admin_state_up), db_int(r->shared), db_int(r->external), db_int(r->is_default),
                           db_int(r->port_security), db_int(r->mtu), db_text(r->provider_type),
                           db_text(r->provider_physical), db_int_opt(r->has_segment, r->provider_segment),
                           db_text(r->zone_hints), db_text(r->tags), db_int(r->created_us), db_int(r->updated_us),
                           db_int(r->revision)));
}

DB_STATEMENT(network_update,
             "UPDATE network SET name = $3, description = $4, admin_state_up = $5, shared = $6, external = $7, "
             "is_default = $8, port_security = $9, mtu = $10, zone_hints = $11, tags = $12, updated_us = $13, "
             "revision = revision + 1 WHERE id = $1 AND revision = $2");
int store_network_update(struct db_conn *c, const struct network_row *r, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &network_update, &changed, e,
                     DB_ARGS(db_text(r->id), db_int(r->revision), db_text(r->name), db_text(r->description),
                             db_int(r->admin_state_up), db_int(r->shared), db_int(r->external), db_int(r->is_default),
                             db_int(r->port_security), db_int(r->mtu), db_text(r->zone_hints), db_text(r->tags),
                             db_int(r->updated_us)));
    if (rc == 0 && changed == 0)
        rc = error_set(e, ERR_CONFLICT, "Network %s was changed meanwhile.", r->id);
    return rc;
}

DB_STATEMENT(network_has_port, "SELECT count(*) FROM (SELECT 1 FROM port WHERE network_id = $1 LIMIT 1) p");
DB_STATEMENT(network_free_delete,
             "DELETE FROM subnet_free WHERE subnet_id IN (SELECT id FROM subnet WHERE network_id = $1)");
DB_STATEMENT(network_subnets_delete, "DELETE FROM subnet WHERE network_id = $1");
DB_STATEMENT(network_delete, "DELETE FROM network WHERE id = $1");
int store_network_delete(struct db_conn *c, const char *id, struct error *e)
{
    int64_t ports = 0;
    int rc = db_query_int(c, &network_has_port, &ports, e, DB_ARGS(db_text(id)));
    if (rc == 0 && ports > 0)
        rc = error_set_type(e, ERR_CONFLICT, "NetworkInUse",
                            "Unable to complete operation on network %s. There are one or more ports still in use on "
                            "the network.",
                            id);
    if (rc == 0)
        rc = db_exec(c, &network_free_delete, NULL, e, DB_ARGS(db_text(id)));
    if (rc == 0)
        rc = db_exec(c, &network_subnets_delete, NULL, e, DB_ARGS(db_text(id)));
    if (rc == 0)
        rc = db_exec(c, &network_delete, NULL, e, DB_ARGS(db_text(id)));
    return rc;
}

DB_STATEMENT(network_others,
             "SELECT count(*) FROM (SELECT 1 FROM port WHERE network_id = $1 AND project_id <> $2 UNION ALL "
             "SELECT 1 FROM subnet WHERE network_id = $1 AND project_id <> $2 LIMIT 1) u");
int store_network_is_used_by_others(struct db_conn *c, const char *id, const char *owner, bool *ret, struct error *e)
{
    int64_t count = 0;
    int rc = db_query_int(c, &network_others, &count, e, DB_ARGS(db_text(id), db_text(owner)));
    if (rc == 0)
        *ret = count > 0;
    return rc;
}
