/* /reservations: room held for a project's servers of one flavor, for a time or until used. A server takes a slot with
 * the scheduler hint "reservation". What is held counts against the quota when it is made. */
#include "api/compute/servers_create.h"
#include "api/elastic/elastic.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "db/store_quota.h"
#include "db/store_reservation.h"
#include "db/store_server.h"
#include <stddef.h>
#include <string.h>

#define COUNT_MAX 1000

struct reservation_body {
    const char *name, *flavor, *zone, *from, *until;
    int64_t count;
};
#define AT(member) .offset = offsetof(struct reservation_body, member)
static const struct json_field fields[] = {
    {.name = "name", .kind = JSON_TEXT, AT(name), .flags = JSON_REQUIRED, .min = 1, .max = 255},
    {.name = "flavor", .kind = JSON_TEXT, AT(flavor), .flags = JSON_REQUIRED, .min = 1, .max = 255},
    {.name = "count", .kind = JSON_INT, AT(count), .flags = JSON_REQUIRED, .min = 1, .max = COUNT_MAX},
    {.name = "zone", .kind = JSON_TEXT, AT(zone), .min = 1, .max = 255},
    {.name = "from", .kind = JSON_TEXT, AT(from)},
    {.name = "until", .kind = JSON_TEXT, AT(until)},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

static void write_time(struct json_out *out, const char *key, int64_t us)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_text(out, key, us == STORE_RESERVATION_NEVER ? NULL : clock_text(us, CLOCK_ISO_Z, text));
}

static void write_row(struct json_out *out, const char *key, const struct reservation_row *r)
{
    json_out_object(out, key);
    json_out_text(out, "id", r->id);
    json_out_text(out, "name", r->name);
    json_out_text(out, "project_id", r->project_id);
    json_out_text(out, "flavor", r->flavor_id);
    json_out_text(out, "flavor_name", r->flavor_name);
    json_out_text(out, "zone", r->zone);
    json_out_int(out, "count", r->count);
    json_out_int(out, "free", r->free);
    json_out_text(out, "status", r->state);
    json_out_text(out, "message", r->message);
    write_time(out, "from", r->from_us);
    write_time(out, "until", r->until_us);
    write_time(out, "created_at", r->created_us);
    json_out_object_end(out);
}

static int answer(struct reply *reply, const struct reservation_row *row)
{
    json_out_object(&reply->out, NULL);
    write_row(&reply->out, "reservation", row);
    json_out_object_end(&reply->out);
    return 0;
}

static int load(struct request *request, struct reservation_row *ret)
{
    return store_reservation_get(request->conn, request_param(request, "id"),
                                 elastic_is_admin(request) ? NULL : request->credential.project_id, &request->arena,
                                 ret, &request->error);
}

static int read_times(struct request *request, const struct reservation_body *b, struct reservation_row *row)
{
    row->from_us = request->now_us;
    row->until_us = STORE_RESERVATION_NEVER;
    if (b->from != NULL && !clock_parse(b->from, &row->from_us))
        return error_set(&request->error, ERR_INVALID, "reservation.from: it is a time, 2030-01-31T12:00:00Z");
    if (b->until != NULL && !clock_parse(b->until, &row->until_us))
        return error_set(&request->error, ERR_INVALID, "reservation.until: it is a time, 2030-01-31T12:00:00Z");
    if (row->until_us <= row->from_us || row->until_us <= request->now_us)
        return error_set(&request->error, ERR_INVALID, "reservation.until: it comes after now and after from");
    return 0;
}

static int read_flavor(struct request *request, const struct reservation_body *b, struct reservation_row *row)
{
    const char *project = request->credential.project_id, *text = "";
    struct quota_set limits, used, held, asked;
    struct error gone = {0};
    struct flavor_row f;
    int rc = store_flavor_get(request->conn, b->flavor, project, elastic_is_admin(request), &request->arena, &f, &gone);
    if (rc || f.disabled)
        return error_set(&request->error, rc == ERR_NOT_FOUND || !rc ? ERR_INVALID : rc,
                         "reservation.flavor: %s could not be found", b->flavor);
    row->flavor_id = f.id;
    row->flavor_name = f.name;
    row->flavor_extra = f.extra_specs;
    row->need = (struct resources){{f.vcpus, f.memory_mib, f.root_gib + f.ephemeral_gib + (f.swap_mib + 1023) / 1024}};
    asked = servers_create_quota(&f, b->count);
    rc = store_quota_limits(request->conn, project, &limits, &request->error);
    rc = rc ? rc : store_quota_used(request->conn, project, &used, &request->error);
    rc = rc ? rc : store_reservation_held(request->conn, project, &held, &request->error);
    for (int i = 0; i < QUOTA_KINDS; i++)
        used.amount[i] += rc ? 0 : held.amount[i];
    if (!rc && !quota_allows(&limits, &used, &asked, &request->arena, &text))
        rc = error_set(&request->error, ERR_QUOTA, "%s", text);
    return rc;
}

static int reservations_create(struct request *request, struct reply *reply)
{
    const struct reservation_body *b = request->body;
    char id[UUID_SIZE];
    bool there = true;
    struct reservation_row row = {.id = uuid_ordered(id),
                                  .name = b->name,
                                  .zone = b->zone,
                                  .count = b->count,
                                  .state = "pending",
                                  .created_us = request->now_us};
    int rc = elastic_own_project(request, &row.project_id);
    if (!rc)
        rc = read_times(request, b, &row);
    if (!rc && b->zone != NULL)
        rc = store_server_zone_exists(request->conn, b->zone, &there, &request->error);
    if (!rc && !there)
        rc = error_set(&request->error, ERR_INVALID, "reservation.zone: there is no such zone");
    if (!rc)
        rc = read_flavor(request, b, &row);
    if (!rc)
        rc = store_reservation_insert(request->conn, &row, &request->error);
    reply->status = 202;
    return rc ? rc : answer(reply, &row);
}

static int reservations_show(struct request *request, struct reply *reply)
{
    struct reservation_row row;
    int rc = load(request, &row);
    return rc ? rc : answer(reply, &row);
}

static int list_one(void *arg, const struct reservation_row *row, struct error *e)
{
    (void)e;
    write_row(arg, NULL, row);
    return 0;
}

static int read_page(struct request *request, const char *project, const struct page *page, struct json_out *out)
{
    return store_reservation_list(request->conn, project, page, list_one, out, &request->error);
}

static int reservations_list(struct request *request, struct reply *reply)
{
    return elastic_list(request, reply, "reservations", read_page);
}

/* Gives back what no server has taken; the row stays as history. */
static int reservations_delete(struct request *request, struct reply *reply)
{
    struct reservation_row row;
    int rc = load(request, &row);
    reply->status = 204;
    if (!rc)
        rc = store_reservation_release(request->conn, row.id, &request->arena, &request->error);
    if (!rc)
        rc = store_reservation_meter(request->conn, row.id, request->now_us, &request->arena, &request->error);
    return rc ? rc
              : store_reservation_move(request->conn, row.id, "ended", NULL, STORE_RESERVATION_NEVER, &request->error);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/reservations", .permission = PERMISSION_READER, .handler = reservations_list},
    {.method = "POST",
     .pattern = "/reservations",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct reservation_body),
     .member = "reservation",
     .handler = reservations_create},
    {.method = "GET", .pattern = "/reservations/{id}", .permission = PERMISSION_READER, .handler = reservations_show},
    {.method = "DELETE",
     .pattern = "/reservations/{id}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = reservations_delete},
};
const struct route_table elastic_reservations_routes = ROUTE_TABLE(rows);
