/* Lists as Keystone gives them. */
#include "api/identity/list.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    enum list_comparison comparison;
    bool ignore_case;
} comparisons[] = {
    {"equals", LIST_EQUALS, false},          {"iequals", LIST_EQUALS, true},
    {"contains", LIST_CONTAINS, false},      {"icontains", LIST_CONTAINS, true},
    {"startswith", LIST_STARTS_WITH, false}, {"istartswith", LIST_STARTS_WITH, true},
    {"endswith", LIST_ENDS_WITH, false},     {"iendswith", LIST_ENDS_WITH, true},
};

struct reading {
    struct list *list;
    const char *const *names;
};

static bool read_suffix(const char *suffix, struct list_filter *filter)
{
    for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++)
        if (strcmp(suffix, comparisons[i].name) == 0) {
            filter->comparison = comparisons[i].comparison;
            filter->ignore_case = comparisons[i].ignore_case;
            return true;
        }
    return false;
}

static int read_filter(void *arg, const char *name, const char *value)
{
    struct reading *reading = arg;
    struct list *list = reading->list;
    for (const char *const *known = reading->names; *known && list->filter_count < LIST_FILTERS_MAX; known++) {
        size_t size = strlen(*known);
        struct list_filter filter = {.name = *known, .value = value};
        if (strncmp(name, *known, size) != 0)
            continue;
        if (!name[size] || (strncmp(name + size, "__", 2) == 0 && read_suffix(name + size + 2, &filter)))
            list->filters[list->filter_count++] = filter;
    }
    return 0;
}

int list_begin(struct list *list, struct request *request, struct reply *reply, const char *collection,
               const char *const *filters)
{
    struct reading reading = {list, filters};
    *list = (struct list){.request = request, .reply = reply};
    int rc = request_page(request, INT32_MAX, &list->limit, &list->page.after);
    if (rc)
        return rc;
    request_query_each(request, read_filter, &reading);
    if (list->filter_count == 0 && list->limit < INT32_MAX)
        list->page.limit = list->limit + 1;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, collection);
    return 0;
}

static const struct list_filter *find_exact(const struct list *list, const char *name)
{
    for (size_t i = 0; i < list->filter_count; i++)
        if (strcmp(list->filters[i].name, name) == 0 && list->filters[i].comparison == LIST_EQUALS &&
            !list->filters[i].ignore_case)
            return &list->filters[i];
    return NULL;
}

const char *list_exact(const struct list *list, const char *name)
{
    const struct list_filter *filter = find_exact(list, name);
    return filter ? filter->value : NULL;
}

bool list_is_true(const char *value)
{
    static const char *const falses[] = {"0", "false", "no", "off", "n", "f"};
    for (size_t i = 0; i < sizeof(falses) / sizeof(falses[0]); i++)
        if (strcasecmp(value, falses[i]) == 0)
            return false;
    return true;
}

int list_exact_flag(const struct list *list, const char *name)
{
    const struct list_filter *filter = find_exact(list, name);
    return filter ? list_is_true(filter->value) : -1;
}

static bool same(const char *a, const char *b, size_t size, bool ignore_case)
{
    return (ignore_case ? strncasecmp(a, b, size) : strncmp(a, b, size)) == 0;
}

static bool matches(const struct list_filter *filter, const char *value)
{
    size_t wanted = strlen(filter->value), size = strlen(value);
    switch (filter->comparison) {
    case LIST_EQUALS:
        return size == wanted && same(value, filter->value, size, filter->ignore_case);
    case LIST_STARTS_WITH:
        return same(value, filter->value, wanted, filter->ignore_case);
    case LIST_ENDS_WITH:
        return size >= wanted && same(value + size - wanted, filter->value, wanted, filter->ignore_case);
    case LIST_CONTAINS:
        return filter->ignore_case ? strcasestr(value, filter->value) : strstr(value, filter->value);
    }
    return false;
}

bool list_text(const struct list *list, const char *name, const char *value)
{
    for (size_t i = 0; i < list->filter_count; i++)
        if (strcmp(list->filters[i].name, name) == 0 && (!value || !matches(&list->filters[i], value)))
            return false;
    return true;
}

bool list_flag(const struct list *list, const char *name, bool value)
{
    for (size_t i = 0; i < list->filter_count; i++)
        if (strcmp(list->filters[i].name, name) == 0 && list_is_true(list->filters[i].value) != value)
            return false;
    return true;
}

bool list_take(struct list *list, const char *key)
{
    if (list->count == list->limit) {
        list->more = true;
        return false;
    }
    list->count++;
    snprintf(list->last, sizeof(list->last), "%s", key);
    return true;
}

int list_rc(int rc)
{
    return rc == LIST_STOP ? 0 : rc;
}

static void put_encoded(struct strbuf *out, const char *text)
{
    for (; *text; text++)
        if (strchr("-._~", *text) || (*text >= '0' && *text <= '9') || ((*text | 32) >= 'a' && (*text | 32) <= 'z'))
            strbuf_append_char(out, *text);
        else
            strbuf_appendf(out, "%%%02X", (unsigned char)*text);
}

static int keep_argument(void *arg, const char *name, const char *value)
{
    struct strbuf *query = arg;
    if (strcmp(name, "marker") == 0)
        return 0;
    strbuf_append_char(query, query->size ? '&' : '?');
    put_encoded(query, name);
    strbuf_append_char(query, '=');
    put_encoded(query, value);
    return 0;
}

static const char *next_url(struct list *list, const char *here)
{
    struct strbuf query;
    strbuf_init(&query, 65536);
    request_query_each(list->request, keep_argument, &query);
    strbuf_append_char(&query, query.size ? '&' : '?');
    strbuf_append_text(&query, "marker=");
    put_encoded(&query, list->last);
    const char *url = arena_printf(&list->request->arena, "%s%s", here, query.data);
    strbuf_done(&query);
    return url;
}

void list_end(struct list *list)
{
    struct json_out *o = &list->reply->out;
    const char *here =
        arena_printf(&list->request->arena, "%s%s", request_base_url(list->request), list->request->path);
    const char *raw = request_query_raw(list->request);
    json_out_array_end(o);
    json_out_object(o, "links");
    json_out_text(o, "next", list->more ? next_url(list, here) : NULL);
    json_out_textf(o, "self", "%s%s%s", here, *raw ? "?" : "", raw);
    json_out_null(o, "previous");
    json_out_object_end(o);
    json_out_object_end(o);
}
