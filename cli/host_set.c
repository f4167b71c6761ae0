/* virga host set: the zone and the aggregates of a host. */
#include "cli/commands.h"
#include "cli/host_find.h"
#include "db/store_aggregate.h"
#include "db/store_host.h"
#include "db/store_host_admin.h"
#include <string.h>

struct setting {
    struct cli *cli;
    const char *host_id;
    const char *name; /* of an aggregate that is looked for */
    int64_t aggregate;
};

static int match(void *arg, const struct aggregate_row *row, struct error *e)
{
    struct setting *s = arg;
    (void)e;
    if (strcmp(row->name, s->name) == 0)
        s->aggregate = row->id;
    return 0;
}

static int find_aggregate(struct setting *s, struct db_conn *c, const char *name, struct aggregate_row *ret,
                          struct error *e)
{
    s->name = name;
    s->aggregate = 0;
    int rc = store_aggregate_list(c, match, s, e);
    if (!rc && s->aggregate == 0)
        return error_set(e, ERR_NOT_FOUND, "there is no aggregate %s", name);
    return rc ? rc : store_aggregate_get(c, s->aggregate, &s->cli->arena, ret, e);
}

static int apply(struct db_conn *c, void *arg, struct error *e)
{
    struct setting *s = arg;
    struct cli *cli = s->cli;
    struct host_row host;
    struct aggregate_row aggregate;
    const char *zone = command_value(cli, "zone"), *name;
    int rc = host_find_id(cli, c, &s->host_id, e);
    rc = rc ? rc : store_host_get(c, s->host_id, &cli->arena, &host, e);
    if (!rc && zone)
        rc = store_host_admin_zone(c, s->host_id, zone, e);
    for (size_t i = 0; !rc && (name = command_value_at(cli, "aggregate", i)); i++) {
        rc = find_aggregate(s, c, name, &aggregate, e);
        rc = rc ? rc : store_aggregate_add_host(c, &aggregate, s->host_id, e);
    }
    for (size_t i = 0; !rc && (name = command_value_at(cli, "no-aggregate", i)); i++) {
        rc = find_aggregate(s, c, name, &aggregate, e);
        rc = rc ? rc : store_aggregate_remove_host(c, &aggregate, s->host_id, zone ? zone : host.zone, e);
    }
    return rc ? rc : store_host_admin_touch(c, s->host_id, e);
}

static int run(struct cli *cli, struct error *e)
{
    struct setting s = {.cli = cli};
    if (!command_value(cli, "zone") && !command_value(cli, "aggregate") && !command_value(cli, "no-aggregate"))
        return error_set(e, ERR_INVALID, "nothing to set: give --zone, --aggregate or --no-aggregate");
    return host_find_change(cli, apply, &s, e);
}

static const struct command_option options[] = {
    {"zone", "NAME", "Availability zone that it is in from now on."},
    {"aggregate", "NAME", "Aggregate that it joins; may be repeated."},
    {"no-aggregate", "NAME", "Aggregate that it leaves; may be repeated."},
};

const struct command host_set_command = {
    .name = "host set",
    .arguments = "HOST",
    .summary = "Change the zone or the aggregates of a host (name or id).",
    .help = NULL,
    COMMAND_OPTIONS(options),
    .run = run,
};
