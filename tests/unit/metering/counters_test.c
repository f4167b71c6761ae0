/* Counters: whatever is repeated, reset, late or interrupted, each increase counts once, for who owned the server. */
#include "db/db.h"
#include "db/store_counter.h"
#include "db/store_ledger.h"
#include "metering/counters.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR ((int64_t)3600000000)

struct fixture {
    char dir[64], path[96];
    struct db *db;
    struct counters meter;
    int64_t projects[2];
};

struct owned {
    struct fixture *f;
    const char *server;
};

/* The server is of the first project for an hour, then of the second. */
static int own(struct db_conn *c, void *arg, struct error *e)
{
    struct owned *x = arg;
    const struct ledger_shape shape = {
        .source = "server", .state = "running", .flavor = "f", .zone = "", .region = "", .tags = "[]", .extra = "{}"};
    struct ledger_open open = {.begin_us = HOUR, .run_us = HOUR, .begin_event = 1};
    int rc = store_ledger_name(c, "server", x->server, &open.subject_no, e);
    rc = rc ? rc : store_ledger_name(c, "project", "first", &x->f->projects[0], e);
    rc = rc ? rc : store_ledger_name(c, "project", "second", &x->f->projects[1], e);
    rc = rc ? rc : store_ledger_shape(c, &shape, &open.shape_no, e);
    open.project_no = x->f->projects[0];
    rc = rc ? rc : store_ledger_close(c, &open, 2 * HOUR, 2, true, e);
    open.project_no = x->f->projects[1];
    open.begin_us = 2 * HOUR;
    open.begin_event = 2;
    return rc ? rc : store_ledger_open_put(c, &open, e);
}

static void fixture_open(struct fixture *f)
{
    struct error e = {0};
    memset(f, 0, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/virga-counters.XXXXXX");
    CHECK(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/v.db", f->dir);
    CHECK_INT(db_open(f->path, 0, &f->db, &e), 0);
    CHECK_INT(db_conn_open(f->db, &f->meter.conn, &e), 0);
    f->meter.batch = 2;
    CHECK_INT(db_transact(f->meter.conn, own, &(struct owned){f, "s"}, &e), 0);
}

static void fixture_close(struct fixture *f)
{
    char name[128];
    counters_forget(&f->meter);
    db_conn_close(&f->meter.conn);
    db_close(&f->db);
    const char *suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "%s%s", f->path, suffixes[i]);
        unlink(name);
    }
    snprintf(name, sizeof(name), "%s.wake", f->path);
    rmdir(name);
    rmdir(f->dir);
}

struct sent {
    const char *host, *server;
    int64_t at_us, cpu, read;
};

static int send_one(struct db_conn *c, void *arg, struct error *e)
{
    const struct sent *x = arg;
    struct counter_sample s = {.at_us = x->at_us};
    snprintf(s.server_id, sizeof(s.server_id), "%s", x->server);
    for (int k = 0; k < COUNTER_COUNT; k++) {
        s.value[k] = -1;
    }
    s.value[COUNTER_CPU_NS] = x->cpu;
    s.value[COUNTER_DISK_READ_BYTES] = x->read;
    return store_counter_accept(c, x->host, &s, 1, x->at_us, e);
}

static void give(struct fixture *f, const char *host, int64_t at_us, int64_t cpu, int64_t read)
{
    struct error e = {0};
    struct sent x = {host, "s", at_us, cpu, read};
    CHECK_INT(db_transact(f->meter.conn, send_one, &x, &e), 0);
}

struct totals {
    int64_t cpu, read, hours, last_hour_us;
};

static int add_hour(void *arg, const struct counter_hour *h, struct error *e)
{
    (void)e;
    struct totals *t = arg;
    t->cpu += h->used[COUNTER_CPU_NS];
    t->read += h->used[COUNTER_DISK_READ_BYTES];
    t->hours++;
    t->last_hour_us = h->hour_us;
    return 0;
}

static struct totals totals_of(struct fixture *f, int project)
{
    struct totals t = {0};
    struct error e = {0};
    CHECK_INT(store_counter_each(f->meter.conn, f->projects[project], 0, INT64_MAX, INT64_MAX, add_hour, &t, &e), 0);
    return t;
}

static void give_all(struct fixture *f)
{
    give(f, "a", HOUR + 10, 100, -1);
    give(f, "a", HOUR + 20, 150, 5);
    give(f, "a", HOUR + 20, 150, 5);           /* a repeat */
    give(f, "a", HOUR + 30, 30, 6);            /* the domain was started again */
    give(f, "b", 2 * HOUR + 5, 45, 10);        /* on another host, by its second owner */
    give(f, "a", HOUR + 40, 40, -1);           /* what the first host tells late is the first owner's */
    give(f, "b", 2 * HOUR + 5 + HOUR, 46, 10); /* in another hour */
}

