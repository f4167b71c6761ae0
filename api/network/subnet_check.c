/* What a subnet must be: single attributes first, then all of them together (neutron/db/db_base_plugin_v2.py,
 * ipam_backend_mixin.py). */
#include "api/network/subnet_check.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include <string.h>

#define NAMESERVERS_MAX 5
#define ROUTES_MAX      20

/* ---- single attributes ---- */

static const char *shown(struct request *request, json_value *value)
{
    const char *text = json_in_text(value);
    return text != NULL ? text : json_in_print(value, &request->arena);
}

int subnet_check_no_pool(struct request *request, json_value *value, const char **ret)
{
    if (!json_in_is_null(value))
        return error_set_type(&request->error, ERR_NOT_FOUND, "SubnetPoolNotFound",
                              "Subnet pool %s could not be found.", shown(request, value));
    *ret = NULL;
    return 0;
}

int subnet_check_address(struct request *request, const char *attribute, json_value *value, const char **ret)
{
    struct ip address;
    char text[IP_TEXT_SIZE];
    if (!ip_parse(json_in_text(value), &address))
        return entity_reason(request, attribute, "'%s' is not a valid IP address", shown(request, value));
    *ret = arena_strdup(&request->arena, ip_text(&address, text));
    return 0;
}

int subnet_check_cidr(struct request *request, json_value *value, const char **ret)
{
    struct ip_net net;
    char text[IP_NET_TEXT_SIZE];
    const char *given = json_in_text(value);
    if (json_in_is_null(value)) {
        *ret = NULL;
        return 0;
    }
    if (!ip_net_parse(given, &net))
        return entity_reason(request, "cidr", "'%s' is not a valid IP subnet", shown(request, value));
    if (strchr(given, '/') == NULL)
        return entity_reason(request, "cidr", "'%s' isn't a recognized IP subnet cidr, '%s' is recommended", given,
                             ip_net_text(&net, text));
    *ret = arena_strdup(&request->arena, ip_net_text(&net, text));
    return 0;
}

int subnet_check_gateway(struct request *request, json_value *value, const char **ret)
{
    if (json_in_is_null(value)) {
        *ret = NULL;
        return 0;
    }
    return subnet_check_address(request, "gateway_ip", value, ret);
}

static int check_mode(struct request *request, const char *attribute, json_value *value, const char **ret)
{
    static const char *const modes[] = {"dhcpv6-stateful", "dhcpv6-stateless", "slaac"};
    const char *text = json_in_text(value);
    *ret = NULL;
    for (size_t i = 0; i < 3 && text != NULL; i++)
        if (strcmp(text, modes[i]) == 0)
            *ret = modes[i];
    if (*ret == NULL)
        return entity_reason(request, attribute, "'%s' is not in ['dhcpv6-stateful', 'dhcpv6-stateless', 'slaac']",
                             shown(request, value));
    return 0;
}

int subnet_check_ra_mode(struct request *request, json_value *value, const char **ret)
{
    return check_mode(request, "ipv6_ra_mode", value, ret);
}

int subnet_check_address_mode(struct request *request, json_value *value, const char **ret)
{
    return check_mode(request, "ipv6_address_mode", value, ret);
}

/* A list of objects with exactly two members, or of plain values when `first` is NULL, written again in canonical form.
 */
struct list_check {
    const char *attribute, *first, *second;
    int (*item)(struct request *request, json_value *a, json_value *b, const char **ret_a, const char **ret_b);
    size_t most;
};

