/* Rating a project. Time is added up per subject and shape first (a month of intervals becomes a handful of sums), then
 * priced once per resource. All sums are exact; the order in which rows come does not matter. */
#include "metering/bill/bill.h"
#include "common/model/usage.h"
#include "db/store_amount.h"
#include "db/store_counter.h"
#include "metering/bill/bill_internal.h"
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct bill_shape_entry {
    int64_t no;
    struct bill_shape shape;
    UT_hash_handle hh;
};

/* ---- shapes ---- */

struct extra {
    struct bill *bill;
    struct bill_shape *shape;
};

static void add_units(const struct bill *b, struct bill_shape *s, const char *resource, int64_t units)
{
    int index = book_resource(&b->resources, resource);
    if (index >= 0 && units > 0) {
        s->units[s->unit_count++] = (struct bill_units){(size_t)index, units};
    }
}

static int add_extra(void *arg, const char *name, json_value *value)
{
    const struct extra *x = arg;
    int64_t units = 0;
    if (json_in_int(value, &units)) {
        add_units(x->bill, x->shape, name, units);
    }
    return 0;
}

static const char *text_member(struct bill *b, json_value *object, const char *name)
{
    const char *text = json_in_text(json_in_member(object, name));
    return text ? arena_strdup(&b->arena, text) : "";
}

static int read_shape(struct bill *b, struct bill_shape *s, struct error *e)
{
    struct json_doc tags, extra;
    if (json_in_parse(s->facts.tags, strlen(s->facts.tags), &tags, NULL)) {
        return error_set(e, ERR_CORRUPT, "the tags of a shape cannot be read");
    }
    if (json_in_parse(s->facts.extra, strlen(s->facts.extra), &extra, NULL)) {
        json_in_done(&tags);
        return error_set(e, ERR_CORRUPT, "the resources of a shape cannot be read");
    }
    s->tag_count = json_in_count(tags.root);
    const char **list = arena_array(&b->arena, s->tag_count + 1, sizeof(*list));
    for (size_t i = 0; i < s->tag_count; i++) {
        list[i] = arena_strdup(&b->arena, json_in_text(json_in_item(tags.root, i)));
    }
    s->tags = list;
    s->units = arena_array(&b->arena, json_in_count(extra.root) + 4, sizeof(*s->units));
    if (strcmp(s->facts.source, "server") == 0) {
        add_units(b, s, "server", 1);
        add_units(b, s, "vcpu", s->facts.vcpus);
        add_units(b, s, "memory_mib", s->facts.memory_mib);
        add_units(b, s, "disk_gib", s->facts.disk_gib);
    }
    json_in_each(extra.root, add_extra, &(struct extra){b, s});
    s->spot = json_in_has(extra.root, "spot");
    s->network = text_member(b, extra.root, "network");
    s->reservation = text_member(b, extra.root, "from_reservation");
    json_in_done(&tags);
    json_in_done(&extra);
    return 0;
}

static int shape_of(struct bill *b, int64_t no, const struct bill_shape **ret, struct error *e)
{
    struct bill_shape_entry *s;
    HASH_FIND(hh, b->shapes, &no, sizeof(no), s);
    if (!s) {
        s = arena_alloc(&b->arena, sizeof(*s));
        s->no = no;
        int rc = store_ledger_shape_get(b->conn, no, &b->arena, &s->shape.facts, e);
        rc = rc ? rc : read_shape(b, &s->shape, e);
        if (rc) {
            return rc;
        }
        HASH_ADD(hh, b->shapes, no, sizeof(s->no), s);
    }
    *ret = &s->shape;
    return 0;
}

int bill_open(struct db_conn *c, struct bill *ret, struct error *e)
{
    *ret = (struct bill){.conn = c};
    arena_init(&ret->arena);
    int rc = book_resources_load(c, &ret->arena, &ret->resources, e);
    if (rc) {
        arena_done(&ret->arena);
    }
    return rc;
}

void bill_close(struct bill *b)
{
    HASH_CLEAR(hh, b->shapes);
    arena_done(&b->arena);
}

/* ---- adding up ---- */

