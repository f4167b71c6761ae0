/* /ops/v1/hosts: shown, changed, drained, fenced, removed. A host is named by its id or its name. */
#include "api/ops/ops.h"
#include "common/clock.h"
#include "db/store_cells.h"
#include "db/store_host.h"
#include "db/store_host_admin.h"
#include "db/store_host_leave.h"
#include "db/store_host_power.h"
#include "db/store_host_reach.h"
#include "db/store_migration.h"
#include "db/store_resource.h"
#include "db/store_server.h"
#include <string.h>

int ops_host_find(struct request *request, struct host_row *ret)
{
    const char *name = request_param(request, "host"), *id = name;
    struct error none = {0};
    int rc = store_host_get(request->conn, name, &request->arena, ret, &none);
    if (rc != ERR_NOT_FOUND)
        return rc ? error_set(&request->error, rc, "%s", error_text(&none)) : 0;
    rc = store_host_admin_find(request->conn, name, &request->arena, &id, &request->error);
    return rc ? rc : store_host_get(request->conn, id, &request->arena, ret, &request->error);
}

void ops_write_time(struct json_out *out, const char *key, int64_t us)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_text(out, key, us ? clock_text(us, CLOCK_ISO_MICRO_Z, text) : NULL);
}

/* ---- drains ---- */

struct left {
    struct request *request;
    struct json_out *out;
    const struct host_row *host;
    struct host_drain_row drain;
    bool off; /* it is proved that the host is */
};

static int write_left(void *arg, const struct server_row *row, struct error *e)
{
    const struct left *l = arg;
    struct json_out *out = l->out;
    const char *why = NULL;
    int rc = store_host_leave_why(l->request->conn, &l->drain, row, l->host, l->off, &l->request->arena, &why, e);
    json_out_object(out, NULL);
    json_out_text(out, "id", row->id);
    json_out_text(out, "name", row->name);
    json_out_text(out, "state", server_state_name(row->observed_state));
    json_out_bool(out, "moving", server_operation_moves(row->operation));
    json_out_text(out, "reason", why);
    json_out_object_end(out);
    return rc;
}

static int write_failure(void *arg, const struct migration_row *row, struct error *e)
{
    struct json_out *out = arg;
    (void)e;
    if (row->outcome != MIGRATION_FAILED)
        return 0;
    json_out_object(out, NULL);
    json_out_text(out, "server", row->server_id);
    json_out_text(out, "kind", migration_kind_name(row->kind));
    json_out_text(out, "reason", row->message);
    ops_write_time(out, "at", row->updated_us);
    json_out_object_end(out);
    return 0;
}

static int write_drain(struct request *request, struct json_out *out, const char *key, const struct host_row *host,
                       bool off, bool whole)
{
    struct left left = {.request = request, .out = out, .host = host, .off = off};
    struct host_drain_row drain;
    struct host_drain_figures figures;
    struct server_query q = {.sort = SERVER_SORT_CREATED, .ascending = true, .limit = 1000, .host = host->id};
    struct migration_filter tries = {.drain_host = host->id, .limit = 1000};
    bool found = false;
    int rc = store_host_work_get_drain(request->conn, host->id, &request->arena, &drain, &found, &request->error);
    if (!rc && !found)
        json_out_null(out, key);
    if (rc || !found)
        return rc;
    rc = store_host_work_figures(request->conn, &drain, &figures, &request->error);
    tries.since_us = drain.started_us;
    json_out_object(out, key);
    json_out_text(out, "state", store_host_work_drain_name(drain.state));
    json_out_int(out, "parallel", drain.parallel);
    json_out_int(out, "moved", figures.moved);
    json_out_int(out, "moving", figures.moving);
    json_out_int(out, "failed", figures.failed);
    json_out_int(out, "left", figures.left);
    ops_write_time(out, "started_at", drain.started_us);
    ops_write_time(out, "updated_at", drain.updated_us);
    if (whole && !rc) {
        left.drain = drain;
        json_out_array(out, "servers_left");
        rc = store_server_list(request->conn, &q, write_left, &left, &request->error);
        json_out_array_end(out);
        json_out_array(out, "failures");
        rc = rc ? rc : store_migration_list(request->conn, &tries, write_failure, out, &request->error);
        json_out_array_end(out);
    }
    json_out_object_end(out);
    return rc;
}

