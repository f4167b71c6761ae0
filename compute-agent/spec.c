/* Tables of the fields, then the checks that a table cannot express. Unknown members are ignored: programs one version
 * apart understand each other. */
#include "compute-agent/spec.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/model/image_template.h"
#include "common/model/ip.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(type, member, kind_, flags_, ...)                                                                        \
    {                                                                                                                  \
        .name = #member, .kind = (kind_), .offset = offsetof(struct type, member), .flags = (flags_), __VA_ARGS__      \
    }
#define TABLE(fields_, seen_)                                                                                          \
    {                                                                                                                  \
        .fields = (fields_), .count = JSON_COUNT(fields_), .open = true, .seen_offset = (seen_)                        \
    }
#define TERABYTE ((int64_t)1 << 40)

static const struct json_field address_fields[] = {
    FIELD(spec_address, ip, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_address, prefix, JSON_INT, 0, .min = 0, .max = 128),
};
static const struct json_table address_table = TABLE(address_fields, JSON_NO_SEEN);

static const struct json_field subnet_fields[] = {
    FIELD(spec_subnet, id, JSON_TEXT, JSON_REQUIRED),       FIELD(spec_subnet, cidr, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_subnet, gateway, JSON_TEXT, JSON_NULLABLE),  FIELD(spec_subnet, dhcp, JSON_BOOL, JSON_LENIENT),
    FIELD(spec_subnet, dns, JSON_TEXTS, JSON_NULLABLE),     FIELD(spec_subnet, pool_start, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_subnet, pool_end, JSON_TEXT, JSON_NULLABLE),
};
static const struct json_table subnet_table = TABLE(subnet_fields, JSON_NO_SEEN);

static const struct json_field network_fields[] = {
    FIELD(spec_network, id, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_network, name, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_network, mtu, JSON_INT, JSON_NULLABLE, .min = 0, .max = 65535),
    FIELD(spec_network, subnets, JSON_LIST, 0, .sub = &subnet_table, .item_size = sizeof(struct spec_subnet)),
};
static const struct json_table network_table = TABLE(network_fields, JSON_NO_SEEN);

static const struct json_field pair_fields[] = {
    FIELD(spec_pair, ip_address, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_pair, mac_address, JSON_TEXT, JSON_NULLABLE),
};
static const struct json_table pair_table = TABLE(pair_fields, JSON_NO_SEEN);

static const struct json_field nic_fields[] = {
    FIELD(spec_nic, port_id, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_nic, mac, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_nic, addresses, JSON_LIST, 0, .sub = &address_table, .item_size = sizeof(struct spec_address)),
    FIELD(spec_nic, port_security, JSON_BOOL, JSON_NULLABLE),
    FIELD(spec_nic, allowed_address_pairs, JSON_LIST, JSON_NULLABLE, .sub = &pair_table,
          .item_size = sizeof(struct spec_pair)),
    FIELD(spec_nic, network, JSON_OBJECT, JSON_REQUIRED, .sub = &network_table),
};
static const struct json_table nic_table = TABLE(nic_fields, JSON_NO_SEEN);

static const struct json_field image_fields[] = {
    FIELD(spec_image, id, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_image, name, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_image, disk_format, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_image, size_bytes, JSON_INT, JSON_REQUIRED, .min = 0, .max = 1024 * TERABYTE),
    FIELD(spec_image, sha512, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_image, properties, JSON_MAP, JSON_NULLABLE),
    FIELD(spec_image, deleted, JSON_BOOL, 0),
    FIELD(spec_image, properties_lost, JSON_BOOL, 0),
};
static const struct json_table image_table = TABLE(image_fields, JSON_NO_SEEN);

static const struct json_field key_fields[] = {
    FIELD(spec_key, name, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_key, public, JSON_TEXT, JSON_REQUIRED),
};
static const struct json_table key_table = TABLE(key_fields, JSON_NO_SEEN);

