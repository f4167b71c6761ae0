/* virga capacity: how many more servers of each flavor fit, what limits it, and what one more host would add. Hosts
 * that are down or disabled do not count. Further resources of the flavor (resources:CUSTOM_GPU, processors of its own)
 * limit as the common three do. Traits, groups and zones are the scheduler's business: this is room alone. */
#include "cli/commands.h"
#include "cli/listing.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/model/resources.h"
#include "common/model/trend.h"
#include "db/store_flavor.h"
#include "db/store_host.h"
#include "db/store_pool.h"
#include "db/store_resource.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TREND_US ((int64_t)30 * 86400 * CLOCK_SECOND_US)

/* Of further classes (CUSTOM_GPU, PCPU ...) what the host has, as its rows say. */
struct room {
    struct resources capacity, used;
    const struct host_resource_row *classes;
    size_t class_count;
};
/* What one server of a flavor takes. */
struct demand {
    struct arena *arena;
    struct resources need;
    struct {
        const char *name;
        int64_t amount;
    } classes[STORE_RESOURCE_CLASSES_MAX];
    size_t class_count;
};
#define NOTHING_LIMITS SIZE_MAX
struct capacity {
    struct listing listing; /* first */
    struct cli *cli;
    int64_t now_us;
    struct room *hosts;
    size_t count, space;
    struct kind {
        struct resources total;
        struct room room;
        int64_t hosts;
    } * kinds; /* hosts of every size that is known, also those that are down */
    size_t kind_count, kind_space;
    struct host_resource_row *resources; /* of all hosts, by host and name */
    size_t resource_count;
};

static bool is_alike(const struct room *a, const struct room *b)
{
    bool alike = memcmp(&a->capacity, &b->capacity, sizeof(a->capacity)) == 0 && a->class_count == b->class_count;
    for (size_t i = 0; alike && i < a->class_count; i++)
        alike = strcmp(a->classes[i].name, b->classes[i].name) == 0 &&
                resource_capacity(&a->classes[i].inventory) == resource_capacity(&b->classes[i].inventory);
    return alike;
}

static void add_kind(struct capacity *c, const struct host_row *row, const struct room *room)
{
    struct kind *k = c->kinds, *end = c->kinds + c->kind_count;
    while (k < end && !is_alike(&k->room, room))
        k++;
    if (k == end) {
        c->kinds = arena_more(&c->cli->arena, c->kinds, c->kind_count, &c->kind_space, sizeof(*c->kinds));
        k = &c->kinds[c->kind_count++];
        *k = (struct kind){.total = row->total, .room = *room};
    }
    k->hosts++;
}

/* The rows of the host among those of all. */
static void find_classes(const struct capacity *c, const char *host_id, struct room *room)
{
    size_t low = 0, high = c->resource_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(c->resources[middle].host_id, host_id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    room->classes = c->resources + low;
    while (low + room->class_count < c->resource_count &&
           strcmp(c->resources[low + room->class_count].host_id, host_id) == 0)
        room->class_count++;
}

static int add_host(void *arg, const struct host_row *row, struct error *e)
{
    struct capacity *c = arg;
    struct room room = {.used = row->used};
    (void)e;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        struct resource_inventory i = {
            .total = row->total.amount[r], .reserved = row->reserved.amount[r], .ratio_permille = row->ratio.amount[r]};
        room.capacity.amount[r] = resource_capacity(&i);
    }
    find_classes(c, row->id, &room);
    add_kind(c, row, &room);
    if (!row->enabled || row->asleep_us || c->now_us - row->seen_us > STORE_HOST_ALIVE_US)
        return 0;
    c->hosts = arena_more(&c->cli->arena, c->hosts, c->count, &c->space, sizeof(*c->hosts));
    c->hosts[c->count++] = room;
    return 0;
}

/* ---- what a flavor takes ---- */

static void ask(struct demand *d, const char *name, int64_t amount)
{
    size_t i = 0;
    while (i < d->class_count && strcmp(d->classes[i].name, name) != 0)
        i++;
    if (i == STORE_RESOURCE_CLASSES_MAX)
        return;
    if (i == d->class_count)
        d->classes[d->class_count++].name = arena_strdup(d->arena, name);
    d->classes[i].amount += amount;
}

/* "resources:CUSTOM_GPU" or "resources1:CUSTOM_GPU"; of the three that every host has an amount replaces the flavor's.
 * Processors of their own are a class, PCPU. */
static int read_spec(void *arg, const char *name, json_value *value)
{
    struct demand *d = arg;
    const char *text = json_in_text(value), *class = strchr(name, ':');
    if (text != NULL && strcmp(name, "hw:cpu_policy") == 0 && strcmp(text, "dedicated") == 0) {
        ask(d, "PCPU", d->need.amount[RESOURCE_VCPU]);
        d->need.amount[RESOURCE_VCPU] = 0;
    }
    if (text == NULL || class == NULL || strncmp(name, "resources", strlen("resources")) != 0)
        return 0;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        if (strcmp(resource_name((enum resource)r), class + 1) == 0) {
            d->need.amount[r] = strtoll(text, NULL, 10);
            return 0;
        }
    }
    ask(d, class + 1, strtoll(text, NULL, 10));
    return 0;
}

