/* Tags of networks, subnets, ports and security groups: /v2.0/{collection}/{id}/tags and below. */
#include "api/network/network_service.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/utf8.h"
#include <stdlib.h>
#include <string.h>

#define TAGS_MAX       50
#define TAG_LENGTH_MAX 255

struct tagged {
    const struct entity *entity;
    void *row;
    const char **tags;
    size_t count;
};

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int parse_tags(struct request *request, const char *json, struct tagged *t)
{
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, &request->error);
    if (rc != 0)
        return rc;
    t->count = json_in_count(doc.root);
    t->tags = arena_array(&request->arena, t->count + 1, sizeof(*t->tags));
    for (size_t i = 0; i < t->count; i++)
        t->tags[i] = arena_strdup(&request->arena, json_in_text(json_in_item(doc.root, i)));
    json_in_done(&doc);
    return 0;
}

static int open_tagged(struct request *request, const char *action, struct tagged *t)
{
    t->entity = request->route->about;
    t->row = arena_alloc(&request->arena, t->entity->row_size);
    int rc = t->entity->get(request, request_param(request, "id"), t->row);
    if (rc == 0 && action != NULL)
        rc = entity_check_owner(request, entity_text_at(t->row, t->entity->project), action,
                                arena_printf(&request->arena, "%ss_tags", t->entity->name));
    return rc != 0 ? rc : parse_tags(request, entity_text_at(t->row, t->entity->tags), t);
}

static int close_tagged(struct request *request, struct tagged *t)
{
    struct strbuf text;
    struct json_out out;
    if (t->count > 1)
        qsort(t->tags, t->count, sizeof(*t->tags), compare_text);
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < t->count; i++)
        json_out_text(&out, NULL, t->tags[i]);
    json_out_array_end(&out);
    entity_set_text(t->row, t->entity->tags, arena_strdup(&request->arena, text.data));
    entity_set_int(t->row, t->entity->updated, request->now_us);
    strbuf_done(&text);
    return t->entity->save(request, t->row);
}

static size_t find_tag(const struct tagged *t, const char *tag)
{
    size_t i = 0;
    while (i < t->count && strcmp(t->tags[i], tag) != 0)
        i++;
    return i;
}

static int check_tag(struct request *request, const char *tag)
{
    size_t length = strlen(tag);
    if (length == 0 || utf8_count(tag, length) > TAG_LENGTH_MAX)
        return entity_invalid(request, "Invalid input for tag. Reason: '%s' exceeds maximum length of 255 or is empty",
                              tag);
    if (strpbrk(tag, ",/") != NULL)
        return entity_invalid(request, "Invalid input for tag. Reason: '%s' has a comma or a slash", tag);
    return 0;
}

static int add_tag(struct request *request, struct tagged *t, const char *tag)
{
    int rc = check_tag(request, tag);
    if (rc != 0 || find_tag(t, tag) < t->count)
        return rc;
    if (t->count == TAGS_MAX)
        return error_set_type(&request->error, ERR_INVALID, "TagsLimitExceeded", "At most %d tags are allowed.",
                              TAGS_MAX);
    const char **larger = arena_array(&request->arena, t->count + 1, sizeof(*larger));
    if (t->count > 0)
        memcpy(larger, t->tags, t->count * sizeof(*larger));
    larger[t->count++] = arena_strdup(&request->arena, tag);
    t->tags = larger;
    return 0;
}

static int write_tags(struct request *request, struct reply *reply, const struct tagged *t)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "tags");
    for (size_t i = 0; i < t->count; i++)
        json_out_text(&reply->out, NULL, t->tags[i]);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int tags_list(struct request *request, struct reply *reply)
{
    struct tagged t;
    int rc = open_tagged(request, NULL, &t);
    return rc != 0 ? rc : write_tags(request, reply, &t);
}

static int tags_replace(struct request *request, struct reply *reply)
{
    struct tagged t;
    json_value *given = json_in_member(request->json, "tags");
    int rc = open_tagged(request, "update", &t);
    if (rc == 0 && !json_in_is_array(given))
        rc = entity_refuse(request, "Invalid tags body");
    t.count = 0;
    for (size_t i = 0; i < json_in_count(given) && rc == 0; i++) {
        const char *tag = json_in_text(json_in_item(given, i));
        rc = tag == NULL ? entity_refuse(request, "Invalid tags body") : add_tag(request, &t, tag);
    }
    if (rc == 0)
        rc = close_tagged(request, &t);
    return rc != 0 ? rc : write_tags(request, reply, &t);
}

static int tags_clear(struct request *request, struct reply *reply)
{
    struct tagged t;
    int rc = open_tagged(request, "delete", &t);
    t.count = 0;
    if (rc == 0)
        rc = close_tagged(request, &t);
    if (rc == 0)
        reply->status = 204;
    return rc;
}

static int not_tagged(struct request *request, const char *tag)
{
    return error_set_type(&request->error, ERR_NOT_FOUND, "TagNotFound", "Tag %s could not be found.", tag);
}

static int tags_show(struct request *request, struct reply *reply)
{
    struct tagged t;
    const char *tag = request_param(request, "tag");
    int rc = open_tagged(request, NULL, &t);
    if (rc == 0 && find_tag(&t, tag) == t.count)
        rc = not_tagged(request, tag);
    if (rc == 0)
        reply->status = 204;
    return rc;
}

static int tags_add(struct request *request, struct reply *reply)
{
    struct tagged t;
    int rc = open_tagged(request, "update", &t);
    if (rc == 0)
        rc = add_tag(request, &t, request_param(request, "tag"));
    if (rc == 0)
        rc = close_tagged(request, &t);
    if (rc == 0)
        reply->status = 201;
    return rc;
}

static int tags_remove(struct request *request, struct reply *reply)
{
    struct tagged t;
    const char *tag = request_param(request, "tag");
    int rc = open_tagged(request, "delete", &t);
    size_t at = rc == 0 ? find_tag(&t, tag) : 0;
    if (rc == 0 && at == t.count)
        rc = not_tagged(request, tag);
    if (rc != 0)
        return rc;
    t.tags[at] = t.tags[--t.count];
    reply->status = 204;
    return close_tagged(request, &t);
}

#define TAG_ROWS(collection, entity)                                                                                   \
    NETWORK_ROW("GET", collection "/{id}/tags", READER, READ, tags_list, entity),                                      \
        NETWORK_ROW("PUT", collection "/{id}/tags", MEMBER, WRITE, tags_replace, entity),                              \
        NETWORK_ROW("DELETE", collection "/{id}/tags", MEMBER, WRITE, tags_clear, entity),                             \
        NETWORK_ROW("GET", collection "/{id}/tags/{tag}", READER, READ, tags_show, entity),                            \
        NETWORK_ROW("PUT", collection "/{id}/tags/{tag}", MEMBER, WRITE, tags_add, entity),                            \
        NETWORK_ROW("DELETE", collection "/{id}/tags/{tag}", MEMBER, WRITE, tags_remove, entity)

static const struct route rows[] = {
    TAG_ROWS("/v2.0/networks", networks_entity),
    TAG_ROWS("/v2.0/subnets", subnets_entity),
    TAG_ROWS("/v2.0/ports", ports_entity),
    TAG_ROWS("/v2.0/security-groups", security_groups_entity),
};
const struct route_table network_tags_routes = ROUTE_TABLE(rows);
