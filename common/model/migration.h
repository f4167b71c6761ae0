/* Migrations: a server on its way from one host to another, as steps. Pure.
 *
 * A step is left when what it waits for has happened; each may be entered twice without harm. The server belongs to the
 * source until `switched`, which one transaction writes together with the server's host: from then on the target owns
 * it. What the other host holds is never run, and is removed last.
 *
 *   resize in place  QUEUED =switch= STARTING - VERIFYING - DONE: the guest grows while it runs; when it gets a disk
 * QUEUED - FITTING =switch= ...; revert and failure: - BACK_STARTING =switch back= DONE cold, resize     QUEUED -
 * STOPPING - RELEASING - RECEIVING =switch= STARTING - VERIFYING - CLEARING - DONE live             QUEUED - READYING -
 * SENDING - ARRIVING =switch= CLEARING - DONE evacuation       QUEUED =switch= STARTING - CLEARING - DONE; where the
 * hosts share the disks QUEUED - ADOPTING =switch=
 *                    ...; never without proof that the source is off
 *   revert           VERIFYING - BACK_STOPPING - BACK_RELEASING =switch back= BACK_STARTING - UNDOING - DONE
 *   failure          before the switch: - UNDOING - DONE, the server goes on at the source; a guest that has left and
 *                    did not arrive: ARRIVING - RECALLING - DONE; a target that cannot start it: as revert
 *
 * STOPPING, STARTING and their BACK_ twins are what the server's host does anyway when another power is desired; the
 * others are tasks for one of the two hosts. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What a host says whose hypervisor moves a running guest only where both hosts reach its disks. */
#define MIGRATION_SHARED_TRAIT "CUSTOM_LACKS_BLOCK_MIGRATION"

enum migration_kind { MIGRATION_COLD, MIGRATION_RESIZE, MIGRATION_LIVE, MIGRATION_EVACUATION, MIGRATION_KIND_COUNT };
/* Nova's migration_type: "migration", "resize", "live-migration", "evacuation". */
const char *migration_kind_name(enum migration_kind kind);
int migration_kind_parse(const char *text); /* -1 when unknown */

enum migration_step {
    MIGRATION_QUEUED,    /* waits for a host */
    MIGRATION_FITTING,   /* what the guest is to get is made, before it changes */
    MIGRATION_STOPPING,  /* the guest is switched off */
    MIGRATION_RELEASING, /* source: the domain goes, the files stay */
    MIGRATION_RECEIVING, /* target: fetches the files */
    MIGRATION_ADOPTING,  /* target: takes the disks of a dead host over, where it reaches them */
    MIGRATION_READYING,  /* target: checks and makes everything that a live guest needs */
    MIGRATION_SENDING,   /* source: the guest moves */
    MIGRATION_ARRIVING,  /* target: says that the guest is here */
    MIGRATION_STARTING,  /* the target does what the tenant wants */
    MIGRATION_VERIFYING, /* waits for confirmResize or revertResize */
    MIGRATION_CLEARING,  /* source: removes what is left */
    MIGRATION_BACK_STOPPING,
    MIGRATION_BACK_RELEASING,
    MIGRATION_BACK_STARTING,
    MIGRATION_RECALLING, /* target: removes a guest that did not arrive whole; only then the source may start it */
    MIGRATION_UNDOING,   /* target: removes what is left */
    MIGRATION_DONE,
    MIGRATION_STEP_COUNT
};
const char *migration_step_name(enum migration_step step);
int migration_step_parse(const char *text); /* -1 when unknown */

/* How it ends, once it is decided. */
enum migration_outcome {
    MIGRATION_OPEN,
    MIGRATION_COMPLETED, /* live: completed; cold: confirmed */
    MIGRATION_REVERTED,
    MIGRATION_FAILED,
    MIGRATION_CANCELLED,
    MIGRATION_OUTCOME_COUNT
};
const char *migration_outcome_name(enum migration_outcome outcome);
int migration_outcome_parse(const char *text);
/* What somebody asked of a running one. */
enum migration_request {
    MIGRATION_NO_REQUEST,
    MIGRATION_CONFIRM,
    MIGRATION_REVERT,
    MIGRATION_ABORT,
    MIGRATION_FORCE, /* a live one is to end at once, whatever it costs the guest */
    MIGRATION_REQUEST_COUNT
};
const char *migration_request_name(enum migration_request request);
int migration_request_parse(const char *text);

/* Nova's status word (nova/objects/fields.py and compute/manager.py). */
const char *migration_status(enum migration_kind kind, enum migration_step step, enum migration_outcome outcome);

/* The task of a step: "release", "receive" ...; NULL for a step without one. *ret_at_source says whose. */
const char *migration_task(enum migration_step step, bool *ret_at_source);

/* What is known when the next step is looked for. */
struct migration_view {
    enum migration_kind kind;
    enum migration_step step;
    enum migration_outcome outcome;
    enum migration_request request;
    bool same_host;     /* a resize that stays where it is */
    bool in_place;      /* ... under the running guest */
    bool plugs;         /* ... which gets a disk */
    bool placed;        /* a target was found and holds room */
    bool shares;        /* ... and it reaches the storage of the source, as far as is known */
    bool refused;       /* no host can take it */
    bool server_gone;   /* the row is history */
    bool server_wanted; /* nobody has asked to delete it */
    bool server_rests;  /* its host has done what is desired */
    bool server_failed; /* its host could not */
    bool troubled;      /* ... and said so of this migration: what a resize in place left running is no success */
    enum {
        MIGRATION_TASK_NONE,
        MIGRATION_TASK_OPEN,
        MIGRATION_TASK_DONE,
        MIGRATION_TASK_FAILED
    } task;          /* of the step */
    bool source_off; /* it is proved that the source does not run */
    bool overdue;
};
struct migration_move {
    enum migration_step step;
    enum migration_outcome outcome;
    bool changed;        /* something is to be written */
    bool switches;       /* ... with it the server changes its owner */
    bool cancels_task;   /* the open task of the step is to be given up; its host says when it has */
    bool resumes_source; /* before the switch it failed: the server goes on where it is */
};
void migration_next(const struct migration_view *view, struct migration_move *ret);

/* How long a step may take, in microseconds, before it is given up or, where that cannot be, asked for again; 0: for
 * ever. */
int64_t migration_limit_us(enum migration_step step);