static const struct json_field operation_fields[] = {
    FIELD(spec_operation, id, JSON_TEXT, JSON_REQUIRED),
    {.name = "action",
     .kind = JSON_TEXT,
     .offset = offsetof(struct spec_operation, action_name),
     .flags = JSON_REQUIRED},
};
static const struct json_table operation_table = TABLE(operation_fields, JSON_NO_SEEN);

static const struct json_field check_fields[] = {
    FIELD(spec_check, port, JSON_INT, JSON_REQUIRED, .min = 1, .max = 65535),
    FIELD(spec_check, interval_s, JSON_INT, JSON_REQUIRED, .min = 1, .max = 86400),
    FIELD(spec_check, timeout_s, JSON_INT, JSON_REQUIRED, .min = 1, .max = 60),
    FIELD(spec_check, failures, JSON_INT, JSON_REQUIRED, .min = 1, .max = 1000),
    FIELD(spec_check, status_from, JSON_INT, JSON_REQUIRED, .min = 100, .max = 599),
    FIELD(spec_check, status_to, JSON_INT, JSON_REQUIRED, .min = 100, .max = 599),
    FIELD(spec_check, path, JSON_TEXT, JSON_REQUIRED, .min = 1, .max = 255),
};
static const struct json_table check_table = TABLE(check_fields, JSON_NO_SEEN);

/* The specification as it comes: what may be null is embedded, the mask says whether it was there. */
struct spec_wire {
    struct json_seen seen;
    const char *id, *power, *name, *hostname, *project_id, *project_name, *user_id, *zone, *flavor_name, *user_data;
    const char *clone_of;
    int64_t revision, created_us, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib;
    bool exists, launched, anew, held, imported, released;
    struct json_map flavor_extra, metadata;
    struct spec_image image;
    struct spec_key key;
    struct spec_operation operation;
    struct json_list nics;
    json_value *topology, *check;
};
static const struct json_field spec_fields[] = {
    FIELD(spec_wire, image, JSON_OBJECT, JSON_NULLABLE, .sub = &image_table), /* 0 to 2: looked up in the mask */
    FIELD(spec_wire, key, JSON_OBJECT, JSON_NULLABLE, .sub = &key_table),
    FIELD(spec_wire, operation, JSON_OBJECT, JSON_NULLABLE, .sub = &operation_table),
    FIELD(spec_wire, id, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_wire, revision, JSON_INT, JSON_REQUIRED, .min = 1, .max = INT64_MAX),
    FIELD(spec_wire, exists, JSON_BOOL, JSON_REQUIRED | JSON_LENIENT),
    FIELD(spec_wire, launched, JSON_BOOL, JSON_LENIENT),
    FIELD(spec_wire, anew, JSON_BOOL, JSON_LENIENT),
    FIELD(spec_wire, held, JSON_BOOL, JSON_LENIENT),
    FIELD(spec_wire, imported, JSON_BOOL, JSON_LENIENT),
    FIELD(spec_wire, released, JSON_BOOL, JSON_LENIENT),
    FIELD(spec_wire, clone_of, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_wire, power, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_wire, name, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_wire, hostname, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_wire, project_id, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_wire, project_name, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_wire, user_id, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_wire, zone, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_wire, created_us, JSON_INT, JSON_NULLABLE),
    FIELD(spec_wire, vcpus, JSON_INT, 0, .min = 0, .max = 4096),
    FIELD(spec_wire, memory_mib, JSON_INT, 0, .min = 0, .max = TERABYTE),
    FIELD(spec_wire, root_gib, JSON_INT, 0, .min = 0, .max = TERABYTE),
    FIELD(spec_wire, ephemeral_gib, JSON_INT, 0, .min = 0, .max = TERABYTE),
    FIELD(spec_wire, swap_mib, JSON_INT, 0, .min = 0, .max = TERABYTE),
    FIELD(spec_wire, flavor_name, JSON_TEXT, JSON_NULLABLE),
    FIELD(spec_wire, flavor_extra, JSON_MAP, JSON_NULLABLE),
    FIELD(spec_wire, nics, JSON_LIST, JSON_NULLABLE, .sub = &nic_table, .item_size = sizeof(struct spec_nic)),
    FIELD(spec_wire, metadata, JSON_MAP, JSON_NULLABLE),
    FIELD(spec_wire, topology, JSON_ANY, JSON_NULLABLE),
    FIELD(spec_wire, check, JSON_ANY, JSON_NULLABLE),
    FIELD(spec_wire, user_data, JSON_TEXT, JSON_NULLABLE),
};
static const struct json_table spec_table = TABLE(spec_fields, offsetof(struct spec_wire, seen));
enum { SPEC_SEEN_IMAGE = 1, SPEC_SEEN_KEY = 2, SPEC_SEEN_OPERATION = 4 };

