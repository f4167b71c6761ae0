/* One server: show, update, delete. */
#include "api/compute/server_kept.h"
#include "api/compute/server_life.h"
#include "api/compute/server_view.h"
#include "db/store_server.h"
#include <stddef.h>
#include <string.h>

struct show {
    struct request *request;
    struct reply *reply;
    struct server_kept *kept;
    uint64_t generation; /* asked for before any row was read */
    bool done;
};

static int check_project(const struct request *request, const char *project_id, const char *id, struct error *e)
{
    if (compute_is_admin(request) || strcmp(project_id, request->credential.project_id) == 0)
        return 0;
    return error_set(e, ERR_NOT_FOUND, "Instance %s could not be found.", id);
}

static void write_kept(const struct show *show)
{
    size_t size;
    const char *body = server_kept_body(show->kept, &size);
    strbuf_append(&show->reply->body, body, size);
}

/* The answer of before, if the row says that it still is the answer. */
static int show_kept(void *arg, const struct server_stamp *stamp, struct error *e)
{
    struct show *show = arg;
    int rc = check_project(show->request, stamp->project_id, request_param(show->request, "id"), e);
    show->done = !rc && server_kept_fits(show->kept, stamp, show->request->now_us);
    if (show->done) {
        server_kept_confirm(show->kept, stamp, show->generation);
        write_kept(show);
    }
    return rc;
}

/* The answer of before: nothing was committed since. */
static int show_current(struct show *show, const char *id)
{
    int rc = check_project(show->request, server_kept_project(show->kept), id, &show->request->error);
    if (!rc)
        write_kept(show);
    return rc;
}

/* Straight from the row into the answer: no copy of what is only shown. */
static int show_row(void *arg, const struct server_row *row, struct error *e)
{
    struct show *show = arg;
    struct request *request = show->request;
    struct server_view view;
    int rc = check_project(request, row->project_id, row->id, e);
    if (rc)
        return rc;
    server_view_init(&view, request, SERVER_VIEW_SHOW);
    json_out_object(&show->reply->out, NULL);
    server_view_write(&view, &show->reply->out, "server", row);
    json_out_object_end(&show->reply->out);
    server_kept_put(request, row, show->generation, show->reply->body.data, show->reply->body.size);
    return 0;
}

static int servers_show(struct request *request, struct reply *reply)
{
    const char *id = request_param(request, "id");
    struct show show = {.request = request,
                        .reply = reply,
                        .kept = server_kept_find(request, id),
                        .generation = db_generation(request->conn)};
    if (show.kept && server_kept_is_current(show.kept, show.generation, request->now_us))
        return show_current(&show, id);
    int rc = show.kept ? store_server_stamp(request->conn, id, show_kept, &show, &request->error) : 0;
    if (rc || show.done)
        return rc;
    return store_server_visit(request->conn, id, show_row, &show, &request->error);
}

struct servers_update {
    struct json_seen seen;
    const char *name, *disk_config, *access_ipv4, *access_ipv6, *description, *hostname;
};
enum { FIELD_NAME, FIELD_DISK_CONFIG, FIELD_ACCESS4, FIELD_ACCESS6, FIELD_DESCRIPTION, FIELD_HOSTNAME };
static const char *const disk_configs[] = {"AUTO", "MANUAL", NULL};
#define AT(member) offsetof(struct servers_update, member)
static const struct json_field update_fields[] = {
    [FIELD_NAME] = {.name = "name", .kind = JSON_TEXT, .offset = AT(name), .min = 1, .max = 255},
    [FIELD_DISK_CONFIG] = {.name = "OS-DCF:diskConfig",
                           .kind = JSON_TEXT,
                           .offset = AT(disk_config),
                           .choices = disk_configs},
    [FIELD_ACCESS4] = {.name = "accessIPv4", .kind = JSON_TEXT, .offset = AT(access_ipv4)},
    [FIELD_ACCESS6] = {.name = "accessIPv6", .kind = JSON_TEXT, .offset = AT(access_ipv6)},
    [FIELD_DESCRIPTION] = {.name = "description", .kind = JSON_TEXT, .offset = AT(description), .flags = JSON_NULLABLE},
    [FIELD_HOSTNAME] = {.name = "hostname", .kind = JSON_TEXT, .offset = AT(hostname), .min = 1, .max = 255},
};
static const struct json_table update_table = {
    .fields = update_fields, .count = JSON_COUNT(update_fields), .seen_offset = AT(seen)};
static const struct compute_window windows[] = {{FIELD_DESCRIPTION, 19, 0}, {FIELD_HOSTNAME, 90, 0}};

static int check_update(struct request *request, struct servers_update *u)
{
    int rc = compute_check_windows(request, &update_table, &u->seen, windows, sizeof(windows) / sizeof(windows[0]));
    if (!rc && u->name != NULL)
        rc = compute_check_name(request, "name", u->name);
    if (!rc && u->description != NULL)
        rc = compute_check_text(request, "description", u->description);
    if (!rc && u->hostname != NULL)
        rc = compute_check_hostname(request, "hostname", u->hostname);
    if (!rc)
        rc = compute_read_ip(request, "accessIPv4", &u->access_ipv4, 4);
    if (!rc)
        rc = compute_read_ip(request, "accessIPv6", &u->access_ipv6, 6);
    return rc;
}

static void take_update(struct server_row *row, const struct servers_update *u)
{
    row->name = u->name != NULL ? u->name : row->name;
    row->hostname = u->hostname != NULL ? u->hostname : row->hostname;
    row->disk_config = u->disk_config != NULL ? u->disk_config : row->disk_config;
    row->access_ipv4 = u->access_ipv4 != NULL ? u->access_ipv4 : row->access_ipv4;
    row->access_ipv6 = u->access_ipv6 != NULL ? u->access_ipv6 : row->access_ipv6;
    if (u->seen.present >> FIELD_DESCRIPTION & 1)
        row->description = u->description;
}

static int servers_update(struct request *request, struct reply *reply)
{
    struct servers_update *u = request->body;
    struct server_view view;
    struct server_row row;
    int rc = check_update(request, u);
    if (!rc)
        rc = compute_server(request, &row);
    if (rc)
        return rc;
    take_update(&row, u);
    row.updated_us = request->now_us;
    rc = store_server_edit(request->conn, &row, &request->error);
    if (rc)
        return rc;
    server_view_init(&view, request, SERVER_VIEW_UPDATE);
    json_out_object(&reply->out, NULL);
    server_view_write(&view, &reply->out, "server", &row);
    json_out_object_end(&reply->out);
    return 0;
}

static int servers_delete(struct request *request, struct reply *reply)
{
    struct server_life_actor actor = {.request_id = request->id,
                                      .user_id = request->credential.user_id,
                                      .project_id = request->credential.project_id};
    struct server_row row;
    int rc = compute_server_unlocked(request, &row);
    if (!rc)
        rc = server_life_delete(request->conn, &row, &actor, request->now_us, &request->error);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/servers/{id}", .permission = PERMISSION_READER, .handler = servers_show},
    {.method = "PUT",
     .pattern = "/servers/{id}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .member = "server",
     .body = &update_table,
     .body_size = sizeof(struct servers_update),
     .handler = servers_update},
    {.method = "DELETE",
     .pattern = "/servers/{id}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = servers_delete},
};
const struct route_table servers_routes = ROUTE_TABLE(rows);
