/* The ledger of what is held: each change ends one interval and begins the next at the same instant. */
#include "db/store_event.h"
#include "db/store_flavor.h"
#include "db/store_ledger.h"
#include "db/store_usage.h"
#include "tests/unit/db/fixture.h"
#include <string.h>

struct change {
    const char *project, *extra;
    int64_t at_us;
};

static int hold(struct db_conn *c, void *arg, struct error *e)
{
    const struct change *x = arg;
    const struct ledger_shape shape = {
        .source = "image", .state = "held", .flavor = "", .zone = "", .region = "", .tags = "[]", .extra = x->extra};
    return store_ledger_hold(c, "i", x->project, &shape, x->at_us, e);
}

struct seen {
    int64_t us, rows, open;
};

static int see(void *arg, const struct ledger_row *row, struct error *e)
{
    (void)e;
    struct seen *s = arg;
    bool open = row->end_us == INT64_MAX;
    s->us += open ? 0 : row->end_us - row->begin_us;
    s->open += open;
    s->rows++;
    return 0;
}

static struct seen seen_of(struct db_conn *c, const char *project, int64_t position)
{
    struct error e = {0};
    struct seen s = {0};
    int64_t no = 0;
    CHECK_OK(store_ledger_find(c, "project", project, &no, &e), &e);
    CHECK_OK(store_ledger_each(c, no, 0, 1000, position, see, &s, &e), &e);
    return s;
}

DB_STATEMENT(test_region, "SELECT count(*) FROM usage_shape WHERE region = $1");
static int64_t region_count(struct db_conn *c, const char *region)
{
    struct error e = {0};
    int64_t count = -1;
    CHECK_OK(db_query_int(c, &test_region, &count, &e, DB_ARGS(db_text(region))), &e);
    return count;
}

TEST("what is held is of one project at a time, from change to change, and known as of any event")
{
    static const struct change changes[] = {
        {"p", "{\"image_gib\":5}", 100},
        {"p", "{\"image_gib\":5}", 150}, /* the same: no change */
        {"p", "{\"image_gib\":9}", 200},
        {"q", "{\"image_gib\":9}", 260},
        {"q", "{\"image_gib\":1}", 250}, /* a clock that stepped back */
        {NULL, "{}", 400},
        {NULL, "{}", 500},
    };
    struct error e = {0};
    struct db *db;
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    db_set_region(db, "Here");
    struct db_conn *c = fixture_conn(db);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        CHECK_OK(db_transact(c, hold, (void *)(uintptr_t)&changes[i], &e), &e);
    }
    struct seen p = seen_of(c, "p", INT64_MAX), q = seen_of(c, "q", INT64_MAX);
    CHECK_INT(p.us, 160);
    CHECK_INT(p.rows, 2);
    CHECK_INT(q.us, 140);
    CHECK_INT(q.open + p.open, 0);
    p = seen_of(c, "p", 2); /* when the second of five events was the newest */
    CHECK_INT(p.rows, 2);
    CHECK_INT(p.open, 1);
    CHECK_INT(p.us, 100);
    CHECK_INT(seen_of(c, "q", 2).rows, 0);
    CHECK_INT(seen_of(c, "q", 4).open, 1);
    CHECK_INT(region_count(c, "Here"), 3); /* what was held looked three ways, all of them in the region */
    CHECK_INT(region_count(c, ""), 0);
    bool changed = false;
    int64_t no = 0;
    CHECK_OK(store_ledger_find(c, "project", "q", &no, &e), &e);
    CHECK_OK(store_ledger_changed(c, no, 0, 1000, 4, &changed, &e), &e);
    CHECK(changed);
    CHECK_OK(store_ledger_changed(c, no, 0, 1000, 5, &changed, &e), &e);
    CHECK(!changed);
    CHECK_OK(store_ledger_changed(c, no, 0, 300, 4, &changed, &e), &e);
    CHECK(!changed); /* it went on beyond that period */
    db_conn_close(&c);
    db_close(&db);
}

DB_STATEMENT(test_event, "INSERT INTO lifecycle_event (id, host_id, host_seq, server_id, project_id, state, "
                         "flavor_name, vcpus, memory_mib, disk_gib, at_us, received_us) VALUES ($1, 'h', $1, 'i', $2, "
                         "'running', 'f', $3, 5, 6, $4, $4)");
struct told {
    int64_t id;
    const char *project;
    int64_t vcpus, at_us;
};

static int tell(struct db_conn *c, void *arg, struct error *e)
{
    const struct told *x = arg;
    return db_exec(c, &test_event, NULL, e,
                   DB_ARGS(db_int(x->id), db_text(x->project), db_int(x->vcpus), db_int(x->at_us)));
}

