/* What the two halves of dispatch share: deciding (dispatch.c) and committing (dispatch_commit.c). */
#pragma once
#include "db/store_placement.h"
#include "scheduler/dispatch.h"

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
};

/* Whether a refused server waits for room. */
bool dispatch_waits(const struct batch *b, const struct decision *x);
/* Writes the batch's decisions in one transaction, and tells the fate of each. */
int dispatch_commit(struct batch *b, struct error *e);