/* 36 characters, lower case: it becomes a folder's name and is compared byte by byte. */
static bool spec_is_id(const char *text)
{
    if (!uuid_valid(text) || strlen(text) != UUID_SIZE - 1)
        return false;
    for (const char *c = text; *c; c++) {
        if (isupper((unsigned char)*c))
            return false;
    }
    return true;
}

static bool spec_is_hex(const char *text, size_t size)
{
    return strlen(text) == size && strspn(text, "0123456789abcdefABCDEF") == size;
}

static bool spec_is_hostname(const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || size > 253 || text[0] == '-' || text[0] == '.')
        return false;
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.')
            return false;
    }
    return true;
}

const char *spec_template(const struct spec_image *image)
{
    for (size_t i = 0; image && i < image->properties.count; i++) {
        if (strcmp(image->properties.pairs[i].key, IMAGE_TEMPLATE_PROPERTY) == 0)
            return image->properties.pairs[i].value;
    }
    return NULL;
}

static int spec_check_image(const struct spec_image *image, struct error *e)
{
    if (!spec_is_id(image->id))
        return error_set(e, ERR_INVALID, "image.id: not a UUID");
    if (image->deleted)
        return 0;
    const char *template = spec_template(image);
    if (template && !image_template_is_path(template))
        return error_set(e, ERR_INVALID,
                         "image property " IMAGE_TEMPLATE_PROPERTY ": \"%.64s\" is no path of a .vmdk on a datastore",
                         template);
    if (!template && strcmp(image->disk_format, "qcow2") != 0 && strcmp(image->disk_format, "raw") != 0 &&
        strcmp(image->disk_format, "root-tar") != 0 && strcmp(image->disk_format, "squashfs") != 0)
        return error_set(e, ERR_INVALID,
                         "image.disk_format: hosts boot qcow2, raw, root-tar and squashfs images, not %.32s",
                         image->disk_format);
    if (!spec_is_hex(image->sha512, 128))
        return error_set(e, ERR_INVALID, "image.sha512: not 128 hex digits");
    return 0;
}

static int spec_check_addresses(struct spec_nic *nic, struct arena *arena, struct error *e)
{
    struct spec_address *addresses = nic->addresses.items;
    for (size_t i = 0; i < nic->addresses.count; i++) {
        struct ip ip;
        char text[IP_TEXT_SIZE];
        if (!ip_parse(addresses[i].ip, &ip))
            return error_set(e, ERR_INVALID, "nics.addresses[%zu].ip: not an address", i);
        addresses[i].ip = arena_strdup(arena, ip_text(&ip, text));
    }
    return 0;
}

