/* The parts of a host, for its files: host.c (life), host_poll.c (what to do), host_report.c (what was done),
 * host_alive.c (since when), host_query.c (questions), host_task.c (moves between hosts), host_network.c (networks),
 * guest.c (one server) and guest_step.c (its steps). */
#pragma once
#include "common/strbuf.h"
#include "compute-agent/guest.h"
#include "compute-agent/host.h"
#include "compute-agent/idmap.h"
#include "compute-agent/journal.h"
#include "compute-agent/sample_queue.h"
#include <stdint.h>

struct loop_timer;
struct host_network;

struct host_poll {
    int64_t since, queries_since;
    int64_t cpu_baseline; /* id of the one that it goes by, 0: none */
    bool full;            /* the pass that began with since=0 is complete */
    unsigned failures;
    struct loop_timer *timer; /* next try after a failure */
};
struct host_report {
    struct loop_timer *timer; /* heartbeat, or next try after a failure */
    bool running, wanted;
    bool introduced; /* the API has answered this process: it is known which numbers it has */
    unsigned failures;
    bool with_inventory; /* of the report under way */
    char *inventory;     /* JSON, NULL until known */
    bool inventory_sent;
    struct sample_queue samples;
    struct host_sync *sync; /* of the journal, under way */
};
/* Which boot of the host this is, and when the one before ended. */
struct host_alive {
    char boot_id[64], boot[JOURNAL_BOOT_SIZE]; /* boot: its beginning, as events carry it */
    char before[JOURNAL_BOOT_SIZE];            /* the boot before this one in which the agent ran, "" for none known */
    int64_t before_us;                         /* when it was last alive */
};
struct host {
    const struct settings *settings;
    struct loop *loop;
    struct worker_pool *files, *uploads;
    char *url;
    struct identity *identity;
    struct hypervisor *hypervisor;
    struct http_client *http;
    struct journal *journal;
    struct idmap guests;   /* id -> struct guest */
    struct idmap networks; /* id -> struct host_network */
    struct idmap queries;  /* id -> struct host_query, being answered */
    struct idmap tasks;    /* id -> struct host_task */
    struct host_poll poll;
    struct host_report report;
    struct loop_timer *resync, *sample, *upkeep;
    bool durable, connected, listing, listed; /* listed: the hypervisor's domains are known since it was connected */
    bool renewing;
    bool list_again;       /* ... and somebody asked for another meanwhile */
    int64_t list_began_us; /* clock_mono_us of the listing under way */
    struct host_alive alive;
    struct host_check *checks; /* of all guests */
};

/* ---- host.c ---- */
/* The guest with this id, made when there is none. */
struct guest *host_guest(struct host *h, const char *server_id);
/* What was said of servers before is not known any more: says of each what it is. */
void host_say_again(struct host *h);
/* Lists the hypervisor's domains and takes note of differences. */
void host_list(struct host *h);
/* In the next round: forgets guests and networks that are over. */
void host_upkeep_soon(struct host *h);
/* When both full lists are there: asks the API about servers that it did not name. */
void host_check_unknown(struct host *h);

/* ---- host_poll.c ---- */
void host_poll_start(struct host *h);
void host_poll_stop(struct host *h);

/* ---- host_alive.c ---- */
/* Reads what the agent left behind in the boot before. `boot_id`: NULL for the machine's. */
void host_alive_open(struct host *h, const char *boot_id);
/* The host lives now: to be called every few seconds. */
void host_alive_touch(struct host *h);
/* An event was said in another boot than this one: the host has been down since. */
bool host_alive_lost(const struct host *h, const struct journal_event *last);
/* The time up to which what the event says can have lasted. */
int64_t host_alive_until_us(const struct host *h, const struct journal_event *last);

/* ---- host_report.c ---- */
void host_report_start(struct host *h);
void host_report_stop(struct host *h);
/* Something is to be said: at once, or right after the report under way. */
void host_report_soon(struct host *h);
/* Notes an event and gets it on its way. False when the journal cannot be written now. */
bool host_report_event(struct host *h, struct journal_event *event);
void host_report_inventory(struct host *h);
void host_report_samples(struct host *h);

/* ---- host_query.c ---- */
struct spec_query;
void host_query_take(struct host *h, const struct spec_query *query);
void host_query_free(struct host *h);

/* ---- host_network.c ---- */
/* Makes sure that the networks of the guest's specification are there with its reservations; guest_networks_done is
 * called later, always. */
void host_network_ensure(struct host *h, struct guest *g);
/* A guest has gone, or all domains were listed: reservations and networks that nobody needs go away. */
void host_network_sweep(struct host *h);
/* The hypervisor was away: nothing is known of its networks but these ids of ours. */
void host_network_listed(struct host *h, const char *const *ids, size_t count);
/* Forgets one that is gone. */
void host_network_upkeep(struct host *h);
void host_network_free(struct host *h);
