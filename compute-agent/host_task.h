/* What the API asks this host to do once for a server on its way between hosts (docs/agent-protocol.md, tasks). While
 * one is under way nothing else is done to the server; afterwards it is left alone until a newer specification or task
 * comes. Loop thread. */
#pragma once
#include "common/json_in.h"
#include "compute-agent/hypervisor.h"

struct host;
struct host_task;

/* One of the list; a repeat changes nothing, a newer one for the same server takes an older one's place. One that
 * cannot be read is reported as failed. */
void host_task_take(struct host *h, json_value *value);
/* Begins it when nothing is in the way. */
void host_task_turn(struct host_task *t);
/* Its server is to be deleted: what is only for an image of it ends soon. */
void host_task_yield(struct host_task *t);
/* host_network_ensure has ended one of its networks. */
void host_task_network_done(struct host_task *t, const struct hypervisor_result *result);
void host_task_free(struct host *h);
