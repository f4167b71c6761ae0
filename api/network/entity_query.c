/* What a list of the network API was asked for: fields, filters, sorting, pages. An unknown filter is refused, as with
 * Neutron's filter-validation. */
#include "api/network/entity.h"
#include "common/json_in.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct request *request;
    struct entity_query *query;
    const char *dirs[ENTITY_SORT_MAX];
};

static const struct entity_attr *find_attr(const struct entity *entity, const char *name)
{
    for (size_t i = 0; i < entity->attr_count; i++)
        if (strcmp(entity->attrs[i].name, name) == 0)
            return &entity->attrs[i];
    return NULL;
}

static const char *as_bool(const char *value)
{
    if (strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0)
        return "true";
    if (strcasecmp(value, "false") == 0 || strcmp(value, "0") == 0)
        return "false";
    return NULL;
}

static int add_filter(struct reading *r, const char *name, const char *value)
{
    static const char *const tag_filters[] = {"tags", "tags-any", "not-tags", "not-tags-any"};
    struct entity_query *q = r->query;
    const struct entity_attr *attr = find_attr(q->entity, name);
    bool known = attr != NULL && (attr->flags & ENTITY_FILTER);
    for (size_t i = 0; i < 4 && q->entity->tags != ENTITY_NONE; i++)
        known = known || strcmp(name, tag_filters[i]) == 0;
    if (!known)
        return entity_refuse(r->request, "['%s'] is invalid attribute for filtering", name);
    if (attr != NULL && attr->kind == ENTITY_BOOL) {
        const char *flag = as_bool(value);
        if (flag == NULL)
            return entity_invalid(r->request, "'%s' cannot be converted to boolean", value);
        value = flag;
    }
    q->filters = arena_more(&r->request->arena, q->filters, q->filter_count, &q->filter_room, sizeof(*q->filters));
    q->filters[q->filter_count++] =
        (struct entity_filter){attr, arena_strdup(&r->request->arena, name), arena_strdup(&r->request->arena, value)};
    return 0;
}

static int add_sort(struct reading *r, const char *name)
{
    struct entity_query *q = r->query;
    const struct entity_attr *attr = find_attr(q->entity, name);
    if (attr == NULL || !(attr->flags & ENTITY_SORT))
        return entity_refuse(r->request, "['%s'] is invalid attribute for sort_keys", name);
    if (q->sort_count < ENTITY_SORT_MAX)
        q->sort[q->sort_count++] = attr;
    return 0;
}

static int add_direction(struct reading *r, const char *value)
{
    struct entity_query *q = r->query;
    if (strcmp(value, "asc") != 0 && strcmp(value, "desc") != 0)
        return entity_refuse(r->request, "['%s'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'",
                             value);
    if (q->direction_count < ENTITY_SORT_MAX)
        q->descending[q->direction_count++] = value[0] == 'd';
    return 0;
}

static int read_limit(struct reading *r, const char *value)
{
    char *end = NULL;
    errno = 0;
    long long limit = strtoll(value, &end, 10);
    if (value[0] == 0 || *end != 0 || errno != 0 || limit < 0)
        return error_set_type(&r->request->error, ERR_INVALID, "BadRequest",
                              "Bad limit request: Limit must be an integer 0 or greater and not '%s'.", value);
    r->query->limit = limit;
    return 0;
}

static int add_field(struct reading *r, const char *name)
{
    const struct entity *entity = r->query->entity;
    for (size_t i = 0; i < entity->attr_count; i++)
        if (strcmp(entity->attrs[i].name, name) == 0)
            r->query->fields |= (uint64_t)1 << i;
    return 0;
}

static int read_one(void *arg, const char *name, const char *value)
{
    struct reading *r = arg;
    if (strcmp(name, "fields") == 0)
        return add_field(r, value);
    if (strcmp(name, "sort_key") == 0)
        return value[0] == 0 ? 0 : add_sort(r, value);
    if (strcmp(name, "sort_dir") == 0)
        return value[0] == 0 ? 0 : add_direction(r, value);
    if (strcmp(name, "limit") == 0)
        return read_limit(r, value);
    if (strcmp(name, "marker") == 0) {
        r->query->marker = arena_strdup(&r->request->arena, value);
        return 0;
    }
    if (strcmp(name, "page_reverse") == 0) {
        r->query->reverse = strcasecmp(value, "true") == 0;
        return 0;
    }
    return add_filter(r, name, value);
}

int entity_query_read(struct request *request, const struct entity *entity, struct entity_query *ret)
{
    struct entity_query query = {.entity = entity};
    struct reading r = {.request = request, .query = &query};
    int rc = request_query_each(request, read_one, &r);
    if (rc != 0)
        return rc;
    if (query.sort_count != query.direction_count)
        return entity_refuse(request, "The number of sort_keys and sort_dirs must be same");
    *ret = query;
    return 0;
}

const char *entity_query_value(const struct entity_query *query, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < query->filter_count; i++) {
        if (strcmp(query->filters[i].name, name) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = query->filters[i].value;
    }
    return found;
}

