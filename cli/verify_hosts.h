/* Asking each host's agent what its hypervisor and its journal say, and comparing that with the ledger. */
#pragma once
#include "cli/command.h"

/* A difference, in words that name server and host. */
typedef void (*verify_hosts_fn)(void *arg, const char *server_id, const char *words);
struct verify_hosts {
    size_t asked, answered, silent; /* hosts; silent: not heard of late, so not asked */
    size_t servers, pending;        /* that were compared; journal entries that are still to come */
};
/* Asks all hosts that are heard, waits for their answers at most `wait_ms`, and tells each difference. A server with
 * which something is under way, and what happened within the last `settled_us`, is left out. A host that was asked and
 * does not answer is told as one. */
int verify_hosts(struct cli *cli, int64_t wait_ms, int64_t settled_us, verify_hosts_fn differs, void *arg,
                 struct verify_hosts *ret, struct error *e);

/* The time that the controller gives an entry of a journal, by the rule of docs/billing.md: one in the controller's
 * future was set to the controller's, one from before the server was asked for to that. */
struct verify_event;
int64_t verify_hosts_taken_at(int64_t told_us, const struct verify_event *taken);
