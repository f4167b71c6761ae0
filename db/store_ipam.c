/* IP address management: see store_ipam.h.
 *
 * A pool begins as ranges (cut, so that writers on PostgreSQL find a range that nobody else has
 * locked). The next address is the first of the range that comes first in (released_us, first_key); taking it moves the
 * range's start. A released address comes back as a range of its own. Taking a chosen address cuts the range that holds
 * it. */
#include "db/store_ipam.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include <string.h>

#define STRIPES    16 /* ranges that a pool starts as */
#define STRIPE_MIN 32 /* addresses of a pool that is cut */

DB_STATEMENT(ipam_insert,
             "INSERT INTO subnet_free (subnet_id, first_key, last_key, released_us) VALUES ($1, $2, $3, $4)");
static int insert_range(struct db_conn *c, const char *subnet_id, const struct ip_range *range, int64_t released_us,
                        struct error *e)
{
    char first[IP_KEY_SIZE], last[IP_KEY_SIZE];
    return db_exec(c, &ipam_insert, NULL, e,
                   DB_ARGS(db_text(subnet_id), db_text(ip_key(&range->first, first)),
                           db_text(ip_key(&range->last, last)), db_int(released_us)));
}

static int fill_range(struct db_conn *c, const char *subnet_id, const struct ip_range *range, struct error *e)
{
    uint64_t span = ip_distance(&range->first, &range->last);
    uint64_t step = span < STRIPE_MIN ? UINT64_MAX : span / STRIPES;
    struct ip_range rest = *range;
    for (int i = 1;; i++) {
        struct ip_range part = rest;
        bool more = i < STRIPES && ip_distance(&rest.first, &rest.last) > step && ip_add(&rest.first, step, &part.last);
        int rc = insert_range(c, subnet_id, &part, 0, e);
        if (rc != 0 || !more)
            return rc;
        ip_add(&part.last, 1, &rest.first);
    }
}

struct pools {
    struct ip_range *ranges;
    size_t count;
};

static int parse_pools(const struct subnet_row *subnet, struct arena *a, struct pools *ret, struct error *e)
{
    struct json_doc doc;
    int rc = json_in_parse(subnet->pools, strlen(subnet->pools), &doc, e);
    if (rc != 0)
        return rc;
    size_t count = json_in_count(doc.root);
    struct ip_range *ranges = arena_array(a, count + 1, sizeof(*ranges));
    for (size_t i = 0; i < count && rc == 0; i++) {
        json_value *pool = json_in_item(doc.root, i);
        if (!ip_parse(json_in_text(json_in_member(pool, "start")), &ranges[i].first) ||
            !ip_parse(json_in_text(json_in_member(pool, "end")), &ranges[i].last))
            rc = error_set(e, ERR_CORRUPT, "The allocation pools of subnet %s are damaged.", subnet->id);
    }
    json_in_done(&doc);
    if (rc == 0)
        *ret = (struct pools){ranges, count};
    return rc;
}

/* Cuts `address` out of the range that holds it, if one does. */
DB_STATEMENT2(ipam_range_of,
              "SELECT first_key, last_key, released_us FROM subnet_free WHERE subnet_id = $1 AND first_key <= $2 "
              "ORDER BY first_key DESC LIMIT 1",
              "SELECT first_key, last_key, released_us FROM subnet_free WHERE subnet_id = $1 AND first_key <= $2 "
              "ORDER BY first_key DESC LIMIT 1 FOR UPDATE");
DB_STATEMENT(ipam_delete, "DELETE FROM subnet_free WHERE subnet_id = $1 AND first_key = $2");
static int cut(struct db_conn *c, const char *subnet_id, const struct ip *address, struct error *e)
{
    struct db_rows rows;
    char key[IP_KEY_SIZE];
    struct ip_range range = {0}, parts[2];
    int64_t released_us = 0;
    int rc = db_query(c, &ipam_range_of, &rows, e, DB_ARGS(db_text(subnet_id), db_text(ip_key(address, key))));
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        ip_key_parse(db_get_text(&rows, 0), address->version, &range.first);
        ip_key_parse(db_get_text(&rows, 1), address->version, &range.last);
        released_us = db_get_int(&rows, 2);
    }
    rc = db_rows_done(&rows, e);
    if (rc != 0 || range.first.version == 0 || !ip_range_contains(&range, address))
        return rc;
    rc = db_exec(c, &ipam_delete, NULL, e, DB_ARGS(db_text(subnet_id), db_text(ip_key(&range.first, key))));
    size_t count = ip_range_without(&range, address, parts);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = insert_range(c, subnet_id, &parts[i], released_us, e);
    return rc;
}

