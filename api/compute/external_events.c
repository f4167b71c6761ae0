/* os-server-external-events: what other services say of servers. Ours need none of it (addresses follow from ports,
 * power from the agents), so an event is judged and answered as Nova does, and then let be. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "common/uuid.h"
#include <stddef.h>
#include <string.h>

struct event {
    const char *server, *name, *status, *tag;
};
struct body {
    struct json_list events;
};
static const char *const statuses[] = {"failed", "completed", "in-progress", NULL};
#define AT(member) offsetof(struct event, member)
static const struct json_field event_fields[] = {
    {.name = "server_uuid", .kind = JSON_TEXT, .offset = AT(server), .flags = JSON_REQUIRED},
    {.name = "name", .kind = JSON_TEXT, .offset = AT(name), .flags = JSON_REQUIRED},
    {.name = "status", .kind = JSON_TEXT, .offset = AT(status), .choices = statuses},
    {.name = "tag", .kind = JSON_TEXT, .offset = AT(tag), .max = 255},
};
static const struct json_table event_table = {
    .fields = event_fields, .count = JSON_COUNT(event_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field body_fields[] = {
    {.name = "events",
     .kind = JSON_LIST,
     .offset = offsetof(struct body, events),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 10000,
     .sub = &event_table,
     .item_size = sizeof(struct event)},
};
static const struct json_table body_table = {
    .fields = body_fields, .count = JSON_COUNT(body_fields), .seen_offset = JSON_NO_SEEN};

static const struct {
    const char *name;
    int since;
    bool tagged; /* means nothing without a tag */
} names[] = {
    {"network-changed", 1, false},           {"network-vif-plugged", 1, false}, {"network-vif-unplugged", 1, false},
    {"network-vif-deleted", 1, false},       {"volume-extended", 51, true},     {"power-update", 76, true},
    {"accelerator-request-bound", 82, true}, {"volume-reimaged", 93, false},
};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

static size_t find_name(const char *name)
{
    size_t i = 0;
    while (i < NAME_COUNT && strcmp(names[i].name, name) != 0)
        i++;
    return i;
}

static int check(struct request *request, const struct event *event)
{
    size_t i = find_name(event->name);
    if (!uuid_valid(event->server))
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute server_uuid. Value: %s. '%s' is not a 'uuid'",
                         event->server, event->server);
    if (i == NAME_COUNT || !compute_since(request, names[i].since))
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute name. Value: %s. '%s' is not one of the events",
                         event->name, event->name);
    return 0;
}

/* The event's code: 404 for an unknown server, 422 for one that is on no host yet. */
static int judge(struct request *request, const struct event *event, int *ret_code)
{
    struct server_row row;
    int rc = store_server_get(request->conn, event->server, &request->arena, &row, &request->error);
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        *ret_code = 404;
        return 0;
    }
    if (rc)
        return rc;
    *ret_code = row.host_id != NULL ? 200 : 422;
    if (names[find_name(event->name)].tagged && event->tag == NULL)
        *ret_code = 400;
    return 0;
}

static void write_event(struct json_out *out, const struct event *event, int code)
{
    json_out_object(out, NULL);
    json_out_text(out, "server_uuid", event->server);
    json_out_text(out, "name", event->name);
    if (event->tag != NULL)
        json_out_text(out, "tag", event->tag);
    json_out_text(out, "status", code == 200 ? "completed" : "failed");
    json_out_int(out, "code", code);
    json_out_object_end(out);
}

static int external_events_create(struct request *request, struct reply *reply)
{
    const struct body *b = request->body;
    const struct event *events = b->events.items;
    int rc = 0;
    for (size_t i = 0; i < b->events.count && !rc; i++)
        rc = check(request, &events[i]);
    if (rc)
        return rc;
    reply->status = 200;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "events");
    for (size_t i = 0; i < b->events.count && !rc; i++) {
        int code = 0;
        rc = judge(request, &events[i], &code);
        if (code != 200)
            reply->status = 207;
        write_event(&reply->out, &events[i], code);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/os-server-external-events",
     .permission = PERMISSION_ADMIN,
     .body = &body_table,
     .body_size = sizeof(struct body),
     .handler = external_events_create},
};
const struct route_table external_events_routes = ROUTE_TABLE(rows);
