/* Rolled up, counters and amounts are fewer rows with the same sums. */
#include "db/store_amount.h"
#include "db/store_counter.h"
#include "db/store_roll.h"
#include "tests/unit/db/fixture.h"

#define HOUR STORE_AMOUNT_HOUR_US
#define DAY  (24 * HOUR)

static int fill(struct db_conn *c, void *arg, struct error *e)
{
    (void)arg;
    int rc = 0;
    for (int64_t hour = 0; hour < 72 && !rc; hour++) {
        for (int64_t subject = 1; subject <= 3 && !rc; subject++) {
            struct counter_hour h = {.project_no = 1 + subject % 2,
                                     .hour_us = hour * HOUR,
                                     .generation = hour % 24 == 5,
                                     .subject_no = subject,
                                     .shape_no = 1,
                                     .host_no = 1};
            struct amount_row a = {.project_no = h.project_no,
                                   .hour_us = h.hour_us,
                                   .subject_no = subject,
                                   .amount = hour + 1,
                                   .resource = hour % 2 ? "odd" : "even"};
            for (int k = 0; k < COUNTER_COUNT; k++) {
                h.used[k] = (hour + 1) * (k + 1) * ((int64_t)1 << 40);
            }
            rc = store_counter_add(c, &h, e);
            rc = rc ? rc : store_amount_add(c, &a, e);
        }
    }
    return rc;
}

struct span {
    int64_t project_no, from_us, to_us, bucket_us, gone;
};

static int roll(struct db_conn *c, void *arg, struct error *e)
{
    struct span *s = arg;
    return store_roll(c, s->project_no, s->from_us, s->to_us, s->bucket_us, &s->gone, e);
}

static int forget(struct db_conn *c, void *arg, struct error *e)
{
    struct span *s = arg;
    return store_roll_forget(c, s->project_no, s->from_us, s->to_us, &s->gone, e);
}

struct totals {
    int64_t rows, cpu, out, amount, odd;
};

static int add_hour(void *arg, const struct counter_hour *h, struct error *e)
{
    (void)e;
    struct totals *t = arg;
    t->rows++;
    t->cpu += h->used[COUNTER_CPU_NS];
    t->out += h->used[COUNTER_NET_OUT_BYTES];
    return 0;
}

static int add_amount(void *arg, const struct amount_row *row, struct error *e)
{
    (void)e;
    struct totals *t = arg;
    t->rows++;
    t->amount += row->amount;
    t->odd += *row->resource == 'o' ? row->amount : 0;
    return 0;
}

static struct totals totals_of(struct db_conn *c, int64_t from_us, int64_t to_us, int64_t generation)
{
    struct totals t = {0};
    struct error e = {0};
    CHECK_OK(store_counter_each(c, 2, from_us, to_us, generation, add_hour, &t, &e), &e);
    CHECK_OK(store_amount_each(c, 2, from_us, to_us, generation, add_amount, &t, &e), &e);
    return t;
}

static void check_same(const struct totals *a, const struct totals *b)
{
    CHECK_INT(a->cpu, b->cpu);
    CHECK_INT(a->out, b->out);
    CHECK_INT(a->amount, b->amount);
    CHECK_INT(a->odd, b->odd);
}

TEST("rows that differ in their hour become one, and every sum of the span and generation stays")
{
    struct error e = {0};
    struct db *db;
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    struct db_conn *c = fixture_conn(db);
    CHECK_OK(db_transact(c, fill, NULL, &e), &e);
    int64_t from = 7 * HOUR, to = 50 * HOUR; /* a span that begins and ends within days */
    struct totals whole = totals_of(c, 0, 3 * DAY, INT64_MAX), before = totals_of(c, 0, from, INT64_MAX);
    struct totals old = totals_of(c, from, to, 0);
    struct span s = {2, from, to, DAY, 0};
    CHECK_OK(db_transact(c, roll, &s, &e), &e);
    struct totals days = totals_of(c, from, to, INT64_MAX), days_old = totals_of(c, from, to, 0);
    struct totals again = totals_of(c, 0, 3 * DAY, INT64_MAX), before_again = totals_of(c, 0, from, INT64_MAX);
    check_same(&whole, &again);
    check_same(&before, &before_again);
    check_same(&old, &days_old);
    CHECK_INT(whole.rows - again.rows, s.gone);
    CHECK_INT(days.rows, (3 + 1 + 2 * 3) * 2); /* both servers: three days, one with late ones, odd and even */
    CHECK_OK(db_transact(c, roll, &s, &e), &e);
    CHECK_INT(s.gone, 0);
    s.bucket_us = INT64_MAX;
    CHECK_OK(db_transact(c, roll, &s, &e), &e);
    struct totals month = totals_of(c, from, to, INT64_MAX), month_old = totals_of(c, from, to, 0);
    check_same(&days, &month);
    check_same(&old, &month_old);
    CHECK_INT(month.rows, (2 + 2) * 2);
    CHECK_OK(db_transact(c, forget, &s, &e), &e);
    CHECK_INT(s.gone, 8);
    CHECK_INT(totals_of(c, 0, 3 * DAY, INT64_MAX).rows, whole.rows - 43 * 2 * 2);
    db_conn_close(&c);
    db_close(&db);
}
