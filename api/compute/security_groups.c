/* os-security-groups and os-security-group-rules: the old way to the network service's groups, up to 2.35. Rules are
 * for what comes in. Checks and sentences: nova/network/security_group_api.py; what it leaves to the network service is
 * left to it here too. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "api/compute/security_group_view.h"
#include "api/network/network_service.h"
#include "common/model/ip.h"
#include "common/uuid.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PROXY_UNTIL 35

/* What the network service answers with 409 has another status here. */
static int translate(struct request *request, int rc, int conflict)
{
    const char *text;
    if (rc != ERR_CONFLICT)
        return rc;
    text = arena_strdup(&request->arena, error_text(&request->error));
    error_clear(&request->error);
    return error_set(&request->error, conflict, "%s", text);
}

static int check_id(struct request *request, const char *id)
{
    return id != NULL && uuid_valid(id) ? 0
                                        : error_set(&request->error, ERR_INVALID, "Security group id should be uuid");
}

static int get_group(struct request *request, const char *id, struct secgroup_row *ret)
{
    int rc = check_id(request, id);
    return rc ? rc : security_groups_entity.get(request, id, ret);
}

static int read_body(struct request *request, const char *key, json_value **ret)
{
    *ret = json_in_member(request->json, key);
    if (json_in_count(request->json) == 0)
        return error_set(&request->error, ERR_INVALID, "The request body can't be empty");
    if (!json_in_is_object(*ret))
        return error_set(&request->error, ERR_INVALID, "Missing parameter %s", key);
    return 0;
}

/* utils.check_string_length */
static int read_text(struct request *request, json_value *body, const char *name, const char **ret)
{
    json_value *value = json_in_member(body, name);
    size_t length = 0;
    *ret = json_in_text(value);
    if (!json_in_is_text(value))
        return error_set(&request->error, ERR_INVALID, "%s is not a string or unicode", name);
    for (const char *p = *ret; *p != '\0'; p++)
        length += ((unsigned char)*p & 0xc0) != 0x80;
    if (length > 255)
        return error_set(&request->error, ERR_INVALID, "%s has %zu characters, more than 255.", name, length);
    return 0;
}

static int read_number(struct request *request, const char *name, int64_t fallback, int64_t *ret)
{
    const char *text = request_query(request, name);
    char *end = NULL;
    *ret = text != NULL ? strtoll(text, &end, 10) : fallback;
    if (text != NULL && (*text == '\0' || *end != '\0' || *ret < 0))
        return error_set(&request->error, ERR_INVALID, "Invalid input for query parameters %s. Value: %s.", name, text);
    return 0;
}

static int security_groups_list(struct request *request, struct reply *reply)
{
    bool all = compute_is_admin(request) && request_query(request, "all_tenants") != NULL;
    struct secgroup_row *rows = NULL;
    size_t count = 0, skip;
    int64_t limit, offset;
    int rc = read_number(request, "limit", COMPUTE_PAGE_MAX, &limit);
    rc = rc ? rc : read_number(request, "offset", 0, &offset);
    if (rc)
        return rc;
    limit = limit == 0 || limit > COMPUTE_PAGE_MAX ? COMPUTE_PAGE_MAX : limit;
    offset = offset > INT32_MAX ? INT32_MAX : offset;
    rc = store_secgroup_list(request->conn, all ? NULL : request->credential.project_id, NULL, NULL, limit + offset,
                             &request->arena, &rows, &count, &request->error);
    skip = (size_t)offset < count ? (size_t)offset : count;
    json_out_object(&reply->out, NULL);
    if (!rc)
        rc = security_group_view_list(request, &reply->out, rows != NULL ? rows + skip : NULL, count - skip);
    json_out_object_end(&reply->out);
    return rc;
}

static int write_one(struct request *request, struct reply *reply, const struct secgroup_row *row)
{
    int rc;
    json_out_object(&reply->out, NULL);
    rc = security_group_view_write(request, &reply->out, "security_group", row);
    json_out_object_end(&reply->out);
    return rc;
}

static int security_groups_show(struct request *request, struct reply *reply)
{
    struct secgroup_row row;
    int rc = get_group(request, request_param(request, "id"), &row);
    return rc ? rc : write_one(request, reply, &row);
}

static int read_group(struct request *request, const char **ret_name, const char **ret_description)
{
    json_value *body;
    int rc = read_body(request, "security_group", &body);
    rc = rc ? rc : read_text(request, body, "name", ret_name);
    return rc ? rc : read_text(request, body, "description", ret_description);
}

static int security_groups_create(struct request *request, struct reply *reply)
{
    struct secgroup_row row = {0};
    const char *name, *description;
    int rc = read_group(request, &name, &description);
    if (rc)
        return rc;
    entity_begin(request, &security_groups_entity, &row);
    row.name = name;
    row.description = description;
    rc = translate(request, entity_finish(request, &security_groups_entity, &row, 0), ERR_QUOTA);
    return rc ? rc : write_one(request, reply, &row);
}

