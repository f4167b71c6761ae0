/* virga host baseline: what the processors of all hosts of an aggregate, or of the pool, have in common; who limits it;
 * making it what guests get. A host's hypervisor computes it. */
#include "cli/commands.h"
#include "cli/host_find.h"
#include "cli/table.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/model/cpu.h"
#include "db/store_agent_query.h"
#include "db/store_aggregate.h"
#include "db/store_cpu.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOK_NS (50 * 1000000)
#define WAIT_MS 20000

struct baseline {
    struct cli *cli;
    const char *aggregate; /* name; NULL: the whole pool */
    int64_t aggregate_id, removed;
    const char *kind, *query;
    bool store;
    struct json_out *out; /* the open array; NULL: tables for people */
};

static int match(void *arg, const struct aggregate_row *row, struct error *e)
{
    struct baseline *b = arg;
    (void)e;
    if (strcmp(row->name, b->aggregate) == 0)
        b->aggregate_id = row->id;
    return 0;
}

static int find_aggregate(struct baseline *b, struct db_conn *c, struct error *e)
{
    b->aggregate = command_value(b->cli, "aggregate");
    int rc = b->aggregate ? store_aggregate_list(c, match, b, e) : 0;
    return rc || !b->aggregate || b->aggregate_id
               ? rc
               : error_set(e, ERR_NOT_FOUND, "there is no aggregate %s", b->aggregate);
}

/* ---- shown ---- */

static const char *whose(const struct baseline *b, const char *aggregate)
{
    return aggregate ? arena_printf(&b->cli->arena, "aggregate %s", aggregate) : "the pool";
}

static void print_head(const struct baseline *b, const struct cpu_baseline_row *row, size_t features)
{
    char text[CLOCK_TEXT_SIZE];
    printf("%s, %s: %s with %zu features%s%s\n", whose(b, row->aggregate), row->kind, row->model, features,
           row->id ? ", stored " : ", not stored (--apply)",
           row->id ? clock_text(row->made_us, CLOCK_ISO_MICRO_Z, text) : "");
}

static const char *word(const struct cpu_set *s, struct arena *a)
{
    return s->count > 0 ? cpu_set_text(s, a) : "-";
}

static void write_hosts(const struct baseline *b, const struct cpu_baseline_row *row, const struct cpu_set *features,
                        const struct host_cpu_row *hosts, size_t count)
{
    struct arena *a = &b->cli->arena;
    json_out_array(b->out, "hosts");
    for (size_t i = 0; i < count; i++) {
        struct cpu_set has;
        cpu_set_read(hosts[i].features, a, &has);
        struct cpu_set lacks = cpu_set_minus(features, &has, a), more = cpu_set_minus(&has, features, a);
        json_out_object(b->out, NULL);
        json_out_text(b->out, "name", hosts[i].host_name);
        json_out_bool(b->out, "up", hosts[i].alive);
        json_out_text(b->out, "model", hosts[i].model);
        json_out_text(b->out, "cpu_mode", hosts[i].mode);
        json_out_bool(b->out, "follows", row->id != 0 && hosts[i].baseline_id == row->id);
        cpu_set_write(&lacks, b->out, "lacks");
        cpu_set_write(&more, b->out, "beyond_it");
        json_out_object_end(b->out);
    }
    json_out_array_end(b->out);
}

static void write_baseline(const struct baseline *b, const struct cpu_baseline_row *row,
                           const struct host_cpu_row *hosts, size_t count, const struct cpu_set *silent)
{
    char text[CLOCK_TEXT_SIZE];
    struct cpu_set features;
    cpu_set_read(row->features, &b->cli->arena, &features);
    json_out_object(b->out, NULL);
    json_out_text(b->out, "aggregate", row->aggregate);
    json_out_text(b->out, "kind", row->kind);
    json_out_text(b->out, "model", row->model);
    json_out_text(b->out, "made_at", row->id ? clock_text(row->made_us, CLOCK_ISO_MICRO_Z, text) : NULL);
    cpu_set_write(&features, b->out, "features");
    write_hosts(b, row, &features, hosts, count);
    cpu_set_write(silent, b->out, "hosts_without_processor");
    json_out_object_end(b->out);
}

static const char *guests_get(const struct cpu_baseline_row *row, const struct host_cpu_row *host, bool lacks)
{
    if (strcmp(host->mode, "auto") != 0)
        return "its cpu_mode";
    if (row->id == 0 || host->baseline_id != row->id)
        return host->baseline_id ? "another baseline" : "its own";
    return lacks ? "the rest of it" : "the baseline";
}

