/* One server on this host: what it should be, what it is, the step under way, and what was said of it. Loop thread; for
 * the files of host. */
#pragma once
#include "compute-agent/hypervisor.h"
#include "compute-agent/reconcile.h"
#include "compute-agent/spec.h"
#include <stdbool.h>
#include <stdint.h>

struct host;
struct host_check;
struct host_task;
struct journal_event;
struct loop_timer;

struct guest {
    struct host *host;
    char id[UUID_SIZE];
    struct spec *spec;     /* being carried out; NULL: the API has not named it */
    struct spec *incoming; /* a newer one, taken over between steps */
    bool doomed;           /* the API said that it is deleted: remove it though there is no specification */
    bool asking;           /* the API is being asked about it */
    bool held;             /* a task has been carried out; until a newer specification comes, nothing is done or said */
    struct host_check *check; /* NULL: it is not asked how it is */
    struct host_task *task;   /* under way or waiting for the end of a step; steps wait for its end */

    enum hypervisor_domain domain;
    bool traces, prepared;
    bool stale;         /* the domain may have other devices, or other rules for them, than the specification ... */
    bool connected;     /* ... and the networks for these are there */
    bool restart;       /* it is to be switched off and on for that */
    bool given_up;      /* it could not be changed under the guest: not tried again until the next specification */
    int64_t changed_us; /* when the domain became what it is; 0 when that has been said */
    int64_t touched_us; /* clock_mono_us of the last event or end of a step: older listings know less */
    int64_t started_us; /* of the last (re)start: events may still tell of what it went through */

    bool busy; /* a step is under way, or a clone of it is made */
    enum reconcile_step step;
    bool event_seen;                     /* meanwhile an event came ... */
    enum hypervisor_domain event_domain; /* ... that said this */
    int64_t event_us;
    unsigned parts; /* of PREPARE that have not ended */
    int part_code;  /* the first failure among them */
    bool part_transient;
    struct error part_error;

    struct guest *source; /* of PREPARE: the server that it is a clone of, which is lent until it ends */

    enum reconcile_asked asked;
    bool patience_over;
    unsigned attempts;        /* of the present step that failed for passing reasons */
    bool resting;             /* until the timer: before another attempt */
    struct loop_timer *timer; /* for patience and attempts; NULL until first needed */

    int64_t done_revision;          /* carried out, or failed for good */
    char done_operation[UUID_SIZE]; /* the one-time action carried out last */
    char said_operation[UUID_SIZE]; /* ... and reported */
    bool built;                     /* has run or been defined successfully */
    bool said_any;
    enum server_state said;
    int64_t said_at_us;
    bool said_gone;

    bool lost;       /* it was on when the host went down ... */
    int64_t lost_us; /* ... about then */
    bool reviving;   /* and is wanted on: to be started again */
};

struct guest *guest_new(struct host *h, const char *server_id);
/* No callback may be outstanding unless the whole host is being freed. */
void guest_free(struct guest **g);
/* What the journal knows of it. */
void guest_remember(struct guest *g, const struct journal_event *last);
/* What was said of it is not known any more. */
void guest_say_again(struct guest *g);
/* The guest's own from here. */
void guest_take_spec(struct guest *g, struct spec **spec);
/* The API says that this server is deleted. */
void guest_doom(struct guest *g);
/* The hypervisor says what is there (a listing or an event). */
void guest_found(struct guest *g, enum hypervisor_domain domain, bool traces, int64_t at_us);
void guest_event(struct guest *g, const struct hypervisor_event *event);
/* A specification that could not be read: fails that revision. */
void guest_refuse(struct guest *g, int64_t revision, const struct error *error);
/* It gets the specification that a task brought; nothing is done by it. */
void guest_hold(struct guest *g, struct spec **spec);
/* A task has removed everything of it: as if it had never been here. */
void guest_forget(struct guest *g);
/* Takes the next step if there is one and nothing is in the way. */
void guest_work(struct guest *g);
/* It may be forgotten: gone and said so, or nothing of it is here and nobody wants it. */
bool guest_is_over(const struct guest *g);
/* Nothing is done to it until it is given back; false: something is. */
bool guest_lend(struct guest *g);
void guest_give_back(struct guest *g);
/* host_network_ensure has ended. */
void guest_networks_done(struct guest *g, const struct hypervisor_result *result);

/* ---- for guest_step.c ---- */
/* The desired revision could not be carried out, for good: says so and leaves the server as it is. */
void guest_fail(struct guest *g, const struct error *failure);
/* No step before this time has passed. */
void guest_rest_for(struct guest *g, int64_t delay_ms);
/* The guest was asked to do something by itself and has this long. */
void guest_be_patient(struct guest *g, enum reconcile_asked asked, int64_t grace_ms);

/* ---- guest_step.c ---- */
/* Starts the step; guest_step_ended is called later. */
void guest_step_run(struct guest *g, enum reconcile_step step);
void guest_step_ended(struct guest *g, const struct hypervisor_result *result);
