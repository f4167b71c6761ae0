/* One host's brain: asks its API what it should be, makes its hypervisor match, says what happened. A real agent has
 * one of these, the fake has thousands on the same loop. Loop thread only. */
#pragma once
#include "common/error.h"
#include "compute-agent/hypervisor.h"
#include "compute-agent/identity.h"
#include "compute-agent/settings.h"
#include <stdbool.h>
#include <stddef.h>

struct host;
struct loop;
struct worker_pool;

struct host_setup {
    const struct settings *settings; /* outlives the host */
    struct loop *loop;
    struct worker_pool *files;     /* for work on files: journal syncs */
    struct worker_pool *uploads;   /* for sending images */
    struct identity *identity;     /* joined; outlives the host */
    struct hypervisor *hypervisor; /* becomes the host's */
    const char *url;               /* the API's */
    bool durable;                  /* the journal is synced before anything is reported */
    const char *boot_id;           /* of the host's present boot, NULL: the machine's */
};
/* Opens the journal, connects to nobody yet. */
int host_new(const struct host_setup *setup, struct host **ret, struct error *e);
/* Begins to ask, to do and to report. */
void host_start(struct host *h);
/* Ends everything without waiting: servers run on, what was not reported is in the journal. Sets *h to NULL. */
void host_free(struct host **h);
/* For the status line and tests. */
struct host_figures {
    size_t servers, working, unreported;
    bool connected, listed; /* to the hypervisor; the API's full list has been read */
};
struct host_figures host_figures(const struct host *h);
