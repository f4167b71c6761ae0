/* The writer is asked every second to do nothing; when it has not done so for a while, it hangs. A job that waits is
 * not asked again. The figures of the process are registered here, too. */
#include "api/root/health.h"
#include "api/http/http_server.h"
#include "api/http/idempotency.h"
#include "api/http/metrics.h"
#include "api/root/root.h"
#include "common/clock.h"
#include <stdatomic.h>

#define HEALTH_PROBE_MS   1000
#define HEALTH_WRITER_US  (15 * CLOCK_SECOND_US)
#define HEALTH_HANDLER_MS 20000
#define HEALTH_PURGE_MS   30000

static struct health_probe {
    struct writer_job job;
    atomic_bool waiting;
} health_probe;

static int health_probe_run(struct db_conn *c, void *arg, struct error *e)
{
    (void)c;
    (void)arg;
    (void)e;
    return 0;
}

static void health_probe_done(struct writer_job *job, int rc, const struct error *e)
{
    (void)e;
    struct api *api = job->arg;
    if (!rc)
        atomic_store(&api->writer_moved_us, clock_mono_us());
    atomic_store(&health_probe.waiting, false);
}

static void health_probe_send(struct api *api, void *unused)
{
    (void)unused;
    if (atomic_exchange(&health_probe.waiting, true))
        return;
    health_probe.job = (struct writer_job){.run = health_probe_run, .done = health_probe_done, .arg = api};
    if (writer_submit(api->writer, &health_probe.job))
        atomic_store(&health_probe.waiting, false);
}

static bool health_writer_moves(struct api *api)
{
    return clock_mono_us() - atomic_load(&api->writer_moved_us) < HEALTH_WRITER_US;
}

static bool health_servers_move(struct api *api)
{
    return (!api->http || http_server_moves(api->http, HEALTH_HANDLER_MS)) &&
           (!api->agents || http_server_moves(api->agents, HEALTH_HANDLER_MS));
}

bool root_is_alive(struct api *api)
{
    return health_writer_moves(api) && health_servers_move(api);
}

const char *health_trouble(struct api *api, struct db_conn *conn)
{
    struct error e = {0};
    if (db_ping(conn, &e))
        return "the database does not answer";
    if (!health_writer_moves(api))
        return "the writer does not move";
    return health_servers_move(api) ? NULL : "a request hangs";
}

static double health_stat(struct api *api, double (*pick)(const struct writer_stats *stats))
{
    struct writer_stats stats = {0};
    writer_read_stats(api->writer, &stats);
    return pick(&stats);
}

#define HEALTH_STAT(name, expression)                                                                                  \
    static double health_pick_##name(const struct writer_stats *s)                                                     \
    {                                                                                                                  \
        return (double)(expression);                                                                                   \
    }                                                                                                                  \
    static double health_##name(void *arg)                                                                             \
    {                                                                                                                  \
        return health_stat(arg, health_pick_##name);                                                                   \
    }
HEALTH_STAT(queue, s->queue_depth)
HEALTH_STAT(jobs, s->jobs)
HEALTH_STAT(groups, s->groups)
HEALTH_STAT(failed, s->failed)
HEALTH_STAT(retries, s->retries)
HEALTH_STAT(group_max, s->group_size_max)
HEALTH_STAT(commit_seconds, (double)s->commit_us_sum / 1e6)
HEALTH_STAT(lock_seconds, (double)s->lock_wait_us_sum / 1e6)

#define HEALTH_SERVER(name, member, function)                                                                          \
    static double health_##name(void *arg)                                                                             \
    {                                                                                                                  \
        struct api *api = arg;                                                                                         \
        return api->member ? (double)function(api->member) : 0;                                                        \
    }
HEALTH_SERVER(http_parked, http, http_server_parked)
HEALTH_SERVER(http_hashing, http, http_server_hashing)
HEALTH_SERVER(http_active, http, http_server_active)
HEALTH_SERVER(http_open, http, http_server_connections)
HEALTH_SERVER(agents_parked, agents, http_server_parked)
HEALTH_SERVER(agents_active, agents, http_server_active)
HEALTH_SERVER(agents_open, agents, http_server_connections)

static void health_register(struct api *api)
{
    static const struct {
        bool counter;
        const char *name, *help, *labels;
        metrics_fn fn;
    } figures[] = {
        {false, "virga_writer_queue", "Requests that wait for the writer.", "", health_queue},
        {true, "virga_writer_jobs_total", "Requests that the writer carried out.", "", health_jobs},
        {true, "virga_writer_commits_total", "Commits; jobs by commits is the mean size of a group.", "",
         health_groups},
        {true, "virga_writer_failed_total", "Requests that were rolled back.", "", health_failed},
        {true, "virga_writer_retries_total", "Runs again after a serialization failure.", "", health_retries},
        {false, "virga_writer_group_size_max", "Largest group that was committed at once.", "", health_group_max},
        {true, "virga_writer_commit_seconds_total", "Time spent committing.", "", health_commit_seconds},
        {true, "virga_writer_lock_seconds_total", "Time spent waiting for the write lock.", "", health_lock_seconds},
        {false, "virga_http_hashing", "Requests that wait for a password to be hashed.", "", health_http_hashing},
        {false, "virga_http_parked", "Requests that wait for something to happen.", "port=\"tenants\"",
         health_http_parked},
        {false, "virga_http_parked", "Requests that wait for something to happen.", "port=\"agents\"",
         health_agents_parked},
        {false, "virga_http_active", "Requests that are being worked on.", "port=\"tenants\"", health_http_active},
        {false, "virga_http_active", "Requests that are being worked on.", "port=\"agents\"", health_agents_active},
        {false, "virga_http_connections", "Open connections.", "port=\"tenants\"", health_http_open},
        {false, "virga_http_connections", "Open connections.", "port=\"agents\"", health_agents_open},
    };
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        (figures[i].counter ? metrics_counter : metrics_gauge)(api->metrics, figures[i].name, figures[i].help,
                                                               figures[i].labels, figures[i].fn, api);
}

int root_start(struct api *api, struct error *e)
{
    (void)e;
    atomic_store(&api->writer_moved_us, clock_mono_us());
    api_timer(api, HEALTH_PROBE_MS, health_probe_send, NULL);
    api_timer(api, HEALTH_PURGE_MS, idempotency_purge, NULL);
    health_register(api);
    return 0;
}