/* As the meter does, from the first event. */
static int open_server(struct db_conn *c, void *arg, struct error *e)
{
    const struct ledger_shape shape = {.source = "server",
                                       .state = "running",
                                       .flavor = "f",
                                       .zone = "",
                                       .region = "",
                                       .vcpus = 4,
                                       .memory_mib = 5,
                                       .disk_gib = 6,
                                       .tags = "[]",
                                       .extra = "{}"};
    struct ledger_open row = {.begin_us = 100, .begin_event = 1, .run_us = 100};
    int rc = store_ledger_name(c, "server", "i", &row.subject_no, e);
    rc = rc ? rc : store_ledger_name(c, "project", "p", &row.project_no, e);
    rc = rc ? rc : store_ledger_name(c, "host", "h", &row.host_no, e);
    rc = rc ? rc : store_ledger_shape(c, &shape, &row.shape_no, e);
    rc = rc ? rc : store_ledger_open_put(c, &row, e);
    (void)arg;
    return rc ? rc : store_usage_advance(c, "intervals", 0, 1, 0, 100, e);
}

static int see_server(void *arg, const struct usage_row *row, struct error *e)
{
    (void)e;
    struct seen *s = arg;
    s->open += row->interval.end_us == INT64_MAX;
    s->us += row->interval.end_us == INT64_MAX ? 0 : row->interval.end_us - row->interval.begin_us;
    s->rows++;
    return 0;
}

TEST("what the meter has not taken ends what runs, in the ledger and in usage, but for what has not changed")
{
    static const struct told told[] = {{1, "p", 4, 100}, {2, "p", 4, 300}, {3, "q", 4, 400}, {4, "q", 8, 500}};
    static const int64_t ends[] = {0, 0, 300, 300};
    struct error e = {0};
    struct db *db;
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    struct db_conn *c = fixture_conn(db);
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        struct seen usage = {0}, late = {0};
        CHECK_OK(db_transact(c, tell, (void *)(uintptr_t)&told[i], &e), &e);
        if (i == 0) {
            CHECK_OK(db_transact(c, open_server, NULL, &e), &e);
        }
        struct seen ledger = seen_of(c, "p", INT64_MAX);
        CHECK_OK(store_usage_each(c, "p", NULL, 0, 1000, see_server, &usage, &e), &e);
        CHECK_OK(store_usage_each(c, "p", NULL, 600, 1000, see_server, &late, &e), &e);
        CHECK_INT(ledger.us, ends[i]);
        CHECK_INT(ledger.open, ends[i] == 0);
        CHECK_INT(usage.us, ends[i]);
        CHECK_INT(usage.rows, 1);
        CHECK_INT(late.rows, ends[i] == 0);
        CHECK_INT(seen_of(c, "p", 9).open, 1); /* the ledger as it was known is the meter's alone */
    }
    db_conn_close(&c);
    db_close(&db);
}

static int put(struct db_conn *c, void *arg, struct error *e)
{
    return store_ledger_resource_put(c, arg, e);
}

TEST("a resource that is metered keeps its unit")
{
    struct error e = {0}, refused = {0};
    struct db *db;
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    struct db_conn *c = fixture_conn(db);
    struct ledger_resource r = {
        .name = "volume_gib", .source = "volume", .kind = "time", .unit = "GiB*h", .about = "a", .scale = 1};
    CHECK_OK(db_transact(c, put, &r, &e), &e);
    r.about = "b";
    CHECK_OK(db_transact(c, put, &r, &e), &e);
    r.scale = 1024;
    CHECK_INT(db_transact(c, put, &r, &refused), ERR_CONFLICT);
    db_conn_close(&c);
    db_close(&db);
}

static int set_spec(struct db_conn *c, void *arg, struct error *e)
{
    return store_flavor_set_spec(c, "1", arg, "2", e);
}

DB_STATEMENT(test_resource,
             "SELECT count(*) FROM meter_resource WHERE name = $1 AND source = 'server' AND kind = 'time'");
TEST("what a flavor asks for can be priced from then on")
{
    static char *const specs[] = {"resources:CUSTOM_GPU", "resources:CUSTOM_GPU", "resources:VCPU", "hw:cpu_policy"};
    struct error e = {0};
    struct db *db;
    int64_t count = 0;
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    struct db_conn *c = fixture_conn(db);
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        CHECK_OK(db_transact(c, set_spec, specs[i], &e), &e);
    }
    CHECK_OK(db_query_int(c, &test_resource, &count, &e, DB_ARGS(db_text("CUSTOM_GPU"))), &e);
    CHECK_INT(count, 1);
    CHECK_OK(db_query_int(c, &test_resource, &count, &e, DB_ARGS(db_text("VCPU"))), &e);
    CHECK_INT(count, 0);
    CHECK_INT(store_event_addresses("{\"a\":[{\"version\":4,\"addr\":\"10.0.0.1\"},{\"addr\":\"fd00::1\"}]}"), 2);
    CHECK_INT(store_event_addresses("{}") + store_event_addresses(NULL), 0);
    db_conn_close(&c);
    db_close(&db);
}
