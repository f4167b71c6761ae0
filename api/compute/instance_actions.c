/* os-instance-actions: what was done to a server, newest first, also to one that is deleted (from 2.21). Each has one
 * event: our operations have no smaller parts that Nova's clients would know. */
#include "api/compute/compute.h"
#include "api/compute/server_view.h"
#include "common/clock.h"
#include "db/store_operation.h"
#include <string.h>

struct subject {
    const char *id, *project_id, *host_id, *host_name;
    bool found;
};

static int take_deleted(void *arg, const struct server_row *row, struct error *e)
{
    struct subject *s = arg;
    (void)e;
    (void)row;
    s->found = true;
    return STORE_SERVER_STOP;
}

/* The server, or the memory of it. */
static int load(struct request *request, struct subject *ret)
{
    const char *id = request_param(request, "id");
    struct server_query q = {.id = id, .limit = 1};
    struct server_row row;
    int rc = compute_server(request, &row);
    *ret = (struct subject){.id = id};
    if (!rc) {
        ret->project_id = row.project_id;
        ret->host_id = row.host_id;
        ret->host_name = row.host_name;
        return 0;
    }
    if (rc != ERR_NOT_FOUND || !compute_since(request, 21))
        return rc;
    error_clear(&request->error);
    q.project_id = compute_is_admin(request) ? NULL : request->credential.project_id;
    rc = store_server_list_deleted(request->conn, &q, take_deleted, ret, &request->error);
    if (!rc && !ret->found)
        rc = error_set(&request->error, ERR_NOT_FOUND, "Instance %s could not be found.", id);
    return rc;
}

static void write_time(struct json_out *out, const char *key, int64_t us)
{
    char text[CLOCK_TEXT_SIZE];
    if (us == 0)
        json_out_null(out, key);
    else
        json_out_text(out, key, clock_text(us, CLOCK_ISO_MICRO, text));
}

static void write_action(struct request *request, struct json_out *out, const struct operation_row *row)
{
    json_out_text(out, "action", row->action);
    json_out_text(out, "instance_uuid", row->server_id);
    json_out_text(out, "request_id", row->request_id);
    json_out_text(out, "user_id", row->user_id);
    json_out_text(out, "project_id", row->project_id);
    write_time(out, "start_time", row->started_us);
    json_out_text(out, "message", row->message);
    if (compute_since(request, 58))
        write_time(out, "updated_at", row->updated_us);
}

struct page {
    struct request *request;
    struct json_out *out;
    int64_t count;
    const char *last;
};

static int add_row(void *arg, const struct operation_row *row, struct error *e)
{
    struct page *p = arg;
    (void)e;
    json_out_object(p->out, NULL);
    write_action(p->request, p->out, row);
    json_out_object_end(p->out);
    p->count++;
    p->last = arena_strdup(&p->request->arena, row->request_id);
    return 0;
}

static int read_time(struct request *request, const char *name, int64_t *ret)
{
    const char *text = request_query(request, name);
    if (text == NULL || clock_parse(text, ret))
        return 0;
    return error_set(&request->error, ERR_INVALID,
                     "Invalid input for query parameters %s. Value: %s. '%s' is not a 'date-time'", name, text, text);
}

struct window {
    int64_t limit, marker_us, since_us, before_us;
};

static int read_marker(struct request *request, const char *server_id, const char *marker, int64_t *ret)
{
    struct operation_row row;
    int rc = marker != NULL
                 ? store_operation_by_request(request->conn, server_id, marker, &request->arena, &row, &request->error)
                 : 0;
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        return error_set(&request->error, ERR_INVALID, "Marker %s could not be found.", marker);
    }
    if (!rc && marker != NULL)
        *ret = row.started_us;
    return rc;
}

/* Paging and times from 2.58, changes-before from 2.66. */
static int read_window(struct request *request, const char *server_id, struct window *w)
{
    const char *marker = NULL;
    int rc;
    *w = (struct window){.limit = COMPUTE_PAGE_MAX};
    if (!compute_since(request, 58))
        return 0;
    rc = request_page(request, COMPUTE_PAGE_MAX, &w->limit, &marker);
    if (!rc)
        rc = read_time(request, "changes-since", &w->since_us);
    if (!rc && compute_since(request, 66))
        rc = read_time(request, "changes-before", &w->before_us);
    if (!rc && w->before_us != 0 && w->before_us < w->since_us)
        rc = error_set(&request->error, ERR_INVALID,
                       "The value of changes-since must be less than or equal to changes-before.");
    return rc ? rc : read_marker(request, server_id, marker, &w->marker_us);
}

static int instance_actions_list(struct request *request, struct reply *reply)
{
    struct page p = {.request = request, .out = &reply->out};
    struct subject s;
    struct window w;
    int rc = load(request, &s);
    if (!rc)
        rc = read_window(request, s.id, &w);
    if (rc)
        return rc;
    json_out_object(p.out, NULL);
    json_out_array(p.out, "instanceActions");
    rc = store_operation_list(request->conn, s.id, w.marker_us, w.since_us, w.before_us, w.limit, add_row, &p,
                              &request->error);
    json_out_array_end(p.out);
    if (!rc && compute_since(request, 58) && p.count > 0 && p.count == w.limit)
        compute_write_next(request, p.out, arena_printf(&request->arena, "servers/%s/os-instance-actions", s.id),
                           "links", p.last);
    json_out_object_end(p.out);
    return rc;
}

static void write_event(struct request *request, struct json_out *out, const struct subject *s,
                        const struct operation_row *row, const char *name)
{
    bool admin = compute_is_admin(request), failed = strcmp(row->state, "failed") == 0;
    json_out_object(out, NULL);
    json_out_text(out, "event", name);
    write_time(out, "start_time", row->started_us);
    write_time(out, "finish_time", row->finished_us);
    json_out_text(out, "result", row->finished_us == 0 ? NULL : failed ? "Error" : "Success");
    if (admin)
        json_out_null(out, "traceback");
    if (admin && compute_since(request, 62))
        json_out_text(out, "host", s->host_name);
    if (compute_since(request, 62))
        server_view_host_hash(out, "hostId", s->project_id, s->host_id);
    if (compute_since(request, 84))
        json_out_text(out, "details", row->message);
    json_out_object_end(out);
}

static int instance_actions_show(struct request *request, struct reply *reply)
{
    const char *request_id = request_param(request, "request_id"), *name;
    struct json_out *out = &reply->out;
    struct operation_row row;
    struct subject s;
    int rc = load(request, &s);
    if (rc)
        return rc;
    rc = store_operation_by_request(request->conn, s.id, request_id, &request->arena, &row, &request->error);
    if (rc)
        return rc;
    json_out_object(out, NULL);
    json_out_object(out, "instanceAction");
    write_action(request, out, &row);
    if (compute_is_admin(request) || compute_since(request, 51)) {
        json_out_array(out, "events");
        name =
            operation_parse(row.action) >= 0 ? operation_event((enum operation_kind)operation_parse(row.action)) : NULL;
        if (name != NULL)
            write_event(request, out, &s, &row, name);
        json_out_array_end(out);
    }
    json_out_object_end(out);
    json_out_object_end(out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/servers/{id}/os-instance-actions",
     .permission = PERMISSION_READER,
     .handler = instance_actions_list},
    {.method = "GET",
     .pattern = "/servers/{id}/os-instance-actions/{request_id}",
     .permission = PERMISSION_READER,
     .handler = instance_actions_show},
};
const struct route_table instance_actions_routes = ROUTE_TABLE(rows);
