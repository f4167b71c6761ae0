/* Deadlines: servers whose transition took too long are found by index and ended one by one, each in a job of its own
 * on the writer, so that one that cannot be ended holds up no other. Several replicas may do it at once: the second
 * finds the deadline gone. */
#include "api/compute/background.h"
#include "api/compute/server_image.h"
#include "api/compute/server_life.h"
#include "api/compute/server_shelf.h"
#include "api/http/metrics.h"
#include "common/clock.h"
#include "common/log.h"
#include "db/store_agent_query.h"
#include "db/store_host.h"
#include "db/store_placement_question.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define EXPIRE_EVERY_MS 1000
#define EXPIRE_LIMIT    100
#define PURGE_EVERY_MS  30000

struct overdue {
    struct arena arena;
    const char *ids[EXPIRE_LIMIT];
    int64_t count;
};

static int add_id(void *arg, const char *id, struct error *e)
{
    struct overdue *o = arg;
    (void)e;
    o->ids[o->count++] = arena_strdup(&o->arena, id);
    return 0;
}

struct expiry {
    const char *id;
    int64_t now_us;
};

static int expire_one(struct db_conn *c, void *arg, struct error *e)
{
    const struct expiry *x = arg;
    struct arena arena;
    int rc;
    arena_init(&arena);
    rc = server_life_expire(c, x->id, x->now_us, &arena, e);
    arena_done(&arena);
    return rc;
}

int background_expire(struct api *api, int64_t now_us, int64_t limit, int64_t *ret_count, struct error *e)
{
    struct overdue o = {.count = 0};
    int rc;
    arena_init(&o.arena);
    rc = store_server_overdue(db_reader(api->db), now_us, limit < EXPIRE_LIMIT ? limit : EXPIRE_LIMIT, add_id, &o, e);
    for (int64_t i = 0; !rc && i < o.count; i++) {
        struct expiry x = {.id = o.ids[i], .now_us = now_us};
        struct error failure = {0};
        if (writer_run(api->writer, expire_one, &x, &failure) != 0)
            log_error("deadline cannot be enforced", "server=%s error=%s", x.id, error_text(&failure));
    }
    arena_done(&o.arena);
    if (!rc)
        *ret_count = o.count;
    return rc;
}

/* Images that nobody will end any more. */
static int give_up_one(struct db_conn *c, void *arg, struct error *e)
{
    const struct expiry *x = arg;
    struct arena arena;
    arena_init(&arena);
    int rc = server_image_fail(c, x->id, NULL, "The image was not made: the server or its host went away", x->now_us,
                               &arena, e);
    arena_done(&arena);
    return rc;
}

int background_give_up_images(struct api *api, int64_t now_us, struct error *e)
{
    struct overdue o = {.count = 0};
    arena_init(&o.arena);
    int rc = store_server_image_lost(db_reader(api->db), now_us, EXPIRE_LIMIT, add_id, &o, e);
    for (int64_t i = 0; !rc && i < o.count; i++) {
        struct expiry x = {.id = o.ids[i], .now_us = now_us};
        struct error failure = {0};
        if (writer_run(api->writer, give_up_one, &x, &failure) != 0)
            log_error("image of a server cannot be given up", "image=%s error=%s", x.id, error_text(&failure));
    }
    arena_done(&o.arena);
    return rc;
}

static int offload_one(struct db_conn *c, void *arg, struct error *e)
{
    const struct expiry *x = arg;
    struct server_row row;
    struct arena arena;
    arena_init(&arena);
    int rc = store_server_get(c, x->id, &arena, &row, e);
    rc = rc ? rc : server_shelf_follow(c, &row, x->now_us, &arena, e);
    arena_done(&arena);
    return rc;
}

/* Shelved servers whose time on their host is over. */
static int offload_due(struct api *api, int64_t now_us, struct error *e)
{
    struct overdue o = {.count = 0};
    arena_init(&o.arena);
    int rc = store_server_shelf_due(db_reader(api->db), now_us, EXPIRE_LIMIT, add_id, &o, e);
    for (int64_t i = 0; !rc && i < o.count; i++) {
        struct expiry x = {.id = o.ids[i], .now_us = now_us};
        struct error failure = {0};
        if (writer_run(api->writer, offload_one, &x, &failure) != 0)
            log_error("shelved server cannot leave its host", "server=%s error=%s", x.id, error_text(&failure));
    }
    arena_done(&o.arena);
    return rc;
}

