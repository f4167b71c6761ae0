/* virga capacity: how many more servers of each flavor fit, what limits it, and what one more host would add. Hosts
 * that are down or disabled do not count. Traits, groups and zones are the scheduler's business: this is room alone. */
#include "cli/commands.h"
#include "cli/listing.h"
#include "common/clock.h"
#include "common/model/resources.h"
#include "db/store_flavor.h"
#include "db/store_host.h"
#include <inttypes.h>
#include <string.h>

struct room {
    struct resources capacity, used;
};
struct capacity {
    struct listing listing; /* first */
    struct cli *cli;
    int64_t now_us;
    struct room *hosts;
    size_t count, space;
    struct resources largest; /* of a host, empty */
};

static int add_host(void *arg, const struct host_row *row, struct error *e)
{
    struct capacity *c = arg;
    (void)e;
    if (!row->enabled || c->now_us - row->seen_us > STORE_HOST_ALIVE_US)
        return 0;
    c->hosts = arena_more(&c->cli->arena, c->hosts, c->count, &c->space, sizeof(*c->hosts));
    struct room *h = &c->hosts[c->count++];
    h->used = row->used;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        struct resource_inventory i = {
            .total = row->total.amount[r], .reserved = row->reserved.amount[r], .ratio_permille = row->ratio.amount[r]};
        h->capacity.amount[r] = resource_capacity(&i);
    }
    if (h->capacity.amount[RESOURCE_MEMORY_MIB] > c->largest.amount[RESOURCE_MEMORY_MIB])
        c->largest = h->capacity;
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

static int add_flavor(void *arg, const struct flavor_row *row, struct error *e)
{
    static const struct resources nothing = {{0}};
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
    int64_t more = fit(&c->largest, &nothing, &need, &limit);
    if (out) {
        json_out_object(out, NULL);
        json_out_text(out, "flavor", row->name);
        json_out_int(out, "fits", fits);
        json_out_text(out, "limited_by", resource_name(worst));
        json_out_int(out, "one_more_host", more);
        json_out_object_end(out);
        return 0;
    }
    table_add(&c->listing.table, row->name);
    table_addf(&c->listing.table, "%" PRId64, fits);
    table_add(&c->listing.table, c->count ? resource_name(worst) : "no host is up and enabled");
    table_addf(&c->listing.table, "%" PRId64, more);
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

static int run(struct cli *cli, struct error *e)
{
    static const char *const headings[] = {"FLAVOR", "FITS", "LIMITED BY", "ONE MORE HOST ADDS", NULL};
    struct capacity c = {.cli = cli, .now_us = clock_now_us()};
    return listing_run(cli, headings, read_snapshot, &c.listing, e);
}

const struct command capacity_command = {
    .name = "capacity",
    .arguments = "",
    .summary = "How many more servers of each flavor fit, what limits it, and what one more host would add.",
    .help = "Counts the room of hosts that are up and enabled. One more host: like the largest that there is.",
    .options = NULL,
    .option_count = 0,
    .run = run,
};
