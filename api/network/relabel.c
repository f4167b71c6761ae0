/* Each batch is a job of its own on the writer, so that others' writes come in between; a look costs one short read.
 * Several replicas may do it at once: each takes the batch that is next when its turn comes. */
#include "api/network/relabel.h"
#include "common/clock.h"
#include "common/log.h"
#include "db/store_relabel.h"
#include "db/writer.h"

#define EVERY_MS 500
#define LIMIT_MS 100

static int step(struct db_conn *c, void *arg, struct error *e)
{
    return store_relabel_step(c, arg, e);
}

int relabel_run(struct api *api, int64_t limit_ms, struct error *e)
{
    int64_t until_us = clock_mono_us() + limit_ms * 1000;
    bool any = false;
    int rc = store_relabel_waits(db_reader(api->db), &any, e);
    while (!rc && any && clock_mono_us() <= until_us)
        rc = writer_run(api->writer, step, &any, e);
    return rc;
}

static void run(struct api *api, void *arg)
{
    struct error e = {0};
    (void)arg;
    if (relabel_run(api, LIMIT_MS, &e) != 0)
        log_warn("servers do not show the new name of a network or group yet", "error=%s", error_text(&e));
}

int relabel_start(struct api *api, struct error *e)
{
    (void)e;
    api_timer(api, EVERY_MS, run, NULL);
    return 0;
}
