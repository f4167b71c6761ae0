/* GET /v2/images: filters, sorting and pages. In the usual order (newest first) rows are read until the page is full;
 * other orders sort what matches. */
#include "api/image/image_list.h"
#include "api/image/image_view.h"
#include "common/clock.h"
#include "common/json_in.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT 25
#define PAGE_MAX     1000
#define CHUNK        500
#define SORTS_MAX    8

struct filter {
    const char *name, *value;
};
struct sort {
    const char *key;
    bool descending;
};
struct listing {
    struct request *request;
    struct filter *filters;
    size_t filter_count, filter_room;
    struct sort sorts[SORTS_MAX + 2];
    size_t sort_count, direction_count;
    const char *directions[SORTS_MAX];
    bool has_sort;
    const char *visibility, *member_status, *marker;
    int64_t limit;
    bool has_limit, hidden;
    const struct image_row **found;
    size_t found_count, found_room;
};

static int refuse(struct listing *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct listing *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error_setv(&l->request->error, ERR_INVALID, format, args);
    va_end(args);
    return ERR_INVALID;
}

static bool is_in(const char *const *list, const char *text)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, text) == 0)
            return true;
    return false;
}

/* ---- reading the query ---- */

static int add_sort(struct listing *l, const char *key)
{
    static const char *const keys[] = {"name", "status",     "container_format", "disk_format", "size",
                                       "id",   "created_at", "updated_at",       NULL};
    if (!is_in(keys, key))
        return refuse(l,
                      "Invalid sort key: %s. It must be one of the following: name, status, container_format, "
                      "disk_format, size, id, created_at, updated_at.",
                      key);
    if (l->sort_count < SORTS_MAX)
        l->sorts[l->sort_count++] = (struct sort){arena_strdup(&l->request->arena, key), true};
    return 0;
}

static int add_direction(struct listing *l, const char *direction)
{
    if (strcmp(direction, "asc") != 0 && strcmp(direction, "desc") != 0)
        return refuse(l, "Invalid sort direction: %s", direction);
    if (l->direction_count < SORTS_MAX)
        l->directions[l->direction_count++] = direction[0] == 'a' ? "asc" : "desc";
    return 0;
}

/* "name:asc,size" */
static int read_sort(struct listing *l, const char *value)
{
    char *text = arena_strdup(&l->request->arena, value), *save = NULL;
    int rc = 0;
    l->has_sort = true;
    for (char *part = strtok_r(text, ",", &save); part != NULL && rc == 0; part = strtok_r(NULL, ",", &save)) {
        char *colon = strchr(part, ':');
        if (colon != NULL)
            *colon = 0;
        rc = add_sort(l, part);
        if (rc == 0)
            rc = add_direction(l, colon != NULL ? colon + 1 : "desc");
    }
    return rc;
}

static int read_limit(struct listing *l, const char *value)
{
    char *end = NULL;
    errno = 0;
    l->limit = strtoll(value, &end, 10);
    if (value[0] == 0 || *end != 0 || errno != 0)
        return refuse(l, "limit param must be an integer");
    if (l->limit < 0)
        return refuse(l, "limit param must be positive");
    l->has_limit = true;
    return 0;
}

static int read_visibility(struct listing *l, const char *value)
{
    static const char *const known[] = {"community", "public", "private", "shared", "all", NULL};
    if (!is_in(known, value))
        return refuse(l, "Invalid visibility value: %s", value);
    l->visibility = arena_strdup(&l->request->arena, value);
    return 0;
}

static int read_member_status(struct listing *l, const char *value)
{
    static const char *const known[] = {"pending", "accepted", "rejected", "all", NULL};
    if (!is_in(known, value))
        return refuse(l, "Invalid status: %s", value);
    l->member_status = strcmp(value, "all") == 0 ? NULL : arena_strdup(&l->request->arena, value);
    return 0;
}

