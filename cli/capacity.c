/* virga capacity: how many more servers of each flavor fit, what limits it, what one more host would add, and when the
 * pool is full. Counted by the filters of placement itself (scheduler/reading/capacity.h). */
#include "scheduler/reading/capacity.h"
#include "cli/commands.h"
#include "cli/listing.h"
#include "common/clock.h"
#include "common/model/resources.h"
#include "common/model/trend.h"
#include "db/store_flavor.h"
#include "db/store_image.h"
#include "db/store_pool.h"
#include <inttypes.h>
#include <string.h>

#define TREND_US ((int64_t)30 * 86400 * CLOCK_SECOND_US)

struct capacity_command {
    struct listing listing; /* first */
    struct cli *cli;
    int64_t now_us;
    struct capacity *capacity;
    struct placement_waiting_row wish; /* what all flavors are asked with */
    struct trend trends[RESOURCE_COUNT];
    struct db_conn *conn;
};

/* ---- what limits ---- */

/* "VCPU" of "full (VCPU)", and other reasons as they are. */
static const char *say_reason(struct arena *a, const char *reason, const char *detail)
{
    static const char full[] = "full (";
    if (strcmp(reason, "full") == 0)
        return detail;
    if (strncmp(reason, full, strlen(full)) == 0)
        return arena_printf(a, "%.*s", (int)(strlen(reason) - strlen(full) - 1), reason + strlen(full));
    return detail ? arena_printf(a, "%s (%s)", reason, detail) : reason;
}

/* The filter that most of the hosts refuse by that could take something; of all when none could. */
static const char *say_limit(struct arena *a, const struct capacity_answer *answer)
{
    const struct placement_explanation *x = &answer->x;
    size_t most = SIZE_MAX;
    if (answer->refusal)
        return answer->refusal;
    for (size_t i = 0; i < x->count; i++) {
        bool down = strcmp(x->removed[i].reason, "disabled") == 0 || strcmp(x->removed[i].reason, "not alive") == 0;
        if (!down && (most == SIZE_MAX || x->removed[i].hosts > x->removed[most].hosts))
            most = i;
    }
    return most == SIZE_MAX ? "no host is up and enabled"
                            : say_reason(a, x->removed[most].reason, x->removed[most].detail);
}

/* "1024 (64 VCPU, 262144 MiB, 4096 GiB)", for each kind of host. */
static const char *say_more(struct arena *a, const struct capacity_answer *answer)
{
    const char *text = "";
    for (size_t i = 0; i < answer->more_count; i++) {
        const struct capacity_more *m = &answer->more[i];
        text = arena_printf(a, "%s%s%" PRId64 " (like %s: %" PRId64 " VCPU, %" PRId64 " MiB, %" PRId64 " GiB)", text,
                            i ? "; " : "", m->adds, m->like, m->total.amount[RESOURCE_VCPU],
                            m->total.amount[RESOURCE_MEMORY_MIB], m->total.amount[RESOURCE_DISK_GIB]);
    }
    return text;
}

/* When no more of it fits, did all growth go where it fits; NULL: never at the present trend, or it is not known. */
static const char *say_full(const struct capacity_command *c, const struct flavor_row *row, int64_t fits)
{
    const int64_t need[RESOURCE_COUNT] = {row->vcpus, row->memory_mib, row->root_gib};
    char *text = arena_alloc(&c->cli->arena, CLOCK_TEXT_SIZE);
    int64_t first = 0;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        int64_t full_us = need[r] > 0 ? trend_full_us(&c->trends[r], c->now_us, 0, fits * need[r]) : 0;
        if (full_us > 0 && (first == 0 || full_us < first))
            first = full_us;
    }
    return first > 0 ? clock_text(first, CLOCK_ISO_Z, text) : NULL;
}

