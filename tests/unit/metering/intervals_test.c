/* Metering: whatever is repeated, cut into batches or killed between transactions, each server's intervals cover its
 * life once. */
#include "db/db.h"
#include "db/store_ledger.h"
#include "db/store_usage.h"
#include "metering/intervals.h"
#include "metering/price_file.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVERS 5

struct life {
    int64_t begin_us, end_us; /* first event that counts, "gone" */
};

struct fixture {
    char dir[64], path[96];
    struct db *db;
    struct intervals meter;
    int64_t next_event;
    struct life lives[SERVERS];
};

static void fixture_open(struct fixture *f)
{
    struct error e = {0};
    memset(f, 0, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/virga-meter.XXXXXX");
    CHECK(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/v.db", f->dir);
    CHECK_INT(db_open(f->path, 0, &f->db, &e), 0);
    CHECK_INT(db_conn_open(f->db, &f->meter.conn, &e), 0);
    f->meter.batch = 7;
    f->meter.region = "RegionOne";
}

static void fixture_close(struct fixture *f)
{
    char command[128];
    intervals_forget(&f->meter);
    db_conn_close(&f->meter.conn);
    db_close(&f->db);
    const char *suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(command, sizeof(command), "%s%s", f->path, suffixes[i]);
        unlink(command);
    }
    snprintf(command, sizeof(command), "%s.wake", f->path);
    rmdir(command);
    rmdir(f->dir);
}

struct event {
    int64_t id, at_us;
    int server;
    const char *state, *project;
    int64_t vcpus;
};

DB_STATEMENT(test_event,
             "INSERT INTO lifecycle_event (id, host_id, host_seq, server_id, project_id, state, flavor_name, "
             "vcpus, memory_mib, disk_gib, at_us, received_us) "
             "VALUES ($1, 'h', $1, $2, $5, $3, 'f', $6, 512, 1, $4, $4)");
static int insert_event(struct db_conn *c, void *arg, struct error *e)
{
    const struct event *x = arg;
    char id[16];
    snprintf(id, sizeof(id), "server-%d", x->server);
    return db_exec(c, &test_event, NULL, e,
                   DB_ARGS(db_int(x->id), db_text(id), db_text(x->state), db_int(x->at_us), db_text(x->project),
                           db_int(x->vcpus)));
}

static void add_event_of(struct fixture *f, struct event x)
{
    struct error e = {0};
    x.id = ++f->next_event;
    CHECK_INT(db_transact(f->meter.conn, insert_event, &x, &e), 0);
}

static void add_event(struct fixture *f, int server, const char *state, int64_t at_us)
{
    add_event_of(f, (struct event){.at_us = at_us, .server = server, .state = state, .project = "p", .vcpus = 2});
}

struct sweep {
    const struct fixture *f;
    char server[40];
    int64_t last_end_us, total_us[SERVERS];
    int rows;
};

static int check_row(void *arg, const struct usage_row *row, struct error *e)
{
    (void)e;
    struct sweep *s = arg;
    int server = (int)strtol(row->server_id + strlen("server-"), NULL, 10);
    if (strcmp(s->server, row->server_id) == 0) {
        CHECK_INT(row->interval.begin_us, s->last_end_us);
    }
    snprintf(s->server, sizeof(s->server), "%s", row->server_id);
    s->last_end_us = row->interval.end_us;
    s->total_us[server] += row->interval.end_us - row->interval.begin_us;
    s->rows++;
    return 0;
}

static void check_lives(struct fixture *f)
{
    struct error e = {0};
    struct sweep s = {.f = f};
    CHECK_INT(store_usage_each(f->meter.conn, "p", NULL, 0, INT64_MAX, check_row, &s, &e), 0);
    for (int i = 0; i < SERVERS; i++) {
        CHECK_INT(s.total_us[i], f->lives[i].end_us - f->lives[i].begin_us);
    }
}

static void random_lives(struct fixture *f, unsigned seed)
{
    static const char *const states[] = {"suspended", "running", "stopped", "paused", "running"};
    int64_t now = 1000000;
    for (int i = 0; i < SERVERS; i++) {
        f->lives[i].begin_us = 0;
    }
    for (int step = 0; step < 300; step++) {
        int server = (int)((unsigned)rand_r(&seed) % SERVERS);
        now += rand_r(&seed) % 1000000;
        if (!f->lives[server].begin_us) {
            f->lives[server].begin_us = now;
        }
        add_event(f, server, states[(unsigned)rand_r(&seed) % 5], now);
    }
    for (int i = 0; i < SERVERS; i++) {
        now += 17;
        add_event(f, i, "gone", now);
        f->lives[i].end_us = f->lives[i].begin_us ? now : 0;
    }
}

TEST("the intervals of a server neither overlap nor leave a gap and sum to its life")
{
    struct fixture f;
    struct error e = {0};
    fixture_open(&f);
    random_lives(&f, 5);
    CHECK_INT(intervals_run(&f.meter, &e), 0);
    check_lives(&f);
    CHECK_INT(intervals_run(&f.meter, &e), 0);
    check_lives(&f);
    fixture_close(&f);
}

TEST("a statement that fails anywhere loses and doubles nothing")
{
    struct fixture f;
    fixture_open(&f);
    random_lives(&f, 9);
    int rc = -1;
    for (int n = 1; rc != 0 && n < 100000; n++) {
        struct error e = {0};
        db_fail_at(f.meter.conn, n, n % 2 ? ERR_NO_SPACE : ERR_DATABASE, false);
        rc = intervals_run(&f.meter, &e);
        db_fail_at(f.meter.conn, 0, 0, false);
    }
    CHECK_INT(rc, 0);
    check_lives(&f);
    fixture_close(&f);
}

TEST("building is not billed, the first start is where use begins")
{
    struct fixture f;
    struct error e = {0};
    fixture_open(&f);
    add_event(&f, 0, "building", 1000000);
    add_event(&f, 0, "running", 4000000);
    add_event(&f, 0, "running", 5000000);
    add_event(&f, 0, "gone", 9000000);
    f.lives[0] = (struct life){4000000, 9000000};
    CHECK_INT(intervals_run(&f.meter, &e), 0);
    CHECK_INT(f.meter.opened, 1);
    check_lives(&f);
    fixture_close(&f);
}

static int check_shelved(void *arg, const struct usage_row *row, struct error *e)
{
    (void)e;
    int *rows = arg;
    bool shelved = row->interval.state == SERVER_STATE_SHELVED;
    CHECK_INT(shelved, *rows == 1);
    CHECK_TEXT(row->host_id, shelved ? "" : "h");
    CHECK_INT(row->interval.end_us - row->interval.begin_us, *rows == 1 ? 400 : 100);
    ++*rows;
    return 0;
}

TEST("a shelved server has a state of its own and is on no host")
{
    struct fixture f;
    struct error e = {0};
    int rows = 0;
    fixture_open(&f);
    add_event(&f, 1, "running", 100);
    add_event(&f, 1, "shelved", 200);
    add_event(&f, 1, "running", 600);
    add_event(&f, 1, "gone", 700);
    CHECK_INT(intervals_run(&f.meter, &e), 0);
    CHECK_INT(store_usage_each(f.meter.conn, "p", NULL, 0, INT64_MAX, check_shelved, &rows, &e), 0);
    CHECK_INT(rows, 3);
    fixture_close(&f);
}

TEST("a clock that stepped back never bills a second twice")
{
    struct fixture f;
    struct error e = {0};
    fixture_open(&f);
    add_event(&f, 0, "running", 5000000);
    add_event(&f, 0, "stopped", 3000000);
    add_event(&f, 0, "gone", 9000000);
    f.lives[0] = (struct life){5000000, 9000000};
    CHECK_INT(intervals_run(&f.meter, &e), 0);
    CHECK_INT(f.meter.clamped, 1);
    check_lives(&f);
    fixture_close(&f);
}

struct ends {
    struct ledger_row rows[SERVERS + 1];
    int64_t used_us[SERVERS + 1], vcpus[SERVERS + 1];
    size_t count, used;
};

/* Only what was there before the events at 400: what begins with them is known when the meter has taken them. */
static int see_ledger(void *arg, const struct ledger_row *row, struct error *e)
{
    (void)e;
    struct ends *x = arg;
    if (row->begin_us < 400) {
        CHECK(row->subject_no > 0 && x->count <= SERVERS);
        size_t i = x->count++;
        for (; i > 0 && x->rows[i - 1].begin_us > row->begin_us; i--) {
            x->rows[i] = x->rows[i - 1];
        }
        x->rows[i] = *row;
    }
    return 0;
}

static int see_usage(void *arg, const struct usage_row *row, struct error *e)
{
    (void)e;
    struct ends *x = arg;
    if (row->interval.begin_us < 400) {
        CHECK(x->used <= SERVERS);
        x->vcpus[x->used] = row->interval.vcpus;
        x->used_us[x->used++] = row->interval.end_us;
    }
    return 0;
}

static void look(struct fixture *f, struct ends *ret)
{
    struct error e = {0};
    int64_t project = 0;
    memset(ret, 0, sizeof(*ret));
    CHECK_INT(store_ledger_find(f->meter.conn, "project", "p", &project, &e), 0);
    CHECK_INT(store_ledger_each(f->meter.conn, project, 0, 5000, INT64_MAX, see_ledger, ret, &e), 0);
    CHECK_INT(store_usage_each(f->meter.conn, "p", NULL, 0, 5000, see_usage, ret, &e), 0);
}

TEST("who reads right after a server went, was given away, was resized or stopped sees what was used until then")
{
    static const int64_t end[] = {400, 400, 400, 400, INT64_MAX};
    struct fixture f;
    struct error e = {0};
    struct ends running, before, after;
    fixture_open(&f);
    for (int i = 0; i < SERVERS; i++) {
        add_event(&f, i, "running", 100 + i);
    }
    CHECK_INT(intervals_run(&f.meter, &e), 0);
    look(&f, &running);
    add_event(&f, 0, "gone", 400);
    add_event_of(&f, (struct event){.server = 1, .at_us = 400, .state = "running", .project = "q", .vcpus = 2});
    add_event_of(&f, (struct event){.server = 2, .at_us = 400, .state = "running", .project = "p", .vcpus = 4});
    add_event(&f, 3, "stopped", 400);
    add_event(&f, 3, "gone", 500);
    add_event(&f, 4, "running", 400); /* nothing has changed */
    look(&f, &before);
    CHECK_INT(intervals_run(&f.meter, &e), 0);
    look(&f, &after);
    CHECK_INT(before.count, SERVERS);
    CHECK_INT(before.used, SERVERS);
    for (size_t i = 0; i < SERVERS; i++) {
        CHECK_INT(running.rows[i].end_us, INT64_MAX);
        CHECK_INT(before.rows[i].end_us, end[i]);
        CHECK_INT(before.used_us[i], end[i]);
        CHECK_INT(before.rows[i].run_us, i == 2 || i == 4 ? -1 : 100 + (int64_t)i);
        CHECK_INT(before.vcpus[i], 2);
        CHECK(memcmp(&before.rows[i], &after.rows[i], sizeof(before.rows[i])) == 0);
        CHECK_INT(before.used_us[i], after.used_us[i]);
    }
    fixture_close(&f);
}

TEST("an end that lies before the begin, and the past as it was known, are no other before the meter has come")
{
    struct fixture f;
    struct error e = {0};
    struct ends now, then = {.count = 0};
    int64_t project = 0;
    fixture_open(&f);
    add_event(&f, 0, "running", 300);
    CHECK_INT(intervals_run(&f.meter, &e), 0);
    add_event(&f, 0, "gone", 200);
    look(&f, &now);
    CHECK_INT(now.count, 1);
    CHECK_INT(now.rows[0].end_us, 300);
    CHECK_INT(store_ledger_find(f.meter.conn, "project", "p", &project, &e), 0);
    CHECK_INT(store_ledger_each(f.meter.conn, project, 0, 5000, 1, see_ledger, &then, &e), 0);
    CHECK_INT(then.rows[0].end_us, INT64_MAX);
    fixture_close(&f);
}

static int load_text(struct fixture *f, const char *text, struct error *e)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/prices.yaml", f->dir);
    FILE *file = fopen(path, "w");
    CHECK(file);
    fputs(text, file);
    fclose(file);
    int rc = price_file_load(f->meter.conn, path, e);
    unlink(path);
    return rc;
}

