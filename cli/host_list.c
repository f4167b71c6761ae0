/* virga host list: who is in the pool, whether they are heard, and what they hold. */
#include "cli/commands.h"
#include "cli/table.h"
#include "common/clock.h"
#include "db/store_host.h"
#include <inttypes.h>

struct listing {
    struct table table;
    struct json_out *out;
    int64_t now_us;
};

static const char *state(const struct listing *l, const struct host_row *row)
{
    return row->asleep_us ? "asleep" : l->now_us - row->seen_us <= STORE_HOST_ALIVE_US ? "up" : "down";
}

static int add_row(void *arg, const struct host_row *row, struct error *e)
{
    (void)e;
    struct listing *l = arg;
    const int64_t *used = row->used.amount, *total = row->total.amount;
    table_add(&l->table, row->name);
    table_add(&l->table, row->id);
    table_add(&l->table, row->zone);
    table_add(&l->table, state(l, row));
    table_add(&l->table, row->enabled ? "enabled" : "disabled");
    table_add(&l->table, row->hypervisor);
    table_addf(&l->table, "%" PRId64 "/%" PRId64, used[RESOURCE_VCPU], total[RESOURCE_VCPU]);
    table_addf(&l->table, "%" PRId64 "/%" PRId64, used[RESOURCE_MEMORY_MIB], total[RESOURCE_MEMORY_MIB]);
    table_addf(&l->table, "%" PRId64 "/%" PRId64, used[RESOURCE_DISK_GIB], total[RESOURCE_DISK_GIB]);
    table_addf(&l->table, "%" PRId64, row->server_count);
    return 0;
}

static int write_row(void *arg, const struct host_row *row, struct error *e)
{
    (void)e;
    struct listing *l = arg;
    char text[CLOCK_TEXT_SIZE];
    json_out_object(l->out, NULL);
    json_out_text(l->out, "name", row->name);
    json_out_text(l->out, "id", row->id);
    json_out_text(l->out, "zone", row->zone);
    json_out_text(l->out, "state", state(l, row));
    json_out_bool(l->out, "enabled", row->enabled);
    json_out_text(l->out, "disabled_reason", row->disabled_reason);
    json_out_text(l->out, "hypervisor", row->hypervisor);
    json_out_text(l->out, "address", row->address);
    json_out_text(l->out, "agent_version", row->agent_version);
    json_out_text(l->out, "seen", row->seen_us ? clock_text(row->seen_us, CLOCK_ISO_MICRO_Z, text) : NULL);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        json_out_object(l->out, resource_name((enum resource)r));
        json_out_int(l->out, "total", row->total.amount[r]);
        json_out_int(l->out, "reserved", row->reserved.amount[r]);
        json_out_int(l->out, "used", row->used.amount[r]);
        json_out_int(l->out, "ratio_permille", row->ratio.amount[r]);
        json_out_object_end(l->out);
    }
    json_out_int(l->out, "servers", row->server_count);
    json_out_object_end(l->out);
    return 0;
}

static int list_json(struct cli *cli, struct listing *l, struct error *e)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    l->out = &out;
    json_out_array(&out, NULL);
    int rc = store_host_list(db_reader(cli->db), write_row, l, e);
    json_out_array_end(&out);
    if (!rc) {
        command_print_json(&out);
    }
    strbuf_done(&text);
    return rc;
}

static int run(struct cli *cli, struct error *e)
{
    static const char *const headings[] = {"NAME", "ID",  "ZONE",    "STATE",   "STATUS", "TYPE",
                                           "VCPU", "MIB", "DISK_GB", "SERVERS", NULL};
    struct listing l = {.now_us = clock_now_us()};
    int rc = command_open(cli, false, e);
    if (!rc && cli->json) {
        return list_json(cli, &l, e);
    }
    table_init(&l.table, &cli->arena, headings);
    rc = rc ? rc : store_host_list(db_reader(cli->db), add_row, &l, e);
    if (!rc) {
        table_print(&l.table);
    }
    return rc;
}

const struct command host_list_command = {
    .name = "host list",
    .arguments = "",
    .summary = "List the hosts: state, status, and used of total VCPU, memory and disk",
    .help = "A host that was not heard for 20 seconds is down.",
    .options = NULL,
    .option_count = 0,
    .run = run,
};
