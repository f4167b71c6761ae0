/* The write path: every job is told exactly once, what was acknowledged is there, what failed left nothing. */
#include "db/writer.h"
#include "tests/unit/db/fixture.h"
#include <stdatomic.h>

DB_STATEMENT(writer_test_half, "SELECT count(*) FROM thing AS a WHERE a.id < 1000000 AND NOT EXISTS"
                               " (SELECT 1 FROM thing AS b WHERE b.id = a.id + 1000000)");
DB_STATEMENT(writer_test_data, "INSERT INTO thing (id, data) VALUES ($1, $2)");

#define TWIN 1000000 /* each job adds two things: id and id + TWIN */

/* Counts events; threads wait until it has reached a number. */
struct tally {
    pthread_mutex_t lock;
    pthread_cond_t grown;
    int64_t count;
};
#define TALLY                                                                                                          \
    {                                                                                                                  \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                                         \
    }

static void tally_add(struct tally *t)
{
    pthread_mutex_lock(&t->lock);
    t->count++;
    pthread_cond_broadcast(&t->grown);
    pthread_mutex_unlock(&t->lock);
}

static void tally_wait(struct tally *t, int64_t least)
{
    pthread_mutex_lock(&t->lock);
    while (t->count < least)
        pthread_cond_wait(&t->grown, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

struct pair {
    struct writer_job job;
    int64_t id;
    bool fails;
    int told, rc;
    struct tally *done;
};

static int pair_run(struct db_conn *c, void *arg, struct error *e)
{
    struct pair *p = arg;
    int64_t twin = p->id + TWIN;
    int rc = fixture_add(c, &p->id, e);
    if (!rc)
        rc = fixture_add(c, &twin, e);
    return rc ? rc : p->fails ? error_set(e, ERR_QUOTA, "as planned") : 0;
}

static void pair_done(struct writer_job *job, int rc, const struct error *e)
{
    struct pair *p = (struct pair *)job;
    CHECK_INT(rc, e->code);
    CHECK(!rc || e->text[0]);
    p->told++;
    p->rc = rc;
    tally_add(p->done);
}

static struct pair pair(int64_t id, struct tally *done)
{
    return (struct pair){.job = {.run = pair_run, .done = pair_done}, .id = id, .rc = -1, .done = done};
}

static int pair_submit(struct writer *w, struct pair *p)
{
    p->job.arg = p;
    return writer_submit(w, &p->job);
}

static struct writer *writer_open(struct db *db, size_t limit, unsigned threads)
{
    struct error e = {0};
    struct writer *w;
    CHECK_OK(writer_new(db, limit, threads, &w, &e), &e);
    return w;
}

/* A job that keeps the writer busy until it is let go, so that what is submitted meanwhile waits together. */
struct gate {
    struct writer_job job;
    struct tally entered, open, done;
    struct db_conn *conn; /* the writer's, for faults */
    int64_t fail_at;      /* armed when the gate opens */
    int fail_code;
    bool fail_repeat;
};

static int gate_run(struct db_conn *c, void *arg, struct error *e)
{
    struct gate *g = arg;
    (void)e;
    g->conn = c;
    tally_add(&g->entered);
    tally_wait(&g->open, 1);
    if (g->fail_at)
        db_fail_at(c, g->fail_at, g->fail_code, g->fail_repeat);
    g->fail_at = 0;
    return 0;
}

static void gate_done(struct writer_job *job, int rc, const struct error *e)
{
    (void)rc;
    (void)e;
    tally_add(&((struct gate *)job)->done);
}

static void gate_close(struct gate *g, struct writer *w)
{
    *g = (struct gate){
        .job = {.run = gate_run, .done = gate_done, .arg = g}, .entered = TALLY, .open = TALLY, .done = TALLY};
    CHECK_INT(writer_submit(w, &g->job), 0);
    tally_wait(&g->entered, 1);
}

static void gate_open(struct gate *g)
{
    tally_add(&g->open);
}

struct feeder {
    struct writer *writer;
    struct tally *done;
    pthread_t thread;
    int64_t first;
    struct pair *jobs;
};
enum { FEEDERS = 8, JOBS_EACH = 125 };

static void *feed(void *arg)
{
    struct feeder *f = arg;
    for (int i = 0; i < JOBS_EACH; i++) {
        f->jobs[i] = pair(f->first + i, f->done);
        f->jobs[i].fails = f->jobs[i].id % 7 == 0;
        CHECK_INT(pair_submit(f->writer, &f->jobs[i]), 0);
    }
    return NULL;
}

static void check_feeder(struct db *db, const struct feeder *f)
{
    for (int i = 0; i < JOBS_EACH; i++) {
        const struct pair *p = &f->jobs[i];
        CHECK_INT(p->told, 1);
        CHECK_INT(p->rc, p->fails ? ERR_QUOTA : 0);
        CHECK_INT(fixture_has(db, p->id), !p->fails);
        CHECK_INT(fixture_has(db, p->id + TWIN), !p->fails);
    }
}

TEST("a thousand jobs from eight threads are each told once, and those that fail are undone alone")
{
    struct db *db = fixture_open();
    struct writer *w = writer_open(db, 0, 0);
    struct tally done = TALLY;
    struct feeder feeders[FEEDERS];
    for (int i = 0; i < FEEDERS; i++) {
        feeders[i] = (struct feeder){.writer = w, .done = &done, .first = 1 + i * JOBS_EACH};
        feeders[i].jobs = calloc(JOBS_EACH, sizeof *feeders[i].jobs);
        CHECK(feeders[i].jobs);
        CHECK(!pthread_create(&feeders[i].thread, NULL, feed, &feeders[i]));
    }
    for (int i = 0; i < FEEDERS; i++)
        pthread_join(feeders[i].thread, NULL);
    tally_wait(&done, FEEDERS * JOBS_EACH);
    struct writer_stats stats;
    writer_read_stats(w, &stats);
    CHECK_INT(stats.jobs, FEEDERS * JOBS_EACH);
    CHECK_INT(stats.failed, 1000 / 7);
    CHECK_INT(stats.group_size_sum, stats.jobs);
    CHECK(stats.groups <= stats.jobs && stats.group_size_max >= 1 && stats.queue_depth == 0);
    writer_free(&w);
    for (int i = 0; i < FEEDERS; i++) {
        check_feeder(db, &feeders[i]);
        free(feeders[i].jobs);
    }
    CHECK_INT(done.count, FEEDERS * JOBS_EACH);
    db_close(&db);
}

static void free_when_done(struct writer_job *job, int rc, const struct error *e)
{
    struct pair *p = (struct pair *)job;
    struct tally *done = p->done;
    (void)rc;
    (void)e;
    memset(p, 0xee, sizeof *p);
    free(p);
    tally_add(done);
}

TEST("a job's memory is its submitter's again once it is told")
{
    struct db *db = fixture_open();
    struct writer *w = writer_open(db, 0, 0);
    struct tally done = TALLY;
    for (int i = 0; i < 50; i++) {
        struct pair *p = malloc(sizeof *p);
        CHECK(p);
        *p = pair(i, &done);
        p->job.done = free_when_done;
        p->fails = i % 2;
        CHECK_INT(pair_submit(w, p), 0);
    }
    tally_wait(&done, 50);
    writer_free(&w);
    CHECK_INT(fixture_things(db), 50);
    db_close(&db);
}

TEST("what waits at once is committed at once")
{
    if (on_postgres())
        return;
    struct db *db = fixture_open();
    struct writer *w = writer_open(db, 0, 0);
    struct tally done = TALLY;
    struct gate gate;
    struct pair pairs[100];
    struct writer_stats stats;
    clock_fake(CLOCK_SECOND_US); /* a group ends after a time, and this machine may be slow */
    gate_close(&gate, w);
    for (int i = 0; i < 100; i++) {
        pairs[i] = pair(i, &done);
        CHECK_INT(pair_submit(w, &pairs[i]), 0);
    }
    writer_read_stats(w, &stats);
    CHECK_INT(stats.queue_depth, 100);
    gate_open(&gate);
    tally_wait(&done, 100);
    writer_read_stats(w, &stats);
    CHECK_INT(stats.groups, 1);
    CHECK_INT(stats.group_size_max, 101);
    writer_free(&w);
    clock_real();
    db_close(&db);
}

TEST("a full queue refuses, and what it refused is never told")
{
    struct db *db = fixture_open();
    struct writer *w = writer_open(db, 3, 1);
    struct tally done = TALLY;
    struct gate gate;
    struct pair pairs[4];
    struct error e = {0};
    gate_close(&gate, w);
    for (int i = 0; i < 4; i++) {
        pairs[i] = pair(i, &done);
        CHECK_INT(pair_submit(w, &pairs[i]), i < 3 ? 0 : ERR_BUSY);
    }
    CHECK_INT(writer_run(w, pair_run, &pairs[3], &e), ERR_BUSY);
    gate_open(&gate);
    tally_wait(&done, 3);
    CHECK_INT(pair_submit(w, &pairs[3]), 0);
    writer_free(&w);
    for (int i = 0; i < 4; i++)
        CHECK_INT(pairs[i].told, 1);
    CHECK_INT(fixture_things(db), 8);
    db_close(&db);
}

TEST("a writer that is freed first runs what waits")
{
    struct db *db = fixture_open();
    struct writer *w = writer_open(db, 0, 2);
    struct tally done = TALLY;
    struct pair pairs[200];
    for (int i = 0; i < 200; i++) {
        pairs[i] = pair(i, &done);
        CHECK_INT(pair_submit(w, &pairs[i]), 0);
    }
    writer_free(&w);
    CHECK(!w);
    CHECK_INT(done.count, 200);
    CHECK_INT(fixture_things(db), 400);
    db_close(&db);
}

TEST("writer_run waits for its job and brings its error")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct writer *w = writer_open(db, 0, 0);
    struct pair good = {.id = 1}, bad = {.id = 2, .fails = true};
    CHECK_OK(writer_run(w, pair_run, &good, &e), &e);
    CHECK_INT(writer_run(w, pair_run, &bad, &e), ERR_QUOTA);
    CHECK_TEXT(e.text, "as planned");
    CHECK_INT(fixture_things(db), 2);
    writer_free(&w);
    db_close(&db);
}

/* One run of the fault loop: a group of jobs in which the n-th statement fails. Returns how many jobs failed. */
static int run_with_fault(struct db *db, struct writer *w, int64_t first, int64_t n, int code, bool repeat)
{
    enum { JOBS = 5 };
    struct tally done = TALLY;
    struct gate gate;
    struct pair pairs[JOBS];
    int failed = 0;
    gate_close(&gate, w);
    gate.fail_at = n;
    gate.fail_code = code;
    gate.fail_repeat = repeat;
    for (int i = 0; i < JOBS; i++) {
        pairs[i] = pair(first + i, &done);
        pairs[i].fails = i == 2;
        CHECK_INT(pair_submit(w, &pairs[i]), 0);
    }
    gate_open(&gate);
    tally_wait(&done, JOBS);
    tally_wait(&gate.done, 1);
    db_fail_at(gate.conn, 0, 0, false);
    for (int i = 0; i < JOBS; i++) {
        CHECK_INT(pairs[i].told, 1);
        CHECK(pairs[i].rc == 0 || pairs[i].rc == code || (pairs[i].fails && pairs[i].rc == ERR_QUOTA));
        CHECK_INT(fixture_has(db, pairs[i].id), pairs[i].rc == 0);
        CHECK_INT(fixture_has(db, pairs[i].id + TWIN), pairs[i].rc == 0);
        CHECK(!pairs[i].fails || pairs[i].rc);
        failed += pairs[i].rc && !pairs[i].fails;
    }
    return failed;
}

TEST("whichever statement fails, with whatever, once or for good: jobs are told the truth and the writer goes on")
{
    static const int codes[] = {ERR_NO_SPACE, ERR_DATABASE, ERR_UNAVAILABLE, ERR_SERIALIZATION, ERR_CONFLICT, ERR_BUSY};
    struct error e = {0};
    struct db *db = fixture_open();
    struct writer *w = writer_open(db, 0, 1);
    int64_t first = 0;
    for (size_t k = 0; k < sizeof codes / sizeof *codes; k++)
        for (int repeat = 0; repeat < 2; repeat++) {
            int clean = 0; /* the fault lies behind the last statement twice in a row */
            for (int64_t n = 1; clean < 2; n++, first += 10) {
                struct pair after = {.id = first + 9};
                int failed = run_with_fault(db, w, first, n, codes[k], repeat);
                clean = failed ? 0 : clean + 1;
                if (!repeat && codes[k] == ERR_SERIALIZATION)
                    CHECK_INT(failed, 0);
                CHECK_OK(writer_run(w, pair_run, &after, &e), &e);
                CHECK(n < 100);
            }
        }
    writer_free(&w);
    db_close(&db);
}

static int set_page_limit(struct db_conn *c, void *arg, struct error *e)
{
    return c->engine->script(c, arg, e);
}

static int add_much(struct db_conn *c, void *arg, struct error *e)
{
    static char bytes[1 << 20];
    struct pair *p = arg;
    return db_exec(c, &writer_test_data, NULL, e, DB_ARGS(db_int(p->id), db_bytes(bytes, sizeof bytes)));
}

TEST("when SQLite rolls the whole transaction back under a job, the job's neighbours are done all the same")
{
    if (on_postgres())
        return;
    struct error e = {0};
    struct db *db = fixture_open();
    struct writer *w = writer_open(db, 0, 0);
    struct tally done = TALLY;
    struct gate gate;
    struct pair pairs[9];
    CHECK_OK(writer_run(w, set_page_limit, "PRAGMA max_page_count = 100", &e), &e);
    gate_close(&gate, w);
    for (int i = 0; i < 9; i++) {
        pairs[i] = pair(i, &done);
        if (i == 4 || i == 6)
            pairs[i].job.run = add_much;
        CHECK_INT(pair_submit(w, &pairs[i]), 0);
    }
    gate_open(&gate);
    tally_wait(&done, 9);
    for (int i = 0; i < 9; i++) {
        CHECK_INT(pairs[i].told, 1);
        CHECK_INT(pairs[i].rc, i == 4 || i == 6 ? ERR_NO_SPACE : 0);
        CHECK_INT(fixture_has(db, i), pairs[i].rc == 0);
    }
    CHECK_OK(writer_run(w, set_page_limit, "PRAGMA max_page_count = 100000", &e), &e);
    CHECK_OK(writer_run(w, add_much, &pairs[4], &e), &e);
    writer_free(&w);
    db_close(&db);
}

/* Acknowledged jobs of a child that is killed without warning. */
struct killed {
    struct writer_job job;
    int64_t id;
    int fd;
    struct writer *writer;
};

static int killed_run(struct db_conn *c, void *arg, struct error *e)
{
    struct killed *k = arg;
    struct pair p = {.id = k->id};
    return pair_run(c, &p, e);
}

/* Reports the acknowledgement and goes on with the next job. */
static void killed_done(struct writer_job *job, int rc, const struct error *e)
{
    struct killed *k = (struct killed *)job;
    if (rc)
        check_fail(__FILE__, __LINE__, "%s", error_text(e));
    if (write(k->fd, &k->id, sizeof k->id) != sizeof k->id)
        _exit(1);
    k->id += 16;
    CHECK_INT(writer_submit(k->writer, &k->job), 0);
}

static pid_t write_until_killed(int ret_pipe[2], int64_t first)
{
    CHECK(!pipe(ret_pipe));
    fflush(stdout);
    pid_t child = fork();
    if (child) {
        close(ret_pipe[1]);
        return child;
    }
    static struct killed jobs[16];
    check_thread = 0;
    struct db *db = fixture_again();
    struct writer *w = writer_open(db, 0, 0);
    for (int i = 0; i < 16; i++) {
        jobs[i] = (struct killed){.job = {.run = killed_run, .done = killed_done, .arg = &jobs[i]},
                                  .id = first + i,
                                  .fd = ret_pipe[1],
                                  .writer = w};
        CHECK_INT(writer_submit(w, &jobs[i].job), 0);
    }
    for (;;)
        pause();
}

TEST("a process killed while it writes forgets nothing that it acknowledged and leaves nothing half done")
{
    enum { ROUNDS = 8, MOST = 80000 }; /* each child may be as far ahead as its pipe holds: 8,192 */
    struct error e = {0};
    static int64_t told[MOST];
    int count = 0;
    struct db *db = fixture_open();
    db_close(&db);
    for (int round = 0; round < ROUNDS; round++) {
        int from_child[2];
        pid_t child = write_until_killed(from_child, 100000 * (int64_t)round);
        int enough = count + 20 + 97 * round;
        while (count < MOST && read(from_child[0], &told[count], sizeof *told) == sizeof *told)
            if (++count == enough)
                kill(child, SIGKILL);
        CHECK(count >= enough && count < MOST);
        CHECK(waitpid(child, NULL, 0) == child);
        close(from_child[0]);
    }
    db = fixture_again();
    int64_t half = -1;
    for (int i = 0; i < count; i++)
        CHECK(fixture_has(db, told[i]) && fixture_has(db, told[i] + TWIN));
    CHECK_OK(db_query_int(db_reader(db), &writer_test_half, &half, &e, DB_NO_ARGS), &e);
    CHECK_INT(half, 0);
    db_close(&db);
}