static int list_item(struct request *request, const struct list_check *check, json_value *item, struct json_out *out)
{
    const char *a = NULL, *b = NULL;
    int rc;
    if (check->first == NULL) {
        rc = check->item(request, item, NULL, &a, &b);
        if (rc == 0)
            json_out_text(out, NULL, a);
        return rc;
    }
    json_value *first = json_in_member(item, check->first), *second = json_in_member(item, check->second);
    if (!json_in_is_object(item) || first == NULL || second == NULL || json_in_count(item) != 2)
        return entity_reason(request, check->attribute,
                             "Validation of dictionary's keys failed. Expected keys: {'%s', '%s'} Provided: %s",
                             check->first, check->second, json_in_print(item, &request->arena));
    rc = check->item(request, first, second, &a, &b);
    if (rc == 0) {
        json_out_object(out, NULL);
        json_out_text(out, check->first, a);
        json_out_text(out, check->second, b);
        json_out_object_end(out);
    }
    return rc;
}

static bool has_duplicate(json_value *list, size_t index, struct request *request)
{
    const char *text = json_in_print(json_in_item(list, index), &request->arena);
    for (size_t i = 0; i < index; i++)
        if (strcmp(json_in_print(json_in_item(list, i), &request->arena), text) == 0)
            return true;
    return false;
}

static int check_list(struct request *request, const struct list_check *check, json_value *value, const char **ret)
{
    struct strbuf text;
    struct json_out out;
    size_t count = json_in_count(value);
    int rc = 0;
    if (!json_in_is_array(value) && !json_in_is_null(value))
        return entity_reason(request, check->attribute, "Invalid data format: '%s'", shown(request, value));
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (has_duplicate(value, i, request))
            rc =
                entity_reason(request, check->attribute, "Duplicate item '%s'", shown(request, json_in_item(value, i)));
        else
            rc = list_item(request, check, json_in_item(value, i), &out);
    }
    json_out_array_end(&out);
    if (rc == 0 && check->most > 0 && count > check->most)
        rc = entity_refuse(request,
                           "Unable to complete operation for new subnet. The number of %s exceeds the limit %zu.",
                           check->attribute, check->most);
    if (rc == 0)
        *ret = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return rc;
}

static int pool_item(struct request *request, json_value *a, json_value *b, const char **ret_a, const char **ret_b)
{
    int rc = subnet_check_address(request, "allocation_pools", a, ret_a);
    return rc != 0 ? rc : subnet_check_address(request, "allocation_pools", b, ret_b);
}

int subnet_check_pools(struct request *request, json_value *value, const char **ret)
{
    static const struct list_check check = {"allocation_pools", "start", "end", pool_item, 0};
    return check_list(request, &check, value, ret);
}

static int route_item(struct request *request, json_value *a, json_value *b, const char **ret_a, const char **ret_b)
{
    struct ip_net net;
    char text[IP_NET_TEXT_SIZE];
    if (!ip_net_parse(json_in_text(a), &net))
        return entity_reason(request, "host_routes", "'%s' is not a valid CIDR", shown(request, a));
    *ret_a = arena_strdup(&request->arena, ip_net_text(&net, text));
    return subnet_check_address(request, "host_routes", b, ret_b);
}

int subnet_check_routes(struct request *request, json_value *value, const char **ret)
{
    static const struct list_check check = {"host_routes", "destination", "nexthop", route_item, ROUTES_MAX};
    return check_list(request, &check, value, ret);
}

static int nameserver_item(struct request *request, json_value *a, json_value *b, const char **ret_a,
                           const char **ret_b)
{
    (void)b;
    (void)ret_b;
    return subnet_check_address(request, "dns_nameservers", a, ret_a);
}

int subnet_check_nameservers(struct request *request, json_value *value, const char **ret)
{
    static const struct list_check check = {"dns_nameservers", NULL, NULL, nameserver_item, NAMESERVERS_MAX};
    return check_list(request, &check, value, ret);
}

static int service_type_item(struct request *request, json_value *a, json_value *b, const char **ret_a,
                             const char **ret_b)
{
    (void)b;
    (void)ret_b;
    const char *text = json_in_text(a);
    if (text == NULL)
        return error_set_type(&request->error, ERR_INVALID, "InvalidInputSubnetServiceType",
                              "Subnet service type %s is not a string.", shown(request, a));
    if (strncmp(text, "network:", 8) != 0 && strncmp(text, "compute:", 8) != 0)
        return error_set_type(&request->error, ERR_INVALID, "InvalidSubnetServiceType",
                              "Subnet service type %s does not correspond to a valid device owner.", text);
    *ret_a = arena_strdup(&request->arena, text);
    return 0;
}

