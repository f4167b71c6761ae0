/* What the two halves of dispatch share: deciding (dispatch.c) and committing (dispatch_commit.c). */
#pragma once
#include "db/store_placement.h"
#include "scheduler/dispatch.h"
#include "scheduler/preempt.h"

/* What became of a decision in the transaction. */
enum fate {
    FATE_PLACED,
    FATE_CHANGED, /* its host changed under us: tried again */
    FATE_GONE,    /* it waited no more; what was taken for it was given back */
    FATE_BACK,    /* taken and given back: too few of its lot got room; tried again */
    FATE_LATER,   /* not written: its lot changed meanwhile; tried again */
};

struct decision {
    const struct placement_waiting_row *server;
    struct lot *lot; /* NULL: it waits alone */
    int32_t slot;    /* PLACEMENT_NO_SLOT: refused */
    bool decided;
    bool sleeper; /* refused, but a host that is asleep could take it */
    enum fate fate;
    char *refusal;                /* sentence */
    struct preempt_plan *plan;    /* of a refused one: spot servers that go for it; NULL: none do */
    struct store_holding holding; /* what it takes of the host */
    struct resources need;        /* what was asked for, with: */
    struct placement_extra extra;
};

/* Servers of one request that are placed together. */
struct lot {
    const char *id;
    size_t count, chosen; /* of the queue; that got a slot */
    size_t placed;        /* in the transaction, as far as it has come */
    size_t least;
    bool changed;  /* some of it wait no more */
    bool sleeper;  /* refused, but hosts that are asleep could take its least */
    bool preempts; /* refused, but spot servers go for it */
};

struct batch {
    struct dispatch *d;
    struct decision *decisions; /* sorted by slot before the commit */
    size_t count;
    struct lot *lots;
    size_t lot_count;
    int64_t now_us, feed_number;
    struct preempt_victim *spot; /* servers that may be preempted, once somebody found no room */
    size_t spot_count;
    bool spot_known;
};

/* Whether a refused server waits for room. */
bool dispatch_waits(const struct batch *b, const struct decision *x);
/* Spot servers that may be preempted, ordered as preempt_choose wants them; in the arena. */
int dispatch_read_spot(struct dispatch *d, struct arena *a, struct preempt_victim **ret, size_t *ret_count,
                       struct error *e);
/* Plans who goes for refused servers of one request, all of them or none: fills plans[i] and says so in *refusal. False
 * when nobody can make the room. */
int dispatch_preempt(struct batch *b, const struct placement_request *r, size_t count, struct preempt_plan *plans,
                     char **refusal, bool *ret_planned, struct arena *a, struct error *e);
/* Where so many would go were those awake that are asleep; NULL: nowhere, or nobody is. Slots in the arena; those of
 * hosts that would have to be woken are not alive. */
const int32_t *dispatch_choose_asleep(struct dispatch *d, struct placement_request *r, size_t count, struct arena *a);
/* Gives notice to those that go for it, and parks it. */
int dispatch_write_preemption(struct db_conn *c, const struct batch *b, const struct decision *x, struct error *e);
/* Writes the batch's decisions in one transaction, and tells the fate of each. */
int dispatch_commit(struct batch *b, struct error *e);
