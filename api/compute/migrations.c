/* os-migrations for administrators, and the migrations of one server that are running live: shown, forced to end,
 * aborted. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "db/store_migration.h"
#include <stdlib.h>
#include <string.h>

static void write_times(struct json_out *out, const struct migration_row *row)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_text(out, "created_at", clock_text(row->created_us, CLOCK_ISO_MICRO, text));
    json_out_text(out, "updated_at", clock_text(row->updated_us, CLOCK_ISO_MICRO, text));
}

static void write_hosts(struct json_out *out, const struct migration_row *row)
{
    json_out_text(out, "source_compute", row->source_name);
    json_out_text(out, "source_node", row->source_name);
    json_out_text(out, "dest_compute", row->target_name);
    json_out_text(out, "dest_node", row->target_name);
    json_out_text(out, "dest_host", row->target_address);
}

static bool runs_live(const struct migration_row *row)
{
    return row->kind == MIGRATION_LIVE && row->step != MIGRATION_CLEARING && row->step != MIGRATION_UNDOING &&
           row->step != MIGRATION_DONE;
}

static const char *status_of(const struct migration_row *row)
{
    return migration_status(row->kind, row->step, row->outcome);
}

/* Nova's flavors have internal numbers here: there are none, so a number made of the id stands for it. */
static int64_t flavor_number(const char *flavor)
{
    struct json_doc doc;
    int64_t hash = 5381;
    if (json_in_parse(flavor, strlen(flavor), &doc, NULL))
        return 0;
    const char *id = json_in_text(json_in_member(doc.root, "id"));
    for (const char *p = id ? id : ""; *p; p++)
        hash = (hash * 33 + (unsigned char)*p) & 0x7fffffff;
    json_in_done(&doc);
    return hash;
}

struct page {
    struct request *request;
    struct json_out *out;
    const char *status; /* filter; NULL: all */
    int64_t count, limit;
    const char *last;
};

static int write_one(void *arg, const struct migration_row *row, struct error *e)
{
    struct page *p = arg;
    struct json_out *out = p->out;
    (void)e;
    if (p->status && strcmp(p->status, status_of(row)) != 0)
        return 0;
    json_out_object(out, NULL);
    json_out_int(out, "id", row->id);
    if (compute_since(p->request, 59))
        json_out_text(out, "uuid", row->uuid);
    write_hosts(out, row);
    json_out_text(out, "status", status_of(row));
    json_out_text(out, "instance_uuid", row->server_id);
    json_out_int(out, "old_instance_type_id", flavor_number(row->old_flavor));
    json_out_int(out, "new_instance_type_id", flavor_number(row->new_flavor));
    write_times(out, row);
    if (compute_since(p->request, 23)) {
        json_out_text(out, "migration_type", migration_kind_name(row->kind));
        if (runs_live(row)) {
            const char *path = arena_printf(&p->request->arena, "%s/migrations", row->server_id);
            const char *id = arena_printf(&p->request->arena, "%lld", (long long)row->id);
            compute_write_links(p->request, out, arena_join(&p->request->arena, "servers/", path), id);
        }
    }
    if (compute_since(p->request, 80)) {
        json_out_text(out, "user_id", row->user_id);
        json_out_text(out, "project_id", row->project_id);
    }
    json_out_object_end(out);
    p->count++;
    p->last = arena_strdup(&p->request->arena, row->uuid);
    return p->count == p->limit ? STORE_SERVER_STOP : 0;
}

struct marker {
    const char *uuid;
    int64_t id;
};

static int find_marker(void *arg, const struct migration_row *row, struct error *e)
{
    struct marker *m = arg;
    (void)e;
    if (strcmp(row->uuid, m->uuid) == 0)
        m->id = row->id;
    return m->id ? STORE_SERVER_STOP : 0;
}

static int read_time(struct request *request, const char *name, int since, int64_t *ret)
{
    const char *text = compute_since(request, since) ? request_query(request, name) : NULL;
    if (text == NULL || clock_parse(text, ret))
        return 0;
    return error_set(&request->error, ERR_INVALID,
                     "Invalid input for query parameters %s. Value: %s. '%s' is not a 'date-time'", name, text, text);
}

