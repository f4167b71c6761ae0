/* The body of POST /servers. Members that have one form are in the table; those with several (a list or a word, a
 * number or text) are read by hand below. Sources of rules and sentences: nova/api/openstack/compute/schemas/servers.py
 * and servers.py. */
#include "api/compute/servers_body.h"
#include "api/compute/server_hints.h"
#include "common/clock.h"
#include "common/strbuf.h"
#include "common/uuid.h"
#include <ctype.h>
#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD_SIZE 12
#define USER_DATA_MAX 65535
#define QUEUE_MAX_S   ((int64_t)366 * 86400)

enum {
    FIELD_NAME,
    FIELD_IMAGE,
    FIELD_FLAVOR,
    FIELD_ADMIN_PASS,
    FIELD_METADATA,
    FIELD_NETWORKS,
    FIELD_DISK_CONFIG,
    FIELD_ACCESS4,
    FIELD_ACCESS6,
    FIELD_PERSONALITY,
    FIELD_ZONE,
    FIELD_BLOCK_OLD,
    FIELD_BLOCK,
    FIELD_CONFIG_DRIVE,
    FIELD_KEY_NAME,
    FIELD_MIN_COUNT,
    FIELD_MAX_COUNT,
    FIELD_RESERVATION,
    FIELD_SECURITY_GROUPS,
    FIELD_USER_DATA,
    FIELD_DESCRIPTION,
    FIELD_TAGS,
    FIELD_TRUSTED,
    FIELD_HOST,
    FIELD_HYPERVISOR,
    FIELD_HOSTNAME,
};
static const char *const disk_configs[] = {"AUTO", "MANUAL", NULL};
#define AT(member) offsetof(struct servers_body, member)
static const struct json_field body_fields[] = {
    [FIELD_NAME] =
        {.name = "name", .kind = JSON_TEXT, .offset = AT(name), .flags = JSON_REQUIRED, .min = 1, .max = 255},
    [FIELD_IMAGE] = {.name = "imageRef", .kind = JSON_TEXT, .offset = AT(image), .max = 255},
    [FIELD_FLAVOR] = {.name = "flavorRef", .kind = JSON_ANY, .offset = AT(flavor), .flags = JSON_REQUIRED},
    [FIELD_ADMIN_PASS] = {.name = "adminPass", .kind = JSON_TEXT, .offset = AT(admin_pass)},
    [FIELD_METADATA] = {.name = "metadata", .kind = JSON_MAP, .offset = AT(metadata)},
    [FIELD_NETWORKS] = {.name = "networks", .kind = JSON_ANY, .offset = AT(networks)},
    [FIELD_DISK_CONFIG] = {.name = "OS-DCF:diskConfig",
                           .kind = JSON_TEXT,
                           .offset = AT(disk_config),
                           .choices = disk_configs},
    [FIELD_ACCESS4] = {.name = "accessIPv4", .kind = JSON_TEXT, .offset = AT(access_ipv4)},
    [FIELD_ACCESS6] = {.name = "accessIPv6", .kind = JSON_TEXT, .offset = AT(access_ipv6)},
    [FIELD_PERSONALITY] = {.name = "personality", .kind = JSON_ANY, .offset = AT(personality)},
    [FIELD_ZONE] = {.name = "availability_zone", .kind = JSON_TEXT, .offset = AT(zone), .min = 1, .max = 255},
    [FIELD_BLOCK_OLD] = {.name = "block_device_mapping", .kind = JSON_ANY, .offset = AT(block_devices_old)},
    [FIELD_BLOCK] = {.name = "block_device_mapping_v2", .kind = JSON_ANY, .offset = AT(block_devices)},
    [FIELD_CONFIG_DRIVE] = {.name = "config_drive", .kind = JSON_ANY, .offset = AT(config_drive)},
    [FIELD_KEY_NAME] = {.name = "key_name", .kind = JSON_TEXT, .offset = AT(key_name), .min = 1, .max = 255},
    [FIELD_MIN_COUNT] = {.name = "min_count", .kind = JSON_ANY, .offset = AT(min_count)},
    [FIELD_MAX_COUNT] = {.name = "max_count", .kind = JSON_ANY, .offset = AT(max_count)},
    [FIELD_RESERVATION] = {.name = "return_reservation_id", .kind = JSON_ANY, .offset = AT(return_reservation)},
    [FIELD_SECURITY_GROUPS] = {.name = "security_groups", .kind = JSON_ANY, .offset = AT(security_groups)},
    [FIELD_USER_DATA] = {.name = "user_data", .kind = JSON_TEXT, .offset = AT(user_data), .max = USER_DATA_MAX},
    [FIELD_DESCRIPTION] = {.name = "description", .kind = JSON_TEXT, .offset = AT(description), .flags = JSON_NULLABLE},
    [FIELD_TAGS] = {.name = "tags", .kind = JSON_TEXTS, .offset = AT(tags)},
    [FIELD_TRUSTED] = {.name = "trusted_image_certificates", .kind = JSON_ANY, .offset = AT(trusted)},
    [FIELD_HOST] = {.name = "host", .kind = JSON_TEXT, .offset = AT(host), .min = 1, .max = 255},
    [FIELD_HYPERVISOR] =
        {.name = "hypervisor_hostname", .kind = JSON_TEXT, .offset = AT(hypervisor_hostname), .min = 1, .max = 255},
    [FIELD_HOSTNAME] = {.name = "hostname", .kind = JSON_TEXT, .offset = AT(hostname), .min = 1, .max = 255},
};
static const struct json_table body_table = {
    .fields = body_fields, .count = JSON_COUNT(body_fields), .seen_offset = AT(seen)};
