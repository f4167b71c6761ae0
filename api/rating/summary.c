/* GET /v2/summary: quantity and charge of a period, grouped, in CloudKitty's shape: {"total", "columns", "results":
 * [[...]]}. Charges are sums over lines as invoices have them, so that both agree. Open intervals count up to now. */
#include "api/http/handler.h"
#include "api/rating/rated.h"
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include <string.h>
#include <uthash.h>

#define GROUPS_MAX 8
#define ROWS_MAX   10000

enum group_by { BY_TYPE, BY_PROJECT, BY_SERVER, BY_FLAVOR, BY_STATE, BY_ZONE, BY_TAGS, BY_NETWORK, BY_HOST, BY_COUNT };
static const char *const group_names[BY_COUNT] = {"type", "project_id", "id",      "flavor_name", "state",
                                                  "zone", "tags",       "network", "host_id"};

struct line {
    char *key; /* group values joined by a unit separator */
    const char *values[GROUPS_MAX];
    __int128 quantity; /* millionths of the unit */
    int64_t nano;
    UT_hash_handle hh;
};

struct summary {
    struct request *request;
    struct period period;
    const char *currency, *only_id;
    enum group_by groups[GROUPS_MAX];
    size_t group_count;
    const char *only_type, *only_tag; /* NULL: all */
    struct line *lines;
    size_t count;
    int64_t offset, limit; /* rows that are shown */
};

static const char *group_value(enum group_by g, const struct rated *r, const struct bill_line *l)
{
    switch (g) {
    case BY_TYPE:
        return r->bill.resources.items[l->resource].name;
    case BY_PROJECT:
        return r->project;
    case BY_SERVER:
        return l->subject;
    case BY_FLAVOR:
        return l->shape->facts.flavor;
    case BY_STATE:
        return l->shape->facts.state;
    case BY_ZONE:
        return l->shape->facts.zone;
    case BY_TAGS:
        return l->shape->facts.tags;
    case BY_NETWORK:
        return l->network;
    case BY_HOST:
        return l->host;
    case BY_COUNT:
        break;
    }
    return "";
}

static struct line *line_for(struct summary *s, const struct rated *r, const struct bill_line *l)
{
    struct arena *a = &s->request->arena;
    struct strbuf key;
    struct line *line;
    strbuf_init(&key, 0);
    for (size_t i = 0; i < s->group_count; i++) {
        strbuf_append_text(&key, group_value(s->groups[i], r, l));
        strbuf_append_char(&key, '\x1f');
    }
    HASH_FIND(hh, s->lines, key.data, key.size, line);
    if (!line) {
        line = arena_alloc(a, sizeof(*line));
        line->key = arena_strndup(a, key.data, key.size);
        for (size_t i = 0; i < s->group_count; i++) {
            line->values[i] = arena_strdup(a, group_value(s->groups[i], r, l));
        }
        HASH_ADD_KEYPTR(hh, s->lines, line->key, key.size, line);
        s->count++;
    }
    strbuf_done(&key);
    return line;
}

static int add_project(void *arg, const struct rated *r)
{
    struct summary *s = arg;
    s->currency = arena_strdup(&s->request->arena, r->currency);
    for (size_t i = 0; i < r->lines.count; i++) {
        const struct bill_line *l = &r->lines.items[i];
        const struct rate_resource *resource = &r->bill.resources.items[l->resource];
        if ((s->only_type && strcmp(s->only_type, resource->name) != 0) ||
            (s->only_id && strcmp(s->only_id, l->subject) != 0) || (s->only_tag && !bill_has_tag(l, s->only_tag))) {
            continue;
        }
        struct line *line = line_for(s, r, l);
        line->quantity += rate_micro(l->quantity, rate_unit_base(resource));
        line->nano += l->amount_nano;
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
            if (g == BY_HOST && !(s->request->credential.roles & ROLE_ADMIN)) {
                return error_set(&s->request->error, ERR_FORBIDDEN, "groupby: hosts are for administrators to see");
            }
            s->groups[s->group_count++] = (enum group_by)g;
            return 0;
        }
    }
    return error_set(
        &s->request->error, ERR_INVALID,
        "groupby: \"%.*s\" is not one of type, project_id, id, flavor_name, state, zone, tags, network, host_id",
        (int)size, name);
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

static void write_line(struct json_out *out, const struct summary *s, const struct line *line)
{
    char begin[CLOCK_TEXT_SIZE], end[CLOCK_TEXT_SIZE], rate[MONEY_TEXT_SIZE];
    json_out_array(out, NULL);
    json_out_text(out, NULL, clock_text(s->period.from_us, CLOCK_ISO, begin));
    json_out_text(out, NULL, clock_text(s->period.to_us, CLOCK_ISO, end));
    rating_write_quantity(out, NULL, line->quantity, 1000000);
    json_out_raw(out, NULL, money_text(line->nano, rate));
    for (size_t i = 0; i < s->group_count; i++) {
        json_out_text(out, NULL, line->values[i]);
    }
    json_out_array_end(out);
}

static void write_summary(struct json_out *out, struct summary *s)
{
    json_out_object(out, NULL);
    json_out_uint(out, "total", s->count);
    json_out_text(out, "currency", s->currency ? s->currency : "");
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
    int64_t seen = 0;
    for (const struct line *line = s->lines; line; line = line->hh.next, seen++) {
        if (seen >= s->offset && seen < s->offset + s->limit) {
            write_line(out, s, line);
        }
    }
    json_out_array_end(out);
    json_out_object_end(out);
}

static bool has_group(const struct summary *s, enum group_by g)
{
    for (size_t i = 0; i < s->group_count; i++) {
        if (s->groups[i] == g) {
            return true;
        }
    }
    return false;
}

static int summary_show(struct request *request, struct reply *reply)
{
    struct summary s = {.request = request,
                        .only_type = rating_filter(request, "type"),
                        .only_id = rating_filter(request, "id"),
                        .only_tag = rating_filter(request, "tag")};
    const char *project = NULL, *marker;
    int rc = period_read(request, &s.period);
    rc = rc ? rc : rating_project(request, &project);
    rc = rc ? rc : read_groups(&s);
    rc = rc ? rc : request_page(request, ROWS_MAX, &s.limit, &marker);
    rc = rc ? rc : rating_offset(request, &s.offset);
    rc = rc ? rc : rated_each(request, project, &s.period, has_group(&s, BY_HOST), NULL, add_project, &s);
    if (!rc) {
        write_summary(&reply->out, &s);
    }
    HASH_CLEAR(hh, s.lines);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v2/summary", .permission = PERMISSION_BILLED, .handler = summary_show},
};
const struct route_table summary_routes = ROUTE_TABLE(rows);