static int read_demand(const struct flavor_row *row, struct arena *a, struct demand *ret, struct error *e)
{
    const char *specs = row->extra_specs != NULL ? row->extra_specs : "{}";
    struct json_doc doc;
    *ret = (struct demand){
        .arena = a,
        .need = {{row->vcpus, row->memory_mib, row->root_gib + row->ephemeral_gib + (row->swap_mib + 1023) / 1024}}};
    int rc = json_in_parse(specs, strlen(specs), &doc, e);
    if (rc)
        return rc;
    json_in_each(doc.root, read_spec, ret);
    json_in_done(&doc);
    return 0;
}

/* ---- how often it fits ---- */

static int64_t class_left(const struct room *room, const char *name, bool empty)
{
    for (size_t i = 0; i < room->class_count; i++)
        if (strcmp(room->classes[i].name, name) == 0)
            return resource_capacity(&room->classes[i].inventory) - (empty ? 0 : room->classes[i].used);
    return 0;
}

static void limit_by(int64_t left, int64_t need, size_t resource, int64_t *most, size_t *ret_limit)
{
    int64_t count = need > 0 ? (left > 0 ? left / need : 0) : INT64_MAX;
    if (count < *most) {
        *most = count;
        *ret_limit = resource;
    }
}

/* How often it fits, and what limits it: one of the three, or behind them one of its classes. `empty`: as if nothing
 * was held. */
static int64_t fit(const struct room *room, const struct demand *d, bool empty, size_t *ret_limit)
{
    int64_t most = INT64_MAX;
    *ret_limit = NOTHING_LIMITS;
    for (size_t r = 0; r < RESOURCE_COUNT; r++) {
        int64_t left = room->capacity.amount[r] - (empty ? 0 : room->used.amount[r]);
        limit_by(left, d->need.amount[r], r, &most, ret_limit);
    }
    for (size_t i = 0; i < d->class_count; i++)
        limit_by(class_left(room, d->classes[i].name, empty), d->classes[i].amount, RESOURCE_COUNT + i, &most,
                 ret_limit);
    return most == INT64_MAX ? 0 : most;
}

static const char *limit_name(const struct demand *d, size_t limit)
{
    return limit < RESOURCE_COUNT ? resource_name((enum resource)limit) : d->classes[limit - RESOURCE_COUNT].name;
}

/* "1024 (64 VCPU, 262144 MiB, 4096 GiB)", for each kind of host. */
static const char *name_kinds(const struct capacity *c, const struct demand *d, struct json_out *out)
{
    const char *text = "";
    if (out)
        json_out_array(out, "one_more_host");
    for (size_t i = 0; i < c->kind_count; i++) {
        const int64_t *total = c->kinds[i].total.amount;
        size_t limit;
        int64_t more = fit(&c->kinds[i].room, d, true, &limit);
        text = arena_printf(&c->cli->arena, "%s%s%" PRId64 " (%" PRId64 " VCPU, %" PRId64 " MiB, %" PRId64 " GiB)",
                            text, i ? "; " : "", more, total[RESOURCE_VCPU], total[RESOURCE_MEMORY_MIB],
                            total[RESOURCE_DISK_GIB]);
        if (!out)
            continue;
        json_out_object(out, NULL);
        json_out_int(out, "vcpus", total[RESOURCE_VCPU]);
        json_out_int(out, "memory_mib", total[RESOURCE_MEMORY_MIB]);
        json_out_int(out, "disk_gib", total[RESOURCE_DISK_GIB]);
        json_out_int(out, "hosts", c->kinds[i].hosts);
        json_out_int(out, "adds", more);
        json_out_object_end(out);
    }
    if (out)
        json_out_array_end(out);
    return text;
}

static int add_flavor(void *arg, const struct flavor_row *row, struct error *e)
{
    struct capacity *c = arg;
    struct json_out *out = c->listing.out;
    struct demand d;
    int64_t fits = 0, limits[RESOURCE_COUNT + STORE_RESOURCE_CLASSES_MAX] = {0};
    size_t limit, worst = 0;
    int rc = read_demand(row, &c->cli->arena, &d, e);
    if (rc)
        return rc;
    for (size_t i = 0; i < c->count; i++) {
        fits += fit(&c->hosts[i], &d, false, &limit);
        limits[limit == NOTHING_LIMITS ? 0 : limit]++;
    }
    for (size_t r = 0; r < RESOURCE_COUNT + d.class_count; r++)
        worst = limits[r] > limits[worst] ? r : worst;
    if (out) {
        json_out_object(out, NULL);
        json_out_text(out, "flavor", row->name);
        json_out_int(out, "fits", fits);
        json_out_text(out, "limited_by", limit_name(&d, worst));
        name_kinds(c, &d, out);
        json_out_object_end(out);
        return 0;
    }
    table_add(&c->listing.table, row->name);
    table_addf(&c->listing.table, "%" PRId64, fits);
    table_add(&c->listing.table, c->count ? limit_name(&d, worst) : "no host is up and enabled");
    table_add(&c->listing.table, name_kinds(c, &d, NULL));
    return 0;
}