DB_STATEMENT(ipam_clear, "DELETE FROM subnet_free WHERE subnet_id = $1");
DB_STATEMENT(ipam_held, "SELECT ip FROM port_address WHERE subnet_id = $1");
int store_ipam_fill(struct db_conn *c, const struct subnet_row *subnet, struct arena *a, struct error *e)
{
    struct pools pools = {0};
    struct db_rows rows;
    struct ip *held = NULL;
    size_t count = 0, room = 0;
    int rc = parse_pools(subnet, a, &pools, e);
    if (rc == 0)
        rc = db_exec(c, &ipam_clear, NULL, e, DB_ARGS(db_text(subnet->id)));
    for (size_t i = 0; i < pools.count && rc == 0; i++)
        rc = fill_range(c, subnet->id, &pools.ranges[i], e);
    if (rc == 0)
        rc = db_query(c, &ipam_held, &rows, e, DB_ARGS(db_text(subnet->id)));
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        held = arena_more(a, held, count, &room, sizeof(*held));
        if (ip_parse(db_get_text(&rows, 0), &held[count]))
            count++;
    }
    rc = db_rows_done(&rows, e);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = cut(c, subnet->id, &held[i], e);
    return rc;
}

/* Takes the next free address of a subnet; *ret_any is false when there is none. */
DB_STATEMENT2(ipam_next,
              "SELECT first_key, last_key FROM subnet_free WHERE subnet_id = $1 "
              "ORDER BY released_us, first_key LIMIT 1",
              "SELECT first_key, last_key FROM subnet_free WHERE subnet_id = $1 "
              "ORDER BY released_us, first_key LIMIT 1 FOR UPDATE SKIP LOCKED");
/* The same, but waiting for others who hold the last ranges: only then is "none" an answer. */
DB_STATEMENT2(ipam_next_wait,
              "SELECT first_key, last_key FROM subnet_free WHERE subnet_id = $1 "
              "ORDER BY released_us, first_key LIMIT 1",
              "SELECT first_key, last_key FROM subnet_free WHERE subnet_id = $1 "
              "ORDER BY released_us, first_key LIMIT 1 FOR UPDATE");
static int find_next(struct db_conn *c, const struct db_statement *s, const struct subnet_row *subnet,
                     struct ip_range *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, s, &rows, e, DB_ARGS(db_text(subnet->id)));
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        ip_key_parse(db_get_text(&rows, 0), (int)subnet->ip_version, &ret->first);
        ip_key_parse(db_get_text(&rows, 1), (int)subnet->ip_version, &ret->last);
    }
    return db_rows_done(&rows, e);
}

DB_STATEMENT(ipam_shrink, "UPDATE subnet_free SET first_key = $3 WHERE subnet_id = $1 AND first_key = $2");
static int take_next(struct db_conn *c, const struct subnet_row *subnet, struct ip *ret, bool *ret_any, struct error *e)
{
    struct ip_range range = {0};
    char first[IP_KEY_SIZE], second[IP_KEY_SIZE];
    struct ip next;
    int rc = find_next(c, &ipam_next, subnet, &range, e);
    if (rc == 0 && range.first.version == 0)
        rc = find_next(c, &ipam_next_wait, subnet, &range, e);
    *ret_any = range.first.version != 0;
    if (rc != 0 || !*ret_any)
        return rc;
    *ret = range.first;
    ip_key(&range.first, first);
    if (ip_compare(&range.first, &range.last) >= 0 || !ip_add(&range.first, 1, &next))
        return db_exec(c, &ipam_delete, NULL, e, DB_ARGS(db_text(subnet->id), db_text(first)));
    return db_exec(c, &ipam_shrink, NULL, e,
                   DB_ARGS(db_text(subnet->id), db_text(first), db_text(ip_key(&next, second))));
}

/* A subnet may be kept for ports of certain owners (service_types). */
static bool serves(const struct subnet_row *subnet, const char *device_owner)
{
    if (strcmp(subnet->service_types, "[]") == 0)
        return true;
    size_t length = strlen(device_owner);
    for (const char *at = strchr(subnet->service_types, '"'); at != NULL; at = strchr(at + 1, '"'))
        if (length > 0 && strncmp(at + 1, device_owner, length) == 0 && at[1 + length] == '"')
            return true;
    return false;
}

static bool is_slaac(const struct subnet_row *subnet)
{
    return subnet->ipv6_address_mode != NULL && strcmp(subnet->ipv6_address_mode, "dhcpv6-stateful") != 0;
}

struct taking {
    struct db_conn *c;
    const struct ipam_query *query;
    struct arena *a;
    struct ip_assigned *list;
    size_t count, room;
};

