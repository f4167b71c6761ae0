/* /groups: made, shown, changed, deleted. A change of the template begins a rolling update; rolling back makes the
 * template before the present one again. What is written here is what the driver brings about. */
#include "api/elastic/groups.h"
#include "api/elastic/elastic.h"
#include "api/elastic/http_check.h"
#include "api/elastic/scaling.h"
#include "api/elastic/template.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "db/store_server_group.h"
#include <stddef.h>
#include <string.h>

#define GROUPS_PER_PROJECT 1000
#define MEMBERS_MAX        10000

struct group_body {
    const char *name, *spread;
    json_value *template, *http_check;
    int64_t minimum, maximum, desired, cooldown_s, grace_s, batch;
    struct json_list zones;
    struct json_seen seen;
};
enum {
    IN_NAME,
    IN_TEMPLATE,
    IN_MINIMUM,
    IN_MAXIMUM,
    IN_DESIRED,
    IN_ZONES,
    IN_SPREAD,
    IN_COOLDOWN,
    IN_GRACE,
    IN_BATCH,
    IN_CHECK
};
static const char *const spreads[] = {"none", "soft", "hard", NULL};
#define AT(member) .offset = offsetof(struct group_body, member)
#define FIELDS(required)                                                                                               \
    {                                                                                                                  \
        [IN_NAME] = {.name = "name", .kind = JSON_TEXT, AT(name), .flags = (required), .min = 1, .max = 200},          \
        [IN_TEMPLATE] = {.name = "template", .kind = JSON_ANY, AT(template), .flags = (required)},                     \
        [IN_MINIMUM] = {.name = "minimum", .kind = JSON_INT, AT(minimum), .min = 0, .max = MEMBERS_MAX},               \
        [IN_MAXIMUM] =                                                                                                 \
            {.name = "maximum", .kind = JSON_INT, AT(maximum), .flags = (required), .min = 0, .max = MEMBERS_MAX},     \
        [IN_DESIRED] = {.name = "desired", .kind = JSON_INT, AT(desired), .min = 0, .max = MEMBERS_MAX},               \
        [IN_ZONES] = {.name = "zones", .kind = JSON_TEXTS, AT(zones), .max = ELASTIC_ZONES_MAX},                       \
        [IN_SPREAD] = {.name = "spread", .kind = JSON_TEXT, AT(spread), .choices = spreads},                           \
        [IN_COOLDOWN] = {.name = "cooldown_s", .kind = JSON_INT, AT(cooldown_s), .min = 0, .max = 86400},              \
        [IN_GRACE] = {.name = "grace_s", .kind = JSON_INT, AT(grace_s), .min = 1, .max = 86400},                       \
        [IN_BATCH] = {.name = "batch", .kind = JSON_INT, AT(batch), .min = 1, .max = MEMBERS_MAX},                     \
        [IN_CHECK] = {.name = "http_check", .kind = JSON_ANY, AT(http_check), .flags = JSON_NULLABLE},                 \
    }
static const struct json_field new_fields[] = FIELDS(JSON_REQUIRED);
static const struct json_field edit_fields[] = FIELDS(0);
static const struct json_table new_table = {
    .fields = new_fields, .count = JSON_COUNT(new_fields), .seen_offset = offsetof(struct group_body, seen)};
static const struct json_table edit_table = {
    .fields = edit_fields, .count = JSON_COUNT(edit_fields), .seen_offset = offsetof(struct group_body, seen)};

static bool has(const struct group_body *b, unsigned field)
{
    return b->seen.present >> field & 1;
}

int groups_load(struct request *request, struct elastic_group_row *ret)
{
    const char *project = elastic_is_admin(request) ? NULL : request->credential.project_id;
    return store_elastic_get(request->conn, request_param(request, "id"), project, &request->arena, ret,
                             &request->error);
}

int groups_load_living(struct request *request, struct elastic_group_row *ret)
{
    int rc = groups_load(request, ret);
    return !rc && ret->deleting ? error_set(&request->error, ERR_CONFLICT, "The group is being deleted") : rc;
}

struct turn groups_turn(struct request *request, const struct elastic_group_row *row)
{
    return (struct turn){
        .api = request->api, .conn = request->conn, .arena = &request->arena, .group = *row, .now_us = request->now_us};
}

int groups_save(struct request *request, struct elastic_group_row *row)
{
    row->updated_us = row->next_us = request->now_us;
    return store_elastic_write(request->conn, row, &request->error);
}

static void write_time(struct json_out *out, const char *key, int64_t us)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_text(out, key, us == 0 ? NULL : clock_text(us, CLOCK_ISO_Z, text));
}