static int spec_check_pairs(struct spec_nic *nic, struct arena *arena, struct error *e)
{
    struct spec_pair *pairs = nic->allowed_address_pairs.items;
    for (size_t i = 0; i < nic->allowed_address_pairs.count; i++) {
        struct ip_net net;
        char mac[IP_MAC_SIZE], text[IP_NET_TEXT_SIZE];
        if (!ip_net_parse(pairs[i].ip_address, &net))
            return error_set(e, ERR_INVALID, "nics.allowed_address_pairs[%zu].ip_address: not an address", i);
        if (pairs[i].mac_address && !ip_mac_parse(pairs[i].mac_address, mac))
            return error_set(e, ERR_INVALID, "nics.allowed_address_pairs[%zu].mac_address: not a MAC address", i);
        pairs[i].ip_address = arena_strdup(arena, ip_net_text(&net, text));
        pairs[i].mac_address = pairs[i].mac_address ? arena_strdup(arena, mac) : nic->mac;
    }
    return 0;
}

static int spec_check_subnets(struct spec_network *network, struct error *e)
{
    struct spec_subnet *subnets = network->subnets.items;
    for (size_t i = 0; i < network->subnets.count; i++) {
        struct spec_subnet *s = &subnets[i];
        struct ip_net net;
        struct ip ip;
        if (!spec_is_id(s->id))
            return error_set(e, ERR_INVALID, "nics.network.subnets[%zu].id: not a UUID", i);
        if (!ip_net_parse(s->cidr, &net))
            return error_set(e, ERR_INVALID, "nics.network.subnets[%zu].cidr: not a prefix", i);
        if (s->gateway && (!ip_parse(s->gateway, &ip) || !ip_net_contains(&net, &ip)))
            return error_set(e, ERR_INVALID, "nics.network.subnets[%zu].gateway: not an address of %s", i, s->cidr);
        for (size_t d = 0; d < s->dns.count; d++) {
            if (!ip_parse(((const char **)s->dns.items)[d], &ip))
                return error_set(e, ERR_INVALID, "nics.network.subnets[%zu].dns[%zu]: not an address", i, d);
        }
    }
    return 0;
}

static int spec_check_nics(struct spec *spec, struct error *e)
{
    struct spec_nic *nics = spec->nics.items;
    for (size_t i = 0; i < spec->nics.count; i++) {
        char mac[IP_MAC_SIZE];
        if (!spec_is_id(nics[i].port_id) || !spec_is_id(nics[i].network.id))
            return error_set(e, ERR_INVALID, "nics[%zu]: port_id or network.id is not a UUID", i);
        if (!ip_mac_parse(nics[i].mac, mac))
            return error_set(e, ERR_INVALID, "nics[%zu].mac: not a MAC address", i);
        nics[i].mac = arena_strdup(&spec->arena, mac);
        int code = spec_check_addresses(&nics[i], &spec->arena, e);
        if (!code)
            code = spec_check_pairs(&nics[i], &spec->arena, e);
        if (!code)
            code = spec_check_subnets(&nics[i].network, e);
        if (code)
            return code;
    }
    return 0;
}

static int spec_take_operation(struct spec *spec, const struct spec_operation *from, struct error *e)
{
    spec->operation = *from;
    if (!spec_is_id(from->id))
        return error_set(e, ERR_INVALID, "operation.id: not a UUID");
    if (strcmp(from->action_name, "reboot-soft") == 0)
        spec->operation.action = SPEC_REBOOT_SOFT;
    else if (strcmp(from->action_name, "reboot-hard") == 0)
        spec->operation.action = SPEC_REBOOT_HARD;
    else
        return error_set(e, ERR_NOT_IMPLEMENTED, "operation.action: this agent does not know %.64s", from->action_name);
    return 0;
}