static void give(struct taking *t, const struct subnet_row *subnet, const struct ip *address)
{
    char text[IP_TEXT_SIZE];
    t->list = arena_more(t->a, t->list, t->count, &t->room, sizeof(*t->list));
    t->list[t->count++] =
        (struct ip_assigned){.subnet_id = subnet->id, .ip = arena_strdup(t->a, ip_text(address, text))};
}

static int no_more(const struct taking *t, struct error *e)
{
    return error_set_type(e, ERR_CONFLICT, "IpAddressGenerationFailure",
                          "No more IP addresses available on network %s.", t->query->network_id);
}

static int take_eui64(struct taking *t, const struct subnet_row *subnet, struct error *e)
{
    struct ip_net net;
    struct ip address;
    if (!ip_net_parse(subnet->cidr, &net) || !ip_eui64(&net, t->query->mac, &address))
        return no_more(t, e);
    give(t, subnet, &address);
    return cut(t->c, subnet->id, &address, e);
}

/* One address of this version from the first subnet that has one; *ret_asked: there is such a subnet at all. */
static int take_version(struct taking *t, int version, struct error *e)
{
    bool any = false, asked = false;
    for (size_t i = 0; i < t->query->subnet_count && !any; i++) {
        const struct subnet_row *subnet = &t->query->subnets[i];
        struct ip address;
        if (subnet->ip_version != version || is_slaac(subnet) || !serves(subnet, t->query->device_owner))
            continue;
        asked = true;
        int rc = take_next(t->c, subnet, &address, &any, e);
        if (rc != 0)
            return rc;
        if (any)
            give(t, subnet, &address);
    }
    return asked && !any ? no_more(t, e) : 0;
}

static int take_automatic(struct taking *t, struct error *e)
{
    int rc = take_version(t, 4, e);
    if (rc == 0)
        rc = take_version(t, 6, e);
    for (size_t i = 0; i < t->query->subnet_count && rc == 0; i++)
        if (is_slaac(&t->query->subnets[i]) && serves(&t->query->subnets[i], t->query->device_owner))
            rc = take_eui64(t, &t->query->subnets[i], e);
    return rc;
}

/* The subnet that a request means: the one that it names, else the one that holds its address. */
static const struct subnet_row *find_subnet(const struct taking *t, const struct ip_request *request,
                                            const struct ip *address)
{
    for (size_t i = 0; i < t->query->subnet_count; i++) {
        const struct subnet_row *subnet = &t->query->subnets[i];
        struct ip_net net;
        if (request->subnet_id != NULL ? strcmp(subnet->id, request->subnet_id) == 0
                                       : ip_net_parse(subnet->cidr, &net) && ip_net_contains(&net, address))
            return subnet;
    }
    return NULL;
}

static int take_chosen(struct taking *t, const struct subnet_row *subnet, const struct ip_request *request,
                       const struct ip *address, struct error *e)
{
    struct ip_net net;
    if (!ip_net_parse(subnet->cidr, &net) || !ip_net_is_host(&net, address))
        return request->subnet_id == NULL
                   ? error_set_type(e, ERR_INVALID, "InvalidIpForNetwork",
                                    "IP address %s is not a valid IP for any of the subnets on the specified network.",
                                    request->ip)
                   : error_set_type(e, ERR_INVALID, "InvalidIpForSubnet",
                                    "IP address %s is not a valid IP for the specified subnet.", request->ip);
    give(t, subnet, address);
    return cut(t->c, subnet->id, address, e);
}

static int take_requested(struct taking *t, const struct ip_request *request, struct error *e)
{
    struct ip address = {0};
    bool any = false;
    if (request->ip != NULL && !ip_parse(request->ip, &address))
        return error_set_type(e, ERR_INVALID, "InvalidInput",
                              "Invalid input for operation: '%s' is not a valid IP address.", request->ip);
    if (request->ip == NULL && request->subnet_id == NULL)
        return error_set_type(e, ERR_INVALID, "InvalidInput",
                              "Invalid input for operation: IP allocation requires subnet_id or ip_address.");
    const struct subnet_row *subnet = find_subnet(t, request, &address);
    if (subnet == NULL && request->subnet_id != NULL)
        return error_set_type(e, ERR_INVALID, "InvalidInput",
                              "Invalid input for operation: Failed to create port on network %s, because fixed_ips "
                              "included invalid subnet %s.",
                              t->query->network_id, request->subnet_id);
    if (subnet == NULL)
        return error_set_type(e, ERR_INVALID, "InvalidIpForNetwork",
                              "IP address %s is not a valid IP for any of the subnets on the specified network.",
                              request->ip);
    if (request->ip != NULL)
        return take_chosen(t, subnet, request, &address, e);
    if (is_slaac(subnet))
        return take_eui64(t, subnet, e);
    int rc = take_next(t->c, subnet, &address, &any, e);
    if (rc == 0 && !any)
        rc = no_more(t, e);
    if (rc == 0)
        give(t, subnet, &address);
    return rc;
}

