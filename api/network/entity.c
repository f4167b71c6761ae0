/* The handlers that every collection of the network API shares. Lists without a sorting of their own walk the rows in
 * the order of their ids and stop when the page is full; others gather what matches first. */
#include "api/network/entity.h"
#include "common/json_in.h"
#include "common/uuid.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_CHUNK 1000

bool entity_is_admin(const struct request *request)
{
    return (request->credential.roles & ROLE_ADMIN) != 0;
}

const char *entity_scope(const struct request *request)
{
    return entity_is_admin(request) ? NULL : request->credential.project_id;
}

const char *entity_path_id(struct request *request)
{
    const char *id = request_param(request, "id");
    size_t length = strlen(id);
    if (length > 5 && strcmp(id + length - 5, ".json") == 0)
        return arena_strndup(&request->arena, id, length - 5);
    return id;
}

int entity_forbid(struct request *request, const char *rule)
{
    return error_set_type(&request->error, ERR_FORBIDDEN, "PolicyNotAuthorized", "%s is disallowed by policy", rule);
}

int entity_check_owner(struct request *request, const char *project_id, const char *action, const char *name)
{
    if (entity_is_admin(request) || strcmp(project_id, request->credential.project_id) == 0)
        return 0;
    return entity_forbid(request, arena_printf(&request->arena, "rule:%s_%s", action, name));
}

int entity_refuse(struct request *request, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sentence = arena_vprintf(&request->arena, format, args);
    va_end(args);
    return error_set_type(&request->error, ERR_INVALID, "HTTPBadRequest", "%s", sentence);
}

int entity_invalid(struct request *request, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *reason = arena_vprintf(&request->arena, format, args);
    va_end(args);
    return error_set_type(&request->error, ERR_INVALID, "InvalidInput", "Invalid input for operation: %s.", reason);
}

int entity_reason(struct request *request, const char *attribute, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *reason = arena_vprintf(&request->arena, format, args);
    va_end(args);
    return entity_refuse(request, "Invalid input for %s. Reason: %s.", attribute, reason);
}

/* ---- lists ---- */

struct found {
    const void **rows;
    size_t count, room;
};

static void keep(struct request *request, struct found *f, const void *row)
{
    f->rows = arena_more(&request->arena, f->rows, f->count, &f->room, sizeof(*f->rows));
    f->rows[f->count++] = row;
}

static const void *row_at(const struct entity *entity, const void *rows, size_t index)
{
    return (const char *)rows + index * entity->row_size;
}

/* Rows with the ids that were asked for; those that are not there are left out. */
static int gather_by_id(struct request *request, const struct entity_query *q, struct found *f)
{
    for (size_t i = 0; i < q->filter_count; i++) {
        if (strcmp(q->filters[i].name, "id") != 0)
            continue;
        void *row = arena_alloc(&request->arena, q->entity->row_size);
        int rc = q->entity->get(request, q->filters[i].value, row);
        if (rc != 0 && rc != ERR_NOT_FOUND)
            return rc;
        if (rc == ERR_NOT_FOUND)
            error_clear(&request->error);
        else if (entity_query_matches(request, q, row))
            keep(request, f, row);
    }
    return 0;
}

/* All that match, from `after` on, at most `most` (0: all). */
static int gather(struct request *request, const struct entity_query *q, const char *after, int64_t most,
                  struct found *f)
{
    for (;;) {
        void *rows = NULL;
        size_t count = 0;
        int rc = q->entity->load(request, q, after, LOAD_CHUNK, &rows, &count);
        if (rc != 0)
            return rc;
        for (size_t i = 0; i < count; i++) {
            const void *row = row_at(q->entity, rows, i);
            if (entity_query_matches(request, q, row))
                keep(request, f, row);
            if (most > 0 && (int64_t)f->count == most)
                return 0;
        }
        if (count < LOAD_CHUNK)
            return 0;
        after = entity_text_at(row_at(q->entity, rows, count - 1), q->entity->id);
    }
}

struct ordering {
    struct request *request;
    const struct entity_query *query;
};

static int compare(const void *a, const void *b, void *arg)
{
    const struct ordering *o = arg;
    return entity_query_compare(o->request, o->query, *(const void *const *)a, *(const void *const *)b);
}

