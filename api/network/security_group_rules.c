/* Rules of security groups, judged as Neutron does (neutron/db/securitygroups_db.py). They cannot be changed, only made
 * and deleted. */
#include "api/network/network_service.h"
#include "common/json_in.h"
#include "common/model/ip.h"
#include "db/store_secgroup.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct secgroup_rule_row, member)

/* neutron_lib.constants.IP_PROTOCOL_MAP */
static const struct {
    const char *name;
    int number;
} protocols[] = {
    {"ah", 51},         {"dccp", 33},      {"egp", 8},         {"esp", 50},        {"gre", 47},       {"icmp", 1},
    {"icmpv6", 58},     {"igmp", 2},       {"ipip", 4},        {"ipv6-encap", 41}, {"ipv6-frag", 44}, {"ipv6-icmp", 58},
    {"ipv6-nonxt", 59}, {"ipv6-opts", 60}, {"ipv6-route", 43}, {"ospf", 89},       {"pgm", 113},      {"rsvp", 46},
    {"sctp", 132},      {"tcp", 6},        {"udp", 17},        {"udplite", 136},   {"vrrp", 112},
};
#define PROTOCOL_COUNT (sizeof(protocols) / sizeof(protocols[0]))

static int protocol_number(const char *text)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (strcmp(protocols[i].name, text) == 0)
            return protocols[i].number;
    return (int)strtoll(text, NULL, 10);
}

static const char *shown(struct request *request, json_value *value)
{
    const char *text = json_in_text(value);
    return text != NULL ? text : json_in_print(value, &request->arena);
}

static int bad_protocol(struct request *request, json_value *value)
{
    return error_set_type(&request->error, ERR_INVALID, "SecurityGroupRuleInvalidProtocol",
                          "Security group rule protocol %s not supported. Only protocol values [None, 'ah', 'dccp', "
                          "'egp', 'esp', 'gre', 'icmp', 'icmpv6', 'igmp', 'ipip', 'ipv6-encap', 'ipv6-frag', "
                          "'ipv6-icmp', 'ipv6-nonxt', 'ipv6-opts', 'ipv6-route', 'ospf', 'pgm', 'rsvp', 'sctp', 'tcp', "
                          "'udp', 'udplite', 'vrrp'] and integer representations [0 to 255] are supported.",
                          shown(request, value));
}

static int set_protocol(struct request *request, json_value *value, const char **ret)
{
    const char *text = json_in_text(value);
    int64_t number = -1;
    if (json_in_is_null(value)) {
        *ret = NULL;
        return 0;
    }
    bool numeric = json_in_int(value, &number);
    if (text != NULL && isdigit((unsigned char)text[0])) {
        char *end = NULL;
        number = strtoll(text, &end, 10);
        numeric = *end == 0;
    }
    if (numeric) {
        if (number < 0 || number > 255)
            return bad_protocol(request, value);
        *ret = arena_printf(&request->arena, "%lld", (long long)number);
        return 0;
    }
    for (size_t i = 0; i < PROTOCOL_COUNT && text != NULL; i++) {
        if (strcasecmp(protocols[i].name, text) != 0)
            continue;
        *ret = protocols[i].name;
        return 0;
    }
    return text != NULL && strcasecmp(text, "any") == 0 ? (*ret = NULL, 0) : bad_protocol(request, value);
}

static int set_ethertype(struct request *request, json_value *value, const char **ret)
{
    static const char *const known[] = {"IPv4", "IPv6"};
    const char *text = json_in_text(value);
    for (size_t i = 0; i < 2 && text != NULL; i++) {
        if (strcasecmp(text, known[i]) != 0)
            continue;
        *ret = known[i];
        return 0;
    }
    return error_set_type(&request->error, ERR_INVALID, "SecurityGroupRuleInvalidEtherType",
                          "Security group rule for ethertype '%s' not supported. Allowed values are ['IPv4', 'IPv6'].",
                          shown(request, value));
}

static int set_direction(struct request *request, json_value *value, const char **ret)
{
    const char *text = json_in_text(value);
    if (text != NULL && strcmp(text, "ingress") == 0)
        *ret = "ingress";
    else if (text != NULL && strcmp(text, "egress") == 0)
        *ret = "egress";
    else
        return entity_reason(request, "direction", "'%s' is not in ['ingress', 'egress']", shown(request, value));
    return 0;
}