static int add_filter(struct listing *l, const char *name, const char *value)
{
    int64_t when = 0;
    char *end = NULL;
    size_t length = strlen(name);
    bool range = length > 4 && (strcmp(name + length - 4, "_min") == 0 || strcmp(name + length - 4, "_max") == 0);
    if (range) {
        (void)strtoll(value, &end, 10);
        if (value[0] == 0 || *end != 0)
            return refuse(l, "Unable to filter on a range with a non-numeric value.");
    }
    if (strcmp(name, "created_at") == 0 || strcmp(name, "updated_at") == 0) {
        const char *colon = strchr(value, ':');
        static const char *const operators[] = {"gt", "gte", "lt", "lte", "eq", "neq", NULL};
        char *operator= arena_strndup(&l->request->arena, value, colon == NULL ? 0 : (size_t)(colon - value));
        if (!clock_parse(is_in(operators, operator) ? colon + 1 : value, &when))
            return refuse(l, "Bad \"%s\" query filter format. Use ISO 8601 DateTime notation.", name);
    }
    l->filters = arena_more(&l->request->arena, l->filters, l->filter_count, &l->filter_room, sizeof(*l->filters));
    l->filters[l->filter_count++] =
        (struct filter){arena_strdup(&l->request->arena, name), arena_strdup(&l->request->arena, value)};
    return 0;
}

static int read_flag(struct listing *l, const char *name, const char *value, bool *ret)
{
    if (strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0)
        return error_set(&l->request->error, ERR_INVALID,
                         "Invalid value '%s' for '%s' filter. Valid values are 'true' or 'false'.", value, name);
    *ret = strcasecmp(value, "true") == 0;
    return 0;
}

static int read_one(void *arg, const char *name, const char *value)
{
    struct listing *l = arg;
    bool flag = false;
    if (strcmp(name, "limit") == 0)
        return read_limit(l, value);
    if (strcmp(name, "marker") == 0) {
        l->marker = arena_strdup(&l->request->arena, value);
        return 0;
    }
    if (strcmp(name, "sort") == 0)
        return read_sort(l, value);
    if (strcmp(name, "sort_key") == 0)
        return add_sort(l, value);
    if (strcmp(name, "sort_dir") == 0)
        return add_direction(l, value);
    if (strcmp(name, "visibility") == 0)
        return read_visibility(l, value);
    if (strcmp(name, "member_status") == 0)
        return read_member_status(l, value);
    if (strcmp(name, "os_hidden") == 0)
        return read_flag(l, name, value, &l->hidden);
    if (strcmp(name, "changes-since") == 0)
        return refuse(l, "The \"changes-since\" filter is no longer available on v2.");
    if (strcmp(name, "protected") == 0) {
        int rc = read_flag(l, name, value, &flag);
        return rc != 0 ? rc : add_filter(l, name, flag ? "true" : "false");
    }
    return add_filter(l, name, value);
}

static int read_query(struct listing *l)
{
    int rc = request_query_each(l->request, read_one, l);
    if (rc != 0)
        return rc;
    if (l->has_sort && (request_query(l->request, "sort_key") != NULL || request_query(l->request, "sort_dir") != NULL))
        return refuse(l, "Old and new sorting syntax cannot be combined");
    if (l->direction_count > 1 && l->direction_count != l->sort_count)
        return refuse(l, "Number of sort dirs does not match the number of sort keys");
    bool descending = l->direction_count == 0 || strcmp(l->directions[0], "desc") == 0;
    for (size_t i = 0; i < l->sort_count; i++)
        l->sorts[i].descending = l->direction_count > 1 ? strcmp(l->directions[i], "desc") == 0 : descending;
    l->limit = l->has_limit ? l->limit : PAGE_DEFAULT;
    if (l->limit > PAGE_MAX)
        l->limit = PAGE_MAX;
    /* Ties are settled by these, in the first direction. */
    l->sorts[l->sort_count] = (struct sort){"created_at", descending};
    l->sorts[l->sort_count + 1] = (struct sort){"id", descending};
    return 0;
}

