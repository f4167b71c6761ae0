/* Ports: see store_port.h. What is shown of addresses and groups lies in the row as JSON, so that a page of ports is
 * one query; the side tables port_address and port_security_group make them unique and findable, and are written here
 * together with it. */
#include "db/store_port.h"
#include "common/uuid.h"
#include "db/rows.h"
#include "db/store_ledger.h"
#include <stdlib.h>
#include <string.h>

#define MAC_ATTEMPTS 16

#define PORT_SELECT                                                                                                    \
    "SELECT p.id, p.network_id, p.project_id, p.name, p.description, p.mac, p.admin_state_up, p.port_security, "       \
    "p.device_id, p.device_owner, p.nic, p.made_for_server, p.fixed_ips, p.security_groups, p.address_pairs, "         \
    "p.dhcp_opts, p.tags, p.vnic_type, p.binding_profile, p.binding_host, p.created_us, p.updated_us, p.revision, "    \
    "s.observed_state, h.name, h.traits FROM port p LEFT JOIN server s ON s.id = p.device_id LEFT JOIN host h "        \
    "ON h.id = s.host_id "

static void read_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct port_row *)ret = (struct port_row){
        .id = db_dup_text(rows, 0, a),
        .network_id = db_dup_text(rows, 1, a),
        .project_id = db_dup_text(rows, 2, a),
        .name = db_dup_text(rows, 3, a),
        .description = db_dup_text(rows, 4, a),
        .mac = db_dup_text(rows, 5, a),
        .admin_state_up = db_get_int(rows, 6) != 0,
        .port_security = db_get_int(rows, 7) != 0,
        .device_id = db_dup_text(rows, 8, a),
        .device_owner = db_dup_text(rows, 9, a),
        .nic = db_get_int(rows, 10),
        .made_for_server = db_get_int(rows, 11) != 0,
        .fixed_ips = db_dup_text(rows, 12, a),
        .security_groups = db_dup_text(rows, 13, a),
        .address_pairs = db_dup_text(rows, 14, a),
        .dhcp_opts = db_dup_text(rows, 15, a),
        .tags = db_dup_text(rows, 16, a),
        .vnic_type = db_dup_text(rows, 17, a),
        .binding_profile = db_dup_text(rows, 18, a),
        .binding_host = db_dup_text(rows, 19, a),
        .created_us = db_get_int(rows, 20),
        .updated_us = db_get_int(rows, 21),
        .revision = db_get_int(rows, 22),
        .server_state = db_dup_text(rows, 23, a),
        .server_host = db_dup_text(rows, 24, a),
        .server_host_traits = db_dup_text(rows, 25, a),
    };
}

DB_STATEMENT(port_get, PORT_SELECT "WHERE p.id = $1 AND (p.project_id = $2 OR $2 IS NULL)");
int store_port_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a, struct port_row *ret,
                   struct error *e)
{
    int rc = rows_one(c, &port_get, DB_ARGS(db_text(id), db_text(project_id)), read_row, a, ret, e);
    return rc == ERR_NOT_FOUND ? error_set_type(e, ERR_NOT_FOUND, "PortNotFound", "Port %s could not be found.", id)
                               : rc;
}

DB_STATEMENT(port_list_device,
             PORT_SELECT "WHERE p.device_id = $1 AND p.device_id <> '' AND p.id > $2 AND "
                         "(p.project_id = $3 OR $3 IS NULL) AND (p.name = $5 OR $5 IS NULL) ORDER BY p.id LIMIT $4");
DB_STATEMENT(port_list_network,
             PORT_SELECT "WHERE p.network_id = $1 AND p.id > $2 AND "
                         "(p.project_id = $3 OR $3 IS NULL) AND (p.name = $5 OR $5 IS NULL) ORDER BY p.id LIMIT $4");
DB_STATEMENT(port_list_project, PORT_SELECT
             "WHERE p.project_id = $1 AND p.id > $2 AND (p.name = $4 OR $4 IS NULL) ORDER BY p.id LIMIT $3");
DB_STATEMENT(port_list_all, PORT_SELECT "WHERE p.id > $1 AND (p.name = $3 OR $3 IS NULL) ORDER BY p.id LIMIT $2");
int store_port_list(struct db_conn *c, const struct port_filter *f, const char *after, int64_t limit, struct arena *a,
                    struct port_row **ret, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    struct db_value from = db_text(after == NULL ? "" : after), most = db_int(limit), name = db_text(f->name);
    int rc;
    if (f->id != NULL)
        rc = db_query(c, &port_get, &rows, e, DB_ARGS(db_text(f->id), db_text(f->project_id)));
    else if (f->device_id != NULL && f->device_id[0] != 0)
        rc = db_query(c, &port_list_device, &rows, e,
                      DB_ARGS(db_text(f->device_id), from, db_text(f->project_id), most, name));
    else if (f->network_id != NULL)
        rc = db_query(c, &port_list_network, &rows, e,
                      DB_ARGS(db_text(f->network_id), from, db_text(f->project_id), most, name));
    else if (f->project_id != NULL)
        rc = db_query(c, &port_list_project, &rows, e, DB_ARGS(db_text(f->project_id), from, most, name));
    else
        rc = db_query(c, &port_list_all, &rows, e, DB_ARGS(from, most, name));
    return rc != 0 ? rc : rows_all(&rows, read_row, sizeof(**ret), a, ret, ret_count, e);
}