static int read_all(struct db_conn *conn, void *arg, struct error *e)
{
    struct capacity *c = arg;
    struct flavor_query q = {.scope = FLAVOR_SCOPE_ALL, .limit = 10000};
    int rc = store_resource_list(conn, NULL, &c->cli->arena, &c->resources, &c->resource_count, e);
    rc = rc ? rc : store_host_list(conn, add_host, c, e);
    return rc ? rc : store_flavor_list(conn, &q, &c->cli->arena, add_flavor, c, e);
}

static int read_snapshot(struct cli *cli, struct listing *l, struct error *e)
{
    return db_snapshot(db_reader(cli->db), read_all, l, e);
}

static const char *say_growth(struct capacity *c, const struct trend *t)
{
    struct arena *a = &c->cli->arena;
    if (!t->known)
        return arena_printf(a, "not known: %zu hours of at least %d", t->count, TREND_LEAST_COUNT);
    return arena_printf(a, "%+.1f a day over %.1f days", t->a_day, (double)t->span_us / (86400.0 * 1e6));
}

static void add_trend(struct capacity *c, enum resource r, const struct pool_sums *sums, const struct trend *t)
{
    struct json_out *out = c->listing.out;
    int64_t used = sums->used.amount[r], capacity = sums->capacity.amount[r];
    int64_t full_us = trend_full_us(t, c->now_us, used, capacity);
    char text[CLOCK_TEXT_SIZE];
    const char *when = full_us ? clock_text(full_us, CLOCK_ISO_Z, text) : NULL;
    if (out) {
        json_out_object(out, NULL);
        json_out_text(out, "resource", resource_name(r));
        json_out_int(out, "used", used);
        json_out_int(out, "capacity", capacity);
        json_out_bool(out, "trend_known", t->known);
        json_out_int(out, "growth_a_day", t->known ? (int64_t)t->a_day : 0);
        json_out_text(out, "full_at", when);
        json_out_object_end(out);
        return;
    }
    table_add(&c->listing.table, resource_name(r));
    table_addf(&c->listing.table, "%" PRId64 " of %" PRId64, used, capacity);
    table_add(&c->listing.table, say_growth(c, t));
    table_add(&c->listing.table, when ? when : t->known ? "never at this trend" : NULL);
}

static int read_trend(struct db_conn *conn, void *arg, struct error *e)
{
    struct capacity *c = arg;
    struct pool_sums sums = {0};
    struct pool_hour *hours = NULL;
    size_t count = 0;
    int rc = store_pool_sums(conn, c->now_us, true, &sums, e);
    rc = rc ? rc : store_pool_past(conn, c->now_us - TREND_US, &c->cli->arena, &hours, &count, e);
    struct trend_point *points = arena_array(&c->cli->arena, count + 1, sizeof(*points));
    for (int r = 0; !rc && r < RESOURCE_COUNT; r++) {
        for (size_t i = 0; i < count; i++)
            points[i] = (struct trend_point){hours[i].hour_us, hours[i].sums.used.amount[r]};
        struct trend t = trend_of(points, count);
        add_trend(c, (enum resource)r, &sums, &t);
    }
    return rc;
}

static int read_trend_snapshot(struct cli *cli, struct listing *l, struct error *e)
{
    return db_snapshot(db_reader(cli->db), read_trend, l, e);
}

static int run(struct cli *cli, struct error *e)
{
    static const char *const headings[] = {"FLAVOR", "FITS", "LIMITED BY", "ONE MORE HOST ADDS", NULL};
    static const char *const trend_headings[] = {"RESOURCE", "USED", "GROWTH", "FULL AT", NULL};
    struct capacity c = {.cli = cli, .now_us = clock_now_us()};
    if (command_flag(cli, "trend"))
        return listing_run(cli, trend_headings, read_trend_snapshot, &c.listing, e);
    return listing_run(cli, headings, read_snapshot, &c.listing, e);
}

static const struct command_option options[] = {
    {"trend", NULL, "How full the whole pool is, and when it is full at the trend of the last 30 days."},
};

const struct command capacity_command = {
    .name = "capacity",
    .arguments = "",
    .summary = "How many more servers of each flavor fit, what limits it, and what one more host would add",
    .help =
        "Counts the room of hosts that are up, enabled and awake. One more host: of each size that there is. The past "
        "is noted by the hour; a trend needs a day of it.",
    COMMAND_OPTIONS(options),
    .run = run,
};
