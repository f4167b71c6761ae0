/* virga host set: the zone, the aggregates, the further resources, the traits and the reach of a host. */
#include "cli/commands.h"
#include "cli/host_find.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "db/store_aggregate.h"
#include "db/store_host.h"
#include "db/store_host_admin.h"
#include "db/store_host_reach.h"
#include "db/store_resource.h"
#include <stdlib.h>
#include <string.h>

static const char *const resource_options[] = {"resource", "reserve", "ratio"};

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

/* "CUSTOM_GPU=4" in two. */
static int split(struct cli *cli, const char *option, const char *text, const char **ret_name, double *ret_value,
                 struct error *e)
{
    const char *equals = strchr(text, '=');
    char *end = NULL;
    *ret_value = equals ? strtod(equals + 1, &end) : 0;
    if (!equals || end == equals + 1 || *end || !(*ret_value >= -1 && *ret_value <= INT32_MAX))
        return error_set(e, ERR_INVALID, "--%s takes CLASS=NUMBER, not %s", option, text);
    *ret_name = arena_strndup(&cli->arena, text, (size_t)(equals - text));
    return 0;
}

static int set_resources(struct setting *s, struct db_conn *c, const char *option, struct error *e)
{
    const char *text, *name = NULL;
    double value = 0;
    int rc = 0;
    for (size_t i = 0; !rc && (text = command_value_at(s->cli, option, i)); i++) {
        struct resource_change change = {.has_total = strcmp(option, "resource") == 0,
                                         .has_reserved = strcmp(option, "reserve") == 0,
                                         .has_ratio = strcmp(option, "ratio") == 0};
        rc = split(s->cli, option, text, &name, &value, e);
        if (!rc && !change.has_ratio && value != (double)(int64_t)value)
            rc = error_set(e, ERR_INVALID, "--%s takes a whole number, not %s", option, text);
        change.total = change.reserved = (int64_t)value;
        change.ratio_permille = (int64_t)(value * 1000 + 0.5);
        rc = rc ? rc : store_resource_change(c, s->host_id, name, &change, clock_now_us(), e);
    }
    return rc;
}

static bool is_listed(struct cli *cli, const char *option, const char *name)
{
    const char *text;
    for (size_t i = 0; (text = command_value_at(cli, option, i)); i++)
        if (strcmp(text, name) == 0)
            return true;
    return false;
}

static int set_traits(struct setting *s, struct db_conn *c, struct error *e)
{
    const char *own = NULL, *name;
    struct strbuf text;
    struct json_out out;
    struct json_doc doc;
    if (!command_value(s->cli, "trait") && !command_value(s->cli, "no-trait"))
        return 0;
    int rc = store_resource_own_traits(c, s->host_id, &s->cli->arena, &own, e);
    rc = rc ? rc : json_in_parse(own, strlen(own), &doc, e);
    if (rc)
        return rc;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < json_in_count(doc.root); i++) {
        name = json_in_text(json_in_item(doc.root, i));
        if (!is_listed(s->cli, "trait", name) && !is_listed(s->cli, "no-trait", name))
            json_out_text(&out, NULL, name);
    }
    for (size_t i = 0; !rc && (name = command_value_at(s->cli, "trait", i)); i++) {
        json_out_text(&out, NULL, name);
        if (!store_resource_valid(name))
            rc = error_set(e, ERR_INVALID, "%s is no name of a trait: A-Z, 0-9 and _", name);
    }
    json_out_array_end(&out);
    json_in_done(&doc);
    rc = rc ? rc : store_resource_set_traits(c, s->host_id, NULL, text.data, e);
    strbuf_done(&text);
    return rc;
}

/* "all", "none", "agent", or the list itself. */
static int read_reach(struct cli *cli, const char *option, const char **ret, struct error *e)
{
    const char *text = command_value(cli, option);
    if (!text)
        return 0;
    *ret = strcmp(text, "all") == 0 ? "*" : strcmp(text, "none") == 0 ? "" : strcmp(text, "agent") == 0 ? NULL : text;
    return *ret == NULL || store_host_reach_valid(*ret)
               ? 0
               : error_set(e, ERR_INVALID, "--%s takes names with commas between, all, none or agent, not %s", option,
                           text);
}

static int set_reach(struct setting *s, struct db_conn *c, struct error *e)
{
    struct host_reach reach;
    if (!command_value(s->cli, "reach-networks") && !command_value(s->cli, "reach-storage"))
        return 0;
    int rc = store_host_reach_get(c, s->host_id, &s->cli->arena, &reach, e);
    rc = rc ? rc : read_reach(s->cli, "reach-networks", &reach.networks, e);
    rc = rc ? rc : read_reach(s->cli, "reach-storage", &reach.storage, e);
    return rc ? rc : store_host_reach_set(c, s->host_id, reach.networks, reach.storage, e);
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
    for (size_t i = 0; !rc && i < 3; i++)
        rc = set_resources(s, c, resource_options[i], e);
    rc = rc ? rc : set_traits(s, c, e);
    rc = rc ? rc : set_reach(s, c, e);
    return rc ? rc : store_host_admin_touch(c, s->host_id, e);
}

static int run(struct cli *cli, struct error *e)
{
    static const char *const names[] = {"zone",  "aggregate", "no-aggregate", "resource",       "reserve",
                                        "ratio", "trait",     "no-trait",     "reach-networks", "reach-storage"};
    struct setting s = {.cli = cli};
    bool any = false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        any = any || command_value(cli, names[i]);
    if (!any)
        return error_set(e, ERR_INVALID, "nothing to set: see virga help host set");
    return host_find_change(cli, apply, &s, e);
}

static const struct command_option options[] = {
    {"zone", "NAME", "Availability zone that it is in from now on."},
    {"aggregate", "NAME", "Aggregate that it joins; may be repeated."},
    {"no-aggregate", "NAME", "Aggregate that it leaves; may be repeated."},
    {"resource", "CLASS=N",
     "So many of a resource (CUSTOM_GPU=4) it has, whatever its agent says; -1 is what its agent says. May be "
     "repeated."},
    {"reserve", "CLASS=N", "So many are kept from servers; for VCPU, MEMORY_MB and DISK_GB -1 is what its agent says."},
    {"ratio", "CLASS=R", "Overcommit: VCPU=4 lets four servers' processors share one. May be repeated."},
    {"trait", "NAME", "Trait that it has beside those that its agent reports; may be repeated."},
    {"no-trait", "NAME", "Takes such a trait away; may be repeated."},
    {"reach-networks", "LIST",
     "Networks that it reaches, with commas between: physical networks, PHYSICAL:SEGMENT, networks' ids; "
     "all, none, or agent for what its agent says."},
    {"reach-storage", "LIST",
     "Storage that it reaches, by the names that flavors use (placement:storage); all, none or agent."},
};

const struct command host_set_command = {
    .name = "host set",
    .arguments = "HOST",
    .summary = "Change the zone, aggregates, resources, traits or reach of a host (name or id)",
    .help = NULL,
    COMMAND_OPTIONS(options),
    .run = run,
};