int store_ipam_take(struct db_conn *c, const struct ipam_query *query, struct arena *a, struct ip_assigned **ret,
                    size_t *ret_count, struct error *e)
{
    struct taking t = {.c = c, .query = query, .a = a};
    int rc = query->request_count == 0 ? take_automatic(&t, e) : 0;
    for (size_t i = 0; i < query->request_count && rc == 0; i++)
        rc = take_requested(&t, &query->requests[i], e);
    if (rc == 0) {
        *ret = t.list;
        *ret_count = t.count;
    }
    return rc;
}

DB_STATEMENT(ipam_hold, "INSERT INTO port_address (subnet_id, ip, port_id, network_id) VALUES ($1, $2, $3, $4) "
                        "ON CONFLICT (subnet_id, ip) DO NOTHING");
int store_ipam_hold(struct db_conn *c, const char *network_id, const char *port_id, const struct ip_assigned *list,
                    size_t count, struct error *e)
{
    for (size_t i = 0; i < count; i++) {
        int64_t changed = 0;
        int rc =
            db_exec(c, &ipam_hold, &changed, e,
                    DB_ARGS(db_text(list[i].subnet_id), db_text(list[i].ip), db_text(port_id), db_text(network_id)));
        if (rc == 0 && changed == 0)
            rc = error_set_type(e, ERR_CONFLICT, "IpAddressAlreadyAllocated",
                                "IP address %s already allocated in subnet %s", list[i].ip, list[i].subnet_id);
        if (rc != 0)
            return rc;
    }
    return 0;
}

DB_STATEMENT(ipam_pools, "SELECT pools FROM subnet WHERE id = $1");
static int is_in_pool(struct db_conn *c, const char *subnet_id, const struct ip *address, struct arena *a, bool *ret,
                      struct error *e)
{
    struct subnet_row subnet = {.id = subnet_id, .pools = "[]"};
    struct pools pools = {0};
    struct db_rows rows;
    int rc = db_query(c, &ipam_pools, &rows, e, DB_ARGS(db_text(subnet_id)));
    if (rc != 0)
        return rc;
    while (db_next(&rows))
        subnet.pools = db_dup_text(&rows, 0, a);
    rc = db_rows_done(&rows, e);
    if (rc == 0)
        rc = parse_pools(&subnet, a, &pools, e);
    *ret = false;
    for (size_t i = 0; i < pools.count && rc == 0; i++)
        *ret = *ret || ip_range_contains(&pools.ranges[i], address);
    return rc;
}

/* The delete decides: an address that this port does not hold is not given back. */
DB_STATEMENT(ipam_release, "DELETE FROM port_address WHERE subnet_id = $1 AND ip = $2 AND port_id = $3");
int store_ipam_release(struct db_conn *c, const char *port_id, const struct ip_assigned *address, int64_t now_us,
                       struct arena *a, struct error *e)
{
    int64_t changed = 0;
    bool free = false;
    struct ip_range range = {0};
    int rc = db_exec(c, &ipam_release, &changed, e,
                     DB_ARGS(db_text(address->subnet_id), db_text(address->ip), db_text(port_id)));
    if (rc != 0 || changed == 0 || !ip_parse(address->ip, &range.first))
        return rc;
    range.last = range.first;
    rc = is_in_pool(c, address->subnet_id, &range.first, a, &free, e);
    if (rc == 0 && free)
        rc = insert_range(c, address->subnet_id, &range, now_us, e);
    return rc;
}

char *store_ipam_print(const struct ip_assigned *list, size_t count, struct arena *a)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < count; i++) {
        json_out_object(&out, NULL);
        json_out_text(&out, "subnet_id", list[i].subnet_id);
        json_out_text(&out, "ip_address", list[i].ip);
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    char *result = arena_strdup(a, text.data);
    strbuf_done(&text);
    return result;
}

int store_ipam_parse(const char *json, struct arena *a, struct ip_assigned **ret, size_t *ret_count, struct error *e)
{
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, e);
    if (rc != 0)
        return rc;
    size_t count = json_in_count(doc.root);
    struct ip_assigned *list = arena_array(a, count + 1, sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        json_value *item = json_in_item(doc.root, i);
        list[i].subnet_id = arena_strdup(a, json_in_text(json_in_member(item, "subnet_id")));
        list[i].ip = arena_strdup(a, json_in_text(json_in_member(item, "ip_address")));
    }
    json_in_done(&doc);
    *ret = list;
    *ret_count = count;
    return 0;
}