static uint32_t random_suffix(void)
{
    char id[UUID_SIZE];
    uuid_random(id);
    id[6] = 0;
    return (uint32_t)strtoul(id, NULL, 16);
}

DB_STATEMENT(port_mac_taken, "SELECT count(*) FROM port WHERE network_id = $1 AND mac = $2");
int store_port_make_mac(struct db_conn *c, const char *network_id, struct arena *a, const char **ret, struct error *e)
{
    for (int i = 0; i < MAC_ATTEMPTS; i++) {
        char mac[IP_MAC_SIZE];
        int64_t taken = 0;
        int rc = db_query_int(c, &port_mac_taken, &taken, e,
                              DB_ARGS(db_text(network_id), db_text(ip_mac_make(random_suffix(), mac))));
        if (rc == 0 && taken == 0)
            *ret = arena_strdup(a, mac);
        if (rc != 0 || taken == 0)
            return rc;
    }
    return error_set_type(e, ERR_UNAVAILABLE, "NetworkMacAddressGenerationFailure",
                          "Unable to generate unique mac on network %s.", network_id);
}

DB_STATEMENT(port_insert,
             "INSERT INTO port (id, network_id, project_id, name, description, mac, admin_state_up, port_security, "
             "device_id, device_owner, nic, made_for_server, fixed_ips, security_groups, address_pairs, dhcp_opts, "
             "tags, vnic_type, binding_profile, binding_host, created_us, updated_us, revision) "
             "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, "
             "$21, $22, $23) ON CONFLICT (network_id, mac) DO NOTHING");
static int insert_row(struct db_conn *c, const struct port_row *r, const char *mac, bool *ret_done, struct error *e)
{
    int64_t changed = 0;
    int rc =
        db_exec(c, &port_insert, &changed, e,
                DB_ARGS(db_text(r->id), db_text(r->network_id), db_text(r->project_id), db_text(r->name),
                        db_text(r->description), db_text(mac), db_int(r->admin_state_up), db_int(r->port_security),
                        db_text(r->device_id), db_text(r->device_owner), db_int(r->nic), db_int(r->made_for_server),
                        db_text(r->fixed_ips), db_text(r->security_groups), db_text(r->address_pairs),
                        db_text(r->dhcp_opts), db_text(r->tags), db_text(r->vnic_type), db_text(r->binding_profile),
                        db_text(r->binding_host), db_int(r->created_us), db_int(r->updated_us), db_int(r->revision)));
    *ret_done = changed > 0;
    return rc;
}

/* A MAC that we make up is tried by inserting it: no look beforehand on the way of POST /servers. */
static int insert_with_mac(struct db_conn *c, struct port_row *r, struct arena *a, struct error *e)
{
    char mac[IP_MAC_SIZE];
    bool done = false;
    int rc = 0;
    if (r->mac != NULL) {
        rc = insert_row(c, r, r->mac, &done, e);
        if (rc == 0 && !done)
            rc = error_set_type(e, ERR_CONFLICT, "MacAddressInUse",
                                "Unable to complete operation for network %s. The mac address %s is in use.",
                                r->network_id, r->mac);
        return rc;
    }
    for (int i = 0; i < MAC_ATTEMPTS && rc == 0 && !done; i++)
        rc = insert_row(c, r, ip_mac_make(random_suffix(), mac), &done, e);
    if (rc == 0 && !done)
        rc = error_set_type(e, ERR_UNAVAILABLE, "NetworkMacAddressGenerationFailure",
                            "Unable to generate unique mac on network %s.", r->network_id);
    if (rc == 0)
        r->mac = arena_strdup(a, mac);
    return rc;
}

DB_STATEMENT(port_group_insert, "INSERT INTO port_security_group (group_id, port_id) VALUES ($1, $2) "
                                "ON CONFLICT (group_id, port_id) DO NOTHING");
static int insert_groups(struct db_conn *c, const char *port_id, const char *const *groups, size_t count,
                         struct error *e)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = db_exec(c, &port_group_insert, NULL, e, DB_ARGS(db_text(groups[i]), db_text(port_id)));
    return rc;
}

static char *print_texts(const char *const *list, size_t count, struct arena *a)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < count; i++)
        json_out_text(&out, NULL, list[i]);
    json_out_array_end(&out);
    char *result = arena_strdup(a, text.data);
    strbuf_done(&text);
    return result;
}

/* A server's interval counts the addresses of its ports; those of others are held by the port. */
static bool is_servers(const struct port_row *r)
{
    return r->device_id[0] != 0 && strncmp(r->device_owner, "compute:", 8) == 0;
}

