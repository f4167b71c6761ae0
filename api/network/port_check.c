/* What a port may be asked for: see port_check.h. */
#include "api/network/port_check.h"
#include "api/network/subnet_check.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/uuid.h"
#include "db/store_secgroup.h"
#include <string.h>

static const char *shown(struct request *request, json_value *value)
{
    const char *text = json_in_text(value);
    return text != NULL ? text : json_in_print(value, &request->arena);
}

/* What was written so far, as text of the request. */
static const char *finish(struct request *request, struct strbuf *text)
{
    const char *result = arena_strdup(&request->arena, text->data);
    strbuf_done(text);
    return result;
}

int port_check_mac(struct request *request, json_value *value, const char **ret)
{
    char mac[IP_MAC_SIZE];
    bool valid = ip_mac_parse(json_in_text(value), mac);
    if (!valid || strcmp(mac, "00:00:00:00:00:00") == 0)
        return entity_reason(request, "mac_address", "'%s' is not a valid MAC address", shown(request, value));
    *ret = arena_strdup(&request->arena, mac);
    return 0;
}

static int write_fixed_ip(struct request *request, json_value *item, struct json_out *out)
{
    const char *ip = NULL;
    json_value *subnet = json_in_member(item, "subnet_id"), *address = json_in_member(item, "ip_address");
    if (!json_in_is_object(item))
        return entity_reason(request, "fixed_ips", "Invalid data format for fixed IP: '%s'", shown(request, item));
    if (address != NULL) {
        int rc = subnet_check_address(request, "fixed_ips", address, &ip);
        if (rc != 0)
            return rc;
    }
    if (subnet != NULL && (json_in_text(subnet) == NULL || !uuid_valid(json_in_text(subnet))))
        return entity_reason(request, "fixed_ips", "'%s' is not a valid UUID", shown(request, subnet));
    json_out_object(out, NULL);
    if (subnet != NULL)
        json_out_text(out, "subnet_id", json_in_text(subnet));
    if (ip != NULL)
        json_out_text(out, "ip_address", ip);
    json_out_object_end(out);
    return 0;
}

static bool repeats_address(json_value *list, size_t index)
{
    const char *ip = json_in_text(json_in_member(json_in_item(list, index), "ip_address"));
    for (size_t i = 0; i < index && ip != NULL; i++) {
        const char *other = json_in_text(json_in_member(json_in_item(list, i), "ip_address"));
        if (other != NULL && strcmp(ip, other) == 0)
            return true;
    }
    return false;
}

int port_check_fixed_ips(struct request *request, json_value *value, const char **ret)
{
    struct strbuf text;
    struct json_out out;
    int rc = 0;
    if (!json_in_is_array(value))
        return entity_reason(request, "fixed_ips", "Invalid data format for fixed IP: '%s'", shown(request, value));
    if (json_in_count(value) > 5)
        return entity_invalid(request, "Exceeded maximum amount of fixed ips per port");
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < json_in_count(value) && rc == 0; i++) {
        if (repeats_address(value, i))
            rc = entity_reason(request, "fixed_ips", "Duplicate IP address '%s'",
                               json_in_text(json_in_member(json_in_item(value, i), "ip_address")));
        else
            rc = write_fixed_ip(request, json_in_item(value, i), &out);
    }
    json_out_array_end(&out);
    *ret = finish(request, &text);
    return rc;
}

int port_check_groups(struct request *request, json_value *value, const char **ret)
{
    size_t count = json_in_count(value);
    if (json_in_is_null(value)) {
        *ret = "[]";
        return 0;
    }
    if (!json_in_is_array(value))
        return entity_reason(request, "security_groups", "'%s' is not a list", shown(request, value));
    for (size_t i = 0; i < count; i++) {
        const char *id = json_in_text(json_in_item(value, i));
        if (id == NULL || !uuid_valid(id))
            return entity_reason(request, "security_groups", "'%s' is not a valid UUID",
                                 shown(request, json_in_item(value, i)));
    }
    *ret = json_in_print(value, &request->arena);
    return 0;
}