int subnet_check_service_types(struct request *request, json_value *value, const char **ret)
{
    static const struct list_check check = {"service_types", NULL, NULL, service_type_item, 0};
    return check_list(request, &check, value, ret);
}

/* ---- all together ---- */

static int check_version(struct request *request, const struct subnet_row *row, const char *text, const char *name)
{
    struct ip_net net;
    if (text == NULL || (ip_net_parse(text, &net) && net.base.version == row->ip_version))
        return 0;
    return entity_invalid(request, "%s '%s' does not match the ip_version '%lld'", name, text,
                          (long long)row->ip_version);
}

/* Every text value in a list of addresses or of objects of addresses. */
static int check_list_versions(struct request *request, const struct subnet_row *row, const char *json,
                               const char *member, const char *name)
{
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, &request->error);
    if (rc != 0)
        return rc;
    size_t count = json_in_count(doc.root);
    for (size_t i = 0; i < count && rc == 0; i++) {
        json_value *item = json_in_item(doc.root, i);
        rc = check_version(request, row, json_in_text(member == NULL ? item : json_in_member(item, member)), name);
    }
    json_in_done(&doc);
    return rc;
}

static int check_dhcp(struct request *request, const struct subnet_row *row, const struct ip_net *net)
{
    if (net->prefix > (row->ip_version == 4 ? 30 : 126))
        return entity_invalid(request, "Subnet has a prefix length that is incompatible with DHCP service enabled");
    if (ip_is_multicast(&net->base))
        return entity_invalid(request, "Multicast IP subnet is not supported if enable_dhcp is True");
    if (ip_is_loopback(&net->base))
        return entity_invalid(request, "Loopback IP subnet is not supported if enable_dhcp is True");
    if (row->ip_version == 4 && ip_is_unspecified(&net->base))
        return entity_invalid(request, "First IP '0.0.0.0' of network is not supported if enable_dhcp is True.");
    return 0;
}

static int check_modes(struct request *request, const struct subnet_row *row, const struct ip_net *net)
{
    const char *ra = row->ipv6_ra_mode, *address = row->ipv6_address_mode;
    if (row->ip_version == 4 && ra != NULL)
        return entity_invalid(request, "ipv6_ra_mode is not valid when ip_version is 4");
    if (row->ip_version == 4 && address != NULL)
        return entity_invalid(request, "ipv6_address_mode is not valid when ip_version is 4");
    if ((ra != NULL || address != NULL) && !row->enable_dhcp)
        return entity_invalid(request,
                              "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False");
    if (ra != NULL && address != NULL && strcmp(ra, address) != 0)
        return entity_invalid(request,
                              "ipv6_ra_mode set to '%s' with ipv6_address_mode set to '%s' is not valid. If both "
                              "attributes are set, they must be the same value",
                              ra, address);
    bool automatic = address != NULL && strcmp(address, "dhcpv6-stateful") != 0;
    if (automatic && net->prefix != 64)
        return entity_invalid(request,
                              "Invalid CIDR %s for IPv6 address mode. OpenStack uses the EUI-64 address format, which "
                              "requires the prefix to be /64",
                              row->cidr);
    return 0;
}

static int check_gateway(struct request *request, const struct subnet_row *row, const struct ip_net *net)
{
    struct ip gateway;
    if (row->gateway_ip == NULL || !ip_parse(row->gateway_ip, &gateway))
        return 0;
    if (row->ip_version == 4 && ip_net_contains(net, &gateway) && !ip_net_is_host(net, &gateway))
        return entity_invalid(request, "Gateway is not valid on subnet");
    return 0;
}

