/* All hosts of this process: one real host, or many fake ones; each joins its cloud if it has not yet, and is started.
 * Loop thread. */
#pragma once
#include "common/error.h"
#include "compute-agent/host.h"
#include "compute-agent/settings.h"

struct agent;
struct loop;

/* Loads the hosts' identities. ERR_INVALID when one has not joined and there is no token for it. `settings` outlives
 * the agent. */
int agent_new(const struct settings *settings, struct loop *loop, struct agent **ret, struct error *e);
/* Joins and starts. When all are started (or, with join_only, have joined) or when one cannot ever, `done` is called
 * once. */
void agent_start(struct agent *a, void (*done)(void *arg, int code, const struct error *error), void *arg);
/* Blocking: removes every domain, disk and network of the hosts from their hypervisors; the cloud is not asked. A host
 * that has not joined has nothing. */
int agent_purge(const struct settings *settings, struct error *e);
/* The settings were read again: so are the faults of fake hosts, and what hung there ends as lost. Codes as of
 * fake_rules_load, the old faults stay then. */
int agent_reload(struct agent *a, struct error *e);
/* Servers run on. Sets *a to NULL. */
void agent_free(struct agent **a);
/* Sums over all hosts; `connected` and `listed` when all are. */
struct host_figures agent_figures(const struct agent *a);