static int read_page(struct request *request, struct migration_filter *f, int64_t *ret_limit)
{
    struct marker m = {.id = 0};
    *ret_limit = COMPUTE_PAGE_MAX;
    if (!compute_since(request, 59))
        return 0;
    int rc = request_page(request, COMPUTE_PAGE_MAX, ret_limit, &m.uuid);
    rc = rc ? rc : read_time(request, "changes-since", 59, &f->since_us);
    rc = rc ? rc : read_time(request, "changes-before", 66, &f->before_us);
    if (rc || !m.uuid)
        return rc;
    struct migration_filter all = {0};
    rc = store_migration_list(request->conn, &all, find_marker, &m, &request->error);
    if (rc && rc != STORE_SERVER_STOP)
        return rc;
    f->marker = m.id;
    return m.id ? 0 : error_set(&request->error, ERR_INVALID, "Marker %s could not be found.", m.uuid);
}

static int migrations_list(struct request *request, struct reply *reply)
{
    struct migration_filter f = {.server_id = request_query(request, "instance_uuid"),
                                 .host = request_query(request, "host"),
                                 .source_host = request_query(request, "source_compute"),
                                 .kind = request_query(request, "migration_type")};
    struct page p = {.request = request, .out = &reply->out, .status = request_query(request, "status")};
    if (compute_since(request, 80)) {
        f.project_id = request_query(request, "project_id");
        f.user_id = request_query(request, "user_id");
    }
    int rc = read_page(request, &f, &p.limit);
    if (rc)
        return rc;
    json_out_object(p.out, NULL);
    json_out_array(p.out, "migrations");
    if (p.limit > 0)
        rc = store_migration_list(request->conn, &f, write_one, &p, &request->error);
    rc = rc == STORE_SERVER_STOP ? 0 : rc;
    if (rc)
        return rc;
    json_out_array_end(p.out);
    if (compute_since(request, 59) && p.count > 0 && p.count == p.limit)
        compute_write_next(request, p.out, "os-migrations", "migrations_links", p.last);
    json_out_object_end(p.out);
    return 0;
}

/* ---- of one server ---- */

static int64_t member(json_value *progress, const char *name)
{
    int64_t value = 0;
    json_in_int(json_in_member(progress, name), &value);
    return value;
}

static void write_progress(struct json_out *out, const struct migration_row *row)
{
    static const char *const names[] = {"memory_total_bytes", "memory_processed_bytes", "memory_remaining_bytes",
                                        "disk_total_bytes",   "disk_processed_bytes",   "disk_remaining_bytes"};
    struct json_doc doc = {NULL};
    bool good = json_in_parse(row->progress, strlen(row->progress), &doc, NULL) == 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        json_out_int(out, names[i], good ? member(doc.root, names[i]) : 0);
    if (good)
        json_in_done(&doc);
}

static void write_live(struct request *request, struct json_out *out, const char *key, const struct migration_row *row)
{
    json_out_object(out, key);
    json_out_int(out, "id", row->id);
    if (compute_since(request, 59))
        json_out_text(out, "uuid", row->uuid);
    write_hosts(out, row);
    json_out_text(out, "server_uuid", row->server_id);
    json_out_text(out, "status", status_of(row));
    write_times(out, row);
    write_progress(out, row);
    if (compute_since(request, 80)) {
        json_out_text(out, "user_id", row->user_id);
        json_out_text(out, "project_id", row->project_id);
    }
    json_out_object_end(out);
}

static int list_live(void *arg, const struct migration_row *row, struct error *e)
{
    struct page *p = arg;
    (void)e;
    write_live(p->request, p->out, NULL, row);
    return 0;
}

static int migrations_of_server(struct request *request, struct reply *reply)
{
    struct page p = {.request = request, .out = &reply->out};
    struct server_row server;
    int rc = compute_server(request, &server);
    struct migration_filter f = {.server_id = server.id, .live = true};
    if (rc)
        return rc;
    json_out_object(p.out, NULL);
    json_out_array(p.out, "migrations");
    rc = store_migration_list(request->conn, &f, list_live, &p, &request->error);
    json_out_array_end(p.out);
    json_out_object_end(p.out);
    return rc;
}