static void spec_copy(struct spec *spec, struct spec_wire *w)
{
    spec->name = w->name ? w->name : spec->id;
    spec->hostname = w->hostname ? w->hostname : "server";
    spec->project_id = w->project_id ? w->project_id : "";
    spec->project_name = w->project_name;
    spec->user_id = w->user_id ? w->user_id : "";
    spec->zone = w->zone ? w->zone : "";
    spec->flavor_name = w->flavor_name ? w->flavor_name : "";
    spec->user_data = w->user_data;
    spec->created_us = w->created_us;
    spec->vcpus = w->vcpus;
    spec->memory_mib = w->memory_mib;
    spec->root_gib = w->root_gib;
    spec->ephemeral_gib = w->ephemeral_gib;
    spec->swap_mib = w->swap_mib;
    spec->flavor_extra = w->flavor_extra;
    spec->metadata = w->metadata;
    spec->nics = w->nics;
    uint64_t there = w->seen.present & ~w->seen.null;
    spec->image = there & SPEC_SEEN_IMAGE ? &w->image : NULL;
    spec->key = there & SPEC_SEEN_KEY ? &w->key : NULL;
}

/* Every processor of the guest has its place, or none is told. */
static int spec_take_cells(struct spec *spec, json_value *topology, struct error *e)
{
    if (!json_in_is_object(topology))
        return 0;
    spec->cells = arena_alloc(&spec->arena, sizeof(*spec->cells));
    int code = numa_given_read_json(topology, spec->cells, e);
    if (!code && (spec->cells->vcpus != spec->vcpus || spec->cells->cell_count < 1))
        code = error_set(e, ERR_INVALID, "topology: it is not that of %lld vcpus", (long long)spec->vcpus);
    return code;
}

/* One that cannot be read is no reason for a server not to run. */
static void spec_take_check(struct spec *spec, json_value *value)
{
    struct error e = {0};
    struct spec_check *check = arena_alloc(&spec->arena, sizeof(*check));
    *check = (struct spec_check){.path = NULL};
    if (!json_in_is_object(value))
        return;
    if (json_in_read(value, &check_table, check, &spec->arena, &e) || check->path[0] != '/')
        log_warn("a server's check cannot be read", "server=%s error=\"%s\"", spec->id, error_text(&e));
    else
        spec->check = check;
}

static int spec_check(struct spec *spec, struct spec_wire *w, struct error *e)
{
    if (!spec->exists)
        return 0;
    int power = w->power ? server_power_parse(w->power) : -1;
    if (power < 0)
        return error_set(e, ERR_INVALID, "power: not one of running, stopped, paused, suspended");
    spec->power = (enum server_power)power;
    spec_copy(spec, w);
    if (spec->vcpus < 1 || spec->memory_mib < 1)
        return error_set(e, ERR_INVALID, "vcpus and memory_mib: at least 1");
    if (!spec_is_hostname(spec->hostname))
        return error_set(e, ERR_INVALID, "hostname: not a host name");
    int code = spec->image ? spec_check_image(spec->image, e) : 0;
    if (!code)
        code = spec_check_nics(spec, e);
    if (!code)
        code = spec_take_cells(spec, w->topology, e);
    spec_take_check(spec, w->check);
    bool operates = w->seen.present & ~w->seen.null & SPEC_SEEN_OPERATION;
    return code || !operates ? code : spec_take_operation(spec, &w->operation, e);
}

static void spec_read_whom(json_value *value, char *ret_id, int64_t *ret_revision)
{
    const char *id = json_in_text(json_in_member(value, "id"));
    int64_t revision = 0;
    json_in_int(json_in_member(value, "revision"), &revision);
    if (ret_id)
        memcpy(ret_id, spec_is_id(id) ? id : "", spec_is_id(id) ? UUID_SIZE : 1);
    if (ret_revision)
        *ret_revision = revision;
}

