/* GET /servers and GET /servers/detail: one walk along an index, each row straight into the answer. Deleted servers
 * come from the history, after the living ones, when they are asked for (deleted=true, status=DELETED, changes-since).
 */
#include "api/compute/server_view.h"
#include "api/compute/servers_sort.h"
#include <string.h>

struct page {
    const struct servers_filter *filter;
    struct server_view view;
    struct json_out *out;
    int64_t count;
    char last[40];
    bool detail;
};

static int add_row(void *arg, const struct server_row *row, struct error *e)
{
    struct page *p = arg;
    (void)e;
    if (!servers_filter_pass(p->filter, row))
        return 0;
    if (p->detail)
        server_view_write(&p->view, p->out, NULL, row);
    else
        server_view_brief(&p->view, p->out, row);
    p->count++;
    strncpy(p->last, row->id, sizeof(p->last) - 1);
    return p->count >= p->filter->limit ? STORE_SERVER_STOP : 0;
}

static int no_marker(struct request *request, const char *marker)
{
    error_clear(&request->error);
    return error_set(&request->error, ERR_INVALID, "marker [%s] not found", marker);
}

/* A marker of somebody else's server is none. */
static int check_marker(struct request *request, const struct servers_filter *f, bool *ret_live)
{
    struct server_row row;
    int rc = store_server_get(request->conn, f->query.marker, &request->arena, &row, &request->error);
    *ret_live = !rc;
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    error_clear(&request->error);
    if (!rc && f->query.project_id != NULL && strcmp(row.project_id, f->query.project_id) != 0)
        return no_marker(request, f->query.marker);
    return 0;
}

static int walk(struct request *request, const struct servers_filter *f, struct page *p)
{
    struct server_query query = f->query;
    bool live = f->live;
    int rc = 0;
    if (query.marker != NULL) {
        bool marker_lives = false;
        rc = check_marker(request, f, &marker_lives);
        if (!rc && !marker_lives && !f->deleted)
            rc = no_marker(request, query.marker);
        live = live && marker_lives;
    }
    if (!rc && live) {
        rc = f->sort_count > 1 ? servers_sort_walk(request, f, &query, add_row, p)
                               : store_server_list(request->conn, &query, add_row, p, &request->error);
        query.marker = NULL;
    }
    if (!rc && f->deleted && p->count < f->limit) {
        query.limit = f->by_row ? INT64_MAX : f->limit - p->count;
        rc = store_server_list_deleted(request->conn, &query, add_row, p, &request->error);
    }
    return rc == ERR_NOT_FOUND ? no_marker(request, f->query.marker) : rc;
}

static int list(struct request *request, struct reply *reply, bool detail)
{
    struct servers_filter f;
    struct page p = {.filter = &f, .out = &reply->out, .detail = detail};
    int rc = servers_filter_read(request, &f);
    server_view_init(&p.view, request, SERVER_VIEW_DETAIL);
    json_out_object(p.out, NULL);
    json_out_array(p.out, "servers");
    if (!rc && !f.nothing && f.limit > 0)
        rc = walk(request, &f, &p);
    json_out_array_end(p.out);
    if (!rc && p.count > 0 && p.count == f.limit)
        compute_write_next(request, p.out, detail ? "servers/detail" : "servers", "servers_links", p.last);
    json_out_object_end(p.out);
    servers_filter_done(&f);
    return rc;
}

static int servers_list_brief(struct request *request, struct reply *reply)
{
    return list(request, reply, false);
}

static int servers_list_detail(struct request *request, struct reply *reply)
{
    return list(request, reply, true);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/servers", .permission = PERMISSION_READER, .handler = servers_list_brief},
    {.method = "GET", .pattern = "/servers/detail", .permission = PERMISSION_READER, .handler = servers_list_detail},
};
const struct route_table servers_list_routes = ROUTE_TABLE(rows);
