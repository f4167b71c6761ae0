/* The ports of servers: attach, detach, and what agents and clients are told of them. */
#include "common/json_in.h"
#include "common/uuid.h"
#include "db/store_event.h"
#include "db/store_host.h"
#include "db/store_port.h"
#include "db/store_secgroup.h"
#include <string.h>

/* An interface, as the `addresses` object needs it. */
struct nic {
    const char *network_name, *mac;
    const struct ip_assigned *held;
    size_t held_count;
};

struct attaching {
    struct db_conn *c;
    const char *server_id, *project_id;
    int64_t now_us;
    struct arena *a;
    const char *group_id; /* the project's `default`, once it is needed */
    struct nic *nics;
    size_t nic_count;
    bool adding;   /* to a server that there is */
    int64_t first; /* place of the first of them among the server's interfaces */
};

/* `fixed_ips`: as the port's row has them. */
static int make_nic(const char *network_name, const char *mac, const char *fixed_ips, struct arena *a, struct nic *ret,
                    struct error *e)
{
    struct ip_assigned *held = NULL;
    struct nic nic = {.network_name = network_name, .mac = mac};
    int rc = store_ipam_parse(fixed_ips, a, &held, &nic.held_count, e);
    nic.held = held;
    if (rc == 0)
        *ret = nic;
    return rc;
}

static void write_nic_addresses(struct json_out *out, const struct nic *nic)
{
    for (size_t i = 0; i < nic->held_count; i++) {
        const char *ip = nic->held[i].ip;
        json_out_object(out, NULL);
        json_out_int(out, "version", strchr(ip, ':') == NULL ? 4 : 6);
        json_out_text(out, "addr", ip);
        json_out_text(out, "OS-EXT-IPS:type", "fixed");
        json_out_text(out, "OS-EXT-IPS-MAC:mac_addr", nic->mac);
        json_out_object_end(out);
    }
}

/* Several interfaces on networks of one name share a member, as with Nova. */
static char *print_addresses(const struct nic *nics, size_t count, struct arena *a)
{
    struct strbuf text;
    struct json_out out;
    bool *done = arena_array(a, count + 1, sizeof(*done));
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    for (size_t i = 0; i < count; i++) {
        if (done[i] || nics[i].held_count == 0)
            continue;
        json_out_array(&out, nics[i].network_name);
        for (size_t k = i; k < count; k++) {
            if (strcmp(nics[k].network_name, nics[i].network_name) != 0)
                continue;
            write_nic_addresses(&out, &nics[k]);
            done[k] = true;
        }
        json_out_array_end(&out);
    }
    json_out_object_end(&out);
    char *result = arena_strdup(a, text.data);
    strbuf_done(&text);
    return result;
}

/* Nova says "bad request" where the network service says "not found". */
static int as_invalid(int rc, const struct error *found, struct error *e)
{
    if (rc == 0)
        return 0;
    return error_set(e, rc == ERR_NOT_FOUND ? ERR_INVALID : rc, "%s", error_text(found));
}

static int check_quota(struct attaching *t, int64_t more, struct error *e)
{
    struct error found = {0};
    int rc = store_network_quota_check(t->c, t->project_id, QUOTA_PORT, more, &found);
    if (rc == ERR_CONFLICT)
        return error_set(e, ERR_QUOTA, "Maximum number of ports exceeded");
    return as_invalid(rc, &found, e);
}

static int load_network(struct attaching *t, const char *id, struct network_row *ret, struct error *e)
{
    struct error found = {0};
    int rc = store_network_get(t->c, id, t->project_id, t->a, ret, &found);
    if (rc == 0 && ret->external && !ret->shared && strcmp(ret->project_id, t->project_id) != 0)
        return error_set(e, ERR_FORBIDDEN, "It is not allowed to create an interface on external network %s", id);
    return as_invalid(rc, &found, e);
}

/* The address that the tenant chose is taken: say by whom, as Nova does. */
DB_STATEMENT(port_holding, "SELECT p.device_id FROM port_address a JOIN port p ON p.id = a.port_id "
                           "WHERE a.subnet_id = $1 AND a.ip = $2");