struct sum_key {
    int64_t subject_no, shape_no, host_no;
};
/* What one subject in one shape used, per version of the book (a segment of the period). */
struct sum {
    struct sum_key key;
    int64_t *us;      /* [segment] */
    int64_t *surplus; /* [segment * RATE_ROUNDINGS_MAX + rounding]: charged beyond it at the ends of runs */
    int64_t *amounts; /* [segment * resources + resource]: counters; NULL before the first */
    UT_hash_handle hh;
};
struct text {
    int64_t no;
    const char *text;
    UT_hash_handle hh;
};

struct run {
    struct bill *bill;
    const char *project;
    const struct bill_period *period;
    const struct book_versions *books;
    size_t first, end; /* the versions that hold in the period */
    bool by_host;
    struct arena *arena;
    struct sum *sums;
    struct text *texts;
    struct bill_line *lines;
    size_t count, room;
};

static void find_segments(struct run *r)
{
    const struct book_versions *b = r->books;
    while (r->first + 1 < b->count && b->items[r->first + 1].from_us <= r->period->from_us) {
        r->first++;
    }
    r->end = r->first;
    while (r->end < b->count && (r->end == r->first || b->items[r->end].from_us < r->period->to_us)) {
        r->end++;
    }
}

static struct sum *sum_of(struct run *r, int64_t subject_no, int64_t shape_no, int64_t host_no)
{
    struct sum_key key = {subject_no, shape_no, r->by_host ? host_no : 0};
    struct sum *s;
    HASH_FIND(hh, r->sums, &key, sizeof(key), s);
    if (!s) {
        s = arena_alloc(r->arena, sizeof(*s));
        s->key = key;
        s->us = arena_array(r->arena, r->end - r->first, sizeof(*s->us));
        s->surplus = arena_array(r->arena, (r->end - r->first) * RATE_ROUNDINGS_MAX, sizeof(*s->surplus));
        HASH_ADD(hh, r->sums, key, sizeof(key), s);
    }
    return s;
}

/* The end of the version's time within the period. */
static int64_t segment_end(const struct run *r, size_t k)
{
    bool next = k + 1 < r->books->count && r->books->items[k + 1].from_us < r->period->to_us;
    return next ? r->books->items[k + 1].from_us : r->period->to_us;
}

static int add_row(void *arg, const struct ledger_row *row, struct error *e)
{
    (void)e;
    struct run *r = arg;
    struct usage_interval i = {.begin_us = row->begin_us, .end_us = row->end_us};
    bool ends = row->run_us >= 0 && row->end_us >= r->period->from_us && row->end_us < r->period->to_us;
    struct sum *s = NULL;
    for (size_t k = r->first; k < r->end && r->books->items[k].from_us <= row->end_us; k++) {
        const struct rate_book *b = &r->books->items[k];
        size_t segment = k - r->first;
        int64_t begin = b->from_us > r->period->from_us ? b->from_us : r->period->from_us;
        int64_t end = segment_end(r, k), us = end > begin ? usage_within(&i, begin, end) : 0;
        bool ends_here = ends && row->end_us >= begin && row->end_us < end;
        if (us == 0 && !ends_here) {
            continue;
        }
        s = s ? s : sum_of(r, row->subject_no, row->shape_no, row->host_no);
        s->us[segment] += us;
        for (size_t n = 0; ends_here && n < b->rounding_count; n++) {
            s->surplus[segment * RATE_ROUNDINGS_MAX + n] +=
                rate_surplus_us(&b->roundings[n], row->end_us - row->run_us);
        }
    }
    return 0;
}

/* An hour counts where it begins. */
static int add_amount(void *arg, const struct amount_row *row, struct error *e)
{
    struct run *r = arg;
    int resource = book_resource(&r->bill->resources, row->resource);
    if (resource < 0) {
        return error_set(e, ERR_CORRUPT, "\"%s\" was counted and is no resource", row->resource);
    }
    for (size_t k = r->first; k < r->end; k++) {
        if (row->hour_us >= r->books->items[k].from_us && row->hour_us < segment_end(r, k)) {
            struct sum *s = sum_of(r, row->subject_no, row->shape_no, row->host_no);
            if (!s->amounts) {
                s->amounts = arena_array(r->arena, (r->end - r->first) * r->bill->resources.count, sizeof(*s->amounts));
            }
            s->amounts[(k - r->first) * r->bill->resources.count + (size_t)resource] += row->amount;
        }
    }
    return 0;
}