/* ---- hosts ---- */

/* What the host has of NUMA cells, and what its servers hold of them. */
static int write_cells(struct request *request, struct json_out *out, const char *host_id)
{
    const char *topology = NULL, *given = NULL;
    int rc = store_cells_of_host(request->conn, host_id, &request->arena, &topology, &given, &request->error);
    json_out_raw(out, "topology", topology);
    json_out_raw(out, "topology_held", given != NULL ? given : "[]");
    return rc;
}

static void write_list(struct json_out *out, const char *key, const char *list)
{
    if (list == NULL) {
        json_out_text(out, key, "all");
        return;
    }
    json_out_array(out, key);
    for (const char *at = list; *at;) {
        size_t size = strcspn(at, ",");
        json_out_textf(out, NULL, "%.*s", (int)size, at);
        at += size + (at[size] == ',');
    }
    json_out_array_end(out);
}

static int write_reach(struct request *request, struct json_out *out, const char *host_id)
{
    struct host_reach reach = {0};
    int rc = store_host_reach_get(request->conn, host_id, &request->arena, &reach, &request->error);
    write_list(out, "reach_networks", store_host_reach_of(reach.networks, reach.told_networks));
    write_list(out, "reach_storage", store_host_reach_of(reach.storage, reach.told_storage));
    return rc;
}

static int write_host(struct request *request, struct json_out *out, const char *key, const struct host_row *host,
                      bool whole)
{
    bool off = false;
    const char *proof = NULL;
    int rc = store_host_work_is_off(request->conn, host->id, request->now_us, &off, &proof, &request->arena,
                                    &request->error);
    struct host_resource_row *resources = NULL;
    size_t resource_count = 0;
    rc = rc ? rc
            : store_resource_list(request->conn, host->id, &request->arena, &resources, &resource_count,
                                  &request->error);
    bool up = request->now_us - host->seen_us <= STORE_HOST_ALIVE_US;
    json_out_object(out, key);
    json_out_text(out, "id", host->id);
    json_out_text(out, "name", host->name);
    json_out_text(out, "state", host->asleep_us ? "asleep" : up ? "up" : off ? "off" : "down");
    json_out_text(out, "proof", proof);
    json_out_bool(out, "enabled", host->enabled);
    json_out_text(out, "disabled_reason", host->disabled_reason);
    json_out_text(out, "zone", host->zone);
    json_out_text(out, "hypervisor", host->hypervisor);
    json_out_text(out, "architecture", host->architecture);
    json_out_text(out, "address", host->address);
    ops_write_time(out, "seen_at", host->seen_us);
    json_out_object(out, "resources");
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        json_out_object(out, resource_name((enum resource)r));
        json_out_int(out, "total", host->total.amount[r]);
        json_out_int(out, "reserved", host->reserved.amount[r]);
        json_out_int(out, "used", host->used.amount[r]);
        json_out_int(out, "ratio_permille", host->ratio.amount[r]);
        json_out_object_end(out);
    }
    for (size_t i = 0; i < resource_count; i++) {
        json_out_object(out, resources[i].name);
        json_out_int(out, "total", resources[i].inventory.total);
        json_out_int(out, "reserved", resources[i].inventory.reserved);
        json_out_int(out, "used", resources[i].used);
        json_out_int(out, "ratio_permille", resources[i].inventory.ratio_permille);
        json_out_object_end(out);
    }
    json_out_object_end(out);
    json_out_int(out, "servers", host->server_count);
    json_out_raw(out, "traits", host->traits);
    rc = rc ? rc : write_drain(request, out, "drain", host, off, whole);
    if (whole && !rc)
        rc = write_cells(request, out, host->id);
    if (whole && !rc)
        rc = write_reach(request, out, host->id);
    if (whole && !rc)
        rc = ops_baseline_write_host(request, out, "guest_cpu", host->id);
    if (whole)
        rc = rc ? rc : ops_power_write(request, out, "power", host->id);
    json_out_object_end(out);
    return rc;
}