static int check_not_held(struct attaching *t, const struct ip_assigned *list, size_t count, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct db_rows rows;
        const char *holder = NULL;
        rc = db_query(t->c, &port_holding, &rows, e, DB_ARGS(db_text(list[i].subnet_id), db_text(list[i].ip)));
        if (rc != 0)
            return rc;
        while (db_next(&rows))
            holder = db_dup_text(&rows, 0, t->a);
        rc = db_rows_done(&rows, e);
        if (rc == 0 && holder != NULL)
            rc = error_set(e, t->adding ? ERR_CONFLICT : ERR_INVALID,
                           "Fixed IP address %s is already in use on instance %s.", list[i].ip, holder);
    }
    return rc;
}

static int take_addresses(struct attaching *t, const struct network_row *network, const struct port_request *request,
                          const char **mac, struct ip_assigned **ret, size_t *ret_count, struct error *e)
{
    struct subnet_row *subnets = NULL;
    struct ip_request wanted = {.ip = request->fixed_ip};
    struct ipam_query query = {
        .network_id = network->id,
        .device_owner = "compute:nova",
        .requests = &wanted,
        .request_count = request->fixed_ip != NULL ? 1 : 0,
    };
    int rc = store_subnet_of_network(t->c, network->id, t->a, &subnets, &query.subnet_count, e);
    if (rc == 0 && query.subnet_count == 0)
        rc = error_set(e, ERR_INVALID, "Network %s requires a subnet in order to boot instances on.", network->id);
    for (size_t i = 0; i < query.subnet_count && rc == 0 && *mac == NULL; i++)
        if (subnets[i].ipv6_address_mode != NULL) /* the address may follow from the MAC */
            rc = store_port_make_mac(t->c, network->id, t->a, mac, e);
    if (rc != 0)
        return rc;
    query.subnets = subnets;
    query.mac = *mac;
    rc = store_ipam_take(t->c, &query, t->a, ret, ret_count, e);
    if (rc == 0 && request->fixed_ip != NULL)
        rc = check_not_held(t, *ret, *ret_count, e);
    return rc;
}

struct port_row store_port_of_server(const struct network_row *network, const char *project_id, const char *server_id,
                                     int64_t nic, int64_t now_us)
{
    return (struct port_row){
        .network_id = network->id,
        .project_id = project_id,
        .name = "",
        .description = "",
        .admin_state_up = true,
        .port_security = network->port_security,
        .device_id = server_id,
        .device_owner = "compute:nova",
        .nic = nic,
        .made_for_server = true,
        .address_pairs = "[]",
        .dhcp_opts = "[]",
        .tags = "[]",
        .vnic_type = "normal",
        .binding_profile = "{}",
        .binding_host = "",
        .created_us = now_us,
        .updated_us = now_us,
        .revision = 1,
    };
}

static int make_port(struct attaching *t, const struct port_request *request, struct error *e)
{
    char id[UUID_SIZE];
    struct network_row network;
    struct ip_assigned *addresses = NULL;
    size_t count = 0;
    const char *mac = NULL;
    int rc = load_network(t, request->network_id, &network, e);
    if (rc == 0)
        rc = take_addresses(t, &network, request, &mac, &addresses, &count, e);
    bool secured = rc == 0 && network.port_security;
    if (secured && t->group_id == NULL)
        rc = store_secgroup_default(t->c, t->project_id, t->now_us, t->a, &t->group_id, e);
    if (rc != 0)
        return rc;
    struct port_row row =
        store_port_of_server(&network, t->project_id, t->server_id, t->first + (int64_t)t->nic_count, t->now_us);
    row.id = uuid_ordered(id);
    row.mac = mac;
    rc = store_port_insert(t->c, &row, addresses, count, &t->group_id, secured ? 1 : 0, t->a, e);
    if (rc == 0)
        t->nics[t->nic_count++] = (struct nic){network.name, row.mac, addresses, count};
    return rc;
}

static int bind_port(struct attaching *t, const struct port_request *request, struct error *e)
{
    struct port_row row;
    struct network_row network;
    struct error found = {0};
    int rc = store_port_get(t->c, request->port_id, t->project_id, t->a, &row, &found);
    if (rc == ERR_NOT_FOUND)
        return error_set(e, ERR_INVALID, "Port id %s could not be found.", request->port_id);
    if (rc != 0)
        return as_invalid(rc, &found, e);
    if (row.device_id[0] != 0)
        return error_set(e, ERR_CONFLICT, "Port %s is still in use.", row.id);
    if (strcmp(row.fixed_ips, "[]") == 0)
        return error_set(e, ERR_INVALID, "Port %s requires a FixedIP in order to be used.", row.id);
    row.device_id = t->server_id;
    row.device_owner = "compute:nova";
    row.nic = t->first + (int64_t)t->nic_count;
    row.updated_us = t->now_us;
    rc = store_port_update(t->c, &row, e);
    if (rc == 0)
        rc = store_network_get(t->c, row.network_id, NULL, t->a, &network, e);
    if (rc == 0)
        rc = make_nic(network.name, row.mac, row.fixed_ips, t->a, &t->nics[t->nic_count++], e);
    return rc;
}

