/* The driver. Every API process tries for the lease; the holder reads which groups are due, and runs their turns in one
 * job of the writer, each in a savepoint of its own. The lease is checked in that transaction: a holder that was too
 * slow writes nothing. When it dies, another one goes on from the rows. (docs/decisions/0008) */
#include "api/elastic/driver.h"
#include "api/api.h"
#include "api/elastic/turn.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"
#include "db/lease.h"
#include <stdio.h>

#define LEASE       "elastic"
#define LEASE_US    (6 * CLOCK_SECOND_US)
#define RENEW_US    (2 * CLOCK_SECOND_US)
#define EVERY_MS    500
#define GROUPS_MAX  16 /* in one transaction */
#define POSTPONE_US (5 * CLOCK_SECOND_US)

/* The timers' thread alone looks at it. */
static struct driver {
    char holder[UUID_SIZE];
    bool leads;
    int64_t epoch, renewed_us;
} driver;

static int acquire(struct db_conn *c, void *arg, struct error *e)
{
    struct driver *d = arg;
    int64_t until_us;
    return lease_acquire(c, LEASE, d->holder, d->renewed_us, LEASE_US, &d->leads, &d->epoch, &until_us, e);
}

struct job {
    struct api *api;
    const char *ids[GROUPS_MAX];
    size_t count;
    int64_t now_us;
    const char *id; /* the one whose turn it is */
};

static int give_turn(struct db_conn *c, void *arg, struct error *e)
{
    const struct job *j = arg;
    return turn_run(j->api, c, j->id, j->now_us, e);
}

static int give_turns(struct db_conn *c, void *arg, struct error *e)
{
    struct job *j = arg;
    int rc = lease_check(c, LEASE, driver.holder, driver.epoch, e);
    for (size_t i = 0; !rc && i < j->count; i++) {
        struct error failed = {0};
        j->id = j->ids[i];
        rc = db_savepoint(c, give_turn, j, &failed);
        if (rc == ERR_SERIALIZATION)
            return error_set(e, rc, "%s", error_text(&failed));
        if (rc) {
            log_error("elastic group not driven", "group=%s error=\"%s\"", j->id, error_text(&failed));
            rc = store_elastic_postpone(c, j->id, j->now_us + POSTPONE_US, e);
        }
    }
    return rc;
}

static int lead(struct api *api, int64_t now_us, struct error *e)
{
    if (driver.holder[0] == '\0')
        uuid_random(driver.holder);
    if (driver.leads && now_us - driver.renewed_us < RENEW_US && now_us >= driver.renewed_us)
        return 0;
    bool led = driver.leads;
    driver.renewed_us = now_us;
    int rc = writer_run(api->writer, acquire, &driver, e);
    if (rc)
        driver.leads = false;
    if (driver.leads != led)
        log_info(driver.leads ? "driving elastic groups" : "not driving elastic groups any more", "epoch=%lld",
                 (long long)driver.epoch);
    return rc;
}

int driver_run(struct api *api, int64_t now_us, int64_t limit, int64_t *ret_count, struct error *e)
{
    struct job j = {.api = api, .now_us = now_us};
    struct arena arena;
    *ret_count = 0;
    int rc = lead(api, now_us, e);
    if (rc || !driver.leads)
        return rc;
    arena_init(&arena);
    while (!rc && *ret_count < limit) {
        int64_t most = limit - *ret_count < GROUPS_MAX ? limit - *ret_count : GROUPS_MAX;
        rc = store_elastic_due(db_reader(api->db), now_us, most, &arena, j.ids, &j.count, e);
        if (rc || j.count == 0)
            break;
        rc = writer_run(api->writer, give_turns, &j, e);
        *ret_count += rc ? 0 : (int64_t)j.count;
    }
    if (rc == ERR_CONFLICT)
        driver.leads = false;
    arena_done(&arena);
    return rc;
}

static void tick(struct api *api, void *arg)
{
    struct error e = {0};
    int64_t count;
    (void)arg;
    if (driver_run(api, clock_now_us(), 4 * GROUPS_MAX, &count, &e) != 0)
        log_error("elastic groups not driven", "error=\"%s\"", error_text(&e));
}

int driver_start(struct api *api, struct error *e)
{
    (void)e;
    api_timer(api, EVERY_MS, tick, NULL);
    return 0;
}