static void expire(struct api *api, void *arg)
{
    struct error e = {0};
    int64_t count;
    (void)arg;
    if (background_expire(api, clock_now_us(), EXPIRE_LIMIT, &count, &e) != 0)
        log_error("deadlines cannot be read", "error=%s", error_text(&e));
    error_clear(&e);
    if (background_give_up_images(api, clock_now_us(), &e) != 0)
        log_error("images of servers cannot be read", "error=%s", error_text(&e));
    error_clear(&e);
    if (offload_due(api, clock_now_us(), &e) != 0)
        log_error("shelved servers cannot be read", "error=%s", error_text(&e));
}

static int purge_rows(struct db_conn *c, void *arg, struct error *e)
{
    const int64_t *now_us = arg;
    int rc = store_agent_query_purge(c, *now_us, e);
    rc = rc ? rc : store_placement_question_purge(c, *now_us, e);
    return rc ? rc : store_host_token_purge(c, *now_us, e);
}

static void purge(struct api *api, void *arg)
{
    struct error e = {0};
    int64_t now_us = clock_now_us();
    (void)arg;
    if (writer_run(api->writer, purge_rows, &now_us, &e) != 0)
        log_warn("old rows cannot be removed", "error=%s", error_text(&e));
}

static int count_status(void *arg, const char *status, int64_t count, struct error *e)
{
    char label[64];
    (void)e;
    metrics_label("status", status, label, sizeof(label));
    metrics_sample(arg, label, (double)count);
    return 0;
}

static void collect_servers(struct metrics_out *out, void *arg)
{
    struct api *api = arg;
    struct error e = {0};
    if (store_server_count(db_reader(api->db), clock_now_us(), count_status, out, &e) != 0)
        log_warn("servers cannot be counted", "error=%s", error_text(&e));
}

/* The sums behind the figures walk all allocations and servers: they are made once for all figures of a look, and not
 * again within a second. */
static struct store_host_gauges read_gauges(struct api *api)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct store_host_gauges last;
    static int64_t read_us;
    struct store_host_gauges gauges;
    struct error e = {0};
    int64_t now_us = clock_mono_us();
    pthread_mutex_lock(&lock);
    if (read_us == 0 || now_us - read_us >= CLOCK_SECOND_US) {
        if (store_host_gauges(db_reader(api->db), clock_now_us(), &last, &e) != 0)
            log_warn("hosts cannot be counted", "error=%s", error_text(&e));
        read_us = now_us;
    }
    gauges = last;
    pthread_mutex_unlock(&lock);
    return gauges;
}

static double count_hosts(void *arg)
{
    return (double)read_gauges(arg).hosts;
}

static double count_alive(void *arg)
{
    return (double)read_gauges(arg).alive;
}

static double allocation_drift(void *arg)
{
    return (double)read_gauges(arg).allocation_drift;
}

static double usage_drift(void *arg)
{
    return (double)read_gauges(arg).usage_drift;
}

int background_start(struct api *api, struct error *e)
{
    (void)e;
    api_timer(api, EXPIRE_EVERY_MS, expire, NULL);
    api_timer(api, PURGE_EVERY_MS, purge, NULL);
    metrics_collect(api->metrics, "virga_servers", "Servers by status.", "gauge", collect_servers, api);
    metrics_gauge(api->metrics, "virga_hosts", "Hosts that have joined.", "", count_hosts, api);
    metrics_gauge(api->metrics, "virga_agents_alive", "Hosts whose agent was heard in the last 20 s.", "", count_alive,
                  api);
    metrics_gauge(
        api->metrics, "virga_allocation_drift",
        "Difference between what hosts say is used and the sum of their allocations; above 0 something is broken.", "",
        allocation_drift, api);
    metrics_gauge(
        api->metrics, "virga_usage_drift",
        "Difference between what projects are said to use and the sum of their servers; above 0 something is broken.",
        "", usage_drift, api);
    return 0;
}