static void write_group(struct json_out *out, const char *key, const struct elastic_group_row *g)
{
    json_out_object(out, key);
    json_out_text(out, "id", g->id);
    json_out_text(out, "name", g->name);
    json_out_text(out, "project_id", g->project_id);
    json_out_text(out, "status", g->deleting ? "DELETING" : g->message != NULL ? "DEGRADED" : "ACTIVE");
    json_out_text(out, "message", g->message);
    json_out_int(out, "minimum", g->minimum);
    json_out_int(out, "maximum", g->maximum);
    json_out_int(out, "desired", g->desired);
    json_out_raw(out, "zones", g->zones);
    json_out_text(out, "server_group_id", g->server_group_id);
    json_out_int(out, "cooldown_s", g->cooldown_s);
    json_out_int(out, "grace_s", g->grace_s);
    json_out_int(out, "batch", g->batch);
    json_out_raw(out, "http_check", g->http_check);
    json_out_bool(out, "paused", g->paused);
    json_out_int(out, "version", g->version);
    json_out_raw(out, "template", g->template);
    write_time(out, "scaled_at", g->scaled_us);
    write_time(out, "created_at", g->created_us);
    write_time(out, "updated_at", g->updated_us);
}

static void write_members(struct json_out *out, const struct elastic_group_row *g,
                          const struct elastic_member_row *members, size_t count)
{
    int64_t by_state[ELASTIC_HEALTH_COUNT] = {0}, old = 0;
    for (size_t i = 0; i < count; i++) {
        by_state[members[i].state]++;
        old += members[i].version != g->version && members[i].state != ELASTIC_LEAVING;
    }
    json_out_object(out, "members");
    for (int s = 0; s < ELASTIC_HEALTH_COUNT; s++)
        json_out_int(out, elastic_health_name((enum elastic_health)s), by_state[s]);
    json_out_int(out, "old_template", old);
    json_out_object_end(out);
}

