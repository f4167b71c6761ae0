/* Metering, measured on a SQLite file with synchronous=FULL: counter measures accepted and taken over, lifecycle events
 * to closed intervals, a month's invoices, month to date of a project.
 *
 *     metering_bench [SCALE in percent, default 100] [FOLDER, default /tmp]
 *
 * One line per figure: name, value, unit, words. */
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "db/store_counter.h"
#include "db/store_ledger.h"
#include "db/store_roll.h"
#include "db/store_usage.h"
#include "metering/bill/close.h"
#include "metering/counters.h"
#include "metering/intervals.h"
#include "metering/price_file.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MONTH_BEGIN   ((int64_t)1790812800000000) /* 2026-10-01 */
#define MONTH_END     ((int64_t)1793491200000000) /* 2026-11-01 */
#define HOSTS         400
#define PER_HOST      50
#define ROUNDS        18  /* samples of each server: three minutes of 10 s */
#define REPORTS       100 /* reports in one commit */
#define EVENT_SERVERS 5000
#define EVENTS_EACH   20
#define BILL_SERVERS  100000
#define BILL_EACH     30
#define BILL_ACCOUNTS 1000
#define QUERIES       2000

static int percent = 100;
static const char *folder = "/tmp";
static char path[300];

static void must(int rc, const struct error *e)
{
    if (rc) {
        fprintf(stderr, "metering_bench: %s\n", error_text(e));
        exit(1);
    }
}

static int64_t scaled(int64_t count)
{
    int64_t n = count * percent / 100;
    return n > 0 ? n : 1;
}

struct bench {
    struct db *db;
    struct db_conn *conn;
};

static void remove_file(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char name[320];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
    snprintf(name, sizeof(name), "%s.wake", path);
    rmdir(name);
}

static void begin(struct bench *b)
{
    struct error e = {0};
    snprintf(path, sizeof(path), "%s/metering_bench.%d.db", folder, (int)getpid());
    must(db_open(path, 0, &b->db, &e), &e);
    must(db_conn_open(b->db, &b->conn, &e), &e);
}

static void end(struct bench *b)
{
    db_conn_close(&b->conn);
    db_close(&b->db);
    remove_file();
}