static int check_overlaps(struct request *request, const struct subnet_row *row, const struct ip_net *net)
{
    struct subnet_row *others = NULL;
    size_t count = 0;
    int rc = store_subnet_of_network(request->conn, row->network_id, &request->arena, &others, &count, &request->error);
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct ip_net other;
        if (ip_net_parse(others[i].cidr, &other) && ip_net_overlaps(net, &other))
            rc = entity_invalid(request, "Requested subnet with cidr: %s for network: %s overlaps with another subnet",
                                row->cidr, row->network_id);
    }
    return rc;
}

/* ---- pools ---- */

struct pool_list {
    struct ip_range *ranges;
    size_t count;
};

static int parse_pools(struct request *request, const char *json, struct pool_list *ret)
{
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, &request->error);
    if (rc != 0)
        return rc;
    ret->count = json_in_count(doc.root);
    ret->ranges = arena_array(&request->arena, ret->count + 1, sizeof(*ret->ranges));
    for (size_t i = 0; i < ret->count; i++) {
        json_value *pool = json_in_item(doc.root, i);
        ip_parse(json_in_text(json_in_member(pool, "start")), &ret->ranges[i].first);
        ip_parse(json_in_text(json_in_member(pool, "end")), &ret->ranges[i].last);
    }
    json_in_done(&doc);
    return 0;
}

/* "10.0.0.2-10.0.0.9" */
static const char *pool_text(struct request *request, const struct ip_range *range)
{
    char first[IP_TEXT_SIZE], last[IP_TEXT_SIZE];
    return arena_printf(&request->arena, "%s-%s", ip_text(&range->first, first), ip_text(&range->last, last));
}

static int check_pool(struct request *request, const struct subnet_row *row, const struct ip_range *pool,
                      const struct ip_range *hosts)
{
    if (pool->first.version != row->ip_version || pool->last.version != row->ip_version ||
        ip_compare(&pool->first, &pool->last) > 0)
        return error_set_type(&request->error, ERR_INVALID, "InvalidAllocationPool",
                              "The allocation pool %s is not valid.", pool_text(request, pool));
    if (!ip_range_contains(hosts, &pool->first) || !ip_range_contains(hosts, &pool->last))
        return error_set_type(&request->error, ERR_INVALID, "OutOfBoundsAllocationPool",
                              "The allocation pool %s spans beyond the subnet cidr %s.", pool_text(request, pool),
                              row->cidr);
    return 0;
}

static int check_pools(struct request *request, const struct subnet_row *row, const struct ip_net *net)
{
    struct pool_list pools = {0};
    struct ip_range hosts;
    struct ip gateway = {0};
    ip_net_hosts(net, &hosts.first, &hosts.last);
    int rc = parse_pools(request, row->pools, &pools);
    for (size_t i = 0; i < pools.count && rc == 0; i++) {
        rc = check_pool(request, row, &pools.ranges[i], &hosts);
        for (size_t k = 0; k < i && rc == 0; k++)
            if (ip_range_overlaps(&pools.ranges[i], &pools.ranges[k]))
                rc = error_set_type(&request->error, ERR_CONFLICT, "OverlappingAllocationPools",
                                    "Found overlapping allocation pools: %s %s for subnet %s.",
                                    pool_text(request, &pools.ranges[k]), pool_text(request, &pools.ranges[i]),
                                    row->cidr);
    }
    if (row->gateway_ip != NULL)
        ip_parse(row->gateway_ip, &gateway);
    for (size_t i = 0; i < pools.count && rc == 0; i++)
        if (ip_range_contains(&pools.ranges[i], &gateway))
            rc = error_set_type(&request->error, ERR_CONFLICT, "GatewayConflictWithAllocationPools",
                                "Gateway ip %s conflicts with allocation pool %s.", row->gateway_ip,
                                pool_text(request, &pools.ranges[i]));
    return rc;
}