static uint64_t attribute(const char *name)
{
    size_t i = 0;
    while (strcmp(security_groups_entity.attrs[i].name, name) != 0)
        i++;
    return (uint64_t)1 << i;
}

static int security_groups_update(struct request *request, struct reply *reply)
{
    struct secgroup_row old, row;
    const char *name, *description;
    int rc = get_group(request, request_param(request, "id"), &old);
    rc = rc ? rc : read_group(request, &name, &description);
    if (rc)
        return rc;
    row = old;
    row.name = name;
    row.description = description;
    row.updated_us = request->now_us;
    rc = security_groups_entity.update(request, &old, &row, attribute("name") | attribute("description"));
    rc = translate(request, rc, ERR_INVALID);
    return rc ? rc : write_one(request, reply, &row);
}

static int security_groups_delete(struct request *request, struct reply *reply)
{
    struct secgroup_row row;
    int rc = get_group(request, request_param(request, "id"), &row);
    reply->status = 202;
    return rc ? rc : translate(request, security_groups_entity.remove(request, &row), ERR_INVALID);
}

/* ---- rules ---- */

/* What a body asks for: protocol in small letters, NULL for any; ports only with one. */
struct wanted {
    const char *parent, *group, *cidr, *protocol;
    int64_t from, to;
};

/* A number, or text that is one. */
static bool read_port(json_value *value, int64_t *ret)
{
    const char *text = json_in_is_text(value) ? json_in_text(value) : NULL;
    char *end = NULL;
    if (text == NULL)
        return json_in_int(value, ret);
    *ret = strtoll(text, &end, 10);
    return *text != '\0' && *end == '\0';
}

static int bad_range(struct request *request, const struct wanted *w, const char *why)
{
    return error_set(&request->error, ERR_INVALID, "Invalid port range %lld:%lld. %s", (long long)w->from,
                     (long long)w->to, why);
}

static int check_range(struct request *request, const struct wanted *w, const char *shown)
{
    if (strcmp(w->protocol, "icmp") == 0)
        return w->from < -1 || w->from > 255 || w->to < -1 || w->to > 255
                   ? bad_range(request, w, "For ICMP, the type:code must be valid")
                   : 0;
    if (strcmp(w->protocol, "tcp") != 0 && strcmp(w->protocol, "udp") != 0)
        return error_set(&request->error, ERR_INVALID, "Invalid IP protocol %s.", shown);
    if (w->from > w->to)
        return bad_range(request, w, "Former value cannot be greater than the later");
    if (w->from < 1 || w->to > 65535)
        return bad_range(request, w,
                         w->protocol[0] == 't' ? "Valid TCP ports should be between 1-65535"
                                               : "Valid UDP ports should be between 1-65535");
    return 0;
}

