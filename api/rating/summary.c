/* GET /v2/summary: quantity and charge of a period, grouped, in CloudKitty's shape: {"total", "columns", "results":
 * [[...]]}. The sum over all groups is exact: it is taken in 128 bits and rounded once per line. Open intervals count
 * up to now. */
#include "api/http/handler.h"
#include "api/rating/books.h"
#include "api/rating/period.h"
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "db/store_usage.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#define GROUPS_MAX 8

enum group_by { BY_TYPE, BY_PROJECT, BY_SERVER, BY_FLAVOR, BY_STATE, BY_HOST, BY_COUNT };
static const char *const group_names[BY_COUNT] = {"type", "project_id", "id", "flavor_name", "state", "host_id"};

struct line {
    char *key; /* group values joined by a unit separator */
    const char *values[GROUPS_MAX];
    struct usage_sum sum;
    UT_hash_handle hh;
};

struct summary {
    struct request *request;
    struct books books;
    struct period period;
    enum group_by groups[GROUPS_MAX];
    size_t group_count;
    int only_type; /* -1: all */
    struct line *lines;
    size_t count;
};

static const char *group_value(enum group_by g, const struct usage_row *row, enum usage_resource r)
{
    switch (g) {
    case BY_TYPE:
        return usage_resource_name(r);
    case BY_PROJECT:
        return row->project_id;
    case BY_SERVER:
        return row->server_id;
    case BY_FLAVOR:
        return row->flavor;
    case BY_STATE:
        return server_state_name(row->interval.state);
    case BY_HOST:
        return row->host_id;
    case BY_COUNT:
        break;
    }
    return "";
}

static struct line *line_for(struct summary *s, const struct usage_row *row, enum usage_resource r)
{
    struct arena *a = &s->request->arena;
    char key[GROUPS_MAX * 264];
    size_t used = 0;
    for (size_t i = 0; i < s->group_count; i++) {
        const char *value = group_value(s->groups[i], row, r);
        size_t size = strlen(value);
        memcpy(key + used, value, size);
        used += size;
        key[used++] = '\x1f';
    }
    struct line *line;
    HASH_FIND(hh, s->lines, key, used, line);
    if (!line) {
        line = arena_alloc(a, sizeof(*line));
        line->key = arena_strndup(a, key, used);
        for (size_t i = 0; i < s->group_count; i++) {
            line->values[i] = arena_strdup(a, group_value(s->groups[i], row, r));
        }
        HASH_ADD_KEYPTR(hh, s->lines, line->key, used, line);
        s->count++;
    }
    return line;
}

static int add_row(void *arg, const struct usage_row *row, struct error *e)
{
    (void)e;
    struct summary *s = arg;
    for (int r = 0; r < USAGE_RESOURCE_COUNT; r++) {
        if (s->only_type >= 0 && s->only_type != r) {
            continue;
        }
        struct line *line = line_for(s, row, (enum usage_resource)r);
        usage_add(&line->sum, &row->interval, (enum usage_resource)r, s->period.from_us, s->period.to_us,
                  s->books.items, s->books.count);
    }
    return 0;
}

static int add_group(struct summary *s, const char *name, size_t size)
{
    for (int g = 0; g < BY_COUNT; g++) {
        if (strlen(group_names[g]) == size && memcmp(group_names[g], name, size) == 0) {
            if (s->group_count == GROUPS_MAX) {
                return error_set(&s->request->error, ERR_INVALID, "groupby: at most %d", GROUPS_MAX);
            }
            s->groups[s->group_count++] = (enum group_by)g;
            return 0;
        }
    }
    return error_set(&s->request->error, ERR_INVALID,
                     "groupby: \"%.*s\" is not one of type, project_id, id, flavor_name, state, host_id", (int)size,
                     name);
}

/* Repeated arguments and comma-separated lists, as clients do both. */
static int read_groups(struct summary *s)
{
    const char *value;
    int rc = 0;
    for (size_t i = 0; !rc && (value = request_query_at(s->request, "groupby", i)); i++) {
        while (!rc && *value) {
            size_t size = strcspn(value, ",");
            rc = add_group(s, value, size);
            value += size + (value[size] == ',');
        }
    }
    return rc;
}

static int by_key(const struct line *a, const struct line *b)
{
    return strcmp(a->key, b->key);
}

static void write_quantity(struct json_out *out, const struct usage_sum *sum)
{
    char text[48];
    int64_t micro = usage_quantity_micro(sum);
    snprintf(text, sizeof(text), "%" PRId64 ".%06" PRId64, micro / 1000000, micro % 1000000);
    json_out_raw(out, NULL, text);
}

static void write_line(struct json_out *out, const struct summary *s, const struct line *line)
{
    char begin[CLOCK_TEXT_SIZE], end[CLOCK_TEXT_SIZE], rate[MONEY_TEXT_SIZE];
    json_out_array(out, NULL);
    json_out_text(out, NULL, clock_text(s->period.from_us, CLOCK_ISO, begin));
    json_out_text(out, NULL, clock_text(s->period.to_us, CLOCK_ISO, end));
    write_quantity(out, &line->sum);
    json_out_raw(out, NULL, money_text(usage_charge_nano(&line->sum), rate));
    for (size_t i = 0; i < s->group_count; i++) {
        json_out_text(out, NULL, line->values[i]);
    }
    json_out_array_end(out);
}

static void write_summary(struct json_out *out, struct summary *s)
{
    json_out_object(out, NULL);
    json_out_uint(out, "total", s->count);
    json_out_text(out, "currency", s->books.currency);
    json_out_array(out, "columns");
    json_out_text(out, NULL, "begin");
    json_out_text(out, NULL, "end");
    json_out_text(out, NULL, "qty");
    json_out_text(out, NULL, "rate");
    for (size_t i = 0; i < s->group_count; i++) {
        json_out_text(out, NULL, group_names[s->groups[i]]);
    }
    json_out_array_end(out);
    json_out_array(out, "results");
    HASH_SORT(s->lines, by_key);
    for (const struct line *line = s->lines; line; line = line->hh.next) {
        write_line(out, s, line);
    }
    json_out_array_end(out);
    json_out_object_end(out);
}

static int read_type(struct summary *s)
{
    const char *type = request_query(s->request, "type");
    s->only_type = type ? usage_resource_parse(type) : -1;
    if (type && s->only_type < 0) {
        return error_set(&s->request->error, ERR_INVALID, "type: \"%s\" is not metered", type);
    }
    return 0;
}

static int summary_show(struct request *request, struct reply *reply)
{
    struct summary s = {.request = request};
    const char *project = NULL;
    int rc = period_read(request, &s.period);
    rc = rc ? rc : rating_project(request, &project);
    rc = rc ? rc : read_groups(&s);
    rc = rc ? rc : read_type(&s);
    rc = rc ? rc : books_load(request->conn, &request->arena, &s.books, &request->error);
    rc = rc ? rc
            : store_usage_each(request->conn, project, request_query(request, "id"), s.period.from_us, s.period.to_us,
                               add_row, &s, &request->error);
    if (!rc) {
        write_summary(&reply->out, &s);
    }
    HASH_CLEAR(hh, s.lines);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v2/summary", .permission = PERMISSION_READER, .handler = summary_show},
};
const struct route_table summary_routes = ROUTE_TABLE(rows);
