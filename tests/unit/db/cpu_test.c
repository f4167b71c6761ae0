/* Processors of hosts and baselines: which one goes for a host, who is asked for one, and what an answer stores. */
#include "db/store_agent_query.h"
#include "db/store_cpu.h"
#include "db/store_host.h"
#include "db/store_host_work.h"
#include "tests/unit/db/compute_fixture.h"

#define NOW 1000000000

static struct error e;

static int tell(struct db_conn *c, void *arg, struct error *error)
{
    return store_cpu_tell(c, arg, error);
}

static void tells(struct db_conn *c, const char *host, const char *kind, const char *features)
{
    struct host_cpu_row row = {
        .host_id = host, .kind = kind, .mode = "auto", .model = "M", .description = host, .features = features};
    compute_transact(c, tell, &row);
}

static int set(struct db_conn *c, void *arg, struct error *error)
{
    return store_cpu_baseline_set(c, arg, error);
}

static int64_t sets(struct db_conn *c, int64_t aggregate, const char *kind)
{
    struct cpu_baseline_row row = {.aggregate_id = aggregate,
                                   .kind = kind,
                                   .model = "B",
                                   .description = "<b>",
                                   .features = "[\"avx\"]",
                                   .hosts = "[]",
                                   .made_us = NOW};
    compute_transact(c, set, &row);
    return row.id;
}

static int64_t baseline_of(struct db_conn *c, const char *host)
{
    struct cpu_baseline_row row;
    CHECK_OK(store_cpu_baseline_of(c, host, &compute_arena, &row, &e), &e);
    return row.id;
}

DB_STATEMENT(fixture_member, "INSERT INTO aggregate_host (aggregate_id, host_id) VALUES ($1, $2)");
static int join(struct db_conn *c, void *arg, struct error *error)
{
    return db_exec(c, &fixture_member, NULL, error, DB_ARGS(db_int(5), db_text(arg)));
}

static struct db_conn *begin(struct db **db)
{
    *db = compute_begin();
    struct db_conn *c = fixture_conn(*db);
    compute_add_host(c, "host-a");
    compute_add_host(c, "host-b");
    compute_add_host(c, "host-c");
    return c;
}

static int forget(struct db_conn *c, void *arg, struct error *error)
{
    return store_cpu_forget(c, arg, error);
}

static int unset(struct db_conn *c, void *arg, struct error *error)
{
    return store_cpu_baseline_remove(c, 5, NULL, arg, error);
}

TEST("an aggregate's baseline goes before the pool's, for hosts of its kind alone")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    int64_t removed = 0;
    tells(c, "host-a", "x86_64 kvm", "[\"avx\"]");
    tells(c, "host-b", "x86_64 qemu", "[\"avx\"]");
    int64_t pool = sets(c, 0, "x86_64 kvm");
    CHECK_INT(baseline_of(c, "host-a"), pool);
    CHECK_INT(baseline_of(c, "host-b"), 0);
    CHECK_INT(baseline_of(c, "host-c"), 0); /* tells nothing */
    compute_transact(c, join, (void *)(uintptr_t) "host-a");
    CHECK_INT(baseline_of(c, "host-a"), pool);
    int64_t own = sets(c, 5, "x86_64 kvm");
    CHECK(own > pool);
    CHECK_INT(baseline_of(c, "host-a"), own);
    int64_t again = sets(c, 5, "x86_64 kvm");
    CHECK(again > own);
    CHECK_INT(baseline_of(c, "host-a"), again);
    compute_transact(c, unset, &removed);
    CHECK_INT(removed, 1);
    CHECK_INT(baseline_of(c, "host-a"), pool);
    compute_transact(c, forget, (void *)(uintptr_t) "host-a");
    CHECK_INT(baseline_of(c, "host-a"), 0);
    db_conn_close(&c);
    compute_end(&db);
}

struct asking {
    int64_t aggregate, now_us;
    const char *kind, *query, *found;
    bool store;
    int code;
};

static int ask(struct db_conn *c, void *arg, struct error *error)
{
    struct asking *x = arg;
    (void)error;
    error_clear(&e);
    x->code =
        store_cpu_baseline_ask(c, x->aggregate, x->kind, x->store, x->now_us, &compute_arena, &x->query, &x->found, &e);
    return 0;
}

static int answer(struct db_conn *c, void *arg, struct error *error)
{
    const struct asking *x = arg;
    struct json_doc doc;
    const char *text = x->kind;
    CHECK_OK(json_in_parse(text, strlen(text), &doc, error), error);
    int rc = store_cpu_baseline_answered(c, x->query, doc.root, NOW, &compute_arena, error);
    json_in_done(&doc);
    return rc;
}

static void answers(struct db_conn *c, struct asking *x, const char *text)
{
    x->kind = text;
    compute_transact(c, answer, x);
}

static size_t stored(struct db_conn *c)
{
    struct cpu_baseline_row *rows = NULL;
    size_t count = 0;
    CHECK_OK(store_cpu_baselines(c, &compute_arena, &rows, &count, &e), &e);
    return count;
}

TEST("a host that is up is asked, of one kind; its answer is stored if that was wanted, and says it")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct host_row host;
    CHECK_OK(store_host_get(c, "host-a", &compute_arena, &host, &e), &e);
    struct asking x = {.now_us = host.seen_us + 1};
    compute_transact(c, ask, &x);
    CHECK_INT(x.code, ERR_NOT_FOUND);
    tells(c, "host-a", "x86_64 kvm", "[\"avx\"]");
    tells(c, "host-b", "x86_64 kvm", "[\"avx\"]");
    tells(c, "host-c", "aarch64 kvm", "[\"aes\"]");
    compute_transact(c, ask, &x);
    CHECK_INT(x.code, ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), "several kinds");
    x.kind = "x86_64 kvm";
    x.now_us = host.seen_us + STORE_HOST_ALIVE_US + 1;
    compute_transact(c, ask, &x);
    CHECK_INT(x.code, ERR_CONFLICT);
    x.now_us = host.seen_us + 1;
    compute_transact(c, ask, &x);
    CHECK_INT(x.code, 0);
    answers(c, &x, "{\"output\":{\"model\":\"M\",\"description\":\"d\",\"features\":[\"avx\"]}}");
    CHECK_INT(stored(c), 0);
    x.kind = "x86_64 kvm";
    x.store = true;
    compute_transact(c, ask, &x);
    answers(c, &x, "{\"error\":\"no\"}");
    answers(c, &x, "{\"output\":{\"model\":\"M\",\"features\":[\"avx\"]}}");
    CHECK_INT(stored(c), 0);
    answers(c, &x, "{\"output\":{\"model\":\"M\",\"description\":\"d\",\"features\":[\"avx\"]}}");
    CHECK_INT(stored(c), 1);
    struct cpu_baseline_row row;
    CHECK_OK(store_cpu_baseline_of(c, "host-b", &compute_arena, &row, &e), &e);
    CHECK_TEXT(row.description, "d");
    CHECK_CONTAINS(row.hosts, "host-a");
    CHECK(!strstr(row.hosts, "host-c"));
    db_conn_close(&c);
    compute_end(&db);
}