static void check_all(struct fixture *f)
{
    struct totals first = totals_of(f, 0), second = totals_of(f, 1);
    CHECK_INT(first.cpu, 150 + 40);
    CHECK_INT(first.read, 5 + 6);
    CHECK_INT(first.hours, 1);
    CHECK_INT(second.cpu, 46);
    CHECK_INT(second.read, 10);
    CHECK_INT(second.hours, 2);
    CHECK_INT(second.last_hour_us, 3 * HOUR);
}

TEST("increases add up over restarts, hosts and owners, and a repeat changes nothing")
{
    struct fixture f;
    struct error e = {0};
    fixture_open(&f);
    give_all(&f);
    CHECK_INT(counters_run(&f.meter, &e), 0);
    check_all(&f);
    give_all(&f);
    counters_forget(&f.meter); /* as after a restart */
    CHECK_INT(counters_run(&f.meter, &e), 0);
    check_all(&f);
    CHECK_INT(f.meter.resets, 1);
    CHECK_INT(f.meter.repeated, 6);
    fixture_close(&f);
}

TEST("a statement that fails anywhere loses and doubles no increase")
{
    struct fixture f;
    int rc = -1;
    fixture_open(&f);
    give_all(&f);
    for (int n = 1; rc != 0 && n < 1000; n++) {
        struct error e = {0};
        db_fail_at(f.meter.conn, n, n % 2 ? ERR_NO_SPACE : ERR_DATABASE, false);
        rc = counters_run(&f.meter, &e);
        db_fail_at(f.meter.conn, 0, 0, false);
    }
    CHECK_INT(rc, 0);
    check_all(&f);
    fixture_close(&f);
}

TEST("samples of a server that nobody has used wait for none and count for none")
{
    struct fixture f;
    struct error e = {0};
    struct sent x = {"a", "stranger", HOUR, 7, 7};
    fixture_open(&f);
    CHECK_INT(db_transact(f.meter.conn, send_one, &x, &e), 0);
    CHECK_INT(counters_run(&f.meter, &e), 0);
    CHECK_INT(f.meter.homeless, 1);
    CHECK_INT(totals_of(&f, 0).hours + totals_of(&f, 1).hours, 0);
    CHECK_INT(db_transact(f.meter.conn, own, &(struct owned){&f, "stranger"}, &e), 0);
    x.at_us += 10;
    x.cpu = 9;
    CHECK_INT(db_transact(f.meter.conn, send_one, &x, &e), 0);
    CHECK_INT(counters_run(&f.meter, &e), 0);
    CHECK_INT(totals_of(&f, 0).cpu, 9); /* cumulative: nothing is lost */
    fixture_close(&f);
}

TEST("of a domain that was started again all counts, also what grew beyond where it was")
{
    struct fixture f;
    struct error e = {0};
    fixture_open(&f);
    give(&f, "a", HOUR + 10, 100, 5);
    give(&f, "a", HOUR + 20, 30, 9); /* it has read more than before */
    CHECK_INT(counters_run(&f.meter, &e), 0);
    CHECK_INT(totals_of(&f, 0).cpu, 130);
    CHECK_INT(totals_of(&f, 0).read, 14);
    fixture_close(&f);
}

/* ---- traffic by nic ---- */

#define RED  "11111111-1111-4111-8111-111111111111"
#define BLUE "22222222-2222-4222-8222-222222222222"
#define MAC1 "fa:16:3e:00:00:01"
#define MAC2 "fa:16:3e:00:00:02"

struct told {
    const char *host;
    int64_t at_us, total; /* total: what all nics have received, below 0: not told */
    struct counter_nic nics[3];
    size_t count;
};

static int send_nics(struct db_conn *c, void *arg, struct error *e)
{
    const struct told *x = arg;
    struct counter_sample s = {.server_id = "s", .at_us = x->at_us, .nics = x->nics, .nic_count = x->count};
    for (int k = 0; k < COUNTER_COUNT; k++) {
        s.value[k] = -1;
    }
    s.value[COUNTER_NET_IN_BYTES] = x->total;
    return store_counter_accept(c, x->host, &s, 1, x->at_us, e);
}

/* A sample; then the meter runs, and forgets what it has in memory as after a restart. */
static void tell(struct fixture *f, const struct told *x)
{
    struct error e = {0};
    CHECK_INT(db_transact(f->meter.conn, send_nics, (void *)(uintptr_t)x, &e), 0);
    CHECK_INT(counters_run(&f->meter, &e), 0);
    counters_forget(&f->meter);
}

struct by_network {
    struct fixture *f;
    int64_t in[3], out[3]; /* of RED, BLUE and of none */
    int64_t rows;
};

static int add_network(void *arg, const struct counter_hour *h, struct error *e)
{
    struct by_network *x = arg;
    struct ledger_shape shape;
    struct arena a;
    arena_init(&a);
    int rc = store_ledger_shape_get(x->f->meter.conn, h->shape_no, &a, &shape, e);
    int which = rc ? 2 : strstr(shape.extra, "\"network\":\"" RED "\"") ? 0 : strstr(shape.extra, BLUE) ? 1 : 2;
    x->in[which] += h->used[COUNTER_NET_IN_BYTES];
    x->out[which] += h->used[COUNTER_NET_OUT_BYTES];
    x->rows++;
    arena_done(&a);
    return rc;
}