static void print_hosts(const struct baseline *b, const struct cpu_baseline_row *row, const struct cpu_set *features,
                        const struct host_cpu_row *hosts, size_t count)
{
    static const char *const headings[] = {"HOST", "STATE", "MODEL", "GUESTS GET", "LACKS OF IT", "OTHERS HAVE", NULL};
    struct arena *a = &b->cli->arena;
    struct cpu_set all = {0}, *sets = arena_array(a, count + 1, sizeof(*sets));
    struct table t;
    for (size_t i = 0; i < count; i++) {
        cpu_set_read(hosts[i].features, a, &sets[i]);
        all = cpu_set_either(&all, &sets[i], a);
    }
    table_init(&t, a, headings);
    for (size_t i = 0; i < count; i++) {
        struct cpu_set lacks = cpu_set_minus(features, &sets[i], a), others = cpu_set_minus(&all, &sets[i], a);
        others = cpu_set_minus(&others, &lacks, a);
        table_add(&t, hosts[i].host_name);
        table_add(&t, hosts[i].alive ? "up" : "down");
        table_add(&t, hosts[i].model);
        table_add(&t, guests_get(row, &hosts[i], lacks.count > 0));
        table_add(&t, word(&lacks, a));
        table_add(&t, word(&others, a));
    }
    table_print(&t);
}

static int show(const struct baseline *b, const struct cpu_baseline_row *row, struct error *e)
{
    struct db_conn *c = db_reader(b->cli->db);
    struct arena *a = &b->cli->arena;
    struct host_cpu_row *hosts = NULL;
    const char **mute = NULL;
    struct cpu_set features;
    size_t count = 0, mute_count = 0;
    int rc = store_cpu_hosts(c, row->aggregate_id, row->kind, clock_now_us(), a, &hosts, &count, e);
    rc = rc ? rc : store_cpu_mute_hosts(c, row->aggregate_id, a, &mute, &mute_count, e);
    if (rc)
        return rc;
    struct cpu_set silent = {mute, mute_count};
    if (b->out) {
        write_baseline(b, row, hosts, count, &silent);
        return 0;
    }
    cpu_set_read(row->features, a, &features);
    print_head(b, row, features.count);
    if (command_flag(b->cli, "features"))
        printf("%s\n", cpu_set_text(&features, a));
    print_hosts(b, row, &features, hosts, count);
    if (mute_count > 0)
        printf("left out, because they tell nothing of processors: %s\n", cpu_set_text(&silent, a));
    return 0;
}

static int show_stored(const struct baseline *b, const char *kind, size_t *ret_shown, struct error *e)
{
    struct cpu_baseline_row *rows = NULL;
    size_t count = 0;
    int rc = store_cpu_baselines(db_reader(b->cli->db), &b->cli->arena, &rows, &count, e);
    for (size_t i = 0; !rc && i < count; i++) {
        bool wanted =
            (!b->aggregate || rows[i].aggregate_id == b->aggregate_id) && (!kind || !strcmp(kind, rows[i].kind));
        if (wanted && (!kind || rows[i].aggregate_id == b->aggregate_id)) {
            rc = show(b, &rows[i], e);
            *ret_shown += 1;
        }
    }
    return rc;
}

/* ---- made ---- */

static int ask(struct db_conn *c, void *arg, struct error *e)
{
    struct baseline *b = arg;
    return store_cpu_baseline_ask(c, b->aggregate_id, b->kind, b->store, clock_now_us(), &b->cli->arena, &b->query,
                                  &b->kind, e);
}