static const struct json_field document_fields[] = {
    {.name = "server",
     .kind = JSON_OBJECT,
     .offset = offsetof(struct servers_document, server),
     .flags = JSON_REQUIRED,
     .sub = &body_table},
    {.name = "os:scheduler_hints", .kind = JSON_ANY, .offset = offsetof(struct servers_document, hints)},
    {.name = "OS-SCH-HNT:scheduler_hints", .kind = JSON_ANY, .offset = offsetof(struct servers_document, old_hints)},
};
const struct json_table servers_document_table = {
    .fields = document_fields, .count = JSON_COUNT(document_fields), .seen_offset = JSON_NO_SEEN};

static const struct compute_window windows[] = {
    {FIELD_DESCRIPTION, 19, 0}, {FIELD_TAGS, 52, 0},       {FIELD_PERSONALITY, 1, 56}, {FIELD_TRUSTED, 63, 0},
    {FIELD_HOST, 74, 0},        {FIELD_HYPERVISOR, 74, 0}, {FIELD_HOSTNAME, 90, 0},
};

static int invalid(struct request *request, const char *text)
{
    return error_set(&request->error, ERR_INVALID, "%s", text);
}

static bool has(const struct servers_body *b, unsigned field)
{
    return (b->seen.present >> field & 1) != 0;
}

int servers_body_check_metadata(struct request *request, const char *key, const char *value)
{
    size_t size = strlen(key), characters = 0;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)key[i]) && strchr("-_:. ", key[i]) == NULL)
            return error_set(&request->error, ERR_INVALID,
                             "Invalid input for field/attribute metadata. Additional properties are not allowed ('%s' "
                             "was unexpected)",
                             key);
    for (const char *p = value; *p != '\0'; p++)
        characters += ((unsigned char)*p & 0xc0) != 0x80;
    if (size < 1 || size > 255 || characters > 255)
        return error_set(
            &request->error, ERR_INVALID,
            "Invalid input for field/attribute %s. Keys of metadata have 1 to 255 characters, values at most 255",
            size < 1 || size > 255 ? "metadata" : key);
    return 0;
}

int servers_body_check_tag(struct request *request, const char *tag)
{
    size_t characters = 0;
    for (const char *p = tag; *p != '\0'; p++)
        characters += ((unsigned char)*p & 0xc0) != 0x80;
    if (characters < 1 || characters > 60 || strpbrk(tag, ",/") != NULL)
        return error_set(
            &request->error, ERR_INVALID,
            "Invalid input for field/attribute tags. '%s' is not a tag: 1 to 60 characters without comma and slash",
            tag);
    return 0;
}