/* The pair's MAC is the port's own unless it is given; kept without one here. */
static int write_pair(struct request *request, json_value *item, struct json_out *out)
{
    struct ip_net net;
    char mac[IP_MAC_SIZE], address[IP_NET_TEXT_SIZE];
    json_value *ip = json_in_member(item, "ip_address"), *hardware = json_in_member(item, "mac_address");
    if (!json_in_is_object(item) || ip == NULL)
        return error_set_type(&request->error, ERR_INVALID, "AllowedAddressPairsMissingIP",
                              "AllowedAddressPair must contain ip_address");
    if (json_in_text(ip) == NULL || !ip_net_parse(json_in_text(ip), &net))
        return entity_reason(request, "allowed_address_pairs", "'%s' is not a valid IP address or subnet",
                             shown(request, ip));
    if (hardware != NULL && !json_in_is_null(hardware) && !ip_mac_parse(json_in_text(hardware), mac))
        return entity_reason(request, "allowed_address_pairs", "'%s' is not a valid MAC address",
                             shown(request, hardware));
    if (json_in_count(item) > (hardware != NULL ? 2U : 1U))
        return entity_invalid(request, "Unrecognized attribute(s) in allowed_address_pairs: %s",
                              json_in_print(item, &request->arena));
    const char *given = json_in_text(ip);
    json_out_object(out, NULL);
    if (hardware != NULL && !json_in_is_null(hardware))
        json_out_text(out, "mac_address", mac);
    json_out_text(out, "ip_address", strchr(given, '/') != NULL ? ip_net_text(&net, address) : given);
    json_out_object_end(out);
    return 0;
}

int port_check_pairs(struct request *request, json_value *value, const char **ret)
{
    struct strbuf text;
    struct json_out out;
    size_t count = json_in_count(value);
    int rc = 0;
    if (json_in_is_null(value)) {
        *ret = "[]";
        return 0;
    }
    if (!json_in_is_array(value))
        return error_set_type(&request->error, ERR_INVALID, "HTTPBadRequest", "Allowed address pairs must be a list.");
    if (count > 10)
        return error_set_type(&request->error, ERR_INVALID, "AllowedAddressPairExhausted",
                              "The number of allowed address pair exceeds the maximum 10.");
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = write_pair(request, json_in_item(value, i), &out);
    json_out_array_end(&out);
    *ret = finish(request, &text);
    return rc;
}

static int write_dhcp_opt(struct request *request, json_value *item, struct json_out *out)
{
    const char *name = json_in_text(json_in_member(item, "opt_name"));
    json_value *given = json_in_member(item, "opt_value"), *version = json_in_member(item, "ip_version");
    int64_t number = 4;
    if (!json_in_is_object(item) || name == NULL || name[0] == 0 || given == NULL)
        return entity_reason(request, "extra_dhcp_opts", "No valid key specs matched for: %s",
                             json_in_print(item, &request->arena));
    if (!json_in_is_null(given) && json_in_text(given) == NULL)
        return entity_reason(request, "extra_dhcp_opts", "'%s' is not a valid string", shown(request, given));
    const char *text = json_in_text(version);
    if (text != NULL)
        number = strcmp(text, "6") == 0 ? 6 : strcmp(text, "4") == 0 ? 4 : 0;
    else if (version != NULL && !json_in_int(version, &number))
        number = 0;
    if (number != 4 && number != 6)
        return entity_reason(request, "extra_dhcp_opts", "'%s' is not in [4, 6]", shown(request, version));
    if (json_in_is_null(given)) /* an update that takes the option away */
        return 0;
    json_out_object(out, NULL);
    json_out_text(out, "opt_name", name);
    json_out_text(out, "opt_value", json_in_text(given));
    json_out_int(out, "ip_version", number);
    json_out_object_end(out);
    return 0;
}

int port_check_dhcp_opts(struct request *request, json_value *value, const char **ret)
{
    struct strbuf text;
    struct json_out out;
    int rc = 0;
    if (json_in_is_null(value)) {
        *ret = "[]";
        return 0;
    }
    if (!json_in_is_array(value))
        return entity_reason(request, "extra_dhcp_opts", "'%s' is not a list", shown(request, value));
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < json_in_count(value) && rc == 0; i++)
        rc = write_dhcp_opt(request, json_in_item(value, i), &out);
    json_out_array_end(&out);
    *ret = finish(request, &text);
    return rc;
}

int port_check_vnic_type(struct request *request, json_value *value, const char **ret)
{
    static const char *const known[] = {
        "normal",           "direct",    "macvtap", "direct-physical",    "baremetal",
        "virtio-forwarder", "smart-nic", "vdpa",    "accelerator-direct", "accelerator-direct-physical",
        "remote-managed"};
    const char *text = json_in_text(value);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && text != NULL; i++)
        if (strcmp(text, known[i]) == 0) {
            *ret = known[i];
            return 0;
        }
    return entity_reason(request, "binding:vnic_type", "'%s' is not a known type", shown(request, value));
}

