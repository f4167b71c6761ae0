/* Subnets: see store_subnet.h. */
#include "db/store_subnet.h"
#include "db/rows.h"

#define SUBNET_COLUMNS                                                                                                 \
    "s.id, s.network_id, s.project_id, s.name, s.description, s.ip_version, s.cidr, s.gateway_ip, s.enable_dhcp, "     \
    "s.ipv6_ra_mode, s.ipv6_address_mode, s.pools, s.dns_nameservers, s.host_routes, s.service_types, s.tags, "        \
    "s.created_us, s.updated_us, s.revision"

static void read_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct subnet_row *)ret = (struct subnet_row){
        .id = db_dup_text(rows, 0, a),
        .network_id = db_dup_text(rows, 1, a),
        .project_id = db_dup_text(rows, 2, a),
        .name = db_dup_text(rows, 3, a),
        .description = db_dup_text(rows, 4, a),
        .ip_version = db_get_int(rows, 5),
        .cidr = db_dup_text(rows, 6, a),
        .gateway_ip = db_dup_text(rows, 7, a),
        .enable_dhcp = db_get_int(rows, 8) != 0,
        .ipv6_ra_mode = db_dup_text(rows, 9, a),
        .ipv6_address_mode = db_dup_text(rows, 10, a),
        .pools = db_dup_text(rows, 11, a),
        .dns_nameservers = db_dup_text(rows, 12, a),
        .host_routes = db_dup_text(rows, 13, a),
        .service_types = db_dup_text(rows, 14, a),
        .tags = db_dup_text(rows, 15, a),
        .created_us = db_get_int(rows, 16),
        .updated_us = db_get_int(rows, 17),
        .revision = db_get_int(rows, 18),
    };
}

DB_STATEMENT(subnet_get, "SELECT " SUBNET_COLUMNS " FROM subnet s JOIN network n ON n.id = s.network_id "
                         "WHERE s.id = $1 AND (s.project_id = $2 OR n.project_id = $2 OR n.shared = 1 OR "
                         "$2 IS NULL)");
int store_subnet_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a, struct subnet_row *ret,
                     struct error *e)
{
    int rc = rows_one(c, &subnet_get, DB_ARGS(db_text(id), db_text(project_id)), read_row, a, ret, e);
    return rc == ERR_NOT_FOUND ? error_set_type(e, ERR_NOT_FOUND, "SubnetNotFound", "Subnet %s could not be found.", id)
                               : rc;
}

DB_STATEMENT(subnet_list_all, "SELECT " SUBNET_COLUMNS
                              " FROM subnet s WHERE s.id > $1 AND (s.name = $3 OR $3 IS NULL) ORDER BY s.id LIMIT $2");
DB_STATEMENT(subnet_list_visible,
             "SELECT " SUBNET_COLUMNS " FROM subnet s WHERE s.id IN (SELECT id FROM subnet WHERE project_id = $1 UNION "
             "SELECT id FROM subnet WHERE network_id IN (SELECT id FROM network WHERE project_id = $1 UNION "
             "SELECT id FROM network WHERE shared = 1)) AND s.id > $2 AND (s.name = $4 OR $4 IS NULL) "
             "ORDER BY s.id LIMIT $3");