/* The page behind (or, reversed, before) the marker; f is cut to it. */
static void cut_page(const struct entity_query *q, struct found *f)
{
    size_t from = 0, to = f->count, limit = q->limit > 0 ? (size_t)q->limit : f->count;
    bool met = q->marker == NULL;
    for (size_t i = 0; i < f->count && !met; i++) {
        met = strcmp(entity_text_at(f->rows[i], q->entity->id), q->marker) == 0;
        if (met && q->reverse)
            to = i;
        else if (met)
            from = i + 1;
    }
    if (!met)
        from = to;
    else if (q->reverse && to - from > limit)
        from = to - limit;
    else if (to - from > limit)
        to = from + limit;
    f->rows += from;
    f->count = to - from;
}

static int gather_page(struct request *request, const struct entity_query *q, struct found *f)
{
    struct ordering o = {request, q};
    bool by_id = false;
    for (size_t i = 0; i < q->filter_count; i++)
        by_id = by_id || strcmp(q->filters[i].name, "id") == 0;
    if (!by_id && q->sort_count == 0 && !q->reverse)
        return gather(request, q, q->marker, q->limit, f);
    int rc = by_id ? gather_by_id(request, q, f) : gather(request, q, NULL, 0, f);
    if (rc != 0)
        return rc;
    if (f->count > 0)
        qsort_r(f->rows, f->count, sizeof(*f->rows), compare, &o);
    cut_page(q, f);
    return 0;
}

int entity_list(struct request *request, struct reply *reply)
{
    const struct entity *entity = request->route->about;
    struct entity_query q = {0};
    struct found f = {0};
    int rc = entity_query_read(request, entity, &q);
    if (rc == 0 && q.marker != NULL && q.limit > 0) /* Neutron wants the marker to be there */
        rc = entity->get(request, q.marker, arena_alloc(&request->arena, entity->row_size));
    if (q.limit == 0)
        q.marker = NULL;
    if (rc == 0)
        rc = gather_page(request, &q, &f);
    if (rc != 0)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, entity->collection);
    for (size_t i = 0; i < f.count; i++)
        entity_view_write(request, entity, q.fields, f.rows[i], &reply->out, NULL);
    json_out_array_end(&reply->out);
    const char *first = f.count > 0 ? entity_text_at(f.rows[0], entity->id) : NULL;
    const char *last = f.count > 0 ? entity_text_at(f.rows[f.count - 1], entity->id) : NULL;
    entity_query_links(request, &q, &reply->out, f.count, first, last);
    json_out_object_end(&reply->out);
    return 0;
}

/* ---- one ---- */

static uint64_t wanted_fields(struct request *request, const struct entity *entity)
{
    uint64_t fields = 0;
    const char *name;
    for (size_t n = 0; (name = request_query_at(request, "fields", n)) != NULL; n++)
        for (size_t i = 0; i < entity->attr_count; i++)
            if (strcmp(entity->attrs[i].name, name) == 0)
                fields |= (uint64_t)1 << i;
    return fields;
}

static int write_one(struct request *request, struct reply *reply, const struct entity *entity, const char *id)
{
    void *row = arena_alloc(&request->arena, entity->row_size);
    int rc = entity->get(request, id, row);
    if (rc != 0)
        return rc;
    json_out_object(&reply->out, NULL);
    entity_view_write(request, entity, wanted_fields(request, entity), row, &reply->out, entity->name);
    json_out_object_end(&reply->out);
    return 0;
}

int entity_show(struct request *request, struct reply *reply)
{
    return write_one(request, reply, request->route->about, entity_path_id(request));
}

/* ---- creation ---- */

void entity_begin(struct request *request, const struct entity *entity, void *row)
{
    char id[UUID_SIZE];
    entity_set_text(row, entity->id, arena_strdup(&request->arena, uuid_ordered(id)));
    entity_set_text(row, entity->project, arena_strdup(&request->arena, request->credential.project_id));
    entity_set_int(row, entity->updated, request->now_us);
    entity->defaults(request, row);
}

int entity_finish(struct request *request, const struct entity *entity, void *row, uint64_t seen)
{
    int rc = 0;
    if (entity_text_at(row, entity->project)[0] == 0)
        rc = entity_refuse(request, "Running without keystone AuthN requires that tenant_id is specified");
    if (rc == 0)
        rc = store_network_quota_check(request->conn, entity_text_at(row, entity->project), entity->quota, 1,
                                       &request->error);
    return rc != 0 ? rc : entity->create(request, row, seen);
}

