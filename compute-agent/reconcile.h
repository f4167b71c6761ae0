/* The agent's one decision: what a server should be, what it is, hence the next step. Pure.
 *
 * A revision is carried out once. What the guest does by itself afterwards (it powers off, it crashes) is reported and
 * left as it is until a higher revision comes: the tenant decides, not the agent.
 *
 *            PREPARE, CREATE                    ASK_SHUTDOWN .. FORCE_OFF
 *   ABSENT ------------------> RUNNING <--------------------------------> SHUTOFF, CRASHED      REMOVE leads from
 * everywhere |  ^ PREPARE, START                                             to ABSENT without traces PAUSE / RESUME |
 * |    SAVE / PREPARE, START PAUSED <--------------------+  +---------------------------> SAVED --DISCARD--> SHUTOFF */
#pragma once
#include "common/model/server.h"
#include "compute-agent/hypervisor.h"
#include "compute-agent/spec.h"
#include <stdbool.h>

enum reconcile_asked { RECONCILE_ASKED_NOTHING, RECONCILE_ASKED_SHUTDOWN, RECONCILE_ASKED_REBOOT };

struct reconcile_situation {
    bool exists; /* desired */
    enum server_power power;
    enum spec_action action; /* one-time action that has not been carried out */
    bool fresh;              /* the desired revision is higher than the one carried out */
    enum hypervisor_domain domain;
    bool traces;                /* something of it is on disk */
    bool prepared;              /* image, disk, config drive and networks are ready for a start */
    bool stale;                 /* what can be changed while it is on may differ from the specification */
    bool restart;               /* ... and only a restart helps */
    bool connected;             /* the networks that its nics need are there */
    enum reconcile_asked asked; /* what the guest was asked to do by itself ... */
    bool patience_over;         /* ... and that it has had its time */
};

#define RECONCILE_STEPS(X)                                                                                             \
    X(REST, "rest")                 /* nothing to do: the revision is carried out */                                   \
    X(WAIT, "wait")                 /* for the guest or the end of its grace */                                        \
    X(PREPARE, "prepare")           /* fetch the image, make disk, config drive, networks */                           \
    X(CREATE, "create")             /* define the domain and start it */                                               \
    X(DEFINE, "define")             /* define the domain only */                                                       \
    X(START, "start")               /* a defined one, from its saved memory if it has one */                           \
    X(ASK_SHUTDOWN, "ask-shutdown") /* press the power button */                                                       \
    X(FORCE_OFF, "force-off")       /* pull the plug */                                                                \
    X(ASK_REBOOT, "ask-reboot")     /* press the power button and start again */                                       \
    X(FORCE_REBOOT, "force-reboot") /* pull the plug and start again */                                                \
    X(PAUSE, "pause")               /* stop its CPUs */                                                                \
    X(RESUME, "resume")             /* let them run */                                                                 \
    X(SAVE, "save")                 /* memory to disk, off */                                                          \
    X(DISCARD, "discard")           /* forget the saved memory */                                                      \
    X(CONNECT, "connect")           /* make the networks that the nics of a server that is on need */                  \
    X(ADJUST, "adjust")             /* plug what is missing, unplug what is too much, under the running guest */       \
    X(REMOVE, "remove")             /* domain, saved memory, disks, reservations */
enum reconcile_step {
#define X(name, text) RECONCILE_##name,
    RECONCILE_STEPS(X)
#undef X
        RECONCILE_STEP_COUNT
};

enum reconcile_step reconcile_next(const struct reconcile_situation *s);
/* For logs; static. */
const char *reconcile_step_name(enum reconcile_step step);
/* The word for reports. `built`: the server has been started or stopped successfully before. */
enum server_state reconcile_state(enum hypervisor_domain domain, bool exists, bool built);
