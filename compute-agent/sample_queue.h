/* Samples of counters that the API has not taken yet. Counters are cumulative, so a newer sample of a server takes the
 * place of the one before it, except where that would lose something: a counter went back (the domain was started
 * again), a nic is gone, another hour began (usage counts by the hour), or the one before is under way. However long
 * the API is away, a server costs one sample an hour and one per restart. Loop thread only. */
#pragma once
#include "common/json_out.h"
#include "compute-agent/hypervisor.h"
#include "compute-agent/idmap.h"

struct sample_queue {
    struct sample_queue_item {
        struct hypervisor_sample sample;
        bool begins; /* the first after a restart, or of which nothing before is known: it stays */
    } * items;       /* oldest first */
    size_t count, room;
    size_t sent;                    /* the first so many are under way */
    struct hypervisor_sample *last; /* the round before, taken or not */
    size_t last_count;
    struct idmap last_of; /* of each server */
};

/* Samples as the hypervisor gave them. Beyond SAMPLE_QUEUE_MAX the oldest that are not under way go. */
#define SAMPLE_QUEUE_MAX 100000
void sample_queue_add(struct sample_queue *q, const struct hypervisor_sample *samples, size_t count);
/* The server's nic in the round before, NULL when it had none with that MAC. Valid until the next is added. */
const struct hypervisor_nic *sample_queue_nic(const struct sample_queue *q, const char *server_id, const char *mac);
/* Writes the member "samples" with the oldest, at most `limit`, which are under way from now on; nothing when there are
 * none. */
void sample_queue_print(struct sample_queue *q, size_t limit, struct json_out *o);
/* What was under way was taken, or is to be sent again. */
void sample_queue_end(struct sample_queue *q, bool taken);
void sample_queue_done(struct sample_queue *q);