static int set_prefix(struct request *request, json_value *value, const char **ret)
{
    struct ip_net net;
    char text[IP_NET_TEXT_SIZE];
    const char *given = json_in_text(value);
    *ret = NULL;
    if (json_in_is_null(value) || (given != NULL && given[0] == 0))
        return 0;
    if (!ip_net_parse(given, &net))
        return error_set_type(&request->error, ERR_INVALID, "InvalidCIDR", "Invalid CIDR %s given as IP prefix.",
                              shown(request, value));
    /* As given, with the length behind it: host bits stay, as with Neutron; see normalized_cidr. */
    *ret = strchr(given, '/') != NULL ? arena_strdup(&request->arena, given)
                                      : arena_strdup(&request->arena, ip_net_text(&net, text));
    return 0;
}

static const char *normalized_cidr(struct request *request, const void *row)
{
    const struct secgroup_rule_row *rule = row;
    struct ip_net net;
    char text[IP_NET_TEXT_SIZE];
    if (rule->remote_prefix == NULL || !ip_net_parse(rule->remote_prefix, &net))
        return NULL;
    return arena_strdup(&request->arena, ip_net_text(&net, text));
}

/* Ports come as numbers or texts and null; the range is checked with the protocol. */
#define PORT_ATTR(title, member, flag)                                                                                 \
    {                                                                                                                  \
        title, ENTITY_INT, ENTITY_POST | ENTITY_NULLABLE | ENTITY_LOOK, .offset = AT(member), .known = AT(flag),       \
                                                                        .min = INT64_MIN, .max = INT64_MAX             \
    }