int spec_read(json_value *value, struct spec **ret, char *ret_id, int64_t *ret_revision, struct error *e)
{
    spec_read_whom(value, ret_id, ret_revision);
    struct spec *spec = memory_new(sizeof(*spec));
    arena_init(&spec->arena);
    struct spec_wire *w = arena_alloc(&spec->arena, sizeof(*w));
    int code = json_in_read(value, &spec_table, w, &spec->arena, e);
    if (!code && !spec_is_id(w->id))
        code = error_set(e, ERR_INVALID, "id: not a UUID in lower case");
    if (!code && w->clone_of && !spec_is_id(w->clone_of))
        code = error_set(e, ERR_INVALID, "clone_of: not a UUID in lower case");
    if (!code) {
        memcpy(spec->id, w->id, UUID_SIZE);
        spec->revision = w->revision;
        spec->exists = w->exists;
        spec->launched = w->launched;
        spec->anew = w->anew;
        spec->clone_of = w->clone_of;
        spec->held = w->held;
        spec->imported = w->imported;
        spec->released = w->imported && w->released;
        code = spec_check(spec, w, e);
    }
    if (code)
        spec_free(&spec);
    else
        *ret = spec;
    return code;
}

void spec_free(struct spec **spec)
{
    if (!*spec)
        return;
    arena_done(&(*spec)->arena);
    free(*spec);
    *spec = NULL;
}

/* ---- the whole answer ---- */

struct spec_query_wire {
    const char *id, *server_id, *kind;
    json_value *args;
};
static const struct json_field query_fields[] = {
    FIELD(spec_query_wire, id, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_query_wire, server_id, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_query_wire, kind, JSON_TEXT, JSON_REQUIRED),
    FIELD(spec_query_wire, args, JSON_ANY, JSON_NULLABLE),
};
static const struct json_table query_table = TABLE(query_fields, JSON_NO_SEEN);

struct spec_desired_wire {
    int64_t revision, queries_us;
    bool more;
    json_value *servers, *tasks, *cpu_baseline;
    struct json_list queries;
};
static const struct json_field desired_fields[] = {
    FIELD(spec_desired_wire, revision, JSON_INT, JSON_REQUIRED, .min = 0, .max = INT64_MAX),
    FIELD(spec_desired_wire, queries_us, JSON_INT, JSON_NULLABLE),
    FIELD(spec_desired_wire, more, JSON_BOOL, JSON_LENIENT),
    FIELD(spec_desired_wire, servers, JSON_ANY, JSON_NULLABLE),
    FIELD(spec_desired_wire, tasks, JSON_ANY, JSON_NULLABLE),
    FIELD(spec_desired_wire, cpu_baseline, JSON_ANY, JSON_NULLABLE),
    FIELD(spec_desired_wire, queries, JSON_LIST, JSON_NULLABLE, .sub = &query_table,
          .item_size = sizeof(struct spec_query_wire)),
};
static const struct json_table desired_table = TABLE(desired_fields, JSON_NO_SEEN);

static void spec_read_query(const struct spec_query_wire *w, struct arena *arena, struct spec_query *ret)
{
    *ret = (struct spec_query){.id = w->id, .server_id = w->server_id, .kind_name = w->kind, .lines = -1};
    if (strcmp(w->kind, "console_log") == 0)
        ret->kind = SPEC_QUERY_CONSOLE_LOG;
    else if (strcmp(w->kind, "diagnostics") == 0)
        ret->kind = SPEC_QUERY_DIAGNOSTICS;
    else if (strcmp(w->kind, "servers") == 0)
        ret->kind = SPEC_QUERY_SERVERS;
    else if (strcmp(w->kind, "journal") == 0)
        ret->kind = SPEC_QUERY_JOURNAL;
    else if (strcmp(w->kind, "set_password") == 0)
        ret->kind = SPEC_QUERY_SET_PASSWORD;
    else if (strcmp(w->kind, "addresses") == 0)
        ret->kind = SPEC_QUERY_ADDRESSES;
    else if (strcmp(w->kind, "foreign") == 0)
        ret->kind = SPEC_QUERY_FOREIGN;
    else if (strcmp(w->kind, "cpu_baseline") == 0)
        ret->kind = SPEC_QUERY_CPU_BASELINE;
    ret->user = arena_strdup(arena, json_in_text(json_in_member(w->args, "user")));
    ret->password = arena_strdup(arena, json_in_text(json_in_member(w->args, "password")));
    json_in_int(json_in_member(w->args, "lines"), &ret->lines);
    json_in_int(json_in_member(w->args, "from_us"), &ret->from_us);
    json_in_int(json_in_member(w->args, "to_us"), &ret->to_us);
    json_in_int(json_in_member(w->args, "after_seq"), &ret->after_seq);
    json_value *cpus = json_in_member(w->args, "cpus");
    const char **texts = arena_array(arena, json_in_count(cpus) + 1, sizeof(*texts));
    ret->cpus = (struct json_list){.items = texts};
    for (size_t i = 0; json_in_is_array(cpus) && i < json_in_count(cpus); i++) {
        const char *text = json_in_text(json_in_item(cpus, i));
        if (text)
            texts[ret->cpus.count++] = arena_strdup(arena, text);
    }
}