int groups_answer(struct request *request, struct reply *reply, const struct elastic_group_row *row)
{
    struct elastic_member_row *members = NULL;
    size_t count = 0;
    int rc = store_elastic_members(request->conn, row->id, &request->arena, &members, &count, &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    write_group(&reply->out, "group", row);
    write_members(&reply->out, row, members, count);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

/* Each zone is there, once. */
static int read_zones(struct request *request, const struct group_body *b, const char **ret)
{
    const char **zones = b->zones.items;
    struct strbuf text;
    struct json_out out;
    int rc = 0;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; !rc && i < b->zones.count; i++) {
        bool there = false;
        rc = store_server_zone_exists(request->conn, zones[i], &there, &request->error);
        for (size_t k = 0; !rc && k < i; k++)
            there = there && strcmp(zones[i], zones[k]) != 0;
        if (!rc && !there)
            rc = error_set(&request->error, ERR_INVALID, "zones[%zu]: there is no such zone, or it is named twice", i);
        json_out_text(&out, NULL, zones[i]);
    }
    json_out_array_end(&out);
    *ret = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return rc;
}

/* The server group that keeps the members apart. */
static int make_spread(struct request *request, const struct group_body *b, struct elastic_group_row *row)
{
    char *id = arena_alloc(&request->arena, UUID_SIZE);
    struct server_group_row group = {.id = uuid_ordered(id),
                                     .project_id = row->project_id,
                                     .user_id = row->user_id,
                                     .name = row->name,
                                     .max_per_host = 1,
                                     .created_us = request->now_us};
    if (b->spread == NULL || strcmp(b->spread, "none") == 0)
        return 0;
    group.policy = strcmp(b->spread, "hard") == 0 ? "anti-affinity" : "soft-anti-affinity";
    row->server_group_id = id;
    return store_server_group_insert(request->conn, &group, &request->error);
}

/* Numbers that were not given stay. */
static int read_numbers(struct request *request, const struct group_body *b, struct elastic_group_row *row)
{
    row->minimum = has(b, IN_MINIMUM) ? b->minimum : row->minimum;
    row->maximum = has(b, IN_MAXIMUM) ? b->maximum : row->maximum;
    row->cooldown_s = has(b, IN_COOLDOWN) ? b->cooldown_s : row->cooldown_s;
    row->grace_s = has(b, IN_GRACE) ? b->grace_s : row->grace_s;
    row->batch = has(b, IN_BATCH) ? b->batch : row->batch;
    if (row->minimum > row->maximum)
        return error_set(&request->error, ERR_INVALID, "minimum: it is above maximum");
    if (has(b, IN_DESIRED) && (b->desired < row->minimum || b->desired > row->maximum))
        return error_set(&request->error, ERR_INVALID, "desired: it is not between minimum and maximum");
    row->desired = elastic_clamp(has(b, IN_DESIRED) ? b->desired : row->desired, row->minimum, row->maximum);
    return 0;
}

static int check_room(struct request *request)
{
    int64_t count = 0;
    int rc = store_elastic_count(request->conn, request->credential.project_id, &count, &request->error);
    if (!rc && count >= GROUPS_PER_PROJECT)
        rc = error_set(&request->error, ERR_QUOTA, "Quota exceeded: a project has at most %d groups",
                       GROUPS_PER_PROJECT);
    return rc;
}

static int groups_create(struct request *request, struct reply *reply)
{
    const struct group_body *b = request->body;
    char id[UUID_SIZE];
    struct elastic_group_row row = {.id = uuid_ordered(id),
                                    .user_id = request->credential.user_id,
                                    .name = b->name,
                                    .version = 1,
                                    .cooldown_s = 60,
                                    .grace_s = 900,
                                    .batch = 1,
                                    .next_us = request->now_us,
                                    .created_us = request->now_us,
                                    .updated_us = request->now_us};
    int rc = elastic_own_project(request, &row.project_id);
    if (!rc)
        rc = check_room(request);
    if (!rc)
        rc = read_numbers(request, b, &row);
    if (!rc)
        rc = read_zones(request, b, &row.zones);
    if (!rc)
        rc = template_check(request, b->template, &row.template);
    if (!rc && has(b, IN_CHECK))
        rc = http_check_read(request, b->http_check, &row.http_check);
    if (!rc)
        rc = make_spread(request, b, &row);
    if (!rc)
        rc = store_elastic_insert(request->conn, &row, &request->error);
    if (rc)
        return rc;
    reply->status = 201;
    return groups_answer(request, reply, &row);
}

static int groups_show(struct request *request, struct reply *reply)
{
    struct elastic_group_row row;
    int rc = groups_load(request, &row);
    return rc ? rc : groups_answer(request, reply, &row);
}

static int list_one(void *arg, const struct elastic_group_row *row, struct error *e)
{
    struct json_out *out = arg;
    (void)e;
    write_group(out, NULL, row);
    json_out_object_end(out);
    return 0;
}

static int read_page(struct request *request, const char *project, const struct page *page, struct json_out *out)
{
    return store_elastic_list(request->conn, project, page, list_one, out, &request->error);
}

static int groups_list(struct request *request, struct reply *reply)
{
    return elastic_list(request, reply, "groups", read_page);
}

/* Begins a rolling update. */
static int set_template(struct request *request, struct elastic_group_row *row, const char *template, const char *what)
{
    struct turn t;
    if (strcmp(template, row->template) == 0)
        return 0;
    row->previous_template = row->template;
    row->template = template;
    row->version++;
    row->paused = false;
    row->failures = row->retry_us = 0;
    row->message = NULL;
    t = groups_turn(request, row);
    return turn_note(&t, "rolled", &request->error, "%s: version %lld of the template", what, (long long)row->version);
}

static int set_check(struct request *request, const struct group_body *b, struct elastic_group_row *row)
{
    const char *before = row->http_check;
    int rc = http_check_read(request, b->http_check, &row->http_check);
    bool same = before && row->http_check ? strcmp(before, row->http_check) == 0 : before == row->http_check;
    return rc || same ? rc : http_check_changed(request, row->id);
}

static int groups_edit(struct request *request, struct reply *reply)
{
    const struct group_body *b = request->body;
    struct elastic_group_row row;
    const char *template = NULL;
    int rc = groups_load_living(request, &row);
    int64_t desired = rc ? 0 : row.desired;
    if (!rc && has(b, IN_SPREAD))
        rc = error_set(&request->error, ERR_INVALID, "spread: it is settled when the group is made");
    if (!rc)
        rc = read_numbers(request, b, &row);
    if (!rc && has(b, IN_ZONES))
        rc = read_zones(request, b, &row.zones);
    if (!rc && has(b, IN_TEMPLATE))
        rc = template_check(request, b->template, &template);
    if (!rc && template != NULL)
        rc = set_template(request, &row, template, "updated");
    if (!rc && has(b, IN_CHECK))
        rc = set_check(request, b, &row);
    if (!rc && row.desired != desired) {
        struct turn t = groups_turn(request, &row);
        rc = turn_note(&t, "scaled", &request->error, "from %lld to %lld: its tenant asked", (long long)desired,
                       (long long)row.desired);
    }
    if (!rc && has(b, IN_NAME))
        row.name = b->name;
    if (!rc)
        rc = groups_save(request, &row);
    return rc ? rc : groups_answer(request, reply, &row);
}

static int groups_delete(struct request *request, struct reply *reply)
{
    struct elastic_group_row row;
    int rc = groups_load(request, &row);
    reply->status = 202;
    if (rc || row.deleting)
        return rc;
    row.deleting = true;
    return groups_save(request, &row);
}

struct roll_body {
    const char *action;
};
static const char *const roll_actions[] = {"pause", "resume", "back", NULL};
static const struct json_field roll_fields[] = {
    {.name = "action",
     .kind = JSON_TEXT,
     .offset = offsetof(struct roll_body, action),
     .flags = JSON_REQUIRED,
     .choices = roll_actions},
};
static const struct json_table roll_table = {
    .fields = roll_fields, .count = JSON_COUNT(roll_fields), .seen_offset = JSON_NO_SEEN};

static int groups_roll(struct request *request, struct reply *reply)
{
    const struct roll_body *b = request->body;
    struct elastic_group_row row;
    int rc = groups_load_living(request, &row);
    if (!rc && strcmp(b->action, "back") == 0)
        rc = row.previous_template == NULL
                 ? error_set(&request->error, ERR_CONFLICT, "There is no template to roll back to")
                 : set_template(request, &row, row.previous_template, "rolled back");
    else if (!rc)
        row.paused = strcmp(b->action, "pause") == 0;
    if (!rc)
        rc = groups_save(request, &row);
    return rc ? rc : groups_answer(request, reply, &row);
}

static int members_list(struct request *request, struct reply *reply)
{
    struct json_out *out = &reply->out;
    struct elastic_group_row row;
    struct elastic_member_row *members = NULL;
    size_t count = 0;
    int rc = groups_load(request, &row);
    if (!rc)
        rc = store_elastic_members(request->conn, row.id, &request->arena, &members, &count, &request->error);
    if (rc)
        return rc;
    json_out_object(out, NULL);
    json_out_array(out, "members");
    for (size_t i = 0; i < count; i++) {
        const struct elastic_member_row *m = &members[i];
        json_out_object(out, NULL);
        json_out_text(out, "server_id", m->server_id);
        json_out_text(out, "name", m->name);
        json_out_text(out, "state", elastic_health_name(m->state));
        json_out_text(out, "reason", m->reason);
        json_out_text(out, "http_check", row.http_check ? m->check_state : NULL);
        json_out_text(out, "http_check_message", row.http_check ? m->check_message : NULL);
        json_out_text(out, "zone", m->zone);
        json_out_int(out, "version", m->version);
        if (m->cpu_permille >= 0)
            json_out_textf(out, "cpu_percent", "%lld.%lld", (long long)(m->cpu_permille / 10),
                           (long long)(m->cpu_permille % 10));
        else
            json_out_null(out, "cpu_percent");
        write_time(out, "created_at", m->created_us);
        write_time(out, "healthy_at", m->healthy_us);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
    return 0;
}

static int write_event(void *arg, const struct elastic_event_row *row, struct error *e)
{
    struct json_out *out = arg;
    char text[CLOCK_TEXT_SIZE];
    (void)e;
    json_out_object(out, NULL);
    json_out_text(out, "id", row->id);
    json_out_text(out, "at", clock_text(row->at_us, CLOCK_ISO_Z, text));
    json_out_text(out, "kind", row->kind);
    json_out_text(out, "message", row->message);
    json_out_object_end(out);
    return 0;
}

/* Newest first; the marker is the last event of the page before. */
static int events_list(struct request *request, struct reply *reply)
{
    struct elastic_group_row row;
    const char *marker = NULL;
    int64_t limit;
    int rc = groups_load(request, &row);
    if (!rc)
        rc = request_page(request, ELASTIC_PAGE_MAX, &limit, &marker);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "events");
    rc = store_elastic_policy_event_list(request->conn, row.id, marker, limit, write_event, &reply->out,
                                         &request->error);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/groups", .permission = PERMISSION_READER, .handler = groups_list},
    {.method = "POST",
     .pattern = "/groups",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &new_table,
     .body_size = sizeof(struct group_body),
     .member = "group",
     .handler = groups_create},
    {.method = "GET", .pattern = "/groups/{id}", .permission = PERMISSION_READER, .handler = groups_show},
    {.method = "PATCH",
     .pattern = "/groups/{id}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &edit_table,
     .body_size = sizeof(struct group_body),
     .member = "group",
     .handler = groups_edit},
    {.method = "DELETE",
     .pattern = "/groups/{id}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = groups_delete},
    {.method = "POST",
     .pattern = "/groups/{id}/roll",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &roll_table,
     .body_size = sizeof(struct roll_body),
     .handler = groups_roll},
    {.method = "GET", .pattern = "/groups/{id}/members", .permission = PERMISSION_READER, .handler = members_list},
    {.method = "GET", .pattern = "/groups/{id}/events", .permission = PERMISSION_READER, .handler = events_list},
};
const struct route_table elastic_groups_routes = ROUTE_TABLE(rows);