/* ---- filters ---- */

static bool equal(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* in:a,"b,c",d */
static bool is_one_of(struct request *request, const char *list, const char *value)
{
    char *part = arena_alloc(&request->arena, strlen(list) + 1), *to = part;
    bool quoted = false;
    for (const char *at = list;; at++) {
        if (*at == '"') {
            quoted = !quoted;
        } else if (*at == 0 || (*at == ',' && !quoted)) {
            *to = 0;
            if (equal(part, value))
                return true;
            to = part;
            if (*at == 0)
                return false;
        } else {
            *to++ = *at;
        }
    }
}

static bool matches_text(struct listing *l, const char *wanted, const char *value)
{
    if (value == NULL)
        return false;
    if (strncmp(wanted, "in:", 3) == 0)
        return is_one_of(l->request, wanted + 3, value);
    return strcmp(strncmp(wanted, "eq:", 3) == 0 ? wanted + 3 : wanted, value) == 0;
}

static bool matches_time(const char *wanted, int64_t at_us)
{
    int64_t when = 0;
    const char *colon = strchr(wanted, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - wanted);
    const char *text = length > 0 && length <= 3 && wanted[0] > '9' ? colon + 1 : wanted;
    if (!clock_parse(text, &when))
        return false;
    int64_t second = at_us - at_us % CLOCK_SECOND_US; /* what clients see */
    if (text == wanted || strncmp(wanted, "eq:", 3) == 0)
        return second == when;
    if (strncmp(wanted, "neq:", 4) == 0)
        return second != when;
    if (strncmp(wanted, "gt:", 3) == 0)
        return second > when;
    if (strncmp(wanted, "gte:", 4) == 0)
        return second >= when;
    if (strncmp(wanted, "lt:", 3) == 0)
        return second < when;
    return second <= when;
}

static bool matches_number(const char *wanted, int64_t value)
{
    return strtoll(wanted, NULL, 10) == value;
}

static bool matches_size(const struct filter *f, const struct image_row *row)
{
    int64_t bound = strtoll(f->value, NULL, 10);
    bool least = strcmp(f->name + strlen(f->name) - 4, "_min") == 0;
    int64_t value;
    if (strncmp(f->name, "size_", 5) == 0 && row->has_size)
        value = row->size_bytes;
    else if (strncmp(f->name, "min_ram_", 8) == 0)
        value = row->min_ram_mib;
    else if (strncmp(f->name, "min_disk_", 9) == 0)
        value = row->min_disk_gib;
    else
        return false;
    return least ? value >= bound : value <= bound;
}

/* A member of the JSON object, or an item of the array. */
static bool has_property(const char *json, const char *name, const char *value)
{
    struct json_doc doc;
    if (json_in_parse(json, strlen(json), &doc, NULL) != 0)
        return false;
    bool same = equal(json_in_text(json_in_member(doc.root, name)), value);
    json_in_done(&doc);
    return same;
}

static bool has_tag(const char *json, const char *tag)
{
    struct json_doc doc;
    bool found = false;
    if (json_in_parse(json, strlen(json), &doc, NULL) != 0)
        return false;
    for (size_t i = 0; i < json_in_count(doc.root) && !found; i++)
        found = equal(json_in_text(json_in_item(doc.root, i)), tag);
    json_in_done(&doc);
    return found;
}

static bool matches_one(struct listing *l, const struct filter *f, const struct image_row *row)
{
    const struct {
        const char *name, *value;
    } texts[] = {
        {"name", row->name},
        {"id", row->id},
        {"status", row->status},
        {"container_format", row->container_format},
        {"disk_format", row->disk_format},
        {"owner", row->project_id},
        {"checksum", row->checksum},
        {"os_hash_value", row->hash_value},
        {"os_hash_algo", row->hash_algo},
        {"protected", row->protected ? "true" : "false"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(f->name, texts[i].name) == 0)
            return i < 5 ? matches_text(l, f->value, texts[i].value) : equal(f->value, texts[i].value);
    if (strcmp(f->name, "tag") == 0)
        return has_tag(row->tags, f->value);
    if (strcmp(f->name, "created_at") == 0)
        return matches_time(f->value, row->created_us);
    if (strcmp(f->name, "updated_at") == 0)
        return matches_time(f->value, row->updated_us);
    if (strcmp(f->name, "min_ram") == 0)
        return matches_number(f->value, row->min_ram_mib);
    if (strcmp(f->name, "min_disk") == 0)
        return matches_number(f->value, row->min_disk_gib);
    if (strcmp(f->name, "size") == 0)
        return row->has_size && matches_number(f->value, row->size_bytes);
    size_t length = strlen(f->name);
    if (length > 4 && (strcmp(f->name + length - 4, "_min") == 0 || strcmp(f->name + length - 4, "_max") == 0))
        return matches_size(f, row);
    return has_property(row->properties, f->name, f->value);
}

/* Without a visibility, community images of others stay out. */
static bool is_visible(const struct listing *l, const struct image_row *row)
{
    const char *project = l->request->credential.project_id;
    if (row->hidden != l->hidden)
        return false;
    if (l->visibility == NULL)
        return strcmp(row->visibility, "community") != 0 || equal(row->project_id, project);
    return strcmp(l->visibility, "all") == 0 || strcmp(l->visibility, row->visibility) == 0;
}

static bool matches(struct listing *l, const struct image_row *row)
{
    if (!is_visible(l, row))
        return false;
    for (size_t i = 0; i < l->filter_count; i++)
        if (!matches_one(l, &l->filters[i], row))
            return false;
    return true;
}

/* ---- gathering ---- */

static int compare_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

static int compare_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_key(const char *key, const struct image_row *a, const struct image_row *b)
{
    if (strcmp(key, "name") == 0)
        return compare_text(a->name, b->name);
    if (strcmp(key, "status") == 0)
        return compare_text(a->status, b->status);
    if (strcmp(key, "container_format") == 0)
        return compare_text(a->container_format, b->container_format);
    if (strcmp(key, "disk_format") == 0)
        return compare_text(a->disk_format, b->disk_format);
    if (strcmp(key, "size") == 0)
        return compare_number(a->has_size ? a->size_bytes : -1, b->has_size ? b->size_bytes : -1);
    if (strcmp(key, "created_at") == 0)
        return compare_number(a->created_us, b->created_us);
    if (strcmp(key, "updated_at") == 0)
        return compare_number(a->updated_us, b->updated_us);
    return strcmp(a->id, b->id);
}

static int compare(const void *x, const void *y, void *arg)
{
    const struct listing *l = arg;
    const struct image_row *a = *(const struct image_row *const *)x, *b = *(const struct image_row *const *)y;
    for (size_t i = 0; i < l->sort_count + 2; i++) {
        int order = compare_key(l->sorts[i].key, a, b);
        if (order != 0)
            return l->sorts[i].descending ? -order : order;
    }
    return 0;
}

/* Newest first is how the rows lie. */
static bool is_natural(const struct listing *l)
{
    return (l->sort_count == 0 || strcmp(l->sorts[0].key, "created_at") == 0) &&
           (l->sort_count <= 1 || strcmp(l->sorts[1].key, "id") == 0) && l->sorts[0].descending &&
           (l->sort_count <= 1 || l->sorts[1].descending) && l->sort_count <= 2;
}

/* A plain name is left to the database. */
static const char *exact_name(const struct listing *l)
{
    for (size_t i = 0; i < l->filter_count; i++)
        if (strcmp(l->filters[i].name, "name") == 0 && strncmp(l->filters[i].value, "in:", 3) != 0 &&
            strncmp(l->filters[i].value, "eq:", 3) != 0)
            return l->filters[i].value;
    return NULL;
}

static int gather(struct listing *l, const struct image_row *marker, int64_t most)
{
    struct request *request = l->request;
    struct image_filter filter = {
        .project_id = image_service_is_admin(request) ? NULL : request->credential.project_id,
        .member_status = l->member_status,
        .name = exact_name(l),
        .community = l->visibility != NULL,
        .limit = CHUNK,
    };
    if (marker != NULL) {
        filter.before_us = marker->created_us;
        filter.before_id = marker->id;
    }
    for (;;) {
        struct image_row *rows = NULL;
        size_t count = 0;
        int rc = store_image_list(request->conn, &filter, &request->arena, &rows, &count, &request->error);
        if (rc != 0)
            return rc;
        for (size_t i = 0; i < count; i++) {
            if (most >= 0 && (int64_t)l->found_count == most)
                return 0;
            if (!matches(l, &rows[i]))
                continue;
            l->found = arena_more(&request->arena, l->found, l->found_count, &l->found_room, sizeof(*l->found));
            l->found[l->found_count++] = &rows[i];
        }
        if (count < CHUNK)
            return 0;
        filter.before_us = rows[count - 1].created_us;
        filter.before_id = rows[count - 1].id;
    }
}

static int gather_sorted(struct listing *l, const struct image_row *marker)
{
    size_t from = 0;
    int rc = gather(l, NULL, -1);
    if (rc != 0)
        return rc;
    if (l->found_count > 0)
        qsort_r(l->found, l->found_count, sizeof(*l->found), compare, l);
    while (marker != NULL && from < l->found_count && compare(&l->found[from], &marker, l) <= 0)
        from++;
    l->found += from;
    l->found_count -= from;
    if ((int64_t)l->found_count > l->limit)
        l->found_count = (size_t)l->limit;
    return 0;
}

/* ---- answer ---- */

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
    if (strcmp(name, "marker") == 0)
        return 0;
    strbuf_append_char(s, strchr(s->data, '?') != NULL ? '&' : '?');
    append_escaped(s, name);
    strbuf_append_char(s, '=');
    append_escaped(s, value);
    return 0;
}

/* Paths begin at "/v2": clients put the service's address before them. */
static void write_link(struct listing *l, struct json_out *out, const char *key, const char *marker)
{
    struct strbuf s;
    strbuf_init(&s, 0);
    strbuf_append_text(&s, "/v2/images");
    request_query_each(l->request, append_argument, &s);
    if (marker != NULL) {
        strbuf_append_text(&s, strchr(s.data, '?') != NULL ? "&marker=" : "?marker=");
        append_escaped(&s, marker);
    }
    json_out_text(out, key, s.data);
    strbuf_done(&s);
}

int image_list(struct request *request, struct reply *reply)
{
    struct listing l = {.request = request, .member_status = "accepted"};
    struct image_row marker;
    int rc = read_query(&l);
    if (rc == 0 && l.marker != NULL) {
        rc = store_image_get(request->conn, l.marker, request->credential.project_id, image_service_is_admin(request),
                             &request->arena, &marker, NULL);
        if (rc == ERR_NOT_FOUND)
            return error_set(&request->error, ERR_INVALID, "No image found with ID %s", l.marker);
    }
    const struct image_row *from = l.marker != NULL ? &marker : NULL;
    if (rc == 0)
        rc = is_natural(&l) ? gather(&l, from, l.limit) : gather_sorted(&l, from);
    if (rc != 0)
        return rc;
    struct json_out *out = &reply->out;
    json_out_object(out, NULL);
    json_out_array(out, "images");
    for (size_t i = 0; i < l.found_count; i++)
        image_view_write(l.found[i], out, NULL);
    json_out_array_end(out);
    if (l.found_count > 0 && (int64_t)l.found_count == l.limit)
        write_link(&l, out, "next", l.found[l.found_count - 1]->id);
    write_link(&l, out, "first", NULL);
    json_out_text(out, "schema", "/v2/schemas/images");
    json_out_object_end(out);
    return 0;
}