static int wait_for_answer(struct baseline *b, const char **ret, struct error *e)
{
    int64_t until = clock_mono_us() + (int64_t)WAIT_MS * 1000;
    int rc = host_find_change(b->cli, ask, b, e);
    *ret = NULL;
    while (!rc && !*ret && clock_mono_us() < until) {
        rc = store_agent_query_get(db_reader(b->cli->db), b->query, &b->cli->arena, ret, e);
        if (!rc && !*ret)
            nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return rc || *ret ? rc : error_set(e, ERR_TIMEOUT, "the host that was asked does not answer");
}

static int make(struct baseline *b, struct error *e)
{
    struct json_doc doc;
    struct cpu_baseline_row row = {.aggregate = b->aggregate, .aggregate_id = b->aggregate_id};
    const char *text = NULL;
    size_t shown = 0;
    int rc = wait_for_answer(b, &text, e);
    rc = rc ? rc : json_in_parse(text, strlen(text), &doc, e);
    if (rc)
        return rc;
    const char *failure = json_in_text(json_in_member(doc.root, "error"));
    json_value *output = json_in_member(doc.root, "output"), *features = json_in_member(output, "features");
    row.kind = b->kind;
    row.model = arena_strdup(&b->cli->arena, json_in_text(json_in_member(output, "model")));
    row.features = json_in_is_array(features) ? json_in_print(features, &b->cli->arena) : NULL;
    if (failure || !row.model || !row.features)
        rc = error_set(e, ERR_CONFLICT, "the processors of kind %s have no baseline: %s", b->kind,
                       failure ? failure : "the answer cannot be read");
    json_in_done(&doc);
    if (rc)
        return rc;
    return b->store ? show_stored(b, b->kind, &shown, e) : show(b, &row, e);
}

/* Every kind of host that there is. */
static int make_all(struct baseline *b, struct error *e)
{
    struct host_cpu_row *hosts = NULL;
    struct cpu_set kinds = {0};
    size_t count = 0;
    int rc = store_cpu_hosts(db_reader(b->cli->db), b->aggregate_id, NULL, clock_now_us(), &b->cli->arena, &hosts,
                             &count, e);
    for (size_t i = 0; !rc && i < count; i++)
        cpu_set_add(&kinds, hosts[i].kind, &b->cli->arena);
    if (!rc && kinds.count == 0)
        return error_set(e, ERR_NOT_FOUND, "no host of %s tells what processors its guests can have",
                         whose(b, b->aggregate));
    for (size_t i = 0; !rc && i < kinds.count; i++) {
        b->kind = kinds.names[i];
        rc = make(b, e);
    }
    return rc;
}

static int forget(struct db_conn *c, void *arg, struct error *e)
{
    struct baseline *b = arg;
    return store_cpu_baseline_remove(c, b->aggregate_id, NULL, &b->removed, e);
}

static int remove_it(struct baseline *b, struct error *e)
{
    int rc = host_find_change(b->cli, forget, b, e);
    if (!rc && b->removed == 0)
        return error_set(e, ERR_NOT_FOUND, "%s has no baseline", whose(b, b->aggregate));
    if (!rc)
        printf("%s has no baseline any more: guests get what each host has, from their next start on\n",
               whose(b, b->aggregate));
    return rc;
}

static int make_or_show(struct baseline *b, struct error *e)
{
    size_t shown = 0;
    if (!command_flag(b->cli, "stored"))
        return make_all(b, e);
    int rc = show_stored(b, NULL, &shown, e);
    return rc || shown ? rc : error_set(e, ERR_NOT_FOUND, "no baseline is stored");
}

static int make_or_write(struct baseline *b, struct error *e)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    b->out = &out;
    int rc = make_or_show(b, e);
    if (!rc) {
        json_out_array_end(&out);
        command_print_json(&out);
    }
    strbuf_done(&text);
    return rc;
}

static int host_baseline_run(struct cli *cli, struct error *e)
{
    struct baseline b = {.cli = cli, .store = command_flag(cli, "apply")};
    int words = b.store + command_flag(cli, "remove") + command_flag(cli, "stored");
    if (words > 1)
        return error_set(e, ERR_INVALID, "--apply, --remove and --stored exclude each other");
    int rc = command_open(cli, false, e);
    rc = rc ? rc : find_aggregate(&b, db_reader(cli->db), e);
    if (rc || command_flag(cli, "remove"))
        return rc ? rc : remove_it(&b, e);
    return cli->json ? make_or_write(&b, e) : make_or_show(&b, e);
}

static const struct command_option options[] = {
    {"aggregate", "AGGREGATE", "Only the hosts of this aggregate. Default: the whole pool."},
    {"apply", NULL, "Store it: guests of these hosts get it from their next start on."},
    {"remove", NULL, "Forget the one that is stored."},
    {"stored", NULL, "Show what is stored, and which hosts lack some of it, instead of making one."},
    {"features", NULL, "Name all its features."},
};

const struct command host_baseline_command = {
    .name = "host baseline",
    .arguments = "",
    .summary = "Show what the processors of all hosts have in common, or make it what guests get",
    .help =
        "A guest with the baseline's processor can move live between all hosts of the pool. It is made of what the "
        "hosts' hypervisors say that guests can have, one for each kind of host (x86_64 kvm); for each host is said "
        "what others have and it has not: what the baseline cannot have because of it. An aggregate's baseline goes "
        "before the pool's. A host that lacks some of a stored baseline (a new one) gives its guests the rest, and no "
        "server moves there live.",
    COMMAND_OPTIONS(options),
    .run = host_baseline_run,
};
