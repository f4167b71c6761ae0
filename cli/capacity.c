/* virga capacity: how many more servers of each flavor fit, what limits it, and what one more host would add. Hosts
 * that are down or disabled do not count. Traits, groups and zones are the scheduler's business: this is room alone. */
#include "cli/commands.h"
#include "cli/listing.h"
#include "common/clock.h"
#include "common/model/resources.h"
#include "common/model/trend.h"
#include "db/store_flavor.h"
#include "db/store_host.h"
#include "db/store_pool.h"
#include <inttypes.h>
#include <string.h>

#define TREND_US ((int64_t)30 * 86400 * CLOCK_SECOND_US)

struct room {
    struct resources capacity, used;
};
struct capacity {
    struct listing listing; /* first */
    struct cli *cli;
    int64_t now_us;
    struct room *hosts;
    size_t count, space;
    struct kind {
        struct resources total, capacity;
        int64_t hosts;
    } * kinds; /* hosts of every size that is known, also those that are down */
    size_t kind_count, kind_space;
};

static void add_kind(struct capacity *c, const struct host_row *row, const struct resources *capacity)
{
    struct kind *k = c->kinds, *end = c->kinds + c->kind_count;
    while (k < end && memcmp(&k->capacity, capacity, sizeof(*capacity)) != 0)
        k++;
    if (k == end) {
        c->kinds = arena_more(&c->cli->arena, c->kinds, c->kind_count, &c->kind_space, sizeof(*c->kinds));
        k = &c->kinds[c->kind_count++];
        *k = (struct kind){.total = row->total, .capacity = *capacity};
    }
    k->hosts++;
}

static int add_host(void *arg, const struct host_row *row, struct error *e)
{
    struct capacity *c = arg;
    struct resources capacity;
    (void)e;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        struct resource_inventory i = {
            .total = row->total.amount[r], .reserved = row->reserved.amount[r], .ratio_permille = row->ratio.amount[r]};
        capacity.amount[r] = resource_capacity(&i);
    }
    add_kind(c, row, &capacity);
    if (!row->enabled || row->asleep_us || c->now_us - row->seen_us > STORE_HOST_ALIVE_US)
        return 0;
    c->hosts = arena_more(&c->cli->arena, c->hosts, c->count, &c->space, sizeof(*c->hosts));
    struct room *h = &c->hosts[c->count++];
    h->used = row->used;
    h->capacity = capacity;
    return 0;
}

/* How often `need` fits, and by what it is limited. */
static int64_t fit(const struct resources *capacity, const struct resources *used, const struct resources *need,
                   enum resource *ret_limit)
{
    int64_t most = INT64_MAX;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        int64_t left = capacity->amount[r] - used->amount[r];
        int64_t count = need->amount[r] > 0 ? (left > 0 ? left / need->amount[r] : 0) : INT64_MAX;
        if (count < most) {
            most = count;
            *ret_limit = (enum resource)r;
        }
    }
    return most == INT64_MAX ? 0 : most;
}

/* "1024 (64 VCPU, 262144 MiB, 4096 GiB)", for each kind of host. */
static const char *name_kinds(const struct capacity *c, const struct resources *need, struct json_out *out)
{
    static const struct resources nothing = {{0}};
    const char *text = "";
    if (out)
        json_out_array(out, "one_more_host");
    for (size_t i = 0; i < c->kind_count; i++) {
        const int64_t *total = c->kinds[i].total.amount;
        enum resource limit;
        int64_t more = fit(&c->kinds[i].capacity, &nothing, need, &limit);
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
    struct resources need = {
        {row->vcpus, row->memory_mib, row->root_gib + row->ephemeral_gib + (row->swap_mib + 1023) / 1024}};
    int64_t fits = 0, limits[RESOURCE_COUNT] = {0};
    enum resource limit = RESOURCE_VCPU, worst = RESOURCE_VCPU;
    (void)e;
    for (size_t i = 0; i < c->count; i++) {
        fits += fit(&c->hosts[i].capacity, &c->hosts[i].used, &need, &limit);
        limits[limit]++;
    }
    for (int r = 0; r < RESOURCE_COUNT; r++)
        worst = limits[r] > limits[worst] ? (enum resource)r : worst;
    if (out) {
        json_out_object(out, NULL);
        json_out_text(out, "flavor", row->name);
        json_out_int(out, "fits", fits);
        json_out_text(out, "limited_by", resource_name(worst));
        name_kinds(c, &need, out);
        json_out_object_end(out);
        return 0;
    }
    table_add(&c->listing.table, row->name);
    table_addf(&c->listing.table, "%" PRId64, fits);
    table_add(&c->listing.table, c->count ? resource_name(worst) : "no host is up and enabled");
    table_add(&c->listing.table, name_kinds(c, &need, NULL));
    return 0;
}

static int read_all(struct db_conn *conn, void *arg, struct error *e)
{
    struct capacity *c = arg;
    struct flavor_query q = {.scope = FLAVOR_SCOPE_ALL, .limit = 10000};
    int rc = store_host_list(conn, add_host, c, e);
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