TEST("a price file with a mistake is refused and names it")
{
    static const struct {
        const char *text, *hint;
    } rows[] = {
        {"currency: EUR\nbooks:\n  - from: 2026-01-01\n    prices:\n      - {resource: gpu, price: '1'}\n", "gpu"},
        {"currency: EUR\nbooks:\n  - from: 2026-01-01\n    prices:\n      - {resource: vcpu, price: '1e3'}\n", "1e3"},
        {"currency: EUR\nbooks:\n  - from: someday\n    prices: []\n", "someday"},
        {"currency: EUR\nbooks:\n  - from: 2026-01-01\n    prices: []\n    until: x\n", "until"},
        {"currency: EUR\n", "books"},
        {"currency: [EUR\n", "line"},
        {"", "empty"},
        {"currency: EUR\nbooks:\n  - from: 2026-01-01\n    prices:\n      - {resource: vcpu, price: '1', states: "
         "[gone]}\n",
         "gone"},
        {"currency: EUR\nbooks:\n  - from: 2026-01-01\n    prices:\n      - {resource: vcpu, price: '1', spot: "
         "[{from: 2026-01-02, price: '2'}, {from: 2026-01-02, price: '3'}]}\n",
         "ascending"},
        {"currency: EUR\nbooks:\n  - from: 2026-01-01\n    prices:\n      - {resource: vcpu, free: '1', price: '1', "
         "spot: [{from: 2026-01-02, price: '2'}]}\n",
         "no tiers"},
        {"currency: EUR\nbooks:\n  - from: 2026-01-01\n    prices:\n      - {resource: vcpu, price: '1', per: host}\n",
         "per"},
    };
    struct fixture f;
    fixture_open(&f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e = {0};
        CHECK_INT(load_text(&f, rows[i].text, &e), ERR_INVALID);
        CHECK(strstr(error_text(&e), rows[i].hint));
    }
    fixture_close(&f);
}

TEST("a book in effect never changes, a later one may follow")
{
    static const char first[] =
        "currency: EUR\nbooks:\n  - {from: 2020-01-01, prices: [{resource: vcpu, price: '1'}]}\n";
    static const char edited[] =
        "currency: EUR\nbooks:\n  - {from: 2020-01-01, prices: [{resource: vcpu, price: '2'}]}\n";
    static const char longer[] =
        "currency: EUR\nbooks:\n  - {from: 2020-01-01, prices: [{resource: vcpu, price: '1'}]}\n"
        "  - {from: 2021-01-01, prices: [{resource: vcpu, price: '2'}]}\n";
    struct fixture f;
    struct error e = {0}, refused = {0};
    fixture_open(&f);
    CHECK_INT(load_text(&f, first, &e), 0);
    CHECK_INT(load_text(&f, first, &e), 0);
    CHECK_INT(load_text(&f, edited, &refused), ERR_CONFLICT);
    CHECK_INT(load_text(&f, longer, &e), 0);
    fixture_close(&f);
}