static int answer(struct request *request, struct reply *reply)
{
    struct host_row host;
    int rc = ops_host_find(request, &host);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    rc = write_host(request, &reply->out, "host", &host, true);
    json_out_object_end(&reply->out);
    return rc;
}

struct listing {
    struct request *request;
    struct json_out *out;
};

static int write_one(void *arg, const struct host_row *row, struct error *e)
{
    struct listing *l = arg;
    (void)e;
    return write_host(l->request, l->out, NULL, row, false);
}

static int hosts_list(struct request *request, struct reply *reply)
{
    struct listing l = {request, &reply->out};
    json_out_object(l.out, NULL);
    json_out_array(l.out, "hosts");
    int rc = store_host_list(request->conn, write_one, &l, &request->error);
    json_out_array_end(l.out);
    json_out_object_end(l.out);
    return rc;
}

/* ---- changes ---- */

struct change {
    struct json_seen seen;
    bool enabled;
    const char *disabled_reason, *zone;
    json_value *resources, *traits;
    json_value *networks, *storage;
};
#define SEEN_ENABLED  1
#define SEEN_NETWORKS (1 << 5)
#define SEEN_STORAGE  (1 << 6)
static const struct json_field change_fields[] = {
    {.name = "enabled", .kind = JSON_BOOL, .offset = offsetof(struct change, enabled)},
    {.name = "disabled_reason",
     .kind = JSON_TEXT,
     .offset = offsetof(struct change, disabled_reason),
     .min = 1,
     .max = 255},
    {.name = "zone", .kind = JSON_TEXT, .offset = offsetof(struct change, zone), .min = 1, .max = 255},
    {.name = "resources", .kind = JSON_ANY, .offset = offsetof(struct change, resources)},
    {.name = "traits", .kind = JSON_ANY, .offset = offsetof(struct change, traits)},
    {.name = "reach_networks", .kind = JSON_ANY, .offset = offsetof(struct change, networks), .flags = JSON_NULLABLE},
    {.name = "reach_storage", .kind = JSON_ANY, .offset = offsetof(struct change, storage), .flags = JSON_NULLABLE},
};
static const struct json_table change_table = {
    .fields = change_fields, .count = JSON_COUNT(change_fields), .seen_offset = offsetof(struct change, seen)};

struct resource_fields {
    struct json_seen seen;
    int64_t total, reserved, ratio_permille;
};
static const struct json_field resource_fields[] = {
    {.name = "total", .kind = JSON_INT, .offset = offsetof(struct resource_fields, total), .min = -1, .max = INT32_MAX},
    {.name = "reserved",
     .kind = JSON_INT,
     .offset = offsetof(struct resource_fields, reserved),
     .min = -1,
     .max = INT32_MAX},
    {.name = "ratio_permille",
     .kind = JSON_INT,
     .offset = offsetof(struct resource_fields, ratio_permille),
     .min = 1,
     .max = 1000000},
};
static const struct json_table resource_table = {.fields = resource_fields,
                                                 .count = JSON_COUNT(resource_fields),
                                                 .seen_offset = offsetof(struct resource_fields, seen)};

struct resources_work {
    struct request *request;
    const char *host_id;
};

static int change_resource(void *arg, const char *name, json_value *value)
{
    struct resources_work *w = arg;
    struct request *request = w->request;
    struct resource_fields f = {.total = 0};
    int rc = json_in_read(value, &resource_table, &f, &request->arena, &request->error);
    struct resource_change change = {.has_total = (f.seen.present & 1) != 0,
                                     .has_reserved = (f.seen.present & 2) != 0,
                                     .has_ratio = (f.seen.present & 4) != 0,
                                     .total = f.total,
                                     .reserved = f.reserved,
                                     .ratio_permille = f.ratio_permille};
    if (rc)
        return rc;
    return store_resource_change(request->conn, w->host_id, name, &change, request->now_us, &request->error);
}

static int change_resources(struct request *request, const char *host_id, json_value *resources)
{
    struct resources_work w = {request, host_id};
    if (resources == NULL)
        return 0;
    if (!json_in_is_object(resources))
        return error_set(&request->error, ERR_INVALID, "resources must be an object of classes");
    return json_in_each(resources, change_resource, &w);
}