/* All hosts but the gateway. */
static void make_pools(struct request *request, struct subnet_row *row, const struct ip_net *net)
{
    struct ip_range hosts, parts[2];
    struct ip gateway = {0};
    struct strbuf text;
    struct json_out out;
    char address[IP_TEXT_SIZE];
    ip_net_hosts(net, &hosts.first, &hosts.last);
    if (row->gateway_ip != NULL)
        ip_parse(row->gateway_ip, &gateway);
    size_t count = ip_range_without(&hosts, &gateway, parts);
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < count; i++) {
        json_out_object(&out, NULL);
        json_out_text(&out, "start", ip_text(&parts[i].first, address));
        json_out_text(&out, "end", ip_text(&parts[i].last, address));
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    row->pools = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
}

/* ---- new and changed ---- */

static int check_common(struct request *request, const struct subnet_row *row, const struct ip_net *net)
{
    int rc = check_version(request, row, row->gateway_ip, "gateway_ip");
    if (rc == 0)
        rc = check_gateway(request, row, net);
    if (rc == 0)
        rc = check_list_versions(request, row, row->dns_nameservers, NULL, "dns_nameserver");
    if (rc == 0)
        rc = check_list_versions(request, row, row->host_routes, "nexthop", "nexthop");
    if (rc == 0)
        rc = check_list_versions(request, row, row->host_routes, "destination", "destination");
    return rc;
}

/* Neutron's choice: the first host, or for IPv6 the subnet-router address (the base itself). */
static void default_gateway(struct request *request, struct subnet_row *row, const struct ip_net *net)
{
    struct ip gateway = net->base;
    char text[IP_TEXT_SIZE];
    if (row->ip_version == 6 || (ip_add(&net->base, 1, &gateway) && ip_net_contains(net, &gateway)))
        row->gateway_ip = arena_strdup(&request->arena, ip_text(&gateway, text));
}

int subnet_check_new(struct request *request, struct subnet_row *row, bool has_gateway)
{
    struct ip_net net;
    if (row->ip_version == 5)
        return entity_reason(request, "ip_version", "'5' is not in [4, 6]");
    if (row->cidr == NULL)
        return error_set_type(&request->error, ERR_INVALID, "BadRequest",
                              "Bad subnets request: a subnetpool must be specified in the absence of a cidr.");
    int rc = check_version(request, row, row->cidr, "cidr");
    if (rc != 0 || !ip_net_parse(row->cidr, &net))
        return rc;
    if (net.prefix == 0)
        return entity_invalid(request, "0 is not allowed as CIDR prefix length");
    if (row->enable_dhcp)
        rc = check_dhcp(request, row, &net);
    if (!has_gateway)
        default_gateway(request, row, &net);
    if (rc == 0)
        rc = check_common(request, row, &net);
    if (rc == 0)
        rc = check_modes(request, row, &net);
    if (rc == 0)
        rc = check_overlaps(request, row, &net);
    if (row->pools == NULL)
        make_pools(request, row, &net);
    return rc != 0 ? rc : check_pools(request, row, &net);
}

int subnet_check_change(struct request *request, const struct subnet_row *old, struct subnet_row *row, bool has_dhcp)
{
    struct ip_net net;
    if (!ip_net_parse(row->cidr, &net))
        return error_set(&request->error, ERR_CORRUPT, "Subnet %s has no cidr", row->id);
    int rc = row->enable_dhcp && !old->enable_dhcp ? check_dhcp(request, row, &net) : 0;
    if (rc == 0 && has_dhcp && !row->enable_dhcp && (row->ipv6_ra_mode != NULL || row->ipv6_address_mode != NULL))
        rc = entity_invalid(request, "Cannot disable enable_dhcp with ipv6 attributes set");
    if (rc == 0)
        rc = check_common(request, row, &net);
    bool same_gateway = row->gateway_ip == old->gateway_ip || (row->gateway_ip != NULL && old->gateway_ip != NULL &&
                                                               strcmp(row->gateway_ip, old->gateway_ip) == 0);
    if (rc == 0 && (!same_gateway || strcmp(row->pools, old->pools) != 0))
        rc = check_pools(request, row, &net);
    return rc;
}
