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
    bool changed; /* some of it wait no more */
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
/* Plans who goes for a refused server, and says so in its refusal. Nothing when nobody can. */
int dispatch_preempt(struct batch *b, struct decision *x, const struct placement_request *r, struct arena *a,
                     struct error *e);
/* Gives notice to those that go for it, and parks it. */
int dispatch_write_preemption(struct db_conn *c, const struct batch *b, const struct decision *x, struct error *e);
/* Writes the batch's decisions in one transaction, and tells the fate of each. */
int dispatch_commit(struct batch *b, struct error *e);