static int read_metadata(struct request *request, const struct servers_body *b, struct servers_wish *wish)
{
    struct strbuf text;
    struct json_out out;
    int rc = 0;
    if (b->metadata.count > SERVERS_METADATA_MAX)
        return error_set(&request->error, ERR_QUOTA, "Maximum number of metadata items exceeds %d",
                         SERVERS_METADATA_MAX);
    wish->metadata = "{}";
    if (b->metadata.count == 0)
        return 0;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    for (size_t i = 0; i < b->metadata.count && !rc; i++) {
        rc = servers_body_check_metadata(request, b->metadata.pairs[i].key, b->metadata.pairs[i].value);
        json_out_text(&out, b->metadata.pairs[i].key, b->metadata.pairs[i].value);
    }
    json_out_object_end(&out);
    wish->metadata = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return rc;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, each once. */
static int read_tags(struct request *request, const struct servers_body *b, struct servers_wish *wish)
{
    const char **tags = b->tags.items;
    struct strbuf text;
    struct json_out out;
    int rc = 0;
    wish->tags = "[]";
    if (b->tags.count == 0)
        return 0;
    if (b->tags.count > SERVERS_TAGS_MAX)
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute tags. At most %d are allowed",
                         SERVERS_TAGS_MAX);
    qsort(tags, b->tags.count, sizeof(*tags), compare_texts);
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < b->tags.count && !rc; i++) {
        rc = servers_body_check_tag(request, tags[i]);
        if (i == 0 || strcmp(tags[i - 1], tags[i]) != 0)
            json_out_text(&out, NULL, tags[i]);
    }
    json_out_array_end(&out);
    wish->tags = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return rc;
}

static int read_count(struct request *request, json_value *value, const char *name, int64_t *ret)
{
    const char *text = json_in_is_text(value) ? json_in_text(value) : NULL;
    int64_t number = 0;
    char *end = NULL;
    bool good = text == NULL && json_in_int(value, &number);
    if (text != NULL) {
        number = strtoll(text, &end, 10);
        good = isdigit((unsigned char)text[0]) && *end == '\0';
    }
    if (!good || number < 1)
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute %s. It must be at least 1",
                         name);
    if (number > SERVERS_COUNT_MAX)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute %s. At most %d servers are made by one request", name,
                         SERVERS_COUNT_MAX);
    *ret = number;
    return 0;
}

static int read_counts(struct request *request, const struct servers_body *b, struct servers_wish *wish)
{
    int rc = 0;
    wish->min_count = 1;
    if (has(b, FIELD_MIN_COUNT))
        rc = read_count(request, b->min_count, "min_count", &wish->min_count);
    wish->max_count = wish->min_count;
    if (!rc && has(b, FIELD_MAX_COUNT))
        rc = read_count(request, b->max_count, "max_count", &wish->max_count);
    if (!rc && wish->min_count > wish->max_count)
        rc = invalid(request, "min_count must be <= max_count");
    return rc;
}

static int read_bool(struct request *request, const struct servers_body *b, unsigned field, json_value *value,
                     bool *ret)
{
    if (!has(b, field) || compute_read_bool(value, ret))
        return 0;
    return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute %s. It is not a boolean",
                     body_fields[field].name);
}

/* [{"name": ...}], each name once. */
static int read_security_groups(struct request *request, const struct servers_body *b, struct servers_wish *wish)
{
    json_value *list = b->security_groups;
    wish->security_groups = "[{\"name\":\"default\"}]";
    if (!has(b, FIELD_SECURITY_GROUPS))
        return 0;
    if (!json_in_is_array(list))
        return invalid(request, "Invalid input for field/attribute security_groups. It is not a list");
    for (size_t i = 0; i < json_in_count(list); i++) {
        json_value *group = json_in_item(list, i);
        const char *name = json_in_text(json_in_member(group, "name"));
        if (!json_in_is_object(group) || json_in_count(group) != 1 || name == NULL)
            return invalid(request,
                           "Invalid input for field/attribute security_groups. Each has a name and nothing else");
        int rc = compute_check_name(request, "name", name);
        if (rc)
            return rc;
    }
    wish->security_groups = json_in_print(list, &request->arena);
    return 0;
}

static int read_network_member(void *arg, const char *name, json_value *value)
{
    struct request *request = arg;
    bool known = strcmp(name, "uuid") == 0 || strcmp(name, "port") == 0 || strcmp(name, "fixed_ip") == 0;
    bool tag = strcmp(name, "tag") == 0 && compute_since(request, 32) &&
               (compute_since(request, 42) || request->microversion <= 36);
    if (tag && json_in_is_text(value))
        return servers_body_check_tag(request, json_in_text(value));
    if (!known)
        return error_set(&request->error, ERR_INVALID, "Additional properties are not allowed ('%s' was unexpected)",
                         name);
    if (!json_in_is_text(value) && !(strcmp(name, "port") == 0 && json_in_is_null(value)))
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute %s. It is not text", name);
    return 0;
}