int port_check_profile(struct request *request, json_value *value, const char **ret)
{
    if (json_in_is_null(value)) {
        *ret = "{}";
        return 0;
    }
    if (!json_in_is_object(value))
        return entity_reason(request, "binding:profile", "'%s' is not a dictionary", shown(request, value));
    *ret = json_in_print(value, &request->arena);
    return 0;
}

/* ---- addresses and groups ---- */

int port_check_ids(struct request *request, const char *json, const char ***ret, size_t *ret_count)
{
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, &request->error);
    if (rc != 0)
        return rc;
    size_t count = json_in_count(doc.root);
    const char **list = arena_array(&request->arena, count + 1, sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = arena_strdup(&request->arena, json_in_text(json_in_item(doc.root, i)));
    json_in_done(&doc);
    *ret = list;
    *ret_count = count;
    return 0;
}

int port_check_groups_exist(struct request *request, const char *const *groups, size_t count, const char *project_id)
{
    struct secgroup_row group;
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = store_secgroup_get(request->conn, groups[i], entity_is_admin(request) ? NULL : project_id, &request->arena,
                                &group, &request->error);
    return rc;
}

int port_check_requests(struct request *request, const char *json, struct ip_request **ret, size_t *ret_count)
{
    struct ip_assigned *list = NULL;
    size_t count = 0;
    int rc = store_ipam_parse(json, &request->arena, &list, &count, &request->error);
    if (rc != 0)
        return rc;
    struct ip_request *requests = arena_array(&request->arena, count + 1, sizeof(*requests));
    for (size_t i = 0; i < count; i++)
        requests[i] = (struct ip_request){list[i].subnet_id, list[i].ip};
    *ret = requests;
    *ret_count = count;
    return 0;
}

/* The old address that answers this request, not yet claimed by another: the same address, or for a request without one
 * any of the subnet. */
static struct ip_assigned *claim(struct ip_assigned *old, size_t count, bool *claimed, const struct ip_request *wanted)
{
    for (size_t i = 0; i < count; i++) {
        bool same = wanted->ip != NULL ? strcmp(old[i].ip, wanted->ip) == 0
                                       : wanted->subnet_id != NULL && strcmp(old[i].subnet_id, wanted->subnet_id) == 0;
        if (!same || claimed[i])
            continue;
        claimed[i] = true;
        return &old[i];
    }
    return NULL;
}

static int take_fresh(struct request *request, const struct port_row *row, const struct ip_request *wanted,
                      size_t count, struct port_change *change)
{
    struct subnet_row *subnets = NULL;
    struct ipam_query query = {.network_id = row->network_id,
                               .mac = row->mac,
                               .device_owner = row->device_owner,
                               .requests = wanted,
                               .request_count = count};
    if (count == 0)
        return 0;
    int rc = store_subnet_of_network(request->conn, row->network_id, &request->arena, &subnets, &query.subnet_count,
                                     &request->error);
    query.subnets = subnets;
    if (rc == 0)
        rc = store_ipam_take(request->conn, &query, &request->arena, &change->fresh, &change->fresh_count,
                             &request->error);
    return rc;
}

int port_check_change(struct request *request, const struct port_row *row, const char *wanted, struct port_change *ret)
{
    struct ip_assigned *old = NULL;
    struct ip_request *requests = NULL;
    size_t old_count = 0, count = 0, missing = 0;
    struct port_change change = {0};
    int rc = store_ipam_parse(row->fixed_ips, &request->arena, &old, &old_count, &request->error);
    if (rc == 0)
        rc = port_check_requests(request, wanted, &requests, &count);
    if (rc != 0)
        return rc;
    bool *claimed = arena_array(&request->arena, old_count + 1, sizeof(*claimed));
    struct ip_request *rest = arena_array(&request->arena, count + 1, sizeof(*rest));
    change.list = arena_array(&request->arena, count + 1, sizeof(*change.list));
    change.gone = arena_array(&request->arena, old_count + 1, sizeof(*change.gone));
    for (int with_ip = 1; with_ip >= 0; with_ip--) /* exact ones first */
        for (size_t i = 0; i < count; i++) {
            if ((requests[i].ip != NULL) != (with_ip == 1))
                continue;
            const struct ip_assigned *kept = claim(old, old_count, claimed, &requests[i]);
            if (kept != NULL)
                change.list[change.count++] = *kept;
            else
                rest[missing++] = requests[i];
        }
    for (size_t i = 0; i < old_count; i++)
        if (!claimed[i])
            change.gone[change.gone_count++] = old[i];
    rc = take_fresh(request, row, rest, missing, &change);
    for (size_t i = 0; i < change.fresh_count && rc == 0; i++)
        change.list[change.count++] = change.fresh[i];
    if (rc == 0)
        *ret = change;
    return rc;
}
