/* Tags of projects. */
#include "api/identity/access.h"
#include "api/identity/attributes.h"
#include "api/identity/project_edit.h"
#include "api/identity/routes.h"
#include <string.h>

struct tags_body {
    struct json_list tags;
};
static const struct json_field fields[] = {
    {.name = "tags", .kind = JSON_TEXTS, .offset = offsetof(struct tags_body, tags), .flags = JSON_REQUIRED},
};
static const struct json_table table = {
    .fields = fields, .count = JSON_COUNT(fields), .open = true, .seen_offset = JSON_NO_SEEN};

static int load(struct request *request, bool change, struct project_row *ret, const char *action)
{
    const char *id = request_param(request, "project_id");
    int rc = store_project_get(request->conn, id, &request->arena, ret, &request->error);
    const char *domain_id = rc ? "" : ret->is_domain ? ret->id : ret->domain_id;
    bool may = change ? access_manages_domain(request, domain_id)
                      : access_reads_domain(request, domain_id) || strcmp(request->credential.project_id, id) == 0;
    if ((!rc || rc == ERR_NOT_FOUND) && !may)
        return access_deny(request, action);
    return identity_found(request, rc, "project", id);
}

/* The tags of a row as a list in the arena. */
static int read_tags(struct request *request, const struct project_row *row, struct json_list *ret)
{
    struct json_doc doc;
    int rc = json_in_parse(row->tags, strlen(row->tags), &doc, &request->error);
    if (rc)
        return rc;
    const char **texts = arena_array(&request->arena, json_in_count(doc.root) + 2, sizeof(*texts));
    *ret = (struct json_list){.items = texts};
    for (size_t i = 0; i < json_in_count(doc.root); i++)
        texts[ret->count++] = arena_strdup(&request->arena, json_in_text(json_in_item(doc.root, i)));
    json_in_done(&doc);
    return 0;
}

static size_t find(const struct json_list *tags, const char *tag)
{
    size_t i = 0;
    while (i < tags->count && strcmp(((const char **)tags->items)[i], tag) != 0)
        i++;
    return i;
}

static int write_tags(struct request *request, struct project_row *row, const struct json_list *tags)
{
    int rc = project_edit_check_mutable(request, row, "update");
    if (!rc)
        rc = project_edit_check_tags(request, tags);
    row->tags = attributes_tags(request, tags);
    return rc ? rc : store_project_update(request->conn, row, &request->error);
}

static int reply_tags(struct request *request, struct reply *reply, const struct project_row *row)
{
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "links");
    json_out_text(&reply->out, "self", identity_url(request, "/projects/%s/tags", row->id));
    json_out_object_end(&reply->out);
    json_out_raw(&reply->out, "tags", row->tags);
    json_out_object_end(&reply->out);
    return 0;
}

static int project_tags_list(struct request *request, struct reply *reply)
{
    struct project_row row;
    int rc = load(request, false, &row, "identity:list_project_tags");
    return rc ? rc : reply_tags(request, reply, &row);
}

static int project_tags_replace(struct request *request, struct reply *reply)
{
    const struct tags_body *body = request->body;
    struct project_row row;
    int rc = load(request, true, &row, "identity:update_project_tags");
    if (!rc)
        rc = write_tags(request, &row, &body->tags);
    return rc ? rc : reply_tags(request, reply, &row);
}

static int project_tags_clear(struct request *request, struct reply *reply)
{
    struct project_row row;
    int rc = load(request, true, &row, "identity:delete_project_tags");
    reply->status = 204;
    return rc ? rc : write_tags(request, &row, &(struct json_list){0});
}

static int project_tags_show(struct request *request, struct reply *reply)
{
    const char *tag = request_param(request, "tag");
    struct project_row row;
    struct json_list tags;
    int rc = load(request, false, &row, "identity:get_project_tag");
    if (!rc)
        rc = read_tags(request, &row, &tags);
    if (!rc && find(&tags, tag) == tags.count)
        rc = identity_missing(request, "project tag", tag);
    reply->status = 204;
    return rc;
}

static int project_tags_add(struct request *request, struct reply *reply)
{
    const char *tag = request_param(request, "tag");
    struct project_row row;
    struct json_list tags;
    int rc = load(request, true, &row, "identity:create_project_tag");
    if (!rc)
        rc = read_tags(request, &row, &tags);
    if (!rc && find(&tags, tag) == tags.count) {
        ((const char **)tags.items)[tags.count++] = tag;
        rc = write_tags(request, &row, &tags);
    }
    if (rc)
        return rc;
    reply->status = 201;
    reply_header(reply, "Location", identity_url(request, "/projects/%s/tags/%s", row.id, tag));
    return 0;
}

static int project_tags_remove(struct request *request, struct reply *reply)
{
    const char *tag = request_param(request, "tag");
    struct project_row row;
    struct json_list tags;
    int rc = load(request, true, &row, "identity:delete_project_tag");
    if (!rc)
        rc = read_tags(request, &row, &tags);
    if (rc)
        return rc;
    size_t at = find(&tags, tag);
    if (at == tags.count)
        return identity_missing(request, "project tag", tag);
    const char **texts = tags.items;
    texts[at] = texts[--tags.count];
    reply->status = 204;
    return write_tags(request, &row, &tags);
}

#define PATTERN "/projects/{project_id}/tags"
static const struct route rows[] = {
    {.method = "GET", .pattern = PATTERN, .permission = PERMISSION_AUTHENTICATED, .handler = project_tags_list},
    {.method = "PUT",
     .pattern = PATTERN,
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct tags_body),
     .handler = project_tags_replace},
    {.method = "DELETE",
     .pattern = PATTERN,
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = project_tags_clear},
    {.method = "GET",
     .pattern = PATTERN "/{tag}",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = project_tags_show},
    {.method = "PUT",
     .pattern = PATTERN "/{tag}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = project_tags_add},
    {.method = "DELETE",
     .pattern = PATTERN "/{tag}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = project_tags_remove},
};
const struct route_table project_tags_routes = ROUTE_TABLE(rows);