int spec_read_desired(json_value *value, struct arena *arena, struct spec_desired *ret, struct error *e)
{
    struct spec_desired_wire w = {0};
    int code = json_in_read(value, &desired_table, &w, arena, e);
    if (code)
        return code;
    if (w.servers && !json_in_is_array(w.servers))
        return error_set(e, ERR_INVALID, "servers: not a list");
    if (w.tasks && !json_in_is_array(w.tasks))
        return error_set(e, ERR_INVALID, "tasks: not a list");
    *ret = (struct spec_desired){
        .revision = w.revision, .queries_us = w.queries_us, .more = w.more, .servers = w.servers, .tasks = w.tasks};
    ret->cpu_baseline = json_in_is_object(w.cpu_baseline) ? w.cpu_baseline : NULL;
    ret->no_cpu_baseline = json_in_has(value, "cpu_baseline") && json_in_is_null(w.cpu_baseline);
    ret->queries.items = arena_array(arena, w.queries.count, sizeof(struct spec_query));
    ret->queries.count = w.queries.count;
    for (size_t i = 0; i < w.queries.count; i++)
        spec_read_query((struct spec_query_wire *)w.queries.items + i, arena,
                        (struct spec_query *)ret->queries.items + i);
    return 0;
}

static bool spec_addresses_alike(const struct json_list *a, const struct json_list *b)
{
    const struct spec_address *x = a->items, *y = b->items;
    bool alike = a->count == b->count;
    for (size_t i = 0; alike && i < a->count; i++)
        alike = strcmp(x[i].ip, y[i].ip) == 0;
    return alike;
}

static bool spec_pairs_alike(const struct json_list *a, const struct json_list *b)
{
    const struct spec_pair *x = a->items, *y = b->items;
    bool alike = a->count == b->count;
    for (size_t i = 0; alike && i < a->count; i++)
        alike = strcmp(x[i].ip_address, y[i].ip_address) == 0 && strcmp(x[i].mac_address, y[i].mac_address) == 0;
    return alike;
}

bool spec_live_alike(const struct spec *a, const struct spec *b)
{
    const struct spec_nic *x = a->nics.items, *y = b->nics.items;
    bool alike = a->nics.count == b->nics.count && a->vcpus == b->vcpus && a->memory_mib == b->memory_mib &&
                 a->root_gib == b->root_gib && a->ephemeral_gib == b->ephemeral_gib && a->swap_mib == b->swap_mib;
    for (size_t i = 0; alike && i < a->nics.count; i++)
        alike = strcmp(x[i].mac, y[i].mac) == 0 && x[i].port_security == y[i].port_security &&
                strcmp(x[i].network.id, y[i].network.id) == 0 &&
                spec_addresses_alike(&x[i].addresses, &y[i].addresses) &&
                spec_pairs_alike(&x[i].allowed_address_pairs, &y[i].allowed_address_pairs);
    return alike;
}