static void check_networks(struct fixture *f, int64_t red, int64_t blue, int64_t none)
{
    struct by_network x = {.f = f};
    struct error e = {0};
    CHECK_INT(store_counter_each(f->meter.conn, f->projects[0], 0, INT64_MAX, INT64_MAX, add_network, &x, &e), 0);
    CHECK_INT(x.in[0], red);
    CHECK_INT(x.in[1], blue);
    CHECK_INT(x.in[2], none);
}

TEST("traffic counts by network, whatever becomes of the other nic")
{
    struct fixture f;
    fixture_open(&f);
    tell(&f, &(struct told){"a", HOUR + 1, 15, {{MAC1, RED, 10, 1}, {MAC2, BLUE, 5, 1}}, 2});
    check_networks(&f, 10, 5, 0);
    tell(&f, &(struct told){"a", HOUR + 2, 21, {{MAC1, RED, 13, 1}, {MAC2, BLUE, 8, 1}}, 2});
    check_networks(&f, 13, 8, 0);
    tell(&f, &(struct told){"a", HOUR + 3, 14, {{MAC1, RED, 14, 1}}, 1}); /* unplugged: the sum goes back */
    check_networks(&f, 14, 8, 0);
    tell(&f, &(struct told){"a", HOUR + 4, 17, {{MAC1, RED, 15, 1}, {MAC2, BLUE, 2, 1}}, 2}); /* plugged again */
    check_networks(&f, 15, 10, 0);
    tell(&f, &(struct told){"a", HOUR + 5, 5, {{MAC1, RED, 4, 1}, {MAC2, BLUE, 1, 1}}, 2}); /* started again */
    check_networks(&f, 19, 11, 0);
    tell(&f, &(struct told){"b", HOUR + 6, 3, {{MAC1, RED, 1, 1}, {MAC2, BLUE, 2, 1}}, 2}); /* on another host */
    check_networks(&f, 20, 13, 0);
    tell(&f, &(struct told){"b", HOUR + 7, 9, {{MAC2, "", 4, 1}, {MAC1, RED, 2, 1}}, 2}); /* where, nobody knows */
    check_networks(&f, 21, 13, 2);
    fixture_close(&f);
}

TEST("a host whose agent begins to tell nics, or no longer does, counts no byte twice")
{
    struct fixture f;
    fixture_open(&f);
    tell(&f, &(struct told){"a", HOUR + 1, 100, {{{0}, {0}, 0, 0}}, 0});
    check_networks(&f, 0, 0, 100);
    tell(&f, &(struct told){"a", HOUR + 2, 107, {{MAC1, RED, 60, 0}, {MAC2, BLUE, 47, 0}}, 2});
    check_networks(&f, 0, 7, 100);
    tell(&f, &(struct told){"a", HOUR + 3, 110, {{MAC1, RED, 61, 0}, {MAC2, BLUE, 49, 0}}, 2});
    check_networks(&f, 1, 9, 100);
    tell(&f, &(struct told){"a", HOUR + 4, 115, {{{0}, {0}, 0, 0}}, 0}); /* the older agent again */
    check_networks(&f, 1, 9, 105);
    tell(&f, &(struct told){"a", HOUR + 5, 116, {{MAC1, RED, 64, 0}, {MAC2, BLUE, 52, 0}}, 2});
    check_networks(&f, 1, 10, 105);
    tell(&f, &(struct told){"a", HOUR + 6, 6, {{{0}, {0}, 0, 0}}, 0}); /* started again, then the agent is renewed */
    tell(&f, &(struct told){"a", HOUR + 7, 2, {{MAC1, RED, 2, 0}}, 1});
    check_networks(&f, 3, 10, 111);
    fixture_close(&f);
}

TEST("a server on one network has one row an hour, with all that it used")
{
    struct fixture f;
    struct error e = {0};
    struct by_network x = {.f = &f};
    struct told told = {"a", HOUR + 1, 10, {{MAC1, RED, 10, 20}}, 1};
    struct counter_sample s = {.server_id = "s", .at_us = HOUR + 1, .nics = told.nics, .nic_count = 1};
    fixture_open(&f);
    for (int k = 0; k < COUNTER_COUNT; k++) {
        s.value[k] = 7;
    }
    CHECK_INT(store_counter_accept(f.meter.conn, "a", &s, 1, HOUR + 1, &e), 0);
    CHECK_INT(counters_run(&f.meter, &e), 0);
    CHECK_INT(store_counter_each(f.meter.conn, f.projects[0], 0, INT64_MAX, INT64_MAX, add_network, &x, &e), 0);
    CHECK_INT(x.rows, 1);
    CHECK_INT(x.in[0], 10);
    CHECK_INT(x.out[0], 20);
    CHECK_INT(totals_of(&f, 0).cpu, 7);
    fixture_close(&f);
}