static int read_network(struct request *request, json_value *item, const struct servers_wish *wish,
                        struct port_request *ret)
{
    int rc;
    if (!json_in_is_object(item))
        return invalid(request, "Invalid input for field/attribute networks. Each is an object");
    rc = json_in_each(item, read_network_member, request);
    if (rc)
        return rc;
    ret->network_id = json_in_text(json_in_member(item, "uuid"));
    ret->port_id = json_in_text(json_in_member(item, "port"));
    ret->fixed_ip = json_in_text(json_in_member(item, "fixed_ip"));
    if (ret->port_id == NULL && (ret->network_id == NULL || !uuid_valid(ret->network_id)))
        return error_set(&request->error, ERR_INVALID, "Bad networks format: network uuid is not in proper format (%s)",
                         ret->network_id != NULL ? ret->network_id : "None");
    if (ret->port_id != NULL && !uuid_valid(ret->port_id))
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute port. Value: %s. '%s' is not a 'uuid'", ret->port_id,
                         ret->port_id);
    if (ret->fixed_ip != NULL)
        rc = compute_check_ip(request, "fixed_ip", ret->fixed_ip, 0);
    if (!rc && ret->fixed_ip != NULL && ret->port_id != NULL)
        rc = error_set(&request->error, ERR_INVALID,
                       "Specified Fixed IP '%s' cannot be used with port '%s': the two cannot be specified together.",
                       ret->fixed_ip, ret->port_id);
    if (!rc && ret->fixed_ip != NULL && wish->max_count > 1)
        rc = invalid(request,
                     "Failed to launch instances: max_count cannot be greater than 1 if an fixed_ip is specified.");
    if (!rc && ret->port_id != NULL && wish->max_count > 1)
        rc = invalid(request,
                     "Failed to launch instances: Unable to launch multiple instances with a single configured port "
                     "ID. Please launch your instance one by one with different ports.");
    return rc;
}