int store_subnet_list(struct db_conn *c, const char *project_id, const char *name, const char *after, int64_t limit,
                      struct arena *a, struct subnet_row **ret, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    const char *from = after == NULL ? "" : after;
    int rc = project_id == NULL
                 ? db_query(c, &subnet_list_all, &rows, e, DB_ARGS(db_text(from), db_int(limit), db_text(name)))
                 : db_query(c, &subnet_list_visible, &rows, e,
                            DB_ARGS(db_text(project_id), db_text(from), db_int(limit), db_text(name)));
    return rc != 0 ? rc : rows_all(&rows, read_row, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(subnet_of_network, "SELECT " SUBNET_COLUMNS " FROM subnet s WHERE s.network_id = $1 ORDER BY s.id");
int store_subnet_of_network(struct db_conn *c, const char *network_id, struct arena *a, struct subnet_row **ret,
                            size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &subnet_of_network, &rows, e, DB_ARGS(db_text(network_id)));
    return rc != 0 ? rc : rows_all(&rows, read_row, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(subnet_insert,
             "INSERT INTO subnet (id, network_id, project_id, name, description, ip_version, cidr, gateway_ip, "
             "enable_dhcp, ipv6_ra_mode, ipv6_address_mode, pools, dns_nameservers, host_routes, service_types, tags, "
             "created_us, updated_us, revision) "
             "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)");
int store_subnet_insert(struct db_conn *c, const struct subnet_row *r, struct error *e)
{
    return db_exec(c, &subnet_insert, NULL, e,
                   DB_ARGS(db_text(r->id), db_text(r->network_id), db_text(r->project_id), db_text(r->name),
                           db_text(r->description), db_int(r->ip_version), db_text(r->cidr), db_text(r->gateway_ip),
                           db_int(r->enable_dhcp), db_text(r->ipv6_ra_mode), db_text(r->ipv6_address_mode),
                           db_text(r->pools), db_text(r->dns_nameservers), db_text(r->host_routes),
                           db_text(r->service_types), db_text(r->tags), db_int(r->created_us), db_int(r->updated_us),
                           db_int(r->revision)));
}

DB_STATEMENT(subnet_update,
             "UPDATE subnet SET name = $3, description = $4, gateway_ip = $5, enable_dhcp = $6, pools = $7, "
             "dns_nameservers = $8, host_routes = $9, service_types = $10, tags = $11, updated_us = $12, "
             "revision = revision + 1 WHERE id = $1 AND revision = $2");
int store_subnet_update(struct db_conn *c, const struct subnet_row *r, struct error *e)
{
    int64_t changed = 0;
    int rc =
        db_exec(c, &subnet_update, &changed, e,
                DB_ARGS(db_text(r->id), db_int(r->revision), db_text(r->name), db_text(r->description),
                        db_text(r->gateway_ip), db_int(r->enable_dhcp), db_text(r->pools), db_text(r->dns_nameservers),
                        db_text(r->host_routes), db_text(r->service_types), db_text(r->tags), db_int(r->updated_us)));
    if (rc == 0 && changed == 0)
        rc = error_set(e, ERR_CONFLICT, "Subnet %s was changed meanwhile.", r->id);
    return rc;
}

DB_STATEMENT(subnet_has_address, "SELECT count(*) FROM (SELECT 1 FROM port_address WHERE subnet_id = $1 LIMIT 1) p");
DB_STATEMENT(subnet_free_delete, "DELETE FROM subnet_free WHERE subnet_id = $1");
DB_STATEMENT(subnet_delete, "DELETE FROM subnet WHERE id = $1");
int store_subnet_delete(struct db_conn *c, const char *id, struct error *e)
{
    int64_t held = 0;
    int rc = db_query_int(c, &subnet_has_address, &held, e, DB_ARGS(db_text(id)));
    if (rc == 0 && held > 0)
        rc = error_set_type(e, ERR_CONFLICT, "SubnetInUse",
                            "Unable to complete operation on subnet %s: One or more ports have an IP allocation from "
                            "this subnet.",
                            id);
    if (rc == 0)
        rc = db_exec(c, &subnet_free_delete, NULL, e, DB_ARGS(db_text(id)));
    if (rc == 0)
        rc = db_exec(c, &subnet_delete, NULL, e, DB_ARGS(db_text(id)));
    return rc;
}

DB_STATEMENT(subnet_address_port, "SELECT port_id FROM port_address WHERE subnet_id = $1 AND ip = $2");
int store_subnet_address_port(struct db_conn *c, const char *id, const char *ip, struct arena *a, const char **ret_port,
                              struct error *e)
{
    struct db_rows rows;
    const char *found = NULL;
    int rc = db_query(c, &subnet_address_port, &rows, e, DB_ARGS(db_text(id), db_text(ip)));
    if (rc != 0)
        return rc;
    while (db_next(&rows))
        found = db_dup_text(&rows, 0, a);
    rc = db_rows_done(&rows, e);
    if (rc == 0)
        *ret_port = found;
    return rc;
}