int store_port_attach(struct db_conn *c, const char *server_id, const char *project_id,
                      const struct port_request *requests, size_t count, int64_t now_us, struct arena *a,
                      char **ret_addresses_json, struct error *e)
{
    struct attaching t = {.c = c, .server_id = server_id, .project_id = project_id, .now_us = now_us, .a = a};
    int64_t made = 0;
    for (size_t i = 0; i < count; i++)
        made += requests[i].port_id == NULL;
    t.nics = arena_array(a, count + 1, sizeof(*t.nics));
    int rc = made > 0 ? check_quota(&t, made, e) : 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = requests[i].port_id != NULL ? bind_port(&t, &requests[i], e) : make_port(&t, &requests[i], e);
    if (rc == 0)
        *ret_addresses_json = print_addresses(t.nics, t.nic_count, a);
    return rc;
}

DB_STATEMENT(port_next_nic, "SELECT COALESCE(MAX(nic) + 1, 0) FROM port WHERE device_id = $1 AND device_id <> ''");
static int next_nic(struct db_conn *c, const char *server_id, int64_t *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &port_next_nic, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc != 0)
        return rc;
    while (db_next(&rows))
        *ret = db_get_int(&rows, 0);
    return db_rows_done(&rows, e);
}

DB_STATEMENT(port_last_of_server,
             "SELECT id FROM port WHERE device_id = $1 AND device_id <> '' ORDER BY nic DESC, id LIMIT 1");
static int last_port(struct attaching *t, const char **ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(t->c, &port_last_of_server, &rows, e, DB_ARGS(db_text(t->server_id)));
    if (rc != 0)
        return rc;
    while (db_next(&rows))
        *ret = db_dup_text(&rows, 0, t->a);
    return db_rows_done(&rows, e);
}

int store_port_add(struct db_conn *c, const char *server_id, const char *project_id, const struct port_request *request,
                   int64_t now_us, struct arena *a, const char **ret_id, struct error *e)
{
    struct nic nic;
    struct attaching t = {.c = c,
                          .server_id = server_id,
                          .project_id = project_id,
                          .now_us = now_us,
                          .a = a,
                          .adding = true,
                          .nics = &nic};
    int rc = next_nic(c, server_id, &t.first, e);
    if (rc == 0 && request->port_id == NULL)
        rc = check_quota(&t, 1, e);
    if (rc == 0)
        rc = request->port_id != NULL ? bind_port(&t, request, e) : make_port(&t, request, e);
    if (rc == 0)
        rc = last_port(&t, ret_id, e);
    return rc != 0 ? rc : store_port_refresh_server(c, server_id, now_us, a, e);
}

static int let_go(struct db_conn *c, struct port_row *row, int64_t now_us, struct arena *a, struct error *e)
{
    if (row->made_for_server)
        return store_port_delete(c, row, now_us, a, e);
    row->device_id = "";
    row->device_owner = "";
    row->nic = 0;
    row->updated_us = now_us;
    return store_port_update(c, row, e);
}

int store_port_remove(struct db_conn *c, struct port_row *row, int64_t now_us, struct arena *a, struct error *e)
{
    const char *server_id = row->device_id;
    int rc = let_go(c, row, now_us, a, e);
    return rc != 0 ? rc : store_port_refresh_server(c, server_id, now_us, a, e);
}

int store_port_detach_all(struct db_conn *c, const char *server_id, int64_t now_us, struct error *e)
{
    struct arena scratch;
    struct port_row *ports = NULL;
    size_t count = 0;
    arena_init(&scratch);
    int rc =
        store_port_list(c, &(struct port_filter){.device_id = server_id}, NULL, INT64_MAX, &scratch, &ports, &count, e);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = let_go(c, &ports[i], now_us, &scratch, e);
    arena_done(&scratch);
    return rc;
}

#define SERVER_NIC_COLUMNS "p.id, p.mac, p.fixed_ips, n.id, n.name, n.mtu, p.port_security, p.address_pairs"
DB_STATEMENT(port_server_nics, "SELECT " SERVER_NIC_COLUMNS " FROM port p JOIN network n ON n.id = p.network_id "
                               "WHERE p.device_id = $1 AND p.device_id <> '' ORDER BY p.nic, p.id");
