/* Asking guests by HTTP, on threads of their own: one that does not answer holds up nothing but other such questions.
 */
#include "common/memory.h"
#include "compute-agent/http/http_probe.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include <stdlib.h>

#define PROBE_THREADS 16

struct probing {
    struct worker_job job; /* first */
    const struct hypervisor_probe *probe;
    char bridge[NAMES_BRIDGE_SIZE];
    hypervisor_done_fn done;
    void *arg;
    int code;
    bool asked;
    struct error error;
};

static void run(struct worker_job *job)
{
    struct probing *p = (struct probing *)job;
    p->code = http_probe(p->probe, p->bridge, &p->asked, &p->error);
}

static void done(struct worker_job *job, enum worker_outcome outcome)
{
    struct probing *p = (struct probing *)job;
    if (outcome != WORKER_DONE)
        p->code = error_set(&p->error, ERR_BUSY, "its host is too busy");
    struct hypervisor_result result = {
        .code = p->code, .transient = p->code && !p->asked, .error = p->code ? &p->error : NULL};
    p->done(p->arg, &result);
    free(p);
}

void libvirt_probe(struct hypervisor *h, const struct hypervisor_probe *probe, hypervisor_done_fn end, void *arg)
{
    static const struct worker_class class = {.run = run, .done = done};
    struct libvirt *lv = (struct libvirt *)h;
    struct probing *p = memory_new(sizeof(*p));
    if (!lv->probes)
        lv->probes = worker_pool_new(lv->setup.loop, "probes", PROBE_THREADS, 0);
    p->probe = probe;
    p->done = end;
    p->arg = arg;
    names_bridge(probe->network_id, p->bridge);
    worker_submit(lv->probes, &p->job, &class, 0);
}
