/* See security_group_view.h. Shapes: nova/api/openstack/compute/security_groups.py and
 * nova/network/security_group_api.py. */
#include "api/compute/security_group_view.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool security_group_view_ports(const struct secgroup_rule_row *rule, int64_t *ret_from, int64_t *ret_to)
{
    bool whole = !rule->has_port_min && !rule->has_port_max;
    bool ported = rule->protocol != NULL && (strcmp(rule->protocol, "tcp") == 0 || strcmp(rule->protocol, "udp") == 0);
    if (rule->protocol == NULL)
        return false;
    *ret_from = whole ? (ported ? 1 : -1) : rule->port_min;
    *ret_to = whole ? (ported ? 65535 : -1) : rule->port_max;
    return true;
}

static int write_remote(struct request *request, struct json_out *out, const struct secgroup_rule_row *rule)
{
    struct secgroup_row remote;
    int rc = 0;
    if (rule->remote_group_id != NULL)
        rc = store_secgroup_get(request->conn, rule->remote_group_id, NULL, &request->arena, &remote, &request->error);
    json_out_object(out, "group");
    if (!rc && rule->remote_group_id != NULL) {
        json_out_text(out, "name", remote.name);
        json_out_text(out, "tenant_id", remote.project_id);
    }
    json_out_object_end(out);
    json_out_object(out, "ip_range");
    if (rule->remote_group_id == NULL)
        json_out_text(out, "cidr", rule->remote_prefix != NULL ? rule->remote_prefix : "0.0.0.0/0");
    json_out_object_end(out);
    return rc;
}

int security_group_view_rule(struct request *request, struct json_out *out, const char *key,
                             const struct secgroup_rule_row *rule)
{
    int64_t from = 0, to = 0;
    int rc;
    json_out_object(out, key);
    json_out_text(out, "id", rule->id);
    json_out_text(out, "parent_group_id", rule->group_id);
    json_out_text(out, "ip_protocol", rule->protocol);
    if (security_group_view_ports(rule, &from, &to)) {
        json_out_int(out, "from_port", from);
        json_out_int(out, "to_port", to);
    } else {
        json_out_null(out, "from_port");
        json_out_null(out, "to_port");
    }
    rc = write_remote(request, out, rule);
    json_out_object_end(out);
    return rc;
}

int security_group_view_write(struct request *request, struct json_out *out, const char *key,
                              const struct secgroup_row *group)
{
    struct secgroup_rule_row *rules = NULL;
    size_t count = 0;
    int rc = store_secgroup_rules_of(request->conn, group->id, &request->arena, &rules, &count, &request->error);
    json_out_object(out, key);
    json_out_text(out, "id", group->id);
    json_out_text(out, "name", group->name);
    json_out_text(out, "description", group->description);
    json_out_text(out, "tenant_id", group->project_id);
    json_out_array(out, "rules");
    for (size_t i = 0; i < count && !rc; i++)
        if (strcmp(rules[i].direction, "ingress") == 0)
            rc = security_group_view_rule(request, out, NULL, &rules[i]);
    json_out_array_end(out);
    json_out_object_end(out);
    return rc;
}

static int compare(const void *a, const void *b)
{
    const struct secgroup_row *x = a, *y = b;
    int order = strcmp(x->project_id, y->project_id);
    order = order ? order : strcmp(x->name, y->name);
    return order ? order : strcmp(x->id, y->id);
}

int security_group_view_list(struct request *request, struct json_out *out, struct secgroup_row *groups, size_t count)
{
    int rc = 0;
    if (count > 0)
        qsort(groups, count, sizeof(*groups), compare);
    json_out_array(out, "security_groups");
    for (size_t i = 0; i < count && !rc; i++)
        rc = security_group_view_write(request, out, NULL, &groups[i]);
    json_out_array_end(out);
    return rc;
}
