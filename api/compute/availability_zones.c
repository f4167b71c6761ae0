/* os-availability-zone: the zones that hosts are in; a zone is available while one of its hosts is enabled and alive.
 */
#include "api/compute/compute_routes.h"
#include "api/http/handler.h"
#include "common/clock.h"
#include "db/store_host.h"
#include <stdio.h>
#include <string.h>

struct zone_host {
    char name[256];
    bool enabled, alive;
    int64_t seen_us;
    struct zone_host *next;
};
struct zone {
    char name[256];
    bool available;
    struct zone_host *hosts, **last;
    struct zone *next;
};
struct collect {
    struct request *request;
    struct zone *zones, **last;
};

static struct zone *zone_for(struct collect *x, const char *name)
{
    struct zone *z = x->zones;
    while (z && strcmp(z->name, name) != 0) {
        z = z->next;
    }
    if (!z) {
        z = arena_alloc(&x->request->arena, sizeof(*z));
        snprintf(z->name, sizeof(z->name), "%s", name);
        z->last = &z->hosts;
        *x->last = z;
        x->last = &z->next;
    }
    return z;
}

static int add_host(void *arg, const struct host_row *row, struct error *e)
{
    (void)e;
    struct collect *x = arg;
    struct zone *z = zone_for(x, row->zone);
    struct zone_host *h = arena_alloc(&x->request->arena, sizeof(*h));
    snprintf(h->name, sizeof(h->name), "%s", row->name);
    h->enabled = row->enabled;
    h->alive = x->request->now_us - row->seen_us <= STORE_HOST_ALIVE_US;
    h->seen_us = row->seen_us;
    z->available = z->available || (h->enabled && h->alive);
    *z->last = h;
    z->last = &h->next;
    return 0;
}

static void write_hosts(struct json_out *out, const struct zone *z)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_object(out, "hosts");
    for (const struct zone_host *h = z->hosts; h; h = h->next) {
        json_out_object(out, h->name);
        json_out_object(out, "nova-compute");
        json_out_bool(out, "available", h->alive);
        json_out_bool(out, "active", h->enabled);
        json_out_text(out, "updated_at", clock_text(h->seen_us, CLOCK_ISO_MICRO, text));
        json_out_object_end(out);
        json_out_object_end(out);
    }
    json_out_object_end(out);
}

static int list(struct request *request, struct reply *reply, bool detail)
{
    struct collect x = {.request = request};
    struct json_out *out = &reply->out;
    x.last = &x.zones;
    int rc = store_host_list(request->conn, add_host, &x, &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(out, NULL);
    json_out_array(out, "availabilityZoneInfo");
    for (const struct zone *z = x.zones; z; z = z->next) {
        json_out_object(out, NULL);
        json_out_text(out, "zoneName", z->name);
        json_out_object(out, "zoneState");
        json_out_bool(out, "available", z->available);
        json_out_object_end(out);
        if (detail) {
            write_hosts(out, z);
        } else {
            json_out_null(out, "hosts");
        }
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
    return 0;
}

static int availability_zones_list(struct request *request, struct reply *reply)
{
    return list(request, reply, false);
}

static int availability_zones_detail(struct request *request, struct reply *reply)
{
    return list(request, reply, true);
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/os-availability-zone",
     .permission = PERMISSION_READER,
     .handler = availability_zones_list},
    {.method = "GET",
     .pattern = "/os-availability-zone/detail",
     .permission = PERMISSION_ADMIN,
     .handler = availability_zones_detail},
};
const struct route_table availability_zones_routes = ROUTE_TABLE(rows);