struct server_nic {
    const char *port_id, *mac, *fixed_ips, *network_id, *network_name, *address_pairs;
    int64_t mtu;
    bool port_security;
};

static int load_nics(struct db_conn *c, const char *server_id, struct arena *a, struct server_nic **ret,
                     size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    struct server_nic *list = NULL;
    size_t count = 0, room = 0;
    int rc = db_query(c, &port_server_nics, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct server_nic){
            .port_id = db_dup_text(&rows, 0, a),
            .mac = db_dup_text(&rows, 1, a),
            .fixed_ips = db_dup_text(&rows, 2, a),
            .network_id = db_dup_text(&rows, 3, a),
            .network_name = db_dup_text(&rows, 4, a),
            .mtu = db_get_int(&rows, 5),
            .port_security = db_get_int(&rows, 6) != 0,
            .address_pairs = db_dup_text(&rows, 7, a),
        };
    }
    rc = db_rows_done(&rows, e);
    if (rc == 0) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

int store_port_addresses(struct db_conn *c, const char *server_id, struct arena *a, char **ret_json, struct error *e)
{
    struct server_nic *list = NULL;
    size_t count = 0;
    int rc = load_nics(c, server_id, a, &list, &count, e);
    if (rc != 0)
        return rc;
    struct nic *nics = arena_array(a, count + 1, sizeof(*nics));
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = make_nic(list[i].network_name, list[i].mac, list[i].fixed_ips, a, &nics[i], e);
    if (rc == 0)
        *ret_json = print_addresses(nics, count, a);
    return rc;
}

/* It holds more or fewer addresses than before: its use goes on as another. */
static int meter_addresses(struct db_conn *c, const char *server_id, const char *before, const char *now,
                           int64_t now_us, struct arena *a, struct error *e)
{
    struct server_row row;
    if (store_event_addresses(before) == store_event_addresses(now))
        return 0;
    int rc = store_server_get(c, server_id, a, &row, e);
    return rc != 0 ? rc : store_event_changed(c, &row, now_us, e);
}

DB_STATEMENT(port_server_host, "SELECT host_id, addresses FROM server WHERE id = $1");
DB_STATEMENT(port_server_refresh,
             "UPDATE server SET addresses = $2, updated_us = $3, desired_revision = COALESCE($4, desired_revision), "
             "security_groups = $5, revision = revision + 1 WHERE id = $1");
int store_port_refresh_server(struct db_conn *c, const char *server_id, int64_t now_us, struct arena *a,
                              struct error *e)
{
    struct db_rows rows;
    const char *host = NULL, *before = NULL;
    char *addresses = NULL;
    const char *groups = NULL;
    int64_t revision = 0;
    bool found = false;
    if (server_id[0] == 0)
        return 0;
    int rc = db_query(c, &port_server_host, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc != 0)
        return rc;
    for (; db_next(&rows); found = true) {
        host = db_dup_text(&rows, 0, a);
        before = db_dup_text(&rows, 1, a);
    }
    rc = db_rows_done(&rows, e);
    if (rc != 0 || !found)
        return rc;
    rc = store_port_addresses(c, server_id, a, &addresses, e);
    if (rc == 0)
        rc = store_port_group_names(c, server_id, a, &groups, e);
    if (rc == 0 && host != NULL)
        rc = store_host_bump(c, host, &revision, e);
    if (rc == 0)
        rc = db_exec(c, &port_server_refresh, NULL, e,
                     DB_ARGS(db_text(server_id), db_text(addresses), db_int(now_us), db_int_opt(host != NULL, revision),
                             db_text(groups)));
    return rc != 0 ? rc : meter_addresses(c, server_id, before, addresses, now_us, a, e);
}

/* Without the addresses of this subnet. */
static int drop_from_port(struct db_conn *c, const struct port_row *row, const char *subnet_id, int64_t now_us,
                          struct arena *a, struct error *e)
{
    struct ip_assigned *held = NULL;
    size_t count = 0, kept = 0;
    int rc = store_ipam_parse(row->fixed_ips, a, &held, &count, e);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (strcmp(held[i].subnet_id, subnet_id) == 0)
            rc = store_ipam_release(c, row->id, &held[i], now_us, a, e);
        else
            held[kept++] = held[i];
    if (rc == 0)
        rc = store_port_set_fixed_ips(c, row->id, held, kept, a, e);
    struct port_row left = *row;
    left.fixed_ips = store_ipam_print(held, kept, a);
    if (rc == 0)
        rc = store_port_meter(c, &left, now_us, e);
    return rc != 0 ? rc : store_port_refresh_server(c, row->device_id, now_us, a, e);
}

