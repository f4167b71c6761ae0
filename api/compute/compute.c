/* The compute service: faults as Nova writes them, microversions as its middleware negotiates them, and small things
 * that all resources share. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "common/model/ip.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* nova/api/openstack/wsgi.py, Fault._fault_names. */
static const struct {
    int status;
    const char *name;
} fault_names[] = {
    {400, "badRequest"}, {401, "unauthorized"},       {403, "forbidden"},          {404, "itemNotFound"},
    {405, "badMethod"},  {409, "conflictingRequest"}, {413, "overLimit"},          {415, "badMediaType"},
    {429, "overLimit"},  {501, "notImplemented"},     {503, "serviceUnavailable"},
};

static void write_fault(struct request *request, struct reply *reply, int status, const char *message)
{
    const char *name = "computeFault";
    (void)request;
    for (size_t i = 0; i < sizeof(fault_names) / sizeof(fault_names[0]); i++)
        if (fault_names[i].status == status)
            name = fault_names[i].name;
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, name);
    json_out_int(&reply->out, "code", status);
    json_out_text(&reply->out, "message", message);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
}

/* The version after "compute " in a list such as "volume 3.59, compute 2.90"; NULL when there is none. */
static const char *standard_version(struct request *request)
{
    const char *header = request_header(request, "OpenStack-API-Version");
    char *list, *item, *rest = NULL;
    if (header == NULL)
        return NULL;
    list = arena_strdup(&request->arena, header);
    for (item = strtok_r(list, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
        item += strspn(item, " \t");
        if (strncasecmp(item, "compute", 7) == 0 && (item[7] == ' ' || item[7] == '\t')) {
            item += 7 + strspn(item + 7, " \t");
            item[strcspn(item, " \t")] = '\0';
            return item;
        }
    }
    return NULL;
}

/* ([1-9][0-9]*)\.([1-9][0-9]*|0) */
static bool read_version(const char *text, long *major, long *minor)
{
    char *end;
    if (text[0] < '1' || text[0] > '9')
        return false;
    *major = strtol(text, &end, 10);
    if (*end != '.' || !isdigit((unsigned char)end[1]) || (end[1] == '0' && end[2] != '\0'))
        return false;
    *minor = strtol(end + 1, &end, 10);
    return *end == '\0';
}

static void write_version(struct request *request, struct reply *reply, const char *version)
{
    reply_header_kept(reply, "OpenStack-API-Version", arena_join(&request->arena, "compute ", version));
    reply_header_kept(reply, "X-OpenStack-Nova-API-Version", version);
    reply_header_kept(reply, "Vary", "OpenStack-API-Version");
    reply_header_kept(reply, "Vary", "X-OpenStack-Nova-API-Version");
    reply_header_kept(reply, "x-compute-request-id", request->id);
}

static int negotiate(struct request *request, struct reply *reply)
{
    const char *asked = standard_version(request);
    long major = 2, minor = COMPUTE_VERSION_MIN;
    if (asked == NULL)
        asked = request_header(request, "X-OpenStack-Nova-API-Version");
    if (asked != NULL && strcasecmp(asked, "latest") == 0) {
        minor = COMPUTE_VERSION_MAX;
    } else if (asked != NULL && !read_version(asked, &major, &minor)) {
        write_version(request, reply, "2.1");
        return error_set(&request->error, ERR_INVALID,
                         "API Version String %s is of invalid format. Must be of format MajorNum.MinorNum.", asked);
    }
    if (major != 2 || minor < COMPUTE_VERSION_MIN || minor > COMPUTE_VERSION_MAX) {
        write_version(request, reply, asked);
        return error_set(&request->error, ERR_NOT_ACCEPTABLE,
                         "Version %s is not supported by the API. Minimum is 2.%d and maximum is 2.%d.", asked,
                         COMPUTE_VERSION_MIN, COMPUTE_VERSION_MAX);
    }
    request->microversion = (int)minor;
    if (asked == NULL || minor == COMPUTE_VERSION_MAX) /* "latest" too */
        asked = arena_printf(&request->arena, "2.%ld", minor);
    write_version(request, reply, asked);
    return 0;
}

static const struct route_table *const root_tables[] = {&versions_root_routes, NULL};
const struct service compute_root_service = {
    .name = "compute-versions",
    .prefix = "/compute",
    .tables = root_tables,
    .fault = write_fault,
};

static const struct route_table *const tables[] = {
    &versions_routes,
    &servers_routes,
    &servers_create_routes,
    &servers_list_routes,
    &server_actions_routes,
    &server_metadata_routes,
    &server_tags_routes,
    &server_addresses_routes,
    &server_diagnostics_routes,
    &instance_actions_routes,
    &server_password_routes,
    &server_security_groups_routes,
    &server_interfaces_routes,
    &server_topology_routes,
    &compute_security_groups_routes,
    &compute_images_routes,
    &image_metadata_routes,
    &compute_networks_routes,
    &usage_audit_routes,
    &external_events_routes,
    &gone_routes,
    &extensions_routes,
    &server_groups_routes,
    &flavors_routes,
    &flavor_extra_specs_routes,
    &flavor_access_routes,
    &keypairs_routes,
    &limits_routes,
    &quota_sets_routes,
    &quota_classes_routes,
    &tenant_usage_routes,
    &availability_zones_routes,
    &aggregates_routes,
    &hypervisors_routes,
    &hosts_routes,
    &services_routes,
    &migrations_routes,
    NULL,
};
const struct service compute_service = {
    .name = "compute",
    .prefix = COMPUTE_PREFIX,
    .tables = tables,
    .fault = write_fault,
    .negotiate = negotiate,
};

bool compute_is_admin(const struct request *request)
{
    return (request->credential.roles & ROLE_ADMIN) != 0;
}

bool compute_since(const struct request *request, int minor)
{
    return request->microversion >= minor;
}

int compute_server(struct request *request, struct server_row *ret)
{
    const char *id = request_param(request, "id");
    struct server_row row;
    int rc = store_server_get(request->conn, id, &request->arena, &row, &request->error);
    if (!rc && !compute_is_admin(request) && strcmp(row.project_id, request->credential.project_id) != 0)
        rc = error_set(&request->error, ERR_NOT_FOUND, "Instance %s could not be found.", id);
    if (!rc)
        *ret = row;
    return rc;
}

int compute_server_unlocked(struct request *request, struct server_row *ret)
{
    struct server_row row;
    int rc = compute_server(request, &row);
    if (!rc && row.locked != 0 && !compute_is_admin(request))
        rc = error_set(&request->error, ERR_CONFLICT, "Instance %s is locked", row.id);
    if (!rc)
        *ret = row;
    return rc;
}

int compute_server_built(struct request *request, const struct server_row *row, const char *action)
{
    static const char *const built[] = {"active", "paused", "suspended", "stopped"};
    struct server_situation situation = store_server_situation(row);
    struct server_words words = server_words(&situation);
    for (size_t i = 0; i < sizeof(built) / sizeof(built[0]); i++)
        if (strcmp(built[i], words.vm_state) == 0)
            return 0;
    return error_set(&request->error, ERR_CONFLICT, "Cannot '%s' instance %s while it is in vm_state %s", action,
                     row->id, words.vm_state);
}

const char *compute_link_self(struct request *request, const char *collection, const char *id)
{
    return arena_join(&request->arena, request_base_url(request), COMPUTE_PREFIX "/", collection, "/", id);
}

const char *compute_link_bookmark(struct request *request, const char *collection, const char *id)
{
    return arena_join(&request->arena, request_base_url(request), "/compute/", collection, "/", id);
}

static void write_link(struct json_out *out, const char *rel, const char *href)
{
    json_out_object(out, NULL);
    json_out_text(out, "rel", rel);
    json_out_text(out, "href", href);
    json_out_object_end(out);
}

void compute_write_links(struct request *request, struct json_out *out, const char *collection, const char *id)
{
    json_out_array(out, "links");
    write_link(out, "self", compute_link_self(request, collection, id));
    write_link(out, "bookmark", compute_link_bookmark(request, collection, id));
    json_out_array_end(out);
}

/* Percent-encodes what a query value may not hold. */
static void add_encoded(struct strbuf *to, const char *text)
{
    for (; *text != '\0'; text++) {
        if (isalnum((unsigned char)*text) || strchr("-_.~", *text) != NULL)
            strbuf_append_char(to, *text);
        else
            strbuf_appendf(to, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

static int add_argument(void *arg, const char *name, const char *value)
{
    struct strbuf *to = arg;
    if (strcmp(name, "marker") == 0)
        return 0;
    add_encoded(to, name);
    strbuf_append_char(to, '=');
    add_encoded(to, value != NULL ? value : "");
    return strbuf_append_char(to, '&');
}

void compute_write_next(struct request *request, struct json_out *out, const char *path, const char *key,
                        const char *marker)
{
    struct strbuf href;
    strbuf_init(&href, 1 << 16);
    strbuf_appendf(&href, "%s" COMPUTE_PREFIX "/%s?", request_base_url(request), path);
    request_query_each(request, add_argument, &href);
    strbuf_appendf(&href, "marker=%s", marker);
    json_out_array(out, key);
    write_link(out, "next", href.data);
    json_out_array_end(out);
    strbuf_done(&href);
}

static const char *const truths[] = {"true", "1", "on", "yes", NULL}, *const lies[] = {"false", "0", "off", "no", NULL};

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcasecmp(text, *words) == 0)
            return true;
    return false;
}

bool compute_read_bool(json_value *value, bool *ret)
{
    const char *text = json_in_is_text(value) ? json_in_text(value) : NULL;
    if (text == NULL)
        return json_in_bool(value, ret);
    if (!is_one_of(text, truths) && !is_one_of(text, lies))
        return false;
    *ret = is_one_of(text, truths);
    return true;
}

bool compute_text_bool(const char *text)
{
    return text != NULL && (is_one_of(text, truths) || strcasecmp(text, "t") == 0 || strcasecmp(text, "y") == 0);
}

/* Length in characters; control characters (C0, DEL, C1) are not printable. JSON in has made sure of UTF-8. */
static bool is_printable(const char *text, size_t *ret_characters)
{
    size_t characters = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
            return false;
        characters += (*p & 0xc0) != 0x80;
    }
    *ret_characters = characters;
    return true;
}

int compute_check_name(struct request *request, const char *field, const char *value)
{
    size_t characters = 0, size = strlen(value);
    if (!is_printable(value, &characters) || characters < 1 || characters > 255 || value[0] == ' ' ||
        value[size - 1] == ' ')
        return error_set(
            &request->error, ERR_INVALID,
            "Invalid input for field/attribute %s. An invalid 'name' value was provided. The name must be: "
            "1 to 255 printable characters. Can not start or end with whitespace.",
            field);
    return 0;
}

int compute_check_text(struct request *request, const char *field, const char *value)
{
    size_t characters = 0;
    if (!is_printable(value, &characters) || characters > 255)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute %s. At most 255 printable characters are allowed", field);
    return 0;
}

static bool is_label(const char *text, size_t size)
{
    if (size < 1 || !isalnum((unsigned char)text[0]) || !isalnum((unsigned char)text[size - 1]))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-')
            return false;
    return true;
}

int compute_check_hostname(struct request *request, const char *field, const char *value)
{
    bool dotted = compute_since(request, 94), good = true;
    size_t size = strlen(value);
    for (const char *at = value; good;) {
        size_t label = dotted ? strcspn(at, ".") : strlen(at);
        good = is_label(at, label) && label <= 63;
        at += label;
        if (*at == '\0')
            break;
        at++;
    }
    if (!good || size < 2 || size > (dotted ? 255u : 63u))
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute %s. Value: %s. %s is not a host name", field, value, value);
    return 0;
}

int compute_check_ip(struct request *request, const char *field, const char *value, int version)
{
    struct ip ip;
    if (ip_parse(value, &ip) && (version == 0 || ip.version == version))
        return 0;
    return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute %s. Value: %s. '%s' is not a%s",
                     field, value, value,
                     version == 4   ? "n 'ipv4'"
                     : version == 6 ? "n 'ipv6'"
                                    : "n address");
}

int compute_read_ip(struct request *request, const char *field, const char **value, int version)
{
    struct ip ip;
    char text[IP_TEXT_SIZE];
    int rc = *value != NULL ? compute_check_ip(request, field, *value, version) : 0;
    if (!rc && *value != NULL && ip_parse(*value, &ip))
        *value = arena_strdup(&request->arena, ip_text(&ip, text));
    return rc;
}

int compute_check_windows(struct request *request, const struct json_table *table, const struct json_seen *seen,
                          const struct compute_window *windows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct compute_window *w = &windows[i];
        bool there = (seen->present >> w->field & 1) != 0;
        bool inside = compute_since(request, w->since) && (w->until == 0 || request->microversion <= w->until);
        if (there && !inside)
            return error_set(&request->error, ERR_INVALID,
                             "Additional properties are not allowed ('%s' was unexpected)",
                             table->fields[w->field].name);
    }
    return 0;
}

int compute_not_served(struct request *request, const char *what)
{
    return error_set(&request->error, ERR_NOT_IMPLEMENTED, "%s is not implemented", what);
}
