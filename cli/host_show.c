/* virga host show: everything about one host, as one document or line by line. */
#include "cli/commands.h"
#include "cli/confinement.h"
#include "cli/host_find.h"
#include "cli/table.h"
#include "common/clock.h"
#include "common/model/cpu.h"
#include "db/store_cells.h"
#include "db/store_cpu.h"
#include "db/store_host.h"
#include "db/store_host_reach.h"
#include "db/store_host_work.h"
#include "db/store_resource.h"
#include <inttypes.h>
#include <stdio.h>

static void add(struct table *t, const char *name, const char *value)
{
    table_add(t, name);
    table_add(t, value);
}

static void add_amounts(struct table *t, const struct host_row *row)
{
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        table_add(t, resource_name((enum resource)r));
        table_addf(t, "%" PRId64 " used of %" PRId64 ", %" PRId64 " reserved, ratio %" PRId64 ".%03" PRId64,
                   row->used.amount[r], row->total.amount[r], row->reserved.amount[r], row->ratio.amount[r] / 1000,
                   row->ratio.amount[r] % 1000);
    }
}

static void add_resources(struct table *t, const struct host_resource_row *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct resource_inventory *k = &list[i].inventory;
        table_add(t, list[i].name);
        table_addf(t, "%" PRId64 " used of %" PRId64 ", %" PRId64 " reserved, ratio %" PRId64 ".%03" PRId64,
                   list[i].used, k->total, k->reserved, k->ratio_permille / 1000, k->ratio_permille % 1000);
    }
}

struct shown {
    struct cli *cli;
    struct host_row row;
    struct host_cpu_row cpu;
    struct cpu_baseline_row baseline; /* of its pool */
    struct host_drain_row drain;
    struct host_drain_figures figures;
    struct host_resource_row *resources;
    size_t resource_count;
    bool drained, off;
    const char *proof;
    const char *topology, *given;
    struct host_reach reach;
};

static void hold(void *arg, const struct numa_given *g)
{
    cpuset_join(arg, &g->held);
}

static const char *print_free(const struct cpuset *cpus, const struct cpuset *held, char *ret)
{
    struct cpuset left = *cpus;
    cpuset_drop(&left, held);
    return cpuset_is_empty(&left) ? "none" : cpuset_print(&left, ret);
}

/* "cell 0 | 15872 MiB; shared 0-1; dedicated 2-7, free 4-7; 2048 KiB pages 512". */
static void add_cell(struct table *t, const struct numa_cell *cell, const struct cpuset *held)
{
    char text[CPUSET_TEXT_SIZE], shared[CPUSET_TEXT_SIZE], left[CPUSET_TEXT_SIZE];
    struct strbuf line;
    strbuf_init(&line, 0);
    strbuf_appendf(&line, "%" PRId64 " MiB; shared %s", cell->memory_mib,
                   cpuset_is_empty(&cell->shared) ? "none" : cpuset_print(&cell->shared, shared));
    if (!cpuset_is_empty(&cell->dedicated))
        strbuf_appendf(&line, "; dedicated %s, free %s", cpuset_print(&cell->dedicated, text),
                       print_free(&cell->dedicated, held, left));
    for (int32_t i = 0; i < cell->page_count; i++)
        if (cell->pages[i].total > 0)
            strbuf_appendf(&line, "; %" PRId64 " pages of %" PRId64 " KiB", cell->pages[i].total, cell->pages[i].kib);
    snprintf(text, sizeof(text), "cell %d", (int)cell->id);
    table_add(t, text);
    table_addf(t, "%s", line.data);
    strbuf_done(&line);
}

static void add_cells(struct table *t, const struct shown *s)
{
    struct numa_topology *topology = arena_alloc(&s->cli->arena, sizeof(*topology));
    struct cpuset held = {{0}};
    if (!s->topology || numa_topology_read(s->topology, topology, NULL))
        return;
    if (s->given)
        numa_given_each(s->given, hold, &held, NULL);
    for (int32_t h = 0; h < topology->cell_count; h++)
        add_cell(t, &topology->cells[h], &held);
}

/* The most that guests can have, and what of the pool's baseline is missing. */
static void add_cpu(struct table *t, const struct shown *s)
{
    struct arena *a = &s->cli->arena;
    struct cpu_set has, wanted;
    if (!s->cpu.kind)
        return;
    cpu_set_read(s->cpu.features, a, &has);
    cpu_set_read(s->baseline.features, a, &wanted);
    struct cpu_set lacks = cpu_set_minus(&wanted, &has, a);
    add(t, "processor", arena_printf(a, "%s (%s)", s->cpu.model, s->cpu.kind));
    if (s->baseline.id)
        add(t, "baseline",
            lacks.count
                ? arena_printf(a, "lacks %s", cpu_set_text(&lacks, a))
                : arena_printf(a, "%s, %s", s->baseline.model,
                               s->cpu.baseline_id == s->baseline.id ? "guests get it" : "guests do not get it"));
}

static int read_all(struct db_conn *c, void *arg, struct error *e)
{
    struct shown *s = arg;
    const char *id = NULL;
    int rc = host_find_id(s->cli, c, &id, e);
    rc = rc ? rc : store_host_get(c, id, &s->cli->arena, &s->row, e);
    rc = rc ? rc : store_resource_list(c, id, &s->cli->arena, &s->resources, &s->resource_count, e);
    rc = rc ? rc : store_cells_of_host(c, id, &s->cli->arena, &s->topology, &s->given, e);
    rc = rc ? rc : store_cpu_get(c, id, &s->cli->arena, &s->cpu, e);
    rc = rc ? rc : store_cpu_baseline_of(c, id, &s->cli->arena, &s->baseline, e);
    rc = rc ? rc : store_host_reach_get(c, id, &s->cli->arena, &s->reach, e);
    rc = rc ? rc : store_host_work_get_drain(c, id, &s->cli->arena, &s->drain, &s->drained, e);
    rc = rc ? rc : store_host_work_is_off(c, id, clock_now_us(), &s->off, &s->proof, &s->cli->arena, e);
    return rc || !s->drained ? rc : store_host_work_figures(c, &s->drain, &s->figures, e);
}