static void put_json(struct json_out *out, const struct capacity_answer *answer)
{
    json_out_array(out, "refused");
    for (size_t i = 0; i < answer->x.count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "reason", answer->x.removed[i].reason);
        json_out_text(out, "detail", answer->x.removed[i].detail);
        json_out_int(out, "hosts", answer->x.removed[i].hosts);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_array(out, "one_more_host");
    for (size_t i = 0; i < answer->more_count; i++) {
        const struct capacity_more *m = &answer->more[i];
        json_out_object(out, NULL);
        json_out_text(out, "like", m->like);
        json_out_int(out, "vcpus", m->total.amount[RESOURCE_VCPU]);
        json_out_int(out, "memory_mib", m->total.amount[RESOURCE_MEMORY_MIB]);
        json_out_int(out, "disk_gib", m->total.amount[RESOURCE_DISK_GIB]);
        json_out_int(out, "hosts", m->hosts);
        json_out_int(out, "adds", m->adds);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static int add_flavor(void *arg, const struct flavor_row *row, struct error *e)
{
    struct capacity_command *c = arg;
    struct json_out *out = c->listing.out;
    struct placement_waiting_row wish = c->wish;
    struct capacity_answer answer;
    wish.flavor_extra = row->extra_specs;
    wish.need = (struct resources){
        {row->vcpus, row->memory_mib, row->root_gib + row->ephemeral_gib + (row->swap_mib + 1023) / 1024}};
    int rc = capacity_count(c->capacity, c->conn, &wish, &answer, e);
    if (rc)
        return rc;
    const char *limit = say_limit(&c->cli->arena, &answer), *full = say_full(c, row, answer.fits);
    if (out) {
        json_out_object(out, NULL);
        json_out_text(out, "flavor", row->name);
        json_out_int(out, "fits", answer.fits);
        json_out_text(out, "limited_by", limit);
        json_out_text(out, "full_at", full);
        put_json(out, &answer);
        json_out_object_end(out);
        return 0;
    }
    table_add(&c->listing.table, row->name);
    table_addf(&c->listing.table, "%" PRId64, answer.fits);
    table_add(&c->listing.table, limit);
    table_add(&c->listing.table, say_more(&c->cli->arena, &answer));
    table_add(&c->listing.table, full);
    return 0;
}

/* ---- the past ---- */

static int read_trends(struct db_conn *conn, struct capacity_command *c, struct error *e)
{
    struct pool_hour *hours = NULL;
    size_t count = 0;
    int rc = store_pool_past(conn, c->now_us - TREND_US, &c->cli->arena, &hours, &count, e);
    struct trend_point *points = arena_array(&c->cli->arena, count + 1, sizeof(*points));
    for (int r = 0; !rc && r < RESOURCE_COUNT; r++) {
        for (size_t i = 0; i < count; i++)
            points[i] = (struct trend_point){hours[i].hour_us, hours[i].sums.used.amount[r]};
        c->trends[r] = trend_of(points, count);
    }
    return rc;
}

static int read_image(struct db_conn *conn, struct capacity_command *c, struct error *e)
{
    const char *id = command_value(c->cli, "image");
    struct image_row image;
    int rc = id ? store_image_get(conn, id, NULL, true, &c->cli->arena, &image, e) : 0;
    if (id && !rc) {
        c->wish.image_properties = image.properties;
        c->wish.image_kind = store_image_kind(&image);
    }
    return rc;
}

static int read_all(struct db_conn *conn, void *arg, struct error *e)
{
    struct capacity_command *c = arg;
    struct flavor_query q = {.scope = FLAVOR_SCOPE_ALL, .limit = 10000};
    const char *project = command_value(c->cli, "project");
    c->conn = conn;
    c->wish = (struct placement_waiting_row){
        .project_id = project ? project : "", .zone = command_value(c->cli, "zone"), .hints = "{}"};
    int rc = read_image(conn, c, e);
    rc = rc ? rc : read_trends(conn, c, e);
    rc = rc ? rc : capacity_open(conn, c->now_us, &c->cli->arena, &c->capacity, e);
    rc = rc ? rc : store_flavor_list(conn, &q, &c->cli->arena, add_flavor, c, e);
    capacity_free(&c->capacity);
    return rc;
}

static int read_snapshot(struct cli *cli, struct listing *l, struct error *e)
{
    return db_snapshot(db_reader(cli->db), read_all, l, e);
}

static const char *say_growth(struct capacity_command *c, const struct trend *t)
{
    struct arena *a = &c->cli->arena;
    if (!t->known)
        return arena_printf(a, "not known: %zu hours of at least %d", t->count, TREND_LEAST_COUNT);
    return arena_printf(a, "%+.1f a day over %.1f days", t->a_day, (double)t->span_us / (86400.0 * 1e6));
}

static void add_trend(struct capacity_command *c, enum resource r, const struct pool_sums *sums, const struct trend *t)
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
    struct capacity_command *c = arg;
    struct pool_sums sums = {0};
    int rc = store_pool_sums(conn, c->now_us, true, &sums, e);
    rc = rc ? rc : read_trends(conn, c, e);
    for (int r = 0; !rc && r < RESOURCE_COUNT; r++)
        add_trend(c, (enum resource)r, &sums, &c->trends[r]);
    return rc;
}

static int read_trend_snapshot(struct cli *cli, struct listing *l, struct error *e)
{
    return db_snapshot(db_reader(cli->db), read_trend, l, e);
}

static int run(struct cli *cli, struct error *e)
{
    static const char *const headings[] = {"FLAVOR", "FITS", "LIMITED BY", "ONE MORE HOST ADDS", "FULL AT", NULL};
    static const char *const trend_headings[] = {"RESOURCE", "USED", "GROWTH", "FULL AT", NULL};
    struct capacity_command c = {.cli = cli, .now_us = clock_now_us()};
    if (command_flag(cli, "trend"))
        return listing_run(cli, trend_headings, read_trend_snapshot, &c.listing, e);
    return listing_run(cli, headings, read_snapshot, &c.listing, e);
}

static const struct command_option options[] = {
    {"image", "ID", "Servers of that image."},
    {"project", "ID", "Servers of that project; without, of one that no host is kept for."},
    {"trend", NULL, "How full the whole pool is, and when it is full at the trend of the last 30 days."},
    {"zone", "NAME", "Servers in that availability zone."},
};

const struct command capacity_command = {
    .name = "capacity",
    .arguments = "",
    .summary = "How many more servers of each flavor fit, what limits it, and what one more host would add",
    .help =
        "Counts by every filter of placement on the hosts that are up, enabled and awake, as if one server after the "
        "other was made. One more host: an empty one of each kind that there is. Full at: when no more fits, did the "
        "growth of the last 30 days all go where it fits; the past is noted by the hour, a trend needs a day of it.",
    COMMAND_OPTIONS(options),
    .run = run,
};