int store_port_meter(struct db_conn *c, const struct port_row *r, int64_t now_us, struct error *e)
{
    struct strbuf extra;
    struct json_out out;
    int64_t count = 0;
    for (const char *p = r->fixed_ips; (p = strstr(p, "\"ip_address\":")) != NULL; p++)
        count++;
    strbuf_init(&extra, 0);
    json_out_init(&out, &extra);
    json_out_object(&out, NULL);
    json_out_int(&out, "address", count);
    json_out_object_end(&out);
    const struct ledger_shape shape = {.source = "address",
                                       .state = "held",
                                       .flavor = "",
                                       .zone = "",
                                       .region = "",
                                       .tags = r->tags,
                                       .extra = extra.data};
    bool held = count > 0 && !is_servers(r);
    int rc = store_ledger_hold(c, r->id, held ? r->project_id : NULL, &shape, now_us, e);
    strbuf_done(&extra);
    return rc;
}

int store_port_insert(struct db_conn *c, struct port_row *row, const struct ip_assigned *addresses, size_t count,
                      const char *const *groups, size_t group_count, struct arena *a, struct error *e)
{
    row->fixed_ips = store_ipam_print(addresses, count, a);
    row->security_groups = print_texts(groups, group_count, a);
    int rc = insert_with_mac(c, row, a, e);
    if (rc == 0)
        rc = store_ipam_hold(c, row->network_id, row->id, addresses, count, e);
    if (rc == 0)
        rc = insert_groups(c, row->id, groups, group_count, e);
    return rc != 0 || is_servers(row) ? rc : store_port_meter(c, row, row->created_us, e);
}

DB_STATEMENT(port_update,
             "UPDATE port SET name = $3, description = $4, mac = $5, admin_state_up = $6, port_security = $7, "
             "device_id = $8, device_owner = $9, nic = $10, made_for_server = $11, address_pairs = $12, "
             "dhcp_opts = $13, tags = $14, vnic_type = $15, binding_profile = $16, binding_host = $17, "
             "updated_us = $18, revision = revision + 1 WHERE id = $1 AND revision = $2");
int store_port_update(struct db_conn *c, const struct port_row *r, struct error *e)
{
    int64_t changed = 0;
    int rc =
        db_exec(c, &port_update, &changed, e,
                DB_ARGS(db_text(r->id), db_int(r->revision), db_text(r->name), db_text(r->description), db_text(r->mac),
                        db_int(r->admin_state_up), db_int(r->port_security), db_text(r->device_id),
                        db_text(r->device_owner), db_int(r->nic), db_int(r->made_for_server), db_text(r->address_pairs),
                        db_text(r->dhcp_opts), db_text(r->tags), db_text(r->vnic_type), db_text(r->binding_profile),
                        db_text(r->binding_host), db_int(r->updated_us)));
    if (rc == 0 && changed == 0)
        rc = error_set(e, ERR_CONFLICT, "Port %s was changed meanwhile.", r->id);
    return rc != 0 ? rc : store_port_meter(c, r, r->updated_us, e);
}

DB_STATEMENT(port_groups_delete, "DELETE FROM port_security_group WHERE port_id = $1");
DB_STATEMENT(port_set_groups, "UPDATE port SET security_groups = $2 WHERE id = $1");
int store_port_set_groups(struct db_conn *c, const char *id, const char *const *groups, size_t count, struct arena *a,
                          struct error *e)
{
    int rc = db_exec(c, &port_groups_delete, NULL, e, DB_ARGS(db_text(id)));
    if (rc == 0)
        rc = insert_groups(c, id, groups, count, e);
    if (rc == 0)
        rc = db_exec(c, &port_set_groups, NULL, e, DB_ARGS(db_text(id), db_text(print_texts(groups, count, a))));
    return rc;
}

DB_STATEMENT(port_set_fixed_ips, "UPDATE port SET fixed_ips = $2 WHERE id = $1");
int store_port_set_fixed_ips(struct db_conn *c, const char *id, const struct ip_assigned *list, size_t count,
                             struct arena *a, struct error *e)
{
    return db_exec(c, &port_set_fixed_ips, NULL, e, DB_ARGS(db_text(id), db_text(store_ipam_print(list, count, a))));
}

DB_STATEMENT(port_delete, "DELETE FROM port WHERE id = $1");
int store_port_delete(struct db_conn *c, const struct port_row *row, int64_t now_us, struct arena *a, struct error *e)
{
    struct ip_assigned *held = NULL;
    size_t count = 0;
    int rc = store_ipam_parse(row->fixed_ips, a, &held, &count, e);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = store_ipam_release(c, row->id, &held[i], now_us, a, e);
    if (rc == 0)
        rc = db_exec(c, &port_groups_delete, NULL, e, DB_ARGS(db_text(row->id)));
    if (rc == 0)
        rc = db_exec(c, &port_delete, NULL, e, DB_ARGS(db_text(row->id)));
    if (rc == 0 && !is_servers(row)) {
        struct port_row gone = *row;
        gone.fixed_ips = "[]";
        rc = store_port_meter(c, &gone, now_us, e);
    }
    return rc;
}
