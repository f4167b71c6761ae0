/* Rows of the network API as JSON, and single attributes as text. */
#include "api/network/entity.h"
#include "common/clock.h"
#include <stdlib.h>

const char *entity_null(struct request *request, const void *row)
{
    (void)request;
    (void)row;
    return NULL;
}

const char *entity_empty_list(struct request *request, const void *row)
{
    (void)request;
    (void)row;
    return "[]";
}

static bool is_null(const struct entity_attr *attr, const void *row)
{
    return attr->kind == ENTITY_INT && attr->known != 0 && attr->known != ENTITY_NONE &&
           !entity_bool_at(row, attr->known);
}

const char *entity_view_text(struct request *request, const struct entity_attr *attr, const void *row)
{
    char time[CLOCK_TEXT_SIZE];
    if (attr->get != NULL)
        return attr->get(request, row);
    switch (attr->kind) {
    case ENTITY_TEXT:
    case ENTITY_JSON:
        return entity_text_at(row, attr->offset);
    case ENTITY_BOOL:
        return entity_bool_at(row, attr->offset) ? "true" : "false";
    case ENTITY_INT:
        if (is_null(attr, row))
            return NULL;
        return arena_printf(&request->arena, "%lld", (long long)entity_int_at(row, attr->offset));
    case ENTITY_TIME:
        return arena_strdup(&request->arena, clock_text(entity_int_at(row, attr->offset), CLOCK_ISO_Z, time));
    }
    return NULL;
}

static void write_attr(struct request *request, const struct entity_attr *attr, const void *row, struct json_out *out)
{
    char time[CLOCK_TEXT_SIZE];
    if (attr->kind == ENTITY_BOOL && attr->get == NULL)
        json_out_bool(out, attr->name, entity_bool_at(row, attr->offset));
    else if (attr->kind == ENTITY_INT && !is_null(attr, row))
        json_out_int(out, attr->name, entity_int_at(row, attr->offset));
    else if (attr->kind == ENTITY_TIME)
        json_out_text(out, attr->name, clock_text(entity_int_at(row, attr->offset), CLOCK_ISO_Z, time));
    else if (attr->kind == ENTITY_TEXT)
        json_out_text(out, attr->name, entity_view_text(request, attr, row));
    else
        json_out_raw(out, attr->name, entity_view_text(request, attr, row));
}

void entity_view_write(struct request *request, const struct entity *entity, uint64_t fields, const void *row,
                       struct json_out *out, const char *key)
{
    bool admin = entity_is_admin(request);
    json_out_object(out, key);
    for (size_t i = 0; i < entity->attr_count; i++) {
        const struct entity_attr *attr = &entity->attrs[i];
        if ((attr->flags & ENTITY_HIDDEN) || (!admin && (attr->flags & ENTITY_ADMIN_SEE)))
            continue;
        if (fields == 0 || (fields >> i & 1U))
            write_attr(request, attr, row, out);
    }
    json_out_object_end(out);
}