static const char *small(struct request *request, const char *text)
{
    char *copy = arena_strdup(&request->arena, text);
    for (char *p = copy; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return copy;
}

/* Without ports, a rule for a group opens all of them; one for addresses is not enough. */
static int read_range(struct request *request, json_value *body, struct wanted *w)
{
    json_value *from = json_in_member(body, "from_port"), *to = json_in_member(body, "to_port"),
               *protocol = json_in_member(body, "ip_protocol");
    const char *text = json_in_is_null(protocol)   ? NULL
                       : json_in_is_text(protocol) ? json_in_text(protocol)
                                                   : json_in_print(protocol, &request->arena);
    const char *known = text != NULL ? small(request, text) : "";
    bool bare = json_in_is_null(from) && json_in_is_null(to), icmp = strcmp(known, "icmp") == 0;
    if (w->group != NULL && bare && (icmp || strcmp(known, "tcp") == 0 || strcmp(known, "udp") == 0)) {
        w->protocol = known;
        w->from = icmp ? -1 : 1;
        w->to = icmp ? -1 : 65535;
        return 0;
    }
    if (*known == '\0' || json_in_is_null(from) || json_in_is_null(to))
        return w->group != NULL
                   ? 0
                   : error_set(&request->error, ERR_INVALID, "Not enough parameters to build a valid rule.");
    if (!read_port(from, &w->from) || !read_port(to, &w->to))
        return error_set(&request->error, ERR_INVALID, "Invalid input received: %s",
                         icmp ? "Type and Code must be integers for ICMP protocol type"
                              : "To and From ports must be integers");
    w->protocol = known;
    return check_range(request, w, text);
}

static int read_cidr(struct request *request, json_value *body, struct wanted *w)
{
    json_value *value = json_in_member(body, "cidr");
    struct ip_net net;
    w->cidr = json_in_is_text(value) ? json_in_text(value) : "0.0.0.0/0";
    if (*w->cidr == '\0')
        w->cidr = "0.0.0.0/0";
    if ((!json_in_is_text(value) && !json_in_is_null(value)) || strchr(w->cidr, '/') == NULL ||
        !ip_net_parse(w->cidr, &net))
        return error_set(&request->error, ERR_INVALID, "%s is not a valid IP network.",
                         json_in_is_text(value) ? w->cidr : json_in_print(value, &request->arena));
    if (net.prefix == 0 && strcmp(w->cidr, "0.0.0.0/0") != 0 && strcmp(w->cidr, "::/0") != 0)
        return error_set(&request->error, ERR_INVALID, "Bad prefix for network in cidr %s", w->cidr);
    return 0;
}

static int read_rule(struct request *request, struct wanted *w)
{
    struct secgroup_row group;
    json_value *body;
    int rc = read_body(request, "security_group_rule", &body);
    *w = (struct wanted){0};
    if (rc)
        return rc;
    w->parent = json_in_text(json_in_member(body, "parent_group_id"));
    rc = get_group(request, w->parent, &group);
    if (!rc && !json_in_is_null(json_in_member(body, "group_id"))) {
        w->group = json_in_text(json_in_member(body, "group_id"));
        rc = get_group(request, w->group, &group);
    }
    if (!rc && w->group == NULL)
        rc = read_cidr(request, body, w);
    return rc ? rc : read_range(request, body, w);
}

static bool is_same(const struct secgroup_rule_row *row, const struct wanted *w)
{
    int64_t from, to;
    return strcmp(row->direction, "ingress") == 0 && row->remote_group_id == NULL && row->protocol != NULL &&
           strcmp(row->protocol, w->protocol) == 0 && security_group_view_ports(row, &from, &to) && from == w->from &&
           to == w->to && strcmp(row->remote_prefix != NULL ? row->remote_prefix : "0.0.0.0/0", w->cidr) == 0;
}

static int check_unique(struct request *request, const struct wanted *w)
{
    struct secgroup_rule_row *rules = NULL;
    size_t count = 0;
    int rc = store_secgroup_rules_of(request->conn, w->parent, &request->arena, &rules, &count, &request->error);
    for (size_t i = 0; i < count && !rc; i++)
        if (w->cidr != NULL && is_same(&rules[i], w))
            rc = error_set(&request->error, ERR_INVALID, "This rule already exists in group %s", w->parent);
    return rc;
}

static int write_rule(struct request *request, struct reply *reply, const struct secgroup_rule_row *row)
{
    int rc;
    json_out_object(&reply->out, NULL);
    rc = security_group_view_rule(request, &reply->out, "security_group_rule", row);
    json_out_object_end(&reply->out);
    return rc;
}

static int security_group_rules_create(struct request *request, struct reply *reply)
{
    struct secgroup_rule_row row = {0};
    struct wanted w;
    int rc = read_rule(request, &w);
    rc = rc ? rc : check_unique(request, &w);
    if (rc)
        return rc;
    entity_begin(request, &security_group_rules_entity, &row);
    row.group_id = w.parent;
    row.direction = "ingress";
    row.ethertype = w.cidr != NULL && strchr(w.cidr, ':') != NULL ? "IPv6" : "IPv4";
    row.remote_prefix = w.cidr;
    row.remote_group_id = w.group;
    row.protocol = w.protocol;
    row.has_port_min = w.protocol != NULL && w.from != -1;
    row.has_port_max = w.protocol != NULL && w.to != -1;
    row.port_min = w.from;
    row.port_max = w.to;
    rc = translate(request, entity_finish(request, &security_group_rules_entity, &row, 0), ERR_QUOTA);
    return rc ? rc : write_rule(request, reply, &row);
}

static int security_group_rules_delete(struct request *request, struct reply *reply)
{
    struct secgroup_rule_row row;
    const char *id = request_param(request, "id");
    int rc = check_id(request, id);
    reply->status = 202;
    rc = rc ? rc : security_group_rules_entity.get(request, id, &row);
    return rc ? rc : security_group_rules_entity.remove(request, &row);
}

#define WRITE_ROW(verb, path, function)                                                                                \
    {                                                                                                                  \
        .method = verb, .pattern = path, .permission = PERMISSION_MEMBER, .kind = ROUTE_WRITE, .until = PROXY_UNTIL,   \
        .handler = function                                                                                            \
    }
static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/os-security-groups",
     .permission = PERMISSION_READER,
     .until = PROXY_UNTIL,
     .handler = security_groups_list},
    {.method = "GET",
     .pattern = "/os-security-groups/{id}",
     .permission = PERMISSION_READER,
     .until = PROXY_UNTIL,
     .handler = security_groups_show},
    WRITE_ROW("POST", "/os-security-groups", security_groups_create),
    WRITE_ROW("PUT", "/os-security-groups/{id}", security_groups_update),
    WRITE_ROW("DELETE", "/os-security-groups/{id}", security_groups_delete),
    WRITE_ROW("POST", "/os-security-group-rules", security_group_rules_create),
    WRITE_ROW("DELETE", "/os-security-group-rules/{id}", security_group_rules_delete),
};
const struct route_table compute_security_groups_routes = ROUTE_TABLE(rows);
