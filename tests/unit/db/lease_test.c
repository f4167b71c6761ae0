/* Leases: one holder at a time, by rows and the callers' clocks. */
#include "db/lease.h"
#include "tests/unit/db/fixture.h"

#define TTL_US (10 * CLOCK_SECOND_US)

struct attempt {
    const char *holder;
    bool held;
    int64_t epoch, until_us;
};

static int acquire(struct db_conn *c, void *arg, struct error *e)
{
    struct attempt *a = arg;
    return lease_acquire(c, "job", a->holder, clock_now_us(), TTL_US, &a->held, &a->epoch, &a->until_us, e);
}

static struct attempt attempt(struct db_conn *c, const char *holder)
{
    struct error e = {0};
    struct attempt a = {.holder = holder, .epoch = -1};
    CHECK_OK(db_transact(c, acquire, &a, &e), &e);
    return a;
}

static int check(struct db_conn *c, void *arg, struct error *e)
{
    const struct attempt *a = arg;
    return lease_check(c, "job", a->holder, a->epoch, e);
}

static int release(struct db_conn *c, void *arg, struct error *e)
{
    return lease_release(c, "job", arg, e);
}

static int holds(struct db_conn *c, const char *holder, int64_t epoch)
{
    struct error e = {0};
    struct attempt a = {.holder = holder, .epoch = epoch};
    return db_transact(c, check, &a, &e);
}

TEST("a lease has one holder until it expires; its epoch grows with each change of holder")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    clock_fake(1000 * CLOCK_SECOND_US);

    struct attempt a = attempt(c, "ann");
    CHECK(a.held && a.epoch == 1 && a.until_us == 1010 * CLOCK_SECOND_US);
    struct attempt b = attempt(c, "bob");
    CHECK(!b.held && b.epoch == -1 && b.until_us == a.until_us);

    clock_advance(9 * CLOCK_SECOND_US);
    a = attempt(c, "ann");
    CHECK(a.held && a.epoch == 1 && a.until_us == 1019 * CLOCK_SECOND_US);
    clock_advance(TTL_US - 1);
    CHECK(!attempt(c, "bob").held);
    CHECK_INT(holds(c, "ann", 1), 0);
    clock_advance(1);
    b = attempt(c, "bob");
    CHECK(b.held && b.epoch == 2);
    CHECK_INT(holds(c, "ann", 1), ERR_CONFLICT);
    CHECK_INT(holds(c, "bob", 1), ERR_CONFLICT);
    CHECK_INT(holds(c, "bob", 2), 0);
    CHECK(!attempt(c, "ann").held);

    CHECK_OK(db_transact(c, release, "ann", &e), &e);
    CHECK_INT(holds(c, "bob", 2), 0);
    CHECK_OK(db_transact(c, release, "bob", &e), &e);
    CHECK_INT(holds(c, "bob", 2), ERR_CONFLICT);
    a = attempt(c, "ann");
    CHECK(a.held && a.epoch == 3);
    clock_real();
    db_conn_close(&c);
    db_close(&db);
}

TEST("a holder that comes back late and finds its lease untaken keeps its epoch")
{
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    clock_fake(1000 * CLOCK_SECOND_US);
    CHECK_INT(attempt(c, "ann").epoch, 1);
    clock_advance(5 * TTL_US);
    CHECK_INT(attempt(c, "ann").epoch, 1);
    clock_real();
    db_conn_close(&c);
    db_close(&db);
}

struct contest {
    struct db *db;
    char name[8];
    pthread_barrier_t *start;
    struct attempt result;
};

static void *contend(void *arg)
{
    struct contest *contest = arg;
    struct error e = {0};
    struct db_conn *c = fixture_conn(contest->db);
    contest->result.holder = contest->name;
    pthread_barrier_wait(contest->start);
    int rc;
    do {
        error_clear(&e);
        rc = db_transact(c, acquire, &contest->result, &e);
    } while (rc == ERR_SERIALIZATION);
    CHECK_INT(rc, 0);
    db_conn_close(&c);
    return NULL;
}

TEST("of many that want a lease at once one gets it")
{
    enum { CONTENDERS = 6 };
    struct db *db = fixture_open();
    struct contest contests[CONTENDERS];
    pthread_t threads[CONTENDERS];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, CONTENDERS);
    for (int i = 0; i < CONTENDERS; i++) {
        contests[i] = (struct contest){.db = db, .start = &start};
        snprintf(contests[i].name, sizeof contests[i].name, "c%u", (unsigned)i % 10);
        CHECK(!pthread_create(&threads[i], NULL, contend, &contests[i]));
    }
    int held = 0;
    for (int i = 0; i < CONTENDERS; i++) {
        pthread_join(threads[i], NULL);
        held += contests[i].result.held;
    }
    CHECK_INT(held, 1);
    pthread_barrier_destroy(&start);
    db_close(&db);
}