/* The operator's own, as a whole. */
static int change_traits(struct request *request, const char *host_id, json_value *traits)
{
    if (traits == NULL)
        return 0;
    bool good = json_in_is_array(traits);
    for (size_t i = 0; good && i < json_in_count(traits); i++) {
        json_value *name = json_in_item(traits, i);
        good = json_in_is_text(name) && store_resource_valid(json_in_text(name));
    }
    if (!good)
        return error_set(&request->error, ERR_INVALID, "traits must be a list of names of A-Z, 0-9 and _");
    int rc = store_resource_set_traits(request->conn, host_id, NULL, json_in_print(traits, &request->arena),
                                       &request->error);
    return rc ? rc : store_host_admin_touch(request->conn, host_id, &request->error);
}

/* A list of names, "all", or null for what its agent says. */
static int read_reach(struct request *request, const char *name, json_value *value, const char **ret)
{
    const char *list = "";
    bool all = json_in_is_text(value) && strcmp(json_in_text(value), "all") == 0;
    if (value == NULL || json_in_is_null(value) || all) {
        *ret = all ? "*" : NULL;
        return 0;
    }
    bool good = json_in_is_array(value);
    for (size_t i = 0; good && i < json_in_count(value); i++) {
        const char *item = json_in_text(json_in_item(value, i));
        good = item != NULL && *item && strchr(item, ',') == NULL && store_host_reach_valid(item);
        list = good ? arena_printf(&request->arena, "%s%s%s", list, i > 0 ? "," : "", item) : list;
    }
    *ret = list;
    return good ? 0
                : error_set(&request->error, ERR_INVALID,
                            "%s must be a list of names of letters, digits and ._:-, \"all\", or null", name);
}

static int change_reach(struct request *request, const char *host_id, const struct change *b)
{
    struct host_reach reach;
    if (!(b->seen.present & (SEEN_NETWORKS | SEEN_STORAGE)))
        return 0;
    int rc = store_host_reach_get(request->conn, host_id, &request->arena, &reach, &request->error);
    if (!rc && (b->seen.present & SEEN_NETWORKS))
        rc = read_reach(request, "reach_networks", b->networks, &reach.networks);
    if (!rc && (b->seen.present & SEEN_STORAGE))
        rc = read_reach(request, "reach_storage", b->storage, &reach.storage);
    return rc ? rc : store_host_reach_set(request->conn, host_id, reach.networks, reach.storage, &request->error);
}

static int hosts_change(struct request *request, struct reply *reply)
{
    const struct change *b = request->body;
    struct host_row host;
    bool enabled = (b->seen.present & SEEN_ENABLED) != 0;
    int rc = ops_host_find(request, &host);
    if (!rc && b->disabled_reason && (!enabled || b->enabled))
        rc = error_set(&request->error, ERR_INVALID, "disabled_reason goes with \"enabled\": false");
    if (!rc && enabled)
        rc = store_host_admin_enable(request->conn, host.id, b->enabled, b->disabled_reason, &request->error);
    if (!rc && b->zone)
        rc = store_host_admin_zone(request->conn, host.id, b->zone, &request->error);
    rc = rc ? rc : change_resources(request, host.id, b->resources);
    rc = rc ? rc : change_traits(request, host.id, b->traits);
    rc = rc ? rc : change_reach(request, host.id, b);
    return rc ? rc : answer(request, reply);
}

struct drain_wish {
    int64_t parallel;
    const char *reason;
};
static const struct json_field drain_fields[] = {
    {.name = "parallel", .kind = JSON_INT, .offset = offsetof(struct drain_wish, parallel), .min = 1, .max = 1000},
    {.name = "reason", .kind = JSON_TEXT, .offset = offsetof(struct drain_wish, reason), .min = 1, .max = 255},
};
static const struct json_table drain_table = {
    .fields = drain_fields, .count = JSON_COUNT(drain_fields), .seen_offset = JSON_NO_SEEN};