static bool filters(const struct host_row *row)
{
    return row->traits && store_host_has_trait(row, "CUSTOM_PORT_SECURITY");
}

static void print_table(const struct shown *s)
{
    static const char *const headings[] = {"FIELD", "VALUE", NULL};
    const struct host_row *row = &s->row;
    char text[CLOCK_TEXT_SIZE];
    struct table t;
    bool up = clock_now_us() - row->seen_us <= STORE_HOST_ALIVE_US;
    table_init(&t, &s->cli->arena, headings);
    add(&t, "name", row->name);
    add(&t, "id", row->id);
    add(&t, "state", row->asleep_us ? "asleep" : up ? "up" : s->off ? "off (proved)" : "down");
    add(&t, "proof", s->proof);
    add(&t, "seen", row->seen_us ? clock_text(row->seen_us, CLOCK_ISO_MICRO_Z, text) : NULL);
    add(&t, "status", row->enabled ? "enabled" : "disabled");
    add(&t, "reason", row->disabled_reason);
    add(&t, "zone", row->zone);
    add(&t, "hypervisor", row->hypervisor);
    add(&t, "architecture", row->architecture);
    add(&t, "address", row->address);
    add(&t, "agent", row->agent_version);
    add_amounts(&t, row);
    add_resources(&t, s->resources, s->resource_count);
    add_cells(&t, s);
    table_add(&t, "servers");
    table_addf(&t, "%" PRId64, row->server_count);
    add_cpu(&t, s);
    add(&t, "confined by", confinement_text(row, &s->cli->arena));
    add(&t, "port security", filters(row) ? "yes" : "no: guests can send with others' addresses");
    add(&t, "traits", row->traits);
    const char *networks = store_host_reach_of(s->reach.networks, s->reach.told_networks);
    const char *storage = store_host_reach_of(s->reach.storage, s->reach.told_storage);
    add(&t, "reaches networks", networks && !*networks ? "none" : networks);
    add(&t, "reaches storage", storage && !*storage ? "none" : storage);
    add(&t, "drain", s->drained ? store_host_work_drain_name(s->drain.state) : NULL);
    if (s->drained) {
        table_add(&t, "drain figures");
        table_addf(&t, "%" PRId64 " moved, %" PRId64 " on their way, %" PRId64 " still there", s->figures.moved,
                   s->figures.moving, s->figures.left);
    }
    table_print(&t);
}

static void print_json(const struct shown *s)
{
    const struct host_row *row = &s->row;
    struct strbuf text;
    struct json_out o;
    strbuf_init(&text, 0);
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_text(&o, "name", row->name);
    json_out_text(&o, "id", row->id);
    json_out_bool(&o, "up", clock_now_us() - row->seen_us <= STORE_HOST_ALIVE_US);
    json_out_bool(&o, "proved_off", s->off);
    json_out_text(&o, "proof", s->proof);
    json_out_bool(&o, "enabled", row->enabled);
    json_out_text(&o, "disabled_reason", row->disabled_reason);
    json_out_text(&o, "zone", row->zone);
    json_out_text(&o, "address", row->address);
    json_out_int(&o, "servers", row->server_count);
    json_out_object(&o, "resources");
    for (size_t i = 0; i < s->resource_count; i++) {
        json_out_object(&o, s->resources[i].name);
        json_out_int(&o, "total", s->resources[i].inventory.total);
        json_out_int(&o, "reserved", s->resources[i].inventory.reserved);
        json_out_int(&o, "used", s->resources[i].used);
        json_out_int(&o, "ratio_permille", s->resources[i].inventory.ratio_permille);
        json_out_object_end(&o);
    }
    json_out_object_end(&o);
    json_out_text(&o, "confined_by", confinement_text(row, &s->cli->arena));
    json_out_bool(&o, "port_security", filters(row));
    json_out_raw(&o, "traits", row->traits);
    json_out_text(&o, "reach_networks", store_host_reach_of(s->reach.networks, s->reach.told_networks));
    json_out_text(&o, "reach_storage", store_host_reach_of(s->reach.storage, s->reach.told_storage));
    json_out_raw(&o, "topology", s->topology);
    json_out_raw(&o, "topology_held", s->given ? s->given : "[]");
    json_out_text(&o, "drain", s->drained ? store_host_work_drain_name(s->drain.state) : NULL);
    json_out_object_end(&o);
    command_print_json(&o);
    strbuf_done(&text);
}

static int run(struct cli *cli, struct error *e)
{
    struct shown s = {.cli = cli};
    int rc = command_open(cli, false, e);
    rc = rc ? rc : db_snapshot(db_reader(cli->db), read_all, &s, e);
    if (!rc && cli->json)
        print_json(&s);
    else if (!rc)
        print_table(&s);
    return rc;
}

const struct command host_show_command = {
    .name = "host show",
    .arguments = "HOST",
    .summary = "Show a host (name or id): state, proof that it is off, room, drain",
    .help = NULL,
    .options = NULL,
    .option_count = 0,
    .run = run,
};
