/* The body: into memory and through the row's field table, or into a file. */
#include "api/http/exchange.h"
#include "api/http/header.h"
#include "api/http/upload.h"

int exchange_body_begin(struct exchange *x)
{
    const struct route *route = x->request.route;
    struct error *e = &x->request.error;
    if (route->kind != ROUTE_UPLOAD) {
        x->body.ceiling = (size_t)x->body_limit;
        return 0;
    }
    if (!x->server->options.upload_dir)
        return error_set(e, ERR_NOT_IMPLEMENTED, "Uploads are not configured");
    if (route->before) {
        int rc = exchange_call(x, route->before, db_reader(x->server->api->db));
        if (rc)
            return rc;
    }
    x->before_done = true;
    return upload_new(x->server->options.upload_dir, x->body_limit, &x->upload, e);
}

int exchange_body_add(struct exchange *x, const char *data, size_t size)
{
    if (x->upload)
        return upload_write(x->upload, data, size, &x->request.error);
    if (strbuf_append(&x->body, data, size))
        return error_set(&x->request.error, ERR_TOO_LARGE, "The body is larger than %lld bytes",
                         (long long)x->body_limit);
    return 0;
}

static int exchange_body_parse(struct exchange *x, bool must)
{
    int rc = json_in_parse(x->body.data, x->body.size, &x->doc, must ? &x->request.error : NULL);
    x->has_doc = !rc;
    x->request.json = rc ? NULL : x->doc.root;
    return must ? rc : 0;
}

static int exchange_body_read(struct exchange *x)
{
    struct request *request = &x->request;
    const struct route *route = request->route;
    if (!x->has_doc)
        return error_set(&request->error, ERR_INVALID, "A JSON body is required");
    request->body = arena_alloc(&request->arena, route->body_size);
    const struct json_table *table = route->member ? &x->match.row->document : route->body;
    return json_in_read(request->json, table, request->body, &request->arena, &request->error);
}

int exchange_body_end(struct exchange *x)
{
    struct request *request = &x->request;
    const struct route *route = request->route;
    if (route->kind == ROUTE_UPLOAD) /* an empty body never began */
        return x->upload ? 0 : exchange_body_begin(x);
    request->raw = x->body.data;
    request->raw_size = x->body.size;
    enum header_media media = header_read_media(x->headers.content_type);
    int rc = 0;
    if (x->body.size && (media != HEADER_MEDIA_OTHER || route->body))
        rc = exchange_body_parse(x, media != HEADER_MEDIA_NONE || route->body);
    if (!rc && route->body)
        rc = exchange_body_read(x);
    return rc;
}