/* Counters of servers are amounts of the resources of their names. */
static int add_counters(void *arg, const struct counter_hour *h, struct error *e)
{
    int rc = 0;
    for (int k = 0; k < COUNTER_COUNT && !rc; k++) {
        const struct amount_row row = {.hour_us = h->hour_us,
                                       .subject_no = h->subject_no,
                                       .shape_no = h->shape_no,
                                       .host_no = h->host_no,
                                       .amount = h->used[k],
                                       .resource = store_counter_resource((enum counter_kind)k)};
        rc = row.amount > 0 ? add_amount(arg, &row, e) : 0;
    }
    return rc;
}

static int add_usage(struct run *r, int64_t project_no, struct error *e)
{
    struct db_conn *c = r->bill->conn;
    const struct bill_period *p = r->period;
    int rc = store_ledger_each(c, project_no, p->from_us, p->to_us, p->position, add_row, r, e);
    rc = rc ? rc : store_counter_each(c, project_no, p->from_us, p->to_us, p->generation, add_counters, r, e);
    return rc ? rc : store_amount_each(c, project_no, p->from_us, p->to_us, p->generation, add_amount, r, e);
}

/* ---- lines ---- */

static int text_of(struct run *r, int64_t no, const char **ret, struct error *e)
{
    struct text *t;
    HASH_FIND(hh, r->texts, &no, sizeof(no), t);
    if (!t) {
        t = arena_alloc(r->arena, sizeof(*t));
        t->no = no;
        int rc = store_ledger_text(r->bill->conn, no, r->arena, &t->text, e);
        if (rc) {
            return rc;
        }
        HASH_ADD(hh, r->texts, no, sizeof(t->no), t);
    }
    *ret = t->text;
    return 0;
}

static void add_line(struct run *r, const struct bill_line *line)
{
    r->lines = arena_more(r->arena, r->lines, r->count, &r->room, sizeof(*r->lines));
    r->lines[r->count++] = *line;
}

void bill_facts(const struct bill_line *line, const char *project, struct rate_facts *ret)
{
    const struct bill_shape *shape = line->shape;
    *ret = (struct rate_facts){.project = project,
                               .state = shape->facts.state,
                               .flavor = shape->facts.flavor,
                               .zone = shape->facts.zone,
                               .region = shape->facts.region,
                               .tags = shape->tags,
                               .tag_count = shape->tag_count,
                               .spot = shape->spot,
                               .network = line->network};
}

static void price_segment(struct run *r, const struct sum *s, size_t segment, struct bill_line *line)
{
    const struct bill_shape *shape = line->shape;
    struct rate_facts facts;
    size_t resources = r->bill->resources.count;
    line->book = &r->books->items[r->first + segment];
    line->network = "";
    bill_facts(line, r->project, &facts);
    for (size_t i = 0; i < shape->unit_count; i++) {
        line->resource = shape->units[i].resource;
        line->rule = rate_match(line->book, line->resource, &facts);
        if (line->rule && r->bill->resources.items[line->resource].timed) {
            int64_t surplus = s->surplus[segment * RATE_ROUNDINGS_MAX + line->rule->rounding];
            line->quantity = (__int128)shape->units[i].units * (s->us[segment] + surplus);
            add_line(r, line);
        }
    }
    for (size_t i = 0; s->amounts && i < resources; i++) {
        line->resource = i;
        line->quantity = s->amounts[segment * resources + i];
        line->network = facts.network = r->bill->resources.items[i].by_network ? shape->network : "";
        line->rule = line->quantity > 0 ? rate_match(line->book, i, &facts) : NULL;
        if (line->rule) {
            add_line(r, line);
        }
    }
}

static int price_sums(struct run *r, struct error *e)
{
    int rc = 0;
    for (const struct sum *s = r->sums; s && !rc; s = s->hh.next) {
        struct bill_line line = {0};
        rc = shape_of(r->bill, s->key.shape_no, &line.shape, e);
        rc = rc ? rc : text_of(r, s->key.subject_no, &line.subject, e);
        if (!rc && r->by_host) {
            rc = text_of(r, s->key.host_no, &line.host, e);
        }
        for (size_t k = 0; !rc && k < r->end - r->first; k++) {
            price_segment(r, s, k, &line);
        }
    }
    return rc;
}