static const struct entity_attr attrs[] = {
    {"id", ENTITY_TEXT, ENTITY_LOOK, .offset = AT(id)},
    {"tenant_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_PROJECT, .offset = AT(project_id)},
    {"security_group_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_REQUIRED, .offset = AT(group_id), .max = 36},
    {"ethertype", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK, .offset = AT(ethertype), .set = set_ethertype},
    {"direction", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_REQUIRED, .offset = AT(direction),
     .set = set_direction},
    {"protocol", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK, .offset = AT(protocol), .set = set_protocol},
    PORT_ATTR("port_range_min", port_min, has_port_min),
    PORT_ATTR("port_range_max", port_max, has_port_max),
    {"remote_ip_prefix", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK, .offset = AT(remote_prefix), .set = set_prefix},
    {"remote_address_group_id", ENTITY_TEXT, 0, .offset = ENTITY_NONE, .get = entity_null},
    {"normalized_cidr", ENTITY_TEXT, 0, .offset = ENTITY_NONE, .get = normalized_cidr},
    {"remote_group_id", ENTITY_TEXT, ENTITY_POST | ENTITY_NULLABLE | ENTITY_LOOK, .offset = AT(remote_group_id),
     .max = 36},
    {"description", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK, .offset = AT(description), .max = 255},
    {"created_at", ENTITY_TIME, ENTITY_LOOK, .offset = AT(created_us)},
    {"updated_at", ENTITY_TIME, ENTITY_LOOK, .offset = AT(updated_us)},
    {"revision_number", ENTITY_INT, ENTITY_LOOK, .offset = AT(revision)},
    {"project_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_PROJECT, .offset = AT(project_id)},
};

static int get(struct request *request, const char *id, void *ret)
{
    return store_secgroup_rule_get(request->conn, id, entity_scope(request), &request->arena, ret, &request->error);
}

static int load(struct request *request, const struct entity_query *query, const char *after, int64_t limit, void **ret,
                size_t *ret_count)
{
    struct secgroup_rule_row *rows = NULL;
    const char *group = entity_query_value(query, "security_group_id");
    int rc;
    if (group != NULL && after == NULL) { /* a group's rules are few: all of them are one page */
        struct secgroup_row owner;
        rc = store_secgroup_get(request->conn, group, entity_scope(request), &request->arena, &owner, NULL);
        *ret_count = 0;
        if (rc == 0)
            rc = store_secgroup_rules_of(request->conn, group, &request->arena, &rows, ret_count, &request->error);
        else if (rc == ERR_NOT_FOUND)
            rc = 0;
        if (rc == 0 && (int64_t)*ret_count > limit)
            *ret_count = (size_t)limit;
    } else {
        rc = store_secgroup_rule_list(request->conn, entity_scope(request), after, limit, &request->arena, &rows,
                                      ret_count, &request->error);
    }
    *ret = rows;
    return rc;
}

static void defaults(struct request *request, void *arg)
{
    struct secgroup_rule_row *row = arg;
    row->ethertype = "IPv4";
    row->description = "";
    row->created_us = request->now_us;
}

/* ---- what a rule must be ---- */

/* The whole range is no range; IPv6 has an ICMP of its own. */
static void make_canonical(struct secgroup_rule_row *row)
{
    if (row->has_port_min && row->has_port_max && row->port_min == 1 && row->port_max == 65535)
        row->has_port_min = row->has_port_max = false;
    if (row->protocol == NULL || strcmp(row->ethertype, "IPv6") != 0)
        return;
    if (strcmp(row->protocol, "icmp") == 0 || strcmp(row->protocol, "icmpv6") == 0)
        row->protocol = "ipv6-icmp";
    else if (strcmp(row->protocol, "1") == 0)
        row->protocol = "58";
}

static int bad_port(struct request *request, int64_t port)
{
    return error_set_type(&request->error, ERR_INVALID, "SecurityGroupInvalidPortValue", "Invalid value for port %lld",
                          (long long)port);
}

static int check_icmp(struct request *request, const struct secgroup_rule_row *row)
{
    if (row->has_port_min && row->port_min > 255)
        return error_set_type(&request->error, ERR_INVALID, "SecurityGroupInvalidIcmpValue",
                              "Invalid value for ICMP type (port_range_min) %lld. It must be 0 to 255.",
                              (long long)row->port_min);
    if (row->has_port_max && row->port_max > 255)
        return error_set_type(&request->error, ERR_INVALID, "SecurityGroupInvalidIcmpValue",
                              "Invalid value for ICMP code (port_range_max) %lld. It must be 0 to 255.",
                              (long long)row->port_max);
    if (!row->has_port_min && row->has_port_max)
        return error_set_type(&request->error, ERR_INVALID, "SecurityGroupMissingIcmpType",
                              "ICMP code (port-range-max) %lld is provided but ICMP type (port-range-min) is missing.",
                              (long long)row->port_max);
    return 0;
}

static int check_ports(struct request *request, const struct secgroup_rule_row *row)
{
    if (!row->has_port_min && !row->has_port_max)
        return 0;
    if (row->has_port_min && (row->port_min < 0 || row->port_min > 65535))
        return bad_port(request, row->port_min);
    if (row->has_port_max && (row->port_max < 0 || row->port_max > 65535))
        return bad_port(request, row->port_max);
    if (row->protocol == NULL)
        return error_set_type(&request->error, ERR_INVALID, "SecurityGroupProtocolRequiredWithPorts",
                              "Must also specify protocol if port range is given.");
    int number = protocol_number(row->protocol);
    if (number == 1 || number == 58)
        return check_icmp(request, row);
    if (number != 6 && number != 17 && number != 33 && number != 132 && number != 136)
        return error_set_type(
            &request->error, ERR_INVALID, "SecurityGroupInvalidProtocolForPort",
            "Ports cannot be specified for protocol %s. Ports are only supported for DCCP, SCTP, TCP, "
            "UDP, UDPLITE.",
            row->protocol);
    if ((row->has_port_min && row->port_min == 0) || (row->has_port_max && row->port_max == 0))
        return bad_port(request, 0);
    if (!row->has_port_min || !row->has_port_max || row->port_min > row->port_max)
        return error_set_type(&request->error, ERR_INVALID, "SecurityGroupInvalidPortRange",
                              "For TCP/UDP protocols, port_range_min must be <= port_range_max");
    return 0;
}

static int check_remote(struct request *request, const struct secgroup_rule_row *row)
{
    struct ip_net net;
    int version = strcmp(row->ethertype, "IPv4") == 0 ? 4 : 6;
    if (row->remote_prefix != NULL && ip_net_parse(row->remote_prefix, &net) && net.base.version != version)
        return error_set_type(&request->error, ERR_INVALID, "SecurityGroupRuleParameterConflict",
                              "Conflicting value ethertype %s for CIDR %s", row->ethertype, row->remote_prefix);
    if (row->remote_prefix != NULL && row->remote_group_id != NULL)
        return error_set_type(&request->error, ERR_INVALID, "SecurityGroupMultipleRemoteEntites",
                              "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be "
                              "provided.");
    return 0;
}

static int check_protocol(struct request *request, const struct secgroup_rule_row *row)
{
    static const int ipv6_only[] = {41, 43, 44, 58, 59, 60};
    if (row->protocol == NULL || strcmp(row->ethertype, "IPv4") != 0)
        return 0;
    for (size_t i = 0; i < sizeof(ipv6_only) / sizeof(ipv6_only[0]); i++)
        if (protocol_number(row->protocol) == ipv6_only[i])
            return error_set_type(&request->error, ERR_INVALID, "SecurityGroupEthertypeConflictWithProtocol",
                                  "Invalid ethertype %s for protocol %s.", row->ethertype, row->protocol);
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_rule(const struct secgroup_rule_row *a, const struct secgroup_rule_row *b)
{
    return same_text(a->direction, b->direction) && same_text(a->ethertype, b->ethertype) &&
           same_text(a->protocol, b->protocol) && same_text(a->remote_prefix, b->remote_prefix) &&
           same_text(a->remote_group_id, b->remote_group_id) && a->has_port_min == b->has_port_min &&
           a->has_port_max == b->has_port_max && (!a->has_port_min || a->port_min == b->port_min) &&
           (!a->has_port_max || a->port_max == b->port_max);
}

static int check_unique(struct request *request, const struct secgroup_rule_row *row)
{
    struct secgroup_rule_row *others = NULL;
    size_t count = 0;
    int rc = store_secgroup_rules_of(request->conn, row->group_id, &request->arena, &others, &count, &request->error);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (same_rule(row, &others[i]))
            rc = error_set_type(&request->error, ERR_CONFLICT, "SecurityGroupRuleExists",
                                "Security group rule already exists. Rule id is %s.", others[i].id);
    return rc;
}

static int create(struct request *request, void *arg, uint64_t seen)
{
    (void)seen;
    struct secgroup_rule_row *row = arg;
    struct secgroup_row group;
    make_canonical(row);
    int rc = check_ports(request, row);
    if (rc == 0)
        rc = check_remote(request, row);
    if (rc == 0)
        rc = check_protocol(request, row);
    if (rc == 0 && row->remote_group_id != NULL)
        rc = store_secgroup_get(request->conn, row->remote_group_id, entity_scope(request), &request->arena, &group,
                                &request->error);
    if (rc == 0)
        rc = store_secgroup_get(request->conn, row->group_id, entity_scope(request), &request->arena, &group,
                                &request->error);
    if (rc == 0)
        rc = check_unique(request, row);
    if (rc == 0)
        rc = store_secgroup_rule_insert(request->conn, row, &request->error);
    return rc != 0 ? rc : store_secgroup_touch(request->conn, row->group_id, request->now_us, &request->error);
}

static int remove_row(struct request *request, void *arg)
{
    const struct secgroup_rule_row *row = arg;
    int rc = store_secgroup_rule_delete(request->conn, row->id, &request->error);
    return rc != 0 ? rc : store_secgroup_touch(request->conn, row->group_id, request->now_us, &request->error);
}

const struct entity security_group_rules_entity = {
    .name = "security_group_rule",
    .collection = "security_group_rules",
    .path = "security-group-rules",
    .attrs = attrs,
    .attr_count = sizeof(attrs) / sizeof(attrs[0]),
    .row_size = sizeof(struct secgroup_rule_row),
    .id = AT(id),
    .project = AT(project_id),
    .revision = AT(revision),
    .updated = AT(updated_us),
    .tags = ENTITY_NONE,
    .quota = QUOTA_SECURITY_GROUP_RULE,
    .get = get,
    .load = load,
    .defaults = defaults,
    .create = create,
    .remove = remove_row,
};

static const struct route rows[] = {
    NETWORK_COLLECTION_ROWS("/v2.0/security-group-rules", security_group_rules_entity, entity_list),
};
const struct route_table security_group_rules_routes = ROUTE_TABLE(rows);