DB_STATEMENT(port_of_subnet, "SELECT port_id FROM port_address WHERE subnet_id = $1 LIMIT 1");
int store_port_drop_subnet(struct db_conn *c, const char *subnet_id, int64_t now_us, struct arena *a, struct error *e)
{
    for (;;) {
        struct db_rows rows;
        struct port_row row;
        const char *port = NULL;
        int rc = db_query(c, &port_of_subnet, &rows, e, DB_ARGS(db_text(subnet_id)));
        if (rc != 0)
            return rc;
        while (db_next(&rows))
            port = db_dup_text(&rows, 0, a);
        rc = db_rows_done(&rows, e);
        if (rc != 0 || port == NULL)
            return rc;
        rc = store_port_get(c, port, NULL, a, &row, e);
        if (rc == 0)
            rc = drop_from_port(c, &row, subnet_id, now_us, a, e);
        if (rc != 0)
            return rc;
    }
}

static int subnet_prefix(const struct subnet_row *subnets, size_t count, const char *id)
{
    struct ip_net net;
    for (size_t i = 0; i < count; i++)
        if (strcmp(subnets[i].id, id) == 0 && ip_net_parse(subnets[i].cidr, &net))
            return net.prefix;
    return 0;
}

/* The first pool's ends: what the host's DHCP server may be told to keep to. */
static void write_pool(struct json_out *out, const char *pools)
{
    struct json_doc doc;
    if (json_in_parse(pools, strlen(pools), &doc, NULL) != 0)
        return;
    size_t count = json_in_count(doc.root);
    json_value *first = json_in_item(doc.root, 0), *last = json_in_item(doc.root, count == 0 ? 0 : count - 1);
    json_out_text(out, "pool_start", json_in_text(json_in_member(first, "start")));
    json_out_text(out, "pool_end", json_in_text(json_in_member(last, "end")));
    json_in_done(&doc);
}

static void write_nic(struct json_out *out, const struct server_nic *nic, const struct subnet_row *subnets,
                      size_t count, const struct ip_assigned *held, size_t held_count)
{
    json_out_object(out, NULL);
    json_out_text(out, "port_id", nic->port_id);
    json_out_text(out, "mac", nic->mac);
    json_out_array(out, "addresses");
    for (size_t i = 0; i < held_count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "ip", held[i].ip);
        json_out_int(out, "prefix", subnet_prefix(subnets, count, held[i].subnet_id));
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_bool(out, "port_security", nic->port_security);
    json_out_raw(out, "allowed_address_pairs", nic->address_pairs);
    json_out_object(out, "network");
    json_out_text(out, "id", nic->network_id);
    json_out_text(out, "name", nic->network_name);
    json_out_int(out, "mtu", nic->mtu);
    json_out_array(out, "subnets");
    for (size_t i = 0; i < count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "id", subnets[i].id);
        json_out_text(out, "cidr", subnets[i].cidr);
        json_out_text(out, "gateway", subnets[i].gateway_ip);
        json_out_bool(out, "dhcp", subnets[i].enable_dhcp);
        json_out_raw(out, "dns", subnets[i].dns_nameservers);
        write_pool(out, subnets[i].pools);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
    json_out_object_end(out);
}

int store_port_write_nics(struct db_conn *c, const char *server_id, struct json_out *out, struct arena *a,
                          struct error *e)
{
    struct server_nic *nics = NULL;
    size_t count = 0;
    int rc = load_nics(c, server_id, a, &nics, &count, e);
    if (rc != 0)
        return rc;
    json_out_array(out, "nics");
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct subnet_row *subnets = NULL;
        struct ip_assigned *held = NULL;
        size_t subnet_count = 0, held_count = 0;
        rc = store_subnet_of_network(c, nics[i].network_id, a, &subnets, &subnet_count, e);
        if (rc == 0)
            rc = store_ipam_parse(nics[i].fixed_ips, a, &held, &held_count, e);
        if (rc == 0)
            write_nic(out, &nics[i], subnets, subnet_count, held, held_count);
    }
    json_out_array_end(out);
    return rc;
}