int bill_order(const struct bill_line *a, const struct bill_line *b)
{
    if (a->resource != b->resource) {
        return a->resource < b->resource ? -1 : 1;
    }
    if (a->book != b->book) {
        return a->book < b->book ? -1 : 1;
    }
    if (a->rule != b->rule) {
        return a->rule < b->rule ? -1 : 1;
    }
    const struct ledger_shape *x = &a->shape->facts, *y = &b->shape->facts;
    int by = x == y ? 0 : strcmp(x->flavor, y->flavor);
    by = by || x == y ? by : strcmp(x->state, y->state);
    by = by || x == y ? by : strcmp(x->zone, y->zone);
    by = by || x == y ? by : strcmp(x->region, y->region);
    by = by || x == y ? by : strcmp(x->tags, y->tags);
    by = by ? by : strcmp(a->network, b->network);
    by = by || x == y ? by : strcmp(a->shape->reservation, b->shape->reservation);
    by = by || x == y ? by : (int)a->shape->spot - (int)b->shape->spot;
    by = by ? by : strcmp(a->subject, b->subject);
    by = by || !a->host ? by : strcmp(a->host, b->host);
    if (!by && a->commitment != b->commitment) { /* those come before the rest */
        return !b->commitment || (a->commitment && a->commitment < b->commitment) ? -1 : 1;
    }
    return by || a->tier == b->tier ? by : a->tier < b->tier ? -1 : 1;
}

static int compare(const void *a, const void *b)
{
    return bill_order(a, b);
}

static void merge_equal(struct run *r)
{
    size_t kept = 0;
    if (r->count > 1) {
        qsort(r->lines, r->count, sizeof(*r->lines), compare);
    }
    for (size_t i = 0; i < r->count; i++) {
        if (r->lines[i].quantity == 0) {
            continue;
        }
        if (kept > 0 && bill_order(&r->lines[kept - 1], &r->lines[i]) == 0) {
            r->lines[kept - 1].quantity += r->lines[i].quantity;
        } else {
            r->lines[kept++] = r->lines[i];
        }
    }
    r->count = kept;
}

int bill_quantities(struct bill *b, const char *project, const struct bill_period *period,
                    const struct book_versions *books, bool by_host, struct arena *a, struct bill_lines *ret,
                    struct error *e)
{
    struct run r = {.bill = b, .project = project, .period = period, .books = books, .by_host = by_host, .arena = a};
    int64_t no = 0;
    find_segments(&r);
    int rc = books->count > 0 ? store_ledger_find(b->conn, "project", project, &no, e) : 0;
    if (!rc && no > 0) {
        rc = add_usage(&r, no, e);
        rc = rc ? rc : price_sums(&r, e);
    }
    if (!rc) {
        merge_equal(&r);
        *ret = (struct bill_lines){r.lines, r.count};
    }
    HASH_CLEAR(hh, r.sums);
    HASH_CLEAR(hh, r.texts);
    return rc;
}

int bill_project(struct bill *b, const char *project, const struct bill_period *period,
                 const struct book_versions *books, bool by_host, struct arena *a, struct bill_lines *ret,
                 struct error *e)
{
    struct bill_lines lines = {0};
    int rc = bill_quantities(b, project, period, books, by_host, a, &lines, e);
    return rc ? rc : bill_price(b, project, period, books, &lines, a, ret, e);
}

int64_t bill_sum(const struct bill_lines *lines)
{
    int64_t sum = 0;
    for (size_t i = 0; i < lines->count; i++) {
        sum += lines->items[i].amount_nano;
    }
    return sum;
}

int64_t bill_discount(const struct rate_discount *d, const char *project, const struct bill_lines *lines)
{
    int64_t sum = 0;
    if (d->project && strcmp(d->project, project) != 0) {
        return 0;
    }
    for (size_t i = 0; i < lines->count; i++) {
        if (!lines->items[i].commitment && (d->any_resource || lines->items[i].resource == d->resource)) {
            sum += lines->items[i].amount_nano;
        }
    }
    return rate_share(sum, d->ppm);
}