static int create_one(struct request *request, const struct entity *entity, json_value *body, void *row)
{
    uint64_t seen = 0;
    if (!json_in_is_object(body))
        return entity_refuse(request, "Invalid body: '%s' is not a dictionary", entity->name);
    entity_begin(request, entity, row);
    int rc = entity_body_read(request, entity, body, true, row, &seen);
    return rc != 0 ? rc : entity_finish(request, entity, row, seen);
}

static int write_created(struct request *request, struct reply *reply, const struct entity *entity, const void *rows,
                         size_t count)
{
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, entity->collection);
    for (size_t i = 0; i < count; i++) {
        void *row = arena_alloc(&request->arena, entity->row_size);
        int rc = entity->get(request, entity_text_at(row_at(entity, rows, i), entity->id), row);
        if (rc != 0)
            return rc;
        entity_view_write(request, entity, 0, row, &reply->out, NULL);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

int entity_create(struct request *request, struct reply *reply)
{
    const struct entity *entity = request->route->about;
    if (!json_in_is_object(request->json))
        return entity_refuse(request, "Resource body required");
    json_value *one = json_in_member(request->json, entity->name);
    json_value *many = json_in_member(request->json, entity->collection);
    if (one == NULL && many == NULL)
        return entity_refuse(request, "Unable to find '%s' in request body", entity->name);
    size_t count = one != NULL ? 1 : json_in_count(many);
    if (one == NULL && (!json_in_is_array(many) || count == 0))
        return entity_refuse(request, "Resources required");
    char *rows = arena_array(&request->arena, count, entity->row_size);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = create_one(request, entity, one != NULL ? one : json_in_item(many, i), rows + i * entity->row_size);
    if (rc != 0)
        return rc;
    reply->status = 201;
    if (one != NULL)
        return write_one(request, reply, entity, entity_text_at(rows, entity->id));
    return write_created(request, reply, entity, rows, count);
}

/* ---- change and removal ---- */

/* If-Match: revision_number=N */
static int check_revision(struct request *request, const struct entity *entity, const void *row)
{
    static const char prefix[] = "revision_number=";
    const char *header = request_header(request, "If-Match");
    const char *at = header == NULL ? NULL : strstr(header, prefix);
    if (at == NULL)
        return 0;
    char *end = NULL;
    errno = 0;
    long long wanted = strtoll(at + sizeof(prefix) - 1, &end, 10);
    if (end == at + sizeof(prefix) - 1 || errno != 0 || (*end != 0 && *end != '"'))
        return error_set_type(&request->error, ERR_INVALID, "BadRequest",
                              "Bad if-match request: Revision number etag must be in the format of "
                              "revision_number=<int>.");
    if (wanted == entity_int_at(row, entity->revision))
        return 0;
    return error_set_type(&request->error, ERR_PRECONDITION, "RevisionNumberConstraintFailed",
                          "Constrained to %lld, but current revision is %lld", wanted,
                          (long long)entity_int_at(row, entity->revision));
}

/* The row that the path names, as it may be changed by the caller. */
static int load_own(struct request *request, const struct entity *entity, const char *action, void *row)
{
    int rc = entity->get(request, entity_path_id(request), row);
    if (rc == 0)
        rc = entity_check_owner(request, entity_text_at(row, entity->project), action, entity->name);
    return rc != 0 ? rc : check_revision(request, entity, row);
}

int entity_update(struct request *request, struct reply *reply)
{
    const struct entity *entity = request->route->about;
    uint64_t seen = 0;
    void *old = arena_alloc(&request->arena, entity->row_size);
    void *row = arena_alloc(&request->arena, entity->row_size);
    int rc = load_own(request, entity, "update", old);
    if (rc != 0)
        return rc;
    if (!json_in_is_object(request->json))
        return entity_refuse(request, "Resource body required");
    json_value *body = json_in_member(request->json, entity->name);
    if (!json_in_is_object(body))
        return entity_refuse(request, "Unable to find '%s' in request body", entity->name);
    memcpy(row, old, entity->row_size);
    entity_set_int(row, entity->updated, request->now_us);
    rc = entity_body_read(request, entity, body, false, row, &seen);
    if (rc == 0)
        rc = entity->update(request, old, row, seen);
    return rc != 0 ? rc : write_one(request, reply, entity, entity_text_at(old, entity->id));
}

int entity_delete(struct request *request, struct reply *reply)
{
    const struct entity *entity = request->route->about;
    void *row = arena_alloc(&request->arena, entity->row_size);
    int rc = load_own(request, entity, "delete", row);
    if (rc == 0)
        rc = entity->remove(request, row);
    if (rc == 0)
        reply->status = 204;
    return rc;
}