static void say(const char *name, double value, const char *unit, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void say(const char *name, double value, const char *unit, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%s\t%.3f\t%s\t", name, value, unit);
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
}

static void server_name(char ret[40], int64_t number)
{
    snprintf(ret, 40, "%08" PRIx64 "-0000-4000-8000-%012" PRIx64, (uint64_t)(number * 2654435761u) & 0xffffffffu,
             number);
}

/* ---- counters ---- */

struct reports {
    int64_t first, count, round;
    int per_host;
};

static int own_servers(struct db_conn *c, void *arg, struct error *e)
{
    const int64_t *count = arg;
    const struct ledger_shape shape = {.source = "server",
                                       .state = "running",
                                       .flavor = "f",
                                       .zone = "",
                                       .region = "r",
                                       .vcpus = 1,
                                       .tags = "[]",
                                       .extra = "{}"};
    struct ledger_open open = {.begin_us = MONTH_BEGIN, .run_us = MONTH_BEGIN, .begin_event = 1};
    char name[40];
    int rc = store_ledger_shape(c, &shape, &open.shape_no, e);
    rc = rc ? rc : store_ledger_name(c, "project", "p", &open.project_no, e);
    for (int64_t i = 0; i < *count && !rc; i++) {
        server_name(name, i);
        rc = store_ledger_name(c, "server", name, &open.subject_no, e);
        rc = rc ? rc : store_ledger_open_put(c, &open, e);
    }
    return rc;
}

static int accept_reports(struct db_conn *c, void *arg, struct error *e)
{
    const struct reports *r = arg;
    struct counter_sample samples[PER_HOST] = {0};
    struct counter_nic nics[PER_HOST] = {0};
    char host[40];
    int rc = 0;
    for (int64_t h = r->first; h < r->first + r->count && !rc; h++) {
        for (int i = 0; i < r->per_host; i++) {
            struct counter_sample *s = &samples[i];
            server_name(s->server_id, h * r->per_host + i);
            s->at_us = MONTH_BEGIN + r->round * 10000000 + h;
            for (int k = 0; k < COUNTER_COUNT; k++) {
                s->value[k] = (r->round + 1) * 1000000 * (k + 1);
            }
            snprintf(nics[i].mac, sizeof(nics[i].mac), "fa:16:3e:00:00:01");
            server_name(nics[i].network_id, h % 10);
            nics[i].in_bytes = s->value[COUNTER_NET_IN_BYTES];
            nics[i].out_bytes = s->value[COUNTER_NET_OUT_BYTES];
            s->nics = &nics[i];
            s->nic_count = 1;
        }
        snprintf(host, sizeof(host), "host-%06" PRId64, h);
        rc = store_counter_accept(c, host, samples, (size_t)r->per_host, MONTH_BEGIN, e);
    }
    return rc;
}

static void counters(void)
{
    struct bench b;
    struct error e = {0};
    int64_t hosts = scaled(HOSTS), servers = hosts * PER_HOST, measures = servers * ROUNDS * COUNTER_COUNT;
    int64_t accept_us = 0, start;
    begin(&b);
    must(db_transact(b.conn, own_servers, &servers, &e), &e);
    struct counters m = {.conn = b.conn, .batch = 500};
    int64_t fold_us = 0;
    for (int64_t round = 0; round < ROUNDS; round++) {
        start = clock_mono_us();
        for (int64_t h = 0; h < hosts; h += REPORTS) {
            struct reports r = {h, hosts - h < REPORTS ? hosts - h : REPORTS, round, PER_HOST};
            must(db_transact(b.conn, accept_reports, &r, &e), &e);
            if (round == 7) { /* each report of a round comes twice */
                must(db_transact(b.conn, accept_reports, &r, &e), &e);
            }
        }
        accept_us += clock_mono_us() - start;
        start = clock_mono_us();
        if (round % 3 == 2) { /* every 30 s of their time */
            must(counters_run(&m, &e), &e);
        }
        fold_us += clock_mono_us() - start;
    }
    say("counters_accepted", (double)measures * 1e6 / (double)accept_us, "measures/s",
        "%" PRId64 " commits of %d reports", (hosts + REPORTS - 1) / REPORTS * ROUNDS, REPORTS);
    say("counters_metered", (double)measures * 1e6 / (double)(accept_us + fold_us), "measures/s",
        "accepted, deduplicated, in the hour's row of each server; %" PRId64 " servers, %" PRIu64 " samples", servers,
        m.samples);
    counters_forget(&m);
    end(&b);
}

/* A minute of 10,000 hosts with three servers each, which report every ten seconds; then it is taken over. */
#define FLEET_HOSTS    10000
#define FLEET_PER_HOST 3
#define FLEET_ROUNDS   6

static double processor_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void fleet(void)
{
    struct bench b;
    struct error e = {0};
    int64_t hosts = scaled(FLEET_HOSTS), servers = hosts * FLEET_PER_HOST;
    begin(&b);
    must(db_transact(b.conn, own_servers, &servers, &e), &e);
    struct counters m = {.conn = b.conn, .batch = 500};
    double before = processor_seconds();
    int64_t start = clock_mono_us();
    for (int64_t round = 0; round < FLEET_ROUNDS; round++) {
        for (int64_t h = 0; h < hosts; h += REPORTS) {
            struct reports r = {h, hosts - h < REPORTS ? hosts - h : REPORTS, round, FLEET_PER_HOST};
            must(db_transact(b.conn, accept_reports, &r, &e), &e);
        }
        if (round % 3 == 2) {
            must(counters_run(&m, &e), &e);
        }
    }
    say("fleet_minute", processor_seconds() - before, "s of one processor",
        "%" PRId64 " measures of a minute from %" PRId64 " hosts in %" PRId64
        " reports, taken over; %.1f s by the clock",
        servers * FLEET_ROUNDS * COUNTER_COUNT, hosts, hosts * FLEET_ROUNDS, (double)(clock_mono_us() - start) / 1e6);
    counters_forget(&m);
    end(&b);
}

/* ---- counters on disk ---- */

#define DISK_SERVERS 500
#define DAY_US       ((int64_t)86400000000)

DB_STATEMENT(bench_table_bytes,
             "SELECT CAST(coalesce(sum(pgsize), 0) AS BIGINT) FROM dbstat WHERE name = 'usage_counter'");

static int add_hours(struct db_conn *c, void *arg, struct error *e)
{
    const int64_t *servers = arg;
    int rc = 0;
    for (int64_t at = MONTH_BEGIN; at < MONTH_END && !rc; at += 3600000000) {
        for (int64_t i = 0; i < *servers && !rc; i++) {
            struct counter_hour h = {.project_no = 1 + i % 10,
                                     .hour_us = at,
                                     .generation = 1,
                                     .subject_no = 100000 + i,
                                     .shape_no = 1 + i % 20,
                                     .host_no = 1 + i % 50};
            for (int k = 0; k < COUNTER_COUNT; k++) {
                h.used[k] = (at / 7 + i * 1000003) % 3000000000;
            }
            rc = store_counter_add(c, &h, e);
        }
    }
    return rc;
}

static int roll_month(struct db_conn *c, void *arg, struct error *e)
{
    int64_t gone = 0;
    int rc = 0;
    for (int64_t project = 1; project <= 10 && !rc; project++) {
        rc = store_roll(c, project, MONTH_BEGIN, MONTH_END, *(const int64_t *)arg, &gone, e);
    }
    return rc;
}

static void say_bytes(struct bench *b, const char *name, int64_t servers, const char *words)
{
    struct error e = {0};
    int64_t bytes = 0;
    must(db_query_int(b->conn, &bench_table_bytes, &bytes, &e, DB_NO_ARGS), &e);
    say(name, (double)bytes / (double)servers, "bytes/server/month", "%s", words);
}

/* Of servers that use everything in every hour of a month. */
static void counters_on_disk(void)
{
    static const int64_t day = DAY_US, all = INT64_MAX;
    struct bench b;
    struct error e = {0};
    int64_t servers = scaled(DISK_SERVERS);
    begin(&b);
    must(db_transact(b.conn, add_hours, &servers, &e), &e);
    say_bytes(&b, "counter_hours_bytes", servers,
              "a row an hour, of 360 samples of 7 counters: what month to date needs");
    must(db_transact(b.conn, roll_month, (void *)(uintptr_t)&day, &e), &e);
    say_bytes(&b, "counter_days_bytes", servers, "a row a day, 40 days after the invoice");
    must(db_transact(b.conn, roll_month, (void *)(uintptr_t)&all, &e), &e);
    say_bytes(&b, "counter_month_bytes", servers, "one row, 400 days after: what making the invoice again needs");
    end(&b);
}

/* ---- events ---- */

DB_STATEMENT(bench_event,
             "INSERT INTO lifecycle_event (id, host_id, host_seq, server_id, project_id, state, flavor_name, vcpus, "
             "memory_mib, disk_gib, at_us, received_us, zone) VALUES ($1, $2, $1, $3, $4, $5, 'm1.small', 2, 4096, 20, "
             "$6, $6, 'az1')");
static int add_events(struct db_conn *c, void *arg, struct error *e)
{
    static const char *const states[] = {"running", "stopped", "running", "paused"};
    const int64_t *servers = arg;
    char name[40], project[40], host[40];
    int rc = 0;
    int64_t id = 0;
    for (int64_t step = 0; step < EVENTS_EACH && !rc; step++) {
        for (int64_t i = 0; i < *servers && !rc; i++) {
            server_name(name, i);
            snprintf(project, sizeof(project), "project-%" PRId64, i % 100);
            snprintf(host, sizeof(host), "host-%" PRId64, i % 200);
            const char *state = step + 1 == EVENTS_EACH ? "gone" : states[step % 4];
            id++;
            rc = db_exec(c, &bench_event, NULL, e,
                         DB_ARGS(db_int(id), db_text(host), db_text(name), db_text(project), db_text(state),
                                 db_int(MONTH_BEGIN + id * 1000)));
        }
    }
    return rc;
}

static void events(void)
{
    struct bench b;
    struct error e = {0};
    int64_t servers = scaled(EVENT_SERVERS);
    begin(&b);
    must(db_transact(b.conn, add_events, &servers, &e), &e);
    struct intervals m = {.conn = b.conn, .batch = 1000, .region = "r"};
    int64_t start = clock_mono_us();
    must(intervals_run(&m, &e), &e);
    int64_t us = clock_mono_us() - start;
    say("events", (double)m.events * 1e6 / (double)us, "events/s",
        "%" PRIu64 " intervals closed, 1,000 events in a commit", m.closed);
    intervals_forget(&m);
    end(&b);
}

/* ---- bills ---- */

static const char prices[] =
    "currency: EUR\nbooks:\n  - from: 2026-01-01\n    prices:\n"
    "      - {resource: vcpu, price: '0.008', states: [running, paused], minimum_seconds: 60, granularity_seconds: 1}\n"
    "      - {resource: memory_mib, price: '0.000004', states: [running, paused]}\n"
    "      - {resource: disk_gib, price: '0.0001'}\n"
    "  - from: 2026-10-15T12:00:00\n    prices:\n"
    "      - {resource: vcpu, price: '0.009', states: [running, paused], minimum_seconds: 60, granularity_seconds: 1}\n"
    "      - {resource: memory_mib, price: '0.000004', states: [running, paused]}\n"
    "      - {resource: disk_gib, free: '100', price: '0.0001'}\n";

DB_STATEMENT(bench_account,
             "INSERT INTO billing_account (id, name, address, book, timezone, tax_ppm, created_us) VALUES "
             "($1, $1, '', 'default', 'Europe/Berlin', 190000, 0)");
struct month {
    int64_t servers, accounts, first, count;
    int64_t shapes[2][4], projects[BILL_ACCOUNTS];
};

static int add_accounts(struct db_conn *c, void *arg, struct error *e)
{
    static const char *const states[] = {"running", "stopped", "paused", "suspended"};
    struct month *m = arg;
    char account[40], project[40];
    int64_t first = 0;
    int rc = db_counter_next(c, "lifecycle_event", m->servers * BILL_EACH + 1, &first, e);
    for (int f = 0; f < 2; f++) {
        for (int s = 0; s < 4 && !rc; s++) {
            const struct ledger_shape shape = {.source = "server",
                                               .state = states[s],
                                               .flavor = f ? "m1.large" : "m1.small",
                                               .zone = "az1",
                                               .region = "RegionOne",
                                               .vcpus = f ? 8 : 2,
                                               .memory_mib = f ? 16384 : 4096,
                                               .disk_gib = 20,
                                               .tags = "[\"web\"]",
                                               .extra = "{}"};
            rc = store_ledger_shape(c, &shape, &m->shapes[f][s], e);
        }
    }
    for (int64_t i = 0; i < m->accounts && !rc; i++) {
        snprintf(account, sizeof(account), "account-%06" PRId64, i);
        snprintf(project, sizeof(project), "%032" PRIx64, (uint64_t)i);
        rc = db_exec(c, &bench_account, NULL, e, DB_ARGS(db_text(account)));
        rc = rc ? rc : store_billing_join(c, project, account, e);
        rc = rc ? rc : store_ledger_name(c, "project", project, &m->projects[i], e);
    }
    return rc;
}

static int add_month(struct db_conn *c, void *arg, struct error *e)
{
    struct month *m = arg;
    char name[40];
    int rc = 0;
    for (int64_t i = m->first; i < m->first + m->count && !rc; i++) {
        unsigned seed = (unsigned)i + 7;
        struct ledger_open open = {.project_no = m->projects[i % m->accounts], .host_no = 1};
        int64_t at = MONTH_BEGIN - 86400000000 + rand_r(&seed), step = (MONTH_END - MONTH_BEGIN) / BILL_EACH;
        server_name(name, i);
        rc = store_ledger_name(c, "server", name, &open.subject_no, e);
        for (int k = 0; k < BILL_EACH && !rc; k++) {
            open.begin_us = open.run_us = at;
            open.begin_event = i * BILL_EACH + k + 1;
            open.shape_no = m->shapes[i % 2][k % 4];
            at += step / 2 + rand_r(&seed) % step;
            rc = store_ledger_close(c, &open, at, open.begin_event + 1, true, e);
        }
    }
    return rc;
}

static void make_month(struct bench *b, struct month *m)
{
    struct error e = {0};
    char file[320];
    snprintf(file, sizeof(file), "%s.yaml", path);
    FILE *out = fopen(file, "w");
    if (!out || fputs(prices, out) < 0 || fclose(out)) {
        exit(1);
    }
    must(price_file_load(b->conn, file, &e), &e);
    unlink(file);
    must(db_transact(b->conn, add_accounts, m, &e), &e);
    for (m->first = 0; m->first < m->servers; m->first += m->count) {
        m->count = m->servers - m->first < 1000 ? m->servers - m->first : 1000;
        must(db_transact(b->conn, add_month, m, &e), &e);
    }
}

static int64_t file_bytes(void)
{
    struct stat st;
    return stat(path, &st) ? 0 : (int64_t)st.st_size;
}

/* In a process of its own, so that its memory is its own. */
static void close_it(const struct month *m)
{
    struct bench b;
    struct error e = {0};
    struct rusage usage;
    struct close_result result;
    int64_t intervals = m->servers * BILL_EACH;
    must(db_open(path, 0, &b.db, &e), &e);
    must(db_conn_open(b.db, &b.conn, &e), &e);
    const struct close_plan plan = {2026, 10, MONTH_END + 7200000000, NULL};
    int64_t start = clock_mono_us();
    must(close_month(db_reader(b.db), b.conn, &plan, &result, &e), &e);
    double seconds = (double)(clock_mono_us() - start) / 1e6;
    getrusage(RUSAGE_SELF, &usage);
    say("month", seconds, "s", "%" PRId64 " intervals of %" PRId64 " servers, %zu invoices with %zu lines", intervals,
        m->servers, result.invoices, result.lines);
    say("month_memory", (double)usage.ru_maxrss / 1024, "MB", "resident at most while closing");
    db_conn_close(&b.conn);
    db_close(&b.db);
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

struct query {
    struct bill bill;
    char project[40];
    struct arena arena;
    int64_t nano;
};

static int run_query(struct db_conn *c, void *arg, struct error *e)
{
    struct query *q = arg;
    struct book_versions books;
    struct bill_lines lines = {0};
    const struct bill_period period = {MONTH_BEGIN, MONTH_END - 86400000000, INT64_MAX, INT64_MAX};
    int rc = book_load(c, "default", &q->bill.resources, &q->arena, &books, e);
    rc = rc ? rc : bill_project(&q->bill, q->project, &period, &books, false, &q->arena, &lines, e);
    q->nano += bill_sum(&lines);
    return rc;
}

static void queries(const struct month *m)
{
    struct bench b;
    struct error e = {0};
    struct query q = {0};
    unsigned seed = 5;
    int64_t count = scaled(QUERIES), *took = memory_array((size_t)count, sizeof(*took));
    must(db_open(path, 0, &b.db, &e), &e);
    must(bill_open(db_reader(b.db), &q.bill, &e), &e);
    arena_init(&q.arena);
    for (int64_t i = 0; i < count; i++) {
        snprintf(q.project, sizeof(q.project), "%032" PRIx64, (uint64_t)(rand_r(&seed) % m->accounts));
        int64_t start = clock_mono_us();
        must(db_snapshot(db_reader(b.db), run_query, &q, &e), &e);
        took[i] = clock_mono_us() - start;
        arena_reset(&q.arena);
    }
    qsort(took, (size_t)count, sizeof(*took), compare);
    say("month_to_date", (double)took[count * 99 / 100] / 1000, "ms",
        "p50 %.2f ms over %" PRId64 " queries of random projects", (double)took[count / 2] / 1000, count);
    arena_done(&q.arena);
    bill_close(&q.bill);
    db_close(&b.db);
    free(took);
}

static void bills(void)
{
    struct bench b;
    struct month *m = memory_new(sizeof(*m));
    int status = 0;
    m->servers = scaled(BILL_SERVERS);
    m->accounts = scaled(BILL_ACCOUNTS);
    begin(&b);
    make_month(&b, m);
    db_conn_close(&b.conn);
    db_close(&b.db);
    int64_t bytes = file_bytes();
    say("ledger_bytes", (double)bytes / (double)m->servers, "bytes/server/month", "%d intervals each, on disk",
        BILL_EACH);
    pid_t child = fork();
    if (child == 0) {
        close_it(m);
        exit(0);
    }
    if (waitpid(child, &status, 0) != child || status) {
        exit(1);
    }
    say("invoice_bytes", (double)(file_bytes() - bytes) / (double)m->servers, "bytes/server/month",
        "the invoices' bodies");
    queries(m);
    remove_file();
    free(m);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        percent = (int)strtol(argv[1], NULL, 10);
    }
    if (argc > 2) {
        folder = argv[2];
    }
    log_init("metering_bench", NULL, LOG_LEVEL_ERROR);
    counters();
    fleet();
    counters_on_disk();
    events();
    bills();
    return 0;
}