/* Whether the JSON array `tags` has `wanted` (which may have a comma behind it). */
static bool has_tag(json_value *tags, const char *wanted, size_t length)
{
    size_t count = json_in_count(tags);
    for (size_t i = 0; i < count; i++) {
        const char *tag = json_in_text(json_in_item(tags, i));
        if (tag != NULL && strlen(tag) == length && memcmp(tag, wanted, length) == 0)
            return true;
    }
    return false;
}

/* "tags": all of the list; "tags-any": one of it; "not-": the opposite. */
static bool matches_tags(const struct entity_filter *filter, const char *json)
{
    struct json_doc doc;
    size_t found = 0, count = 0;
    if (json_in_parse(json, strlen(json), &doc, NULL) != 0)
        return false;
    for (const char *at = filter->value; *at != 0; count++) {
        size_t length = strcspn(at, ",");
        found += has_tag(doc.root, at, length);
        at += length + (at[length] == ',');
    }
    json_in_done(&doc);
    bool any = strstr(filter->name, "-any") != NULL;
    bool matches = any ? found > 0 : found == count;
    return strncmp(filter->name, "not-", 4) == 0 ? !matches : matches;
}

static bool matches_one(struct request *request, const struct entity_query *query, const struct entity_filter *filter,
                        const void *row)
{
    if (filter->attr == NULL || query->entity->tags == filter->attr->offset)
        return matches_tags(filter, entity_text_at(row, query->entity->tags));
    if (filter->attr->match != NULL)
        return filter->attr->match(request, row, filter->value);
    const char *text = entity_view_text(request, filter->attr, row);
    return text != NULL && strcmp(text, filter->value) == 0;
}

bool entity_query_matches(struct request *request, const struct entity_query *query, const void *row)
{
    for (size_t i = 0; i < query->filter_count; i++) {
        bool first = true, any = false;
        for (size_t k = 0; k < i; k++)
            first = first && strcmp(query->filters[k].name, query->filters[i].name) != 0;
        for (size_t k = i; first && k < query->filter_count && !any; k++)
            any = strcmp(query->filters[k].name, query->filters[i].name) == 0 &&
                  matches_one(request, query, &query->filters[k], row);
        if (first && !any)
            return false;
    }
    return true;
}

static int compare_attr(struct request *request, const struct entity_attr *attr, const void *a, const void *b)
{
    if ((attr->kind == ENTITY_INT || attr->kind == ENTITY_TIME) && attr->get == NULL) {
        int64_t x = entity_int_at(a, attr->offset), y = entity_int_at(b, attr->offset);
        return (x > y) - (x < y);
    }
    const char *x = entity_view_text(request, attr, a), *y = entity_view_text(request, attr, b);
    if (x == NULL || y == NULL)
        return (x != NULL) - (y != NULL);
    return strcmp(x, y);
}

int entity_query_compare(struct request *request, const struct entity_query *query, const void *a, const void *b)
{
    for (size_t i = 0; i < query->sort_count; i++) {
        int order = compare_attr(request, query->sort[i], a, b);
        if (order != 0)
            return query->descending[i] ? -order : order;
    }
    return strcmp(entity_text_at(a, query->entity->id), entity_text_at(b, query->entity->id));
}

static void append_escaped(struct strbuf *s, const char *text)
{
    for (; *text != 0; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_' || c == '.' || c == '~';
        if (plain)
            strbuf_append_char(s, (char)c);
        else
            strbuf_appendf(s, "%%%02X", c);
    }
}

static int append_argument(void *arg, const char *name, const char *value)
{
    struct strbuf *s = arg;
    if (strcmp(name, "marker") == 0 || strcmp(name, "page_reverse") == 0)
        return 0;
    strbuf_append_char(s, s->size > 0 && strchr(s->data, '?') != NULL ? '&' : '?');
    append_escaped(s, name);
    strbuf_append_char(s, '=');
    append_escaped(s, value);
    return 0;
}

static void write_link(struct request *request, const struct entity_query *query, struct json_out *out, const char *rel,
                       const char *marker, bool reverse)
{
    struct strbuf s;
    strbuf_init(&s, 0);
    strbuf_appendf(&s, "%s%s/v2.0/%s", request_base_url(request), request->service->prefix, query->entity->path);
    request_query_each(request, append_argument, &s);
    if (marker != NULL) {
        strbuf_append_text(&s, strchr(s.data, '?') != NULL ? "&marker=" : "?marker=");
        append_escaped(&s, marker);
    }
    if (reverse)
        strbuf_append_text(&s, "&page_reverse=True");
    json_out_object(out, NULL);
    json_out_text(out, "rel", rel);
    json_out_text(out, "href", s.data);
    json_out_object_end(out);
    strbuf_done(&s);
}

void entity_query_links(struct request *request, const struct entity_query *query, struct json_out *out, size_t shown,
                        const char *first, const char *last)
{
    bool less = (int64_t)shown < query->limit;
    if (query->limit == 0 || (less && !query->reverse && query->marker == NULL && shown == 0))
        return;
    json_out_array(out, arena_printf(&request->arena, "%s_links", query->entity->collection));
    if (!less || query->reverse)
        write_link(request, query, out, "next", last, false);
    if (!less || !query->reverse)
        write_link(request, query, out, "previous", first, true);
    json_out_array_end(out);
}