static int load(struct request *request, struct server_row *server, struct migration_row *ret)
{
    const char *text = request_param(request, "migration");
    char *end;
    int64_t id = strtoll(text, &end, 10);
    int rc = compute_server(request, server);
    rc = rc ? rc : store_migration_get(request->conn, *end ? 0 : id, &request->arena, ret, &request->error);
    if (rc == ERR_NOT_FOUND || (!rc && strcmp(ret->server_id, server->id) != 0)) {
        error_clear(&request->error);
        return error_set(&request->error, ERR_NOT_FOUND, "Migration %s for server %s could not be found.", text,
                         request_param(request, "id"));
    }
    return rc;
}

static int not_live(struct request *request, const struct migration_row *row, const char *id)
{
    return error_set(&request->error, ERR_NOT_FOUND, "Migration %lld for server %s is not live-migration.",
                     (long long)row->id, id);
}

static int not_running(struct request *request, const struct migration_row *row, const char *method)
{
    return error_set(&request->error, ERR_INVALID,
                     "Migration %lld state of instance %s is %s. Cannot %s while the migration is in this state.",
                     (long long)row->id, row->server_id, status_of(row), method);
}

static int migrations_show(struct request *request, struct reply *reply)
{
    struct server_row server;
    struct migration_row row;
    int rc = load(request, &server, &row);
    if (!rc && row.kind != MIGRATION_LIVE)
        rc = not_live(request, &row, server.id);
    if (!rc && !runs_live(&row))
        rc = error_set(&request->error, ERR_NOT_FOUND, "Live migration %lld for server %s is not in progress.",
                       (long long)row.id, server.id);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    write_live(request, &reply->out, "migration", &row);
    json_out_object_end(&reply->out);
    return 0;
}

/* queued and preparing ones from 2.65 on */
static int migrations_abort(struct request *request, struct reply *reply)
{
    struct server_row server;
    struct migration_row row;
    int rc = load(request, &server, &row);
    bool early = row.step == MIGRATION_QUEUED || row.step == MIGRATION_READYING;
    if (!rc && (row.kind != MIGRATION_LIVE || !runs_live(&row) || (early && !compute_since(request, 65))))
        rc = not_running(request, &row, "abort");
    reply->status = 202;
    return rc ? rc : store_migration_ask(request->conn, row.id, MIGRATION_ABORT, &request->error);
}

static int migrations_force(struct request *request, struct reply *reply)
{
    struct server_row server;
    struct migration_row row;
    json_value *force = json_in_member(request->json, "force_complete");
    if (json_in_count(request->json) != 1 || !json_in_has(request->json, "force_complete") || !json_in_is_null(force))
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute force_complete. It is null");
    int rc = load(request, &server, &row);
    if (!rc && (row.kind != MIGRATION_LIVE || row.step != MIGRATION_SENDING))
        rc = not_running(request, &row, "force_complete");
    reply->status = 202;
    return rc ? rc : store_migration_ask(request->conn, row.id, MIGRATION_FORCE, &request->error);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/os-migrations", .permission = PERMISSION_ADMIN, .handler = migrations_list},
    {.method = "GET",
     .pattern = "/servers/{id}/migrations",
     .permission = PERMISSION_ADMIN,
     .since = 23,
     .handler = migrations_of_server},
    {.method = "GET",
     .pattern = "/servers/{id}/migrations/{migration}",
     .permission = PERMISSION_ADMIN,
     .since = 23,
     .handler = migrations_show},
    {.method = "DELETE",
     .pattern = "/servers/{id}/migrations/{migration}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .since = 24,
     .handler = migrations_abort},
    {.method = "POST",
     .pattern = "/servers/{id}/migrations/{migration}/action",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .since = 22,
     .handler = migrations_force},
};
const struct route_table migrations_routes = ROUTE_TABLE(rows);