static int hosts_drain(struct request *request, struct reply *reply)
{
    const struct drain_wish *b = request->body;
    struct host_row host;
    int rc = ops_host_find(request, &host);
    struct host_drain_row row = {.host_id = host.id,
                                 .user_id = request->credential.user_id,
                                 .project_id = request->credential.project_id,
                                 .parallel = b->parallel ? b->parallel : 2,
                                 .started_us = request->now_us};
    if (!rc)
        rc = store_host_work_drain(request->conn, &row, b->reason ? b->reason : "drained", &request->error);
    reply->status = 202;
    return rc ? rc : answer(request, reply);
}

static int hosts_cancel(struct request *request, struct reply *reply)
{
    struct host_row host;
    int rc = ops_host_find(request, &host);
    if (!rc)
        rc = store_host_work_cancel_drain(request->conn, host.id, request->now_us, &request->error);
    return rc ? rc : answer(request, reply);
}

struct fence_wish {
    bool confirmed;
};
static const struct json_field fence_fields[] = {
    {.name = "confirmed", .kind = JSON_BOOL, .offset = offsetof(struct fence_wish, confirmed)},
};
static const struct json_table fence_table = {
    .fields = fence_fields, .count = JSON_COUNT(fence_fields), .seen_offset = JSON_NO_SEEN};

/* The scheduler does it by the host's script. */
static int ask_fence(struct request *request, struct reply *reply, const struct host_row *host)
{
    struct host_power_row how;
    bool found = false;
    int rc = store_host_power_get(request->conn, host->id, &request->arena, &how, &found, &request->error);
    if (!rc && !found)
        rc =
            error_set(&request->error, ERR_INVALID, "no script is set for the host: only \"confirmed\": true is proof");
    if (!rc && request->now_us - host->seen_us <= STORE_HOST_ALIVE_US)
        rc = error_set(&request->error, ERR_CONFLICT, "the host is heard: it is not off");
    rc = rc ? rc : store_host_power_ask(request->conn, host->id, "off", "fence", request->now_us, &request->error);
    reply->status = 202;
    return rc ? rc : answer(request, reply);
}

static int hosts_unfence(struct request *request, struct reply *reply)
{
    struct host_row host;
    int rc = ops_host_find(request, &host);
    rc = rc ? rc : store_host_power_cancel(request->conn, host.id, request->now_us, &request->error);
    return rc ? rc : answer(request, reply);
}

static int hosts_fence(struct request *request, struct reply *reply)
{
    const struct fence_wish *b = request->body;
    struct host_row host;
    int rc = ops_host_find(request, &host);
    if (!rc && !b->confirmed)
        return ask_fence(request, reply, &host);
    if (!rc)
        rc = store_host_work_fence(request->conn, host.id,
                                   arena_printf(&request->arena, "user %s", request->credential.user_id),
                                   request->now_us, &request->error);
    return rc ? rc : answer(request, reply);
}

static int hosts_remove(struct request *request, struct reply *reply)
{
    struct host_row host;
    int rc = ops_host_find(request, &host);
    reply->status = 204;
    return rc ? rc : store_host_work_remove(request->conn, host.id, request->now_us, &request->error);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/hosts", .permission = PERMISSION_ADMIN, .handler = hosts_list},
    {.method = "GET", .pattern = "/hosts/{host}", .permission = PERMISSION_ADMIN, .handler = answer},
    {.method = "PATCH",
     .pattern = "/hosts/{host}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &change_table,
     .body_size = sizeof(struct change),
     .handler = hosts_change},
    {.method = "POST",
     .pattern = "/hosts/{host}/drain",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &drain_table,
     .body_size = sizeof(struct drain_wish),
     .handler = hosts_drain},
    {.method = "DELETE",
     .pattern = "/hosts/{host}/drain",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = hosts_cancel},
    {.method = "POST",
     .pattern = "/hosts/{host}/fence",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &fence_table,
     .body_size = sizeof(struct fence_wish),
     .handler = hosts_fence},
    {.method = "DELETE",
     .pattern = "/hosts/{host}/fence",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = hosts_unfence},
    {.method = "DELETE",
     .pattern = "/hosts/{host}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = hosts_remove},
};
const struct route_table ops_hosts_routes = ROUTE_TABLE(rows);