static int read_networks(struct request *request, const struct servers_body *b, struct servers_wish *wish)
{
    const char *word = has(b, FIELD_NETWORKS) && json_in_is_text(b->networks) ? json_in_text(b->networks) : NULL;
    if (compute_since(request, 37) && !has(b, FIELD_NETWORKS))
        return invalid(request, "'networks' is a required property");
    if (word != NULL && compute_since(request, 37)) {
        wish->automatic = wish->must_have_network = strcmp(word, "auto") == 0;
        if (wish->automatic || strcmp(word, "none") == 0)
            return 0;
    }
    if (has(b, FIELD_NETWORKS) && !json_in_is_array(b->networks))
        return invalid(request,
                       "Invalid input for field/attribute networks. It is a list, 'auto' or 'none' (from 2.37)");
    wish->request_count = json_in_count(b->networks);
    wish->automatic = wish->request_count == 0;
    wish->requests = arena_array(&request->arena, wish->request_count + 1, sizeof(*wish->requests));
    for (size_t i = 0; i < wish->request_count; i++) {
        int rc = read_network(request, json_in_item(b->networks, i), wish, &wish->requests[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static bool member_is(json_value *object, const char *name, const char *text)
{
    const char *value = json_in_text(json_in_member(object, name));
    return value != NULL && strcmp(value, text) == 0;
}

/* One form is served: the image onto the host's own disk, as a server without a mapping boots. */
static int read_block_devices(struct request *request, const struct servers_body *b, struct servers_wish *wish)
{
    json_value *device = json_in_item(b->block_devices, 0);
    const char *uuid = json_in_text(json_in_member(device, "uuid"));
    if (!has(b, FIELD_BLOCK_OLD) && (!has(b, FIELD_BLOCK) || json_in_count(b->block_devices) == 0))
        return 0;
    if (has(b, FIELD_BLOCK_OLD) || !json_in_is_array(b->block_devices) || json_in_count(b->block_devices) != 1 ||
        !member_is(device, "source_type", "image") || !member_is(device, "destination_type", "local") || uuid == NULL)
        return invalid(
            request,
            "Block Device Mapping is Invalid: servers boot from an image onto a local disk; volumes are not served.");
    if (wish->image_id != NULL && strcmp(uuid, wish->image_id) != 0)
        return invalid(request,
                       "Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping "
                       "combination is not valid.");
    wish->image_id = uuid;
    return 0;
}

static int read_image(struct request *request, const struct servers_body *b, struct servers_wish *wish)
{
    int rc;
    wish->image_id = b->image != NULL && b->image[0] != '\0' ? b->image : NULL;
    if (wish->image_id != NULL && !uuid_valid(wish->image_id))
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute imageRef. Value: %s. '%s' is not a 'uuid'", wish->image_id,
                         wish->image_id);
    rc = read_block_devices(request, b, wish);
    if (!rc && wish->image_id == NULL)
        rc = invalid(request, "Invalid imageRef provided.");
    return rc;
}

static int read_flavor(struct request *request, const struct servers_body *b, struct servers_wish *wish)
{
    int64_t number;
    if (json_in_is_text(b->flavor) && json_in_text(b->flavor)[0] != '\0') {
        /* Old clients send a link: its last part is the id. */
        const char *text = json_in_text(b->flavor), *slash = strrchr(text, '/');
        wish->flavor_id = slash != NULL ? slash + 1 : text;
        return 0;
    }
    if (json_in_int(b->flavor, &number)) {
        wish->flavor_id = arena_printf(&request->arena, "%lld", (long long)number);
        return 0;
    }
    return invalid(request, "Invalid flavorRef provided.");
}

static int read_user_data(struct request *request, const struct servers_body *b)
{
    size_t size = b->user_data != NULL ? strlen(b->user_data) : 0, padding = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)b->user_data[i];
        padding += c == '=';
        if ((!isalnum(c) && c != '+' && c != '/' && c != '=' && c != '\n' && c != '\r') || (padding > 0 && isalnum(c)))
            return invalid(request, "User data needs to be valid base 64.");
    }
    if (padding > 2)
        return invalid(request, "User data needs to be valid base 64.");
    return 0;
}

/* Ours: "queue_until" is a time, or "+N" for N seconds from now. */
static int read_queue_until(struct request *request, json_value *hint, int64_t *ret_us)
{
    const char *text = json_in_text(hint);
    int64_t until_us = 0;
    char *end = NULL;
    if (hint == NULL)
        return 0;
    if (text != NULL && text[0] == '+' && isdigit((unsigned char)text[1])) {
        int64_t seconds = strtoll(text + 1, &end, 10);
        if (*end == '\0' && seconds <= QUEUE_MAX_S)
            until_us = request->now_us + seconds * CLOCK_SECOND_US;
    } else if (text == NULL || !clock_parse(text, &until_us)) {
        until_us = 0;
    }
    if (until_us <= request->now_us || until_us > request->now_us + QUEUE_MAX_S * CLOCK_SECOND_US)
        return invalid(request, "Invalid input for field/attribute queue_until. It is a time that comes within a year, "
                                "2030-01-31T12:00:00Z or +SECONDS");
    *ret_us = until_us;
    return 0;
}

/* Ours; the stock client sends hints as text. */
static bool read_spot(json_value *hint, bool *ret)
{
    const char *text = json_in_text(hint);
    if (text == NULL)
        return json_in_bool(hint, ret);
    *ret = strcasecmp(text, "true") == 0;
    return *ret || strcasecmp(text, "false") == 0;
}

static int read_hints(struct request *request, const struct servers_document *d, struct servers_wish *wish)
{
    json_value *hints = d->hints != NULL ? d->hints : d->old_hints;
    json_value *group = json_in_member(hints, "group");
    wish->hints = "{}";
    if (hints == NULL)
        return 0;
    if (!json_in_is_object(hints))
        return invalid(request, "Invalid input for field/attribute os:scheduler_hints. It is not an object");
    if (group != NULL) {
        wish->group_id = json_in_text(group);
        if (wish->group_id == NULL || !uuid_valid(wish->group_id))
            return invalid(request, "Invalid input for field/attribute group. It is not a 'uuid'");
    }
    wish->hints = json_in_print(hints, &request->arena);
    if (strlen(wish->hints) > 65536)
        return invalid(request, "Invalid input for field/attribute os:scheduler_hints. They are too large");
    wish->reservation_id = json_in_text(json_in_member(hints, "reservation"));
    if (json_in_has(hints, "reservation") && (wish->reservation_id == NULL || json_in_count(hints) != 1))
        return invalid(request, "Invalid input for field/attribute reservation. It is an id, and no other hint is "
                                "beside it");
    if (json_in_has(hints, "spot") && !read_spot(json_in_member(hints, "spot"), &wish->spot))
        return invalid(request, "Invalid input for field/attribute spot. It is true or false");
    int rc = server_hints_check(request, hints);
    return rc ? rc : read_queue_until(request, json_in_member(hints, "queue_until"), &wish->queue_until_us);
}

/* The kernel is asked once for all letters, and again for the few bytes that would favour some. */
static const char *make_password(struct request *request)
{
    static const char letters[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    const unsigned count = sizeof(letters) - 1, fair = 256 / count * count;
    unsigned char random[2 * PASSWORD_SIZE];
    char *password = arena_alloc(&request->arena, PASSWORD_SIZE + 1);
    for (size_t i = 0, left = 0; i < PASSWORD_SIZE;) {
        if (left == 0) {
            randombytes_buf(random, sizeof(random));
            left = sizeof(random);
        }
        unsigned byte = random[--left];
        if (byte < fair)
            password[i++] = letters[byte % count];
    }
    sodium_memzero(random, sizeof(random));
    return password;
}

static int read_texts(struct request *request, const struct servers_body *b, struct servers_wish *wish)
{
    int rc = compute_check_name(request, "name", b->name);
    wish->name = b->name;
    wish->description = compute_since(request, 19) ? b->description : b->name;
    wish->hostname = b->hostname;
    wish->zone = b->zone;
    if (!rc && b->description != NULL)
        rc = compute_check_text(request, "description", b->description);
    if (!rc && b->hostname != NULL)
        rc = compute_check_hostname(request, "hostname", b->hostname);
    if (!rc && b->zone != NULL)
        rc = compute_check_name(request, "availability_zone", b->zone);
    wish->access_ipv4 = b->access_ipv4;
    wish->access_ipv6 = b->access_ipv6;
    if (!rc)
        rc = compute_read_ip(request, "accessIPv4", &wish->access_ipv4, 4);
    if (!rc)
        rc = compute_read_ip(request, "accessIPv6", &wish->access_ipv6, 6);
    return rc;
}

/* What this cloud does not have is refused, not ignored. */
static int refuse_unserved(struct request *request, const struct servers_body *b)
{
    if (json_in_count(b->personality) > 0)
        return invalid(request, "Personality is not served: use user_data or metadata");
    if (has(b, FIELD_TRUSTED) && !json_in_is_null(b->trusted) && json_in_count(b->trusted) > 0)
        return invalid(request, "Trusted image certificates are not served");
    if (b->zone != NULL && strchr(b->zone, ':') != NULL)
        return invalid(request, "A host inside availability_zone is not served");
    if (b->host != NULL || b->hypervisor_hostname != NULL)
        return invalid(request, "A requested host is not served: use scheduler hints");
    return 0;
}

int servers_body_read(struct request *request, const struct servers_document *document, struct servers_wish *ret)
{
    const struct servers_body *b = &document->server;
    struct servers_wish wish = {.body = b};
    int rc = compute_check_windows(request, &body_table, &b->seen, windows, sizeof(windows) / sizeof(windows[0]));
    if (!rc)
        rc = read_texts(request, b, &wish);
    if (!rc)
        rc = read_counts(request, b, &wish);
    if (!rc)
        rc = read_flavor(request, b, &wish);
    if (!rc)
        rc = refuse_unserved(request, b);
    if (!rc)
        rc = read_image(request, b, &wish);
    if (!rc)
        rc = read_networks(request, b, &wish);
    if (!rc)
        rc = read_metadata(request, b, &wish);
    if (!rc)
        rc = read_tags(request, b, &wish);
    if (!rc)
        rc = read_security_groups(request, b, &wish);
    if (!rc)
        rc = read_bool(request, b, FIELD_CONFIG_DRIVE, b->config_drive, &wish.config_drive);
    if (!rc)
        rc = read_bool(request, b, FIELD_RESERVATION, b->return_reservation, &wish.return_reservation);
    if (!rc)
        rc = read_user_data(request, b);
    if (!rc)
        rc = read_hints(request, document, &wish);
    if (!rc && b->hostname != NULL && wish.max_count > 1)
        rc = invalid(request, "Unable to allocate a single hostname to multiple instances");
    if (rc)
        return rc;
    wish.password = b->admin_pass != NULL ? b->admin_pass : make_password(request);
    *ret = wish;
    return 0;
}

const char *servers_body_hostname(struct request *request, const char *name, const char *id)
{
    char *text = arena_alloc(&request->arena, strlen(name) + 1), *end = text;
    for (; *name != '\0' && end - text < 63; name++) {
        unsigned char c = (unsigned char)*name;
        if (isalnum(c) || c == '-')
            *end++ = (char)tolower(c);
        else if (c == ' ' || c == '_' || c == '.')
            *end++ = '-';
    }
    *end = '\0';
    while (end > text && end[-1] == '-')
        *--end = '\0';
    text += strspn(text, "-");
    return *text != '\0' ? text : arena_printf(&request->arena, "server-%s", id);
}
