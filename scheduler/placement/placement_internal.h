/* The arrays behind placement.h, for its own files and tests. */
#pragma once
#include "scheduler/placement/placement.h"
#include "scheduler/placement/tree.h"
#include <uthash.h>

/* Names (zones, traits, projects, properties, resource classes) become small numbers once. */
struct name {
    char *text;
    char *shown; /* of a match, how it is told; else NULL */
    int32_t number;
    bool is_key;    /* of a property of a host */
    int32_t *kinds; /* that have it, as zone, trait, property, tenant or class */
    int32_t kind_count, kind_capacity;
    UT_hash_handle hh;
};

/* Amount of a further class of one host. */
struct slot_extra {
    int64_t capacity, used;
};

/* One host. */
struct slot {
    struct resources used;
    int64_t revision;
    struct slot_extra *extra; /* as many as its kind has further classes; NULL for none */
    int32_t capacity[RESOURCE_COUNT];
    int32_t server_count;
    int32_t kind;
    union {
        int32_t stay;      /* as placement_set_stay said */
        int32_t next_free; /* of a slot without host */
    };
    int32_t cells; /* 0: not told; less: -1 - number of the numa_kind, nothing held; more: 1 + index of numa_slot */
    bool present, enabled, alive;
    bool planted; /* it is in its kind's tree: present, enabled and alive */
    char id[PLACEMENT_ID_SIZE];
};

/* What hosts of a kind have in common; numbers follow in `names`: traits, properties, tenants, classes. */
struct kind_key {
    int32_t zone, hypervisor, architecture, isolated;
    int32_t size[RESOURCE_COUNT]; /* capacity rounded down to eleven bits */
    int32_t trait_count, property_count, tenant_count, class_count;
    int32_t names[];
};

struct kind {
    struct kind_key *key;
    size_t key_size;
    int32_t number;
    int32_t hosts;            /* 0: the kind may be used anew */
    enum placement_goal goal; /* its aggregates'; DEFAULT: none, or several */
    struct tree tree;
    UT_hash_handle hh;
};

/* What a search looks at of every kind, close together; or of a block of kinds. */
struct kind_front {
    int64_t unit[RESOURCE_COUNT];      /* one of a resource as a share: SHARE_ONE is the whole; of a block the least */
    int64_t unit_high[RESOURCE_COUNT]; /* of a block: the most */
    int64_t
        left_high[RESOURCE_COUNT]; /* of a block: no share left is more than so much a piece of `high` less the need */
    int32_t hosts;                 /* in its tree */
    int32_t least, low[TREE_FIXED], high[TREE_FIXED];
};

/* A request's filters on kinds with their names resolved to numbers; what a class is equal by. -1: not asked; -2: asked
 * for a name that no host has. The names of all lists stand in one row, so that what is not asked costs nothing. */
enum constraint_list {
    LIST_REQUIRED,
    LIST_FORBIDDEN,
    LIST_PROPERTIES,
    LIST_CLASSES,
    LIST_MATCHES,
    LIST_KEPT, /* of each the key and PLACEMENT_KEPT_VALUES values; one list for each of enum placement_keeps */
    LIST_COUNT = LIST_KEPT + PLACEMENT_KEEPS_COUNT
};
#define KEPT_STEP            (1 + PLACEMENT_KEPT_VALUES)
#define CONSTRAINT_NAMES_MAX ((4 + KEPT_STEP) * PLACEMENT_NAMES_MAX + PLACEMENT_CLASSES_MAX)
struct constraints {
    int32_t project, zone, hypervisor, architecture;
    int32_t confined; /* the project may be on hosts only that are kept for it */
    int32_t name_count;
    int16_t end[LIST_COUNT]; /* where in `names` each list ends; the next one begins there */
    int32_t names[CONSTRAINT_NAMES_MAX];
};
static inline size_t placement_constraints_size(const struct constraints *c)
{
    return offsetof(struct constraints, names) + (size_t)c->name_count * sizeof(c->names[0]);
}
/* The names of one list; their number in *ret_count. */
static inline const int32_t *placement_list(const struct constraints *c, enum constraint_list list, int32_t *ret_count)
{
    int32_t start = list == 0 ? 0 : c->end[list - 1];
    *ret_count = c->end[list] - start;
    return c->names + start;
}

/* Kinds are summed up in blocks of 64, a word of a class, and those in large blocks. Only pools of many kinds look at
 * them. */
enum { BLOCK_OF_KINDS, BLOCK_LARGE, BLOCK_LEVELS };
#define BLOCK_KINDS       64
#define BLOCK_LARGE_KINDS 1024
struct kind_block {
    struct kind_front front;
    bool stale; /* a kind of it has changed since */
};

/* A host that was found. */
struct found {
    int64_t score;
    int32_t slot;
};
#define SCORE_NONE INT64_MIN
#define SHARE_ONE  (1LL << 32)
#define SHARE_MOST (SHARE_ONE + SHARE_ONE / 512) /* sizes are rounded down by less than a thousandth */

/* The best hosts, the best first. What does not beat the bar does not come in: the last one of a full list. */
#define SHORTLIST 64
struct shortlist {
    int32_t count, most;
    struct found bar;
    int64_t score[SHORTLIST];
    int32_t slot[SHORTLIST];
};

/* The last changes of hosts: what each has free since. */
#define CHANGES 8192
struct changes {
    uint64_t count;        /* ever */
    int32_t kind[CHANGES]; /* of the host */
    struct {
        int32_t slot; /* less than 0: ~slot, and nothing goes there any more */
        int32_t values[TREE_DIMENSIONS_MAX];
    } host[CHANGES];
};

/* The best hosts for requests that are equal but for hints and groups, as of some moment. A repeated request looks at
 * the hosts that changed since, and searches only when none of the list is left. */
struct recall_key {
    uint64_t class_hash;
    int64_t need[RESOURCE_COUNT], extra[PLACEMENT_CLASSES_MAX];
    int64_t scarcity[RESOURCE_COUNT];
    int64_t goal;
    struct constraints filters; /* last: what is behind its names says nothing */
};
#define RECALL_LISTED 1024
struct recall {
    struct recall_key key;
    uint64_t hash, used_at;
    uint64_t era;       /* of the kinds; 0: nothing is known */
    uint64_t seen;      /* changes taken into account */
    int32_t wanted;     /* how many to search for: more, the sooner the list runs empty */
    struct found floor; /* no host outside the list is better */
    struct shortlist list;
    uint64_t listed[RECALL_LISTED / 64]; /* a bit for each slot of the list, modulo RECALL_LISTED; some too many */
};
#define RECALLS 256 /* remembered, in sets of CLASS_WAYS */

/* A class of requests with equal filters: which kinds pass. */
struct class {
    struct constraints key;
    uint64_t hash;
    bool known;     /* else the entry is free */
    int32_t judged; /* kinds judged so far */
    uint64_t *passing;
    uint64_t used_at;
    uint64_t goal_at;         /* state of placement.inhabited that `goal` is of; 0: none */
    enum placement_goal goal; /* that all pools that the request can go to have in common */
};

#define PLACEMENT_CLASSES 1024 /* remembered, in sets of CLASS_WAYS */
#define CLASS_WAYS        8

/* Kinds of about one size that pass the same filters, but for what few have, get their numbers from blocks of their
 * own: then what the block has free says what a request finds there. */
#define KIND_GROUPS 256
#define COMMON_NAME 64 /* a property of so many kinds is no longer rare */
struct kind_group {
    uint64_t hash;     /* of what they have in common; 0: nobody's */
    int32_t next, end; /* numbers that are free; the same: a block is begun */
};

struct placement {
    struct placement_weights weights;
    enum placement_goal goal;
    struct slot *slots;
    int32_t slot_count, slot_capacity, free_slot;
    int64_t host_count;
    int32_t pools;                   /* kinds that had a goal of their own */
    uint64_t inhabited;              /* grows when a kind gets its first host or loses its last */
    struct resources capacity, used; /* of all hosts that are present */
    int32_t *by_id;                  /* open addressing: slots by id; -1 free */
    uint32_t by_id_size;
    struct name *names;
    struct name **name_at; /* by number */
    int32_t name_count, name_capacity;
    int32_t *confined; /* projects, by name number; in order */
    size_t confined_count;
    struct kind **kinds, *kinds_by_key; /* by number; NULL: a number that no kind has yet */
    struct kind_front *fronts;
    struct kind_block *blocks[BLOCK_LEVELS];
    int32_t kind_count, kind_capacity;
    struct kind_group groups[KIND_GROUPS];
    int32_t reuse_at; /* where the next emptied kind is looked for */
    int32_t empty_kinds;
    struct found *bounds; /* scratch: what hosts of a kind or block can reach at best, and its place */
    uint64_t era;         /* grows when the meaning of a kind's number changes */
    struct class classes[PLACEMENT_CLASSES + 1]; /* the last: of a request that few kinds can pass, not remembered */
    struct recall recalls[RECALLS];
    struct changes changes;
    uint64_t tick;
    uint64_t *excluded;           /* a bit per slot, all clear between requests */
    struct numa_slot *numa;       /* of hosts of which something is held */
    struct numa_kind *numa_kinds; /* by text */
    struct numa_kind **numa_kind_at;
    int32_t numa_count, numa_capacity, numa_free, numa_kind_count, numa_kind_capacity;
    int32_t pcpu;     /* number of the class */
    int32_t *scratch; /* a kind's number each, for building keys */
    size_t scratch_capacity;
};

/* A request against the hosts of one kind. */
struct query {
    enum placement_goal goal;
    int32_t need[TREE_DIMENSIONS_MAX];  /* least free amount; INT32_MIN: not asked */
    int32_t asked[TREE_DIMENSIONS_MAX]; /* the dimensions that are */
    int asked_count, fixed_count;
    int64_t unit[RESOURCE_COUNT]; /* one of a resource as a share: 2^32 is the whole; of a block the least and most */
    int64_t unit_high[RESOURCE_COUNT];
    int64_t weight[RESOURCE_COUNT], weight_servers;
    int64_t scarcity[RESOURCE_COUNT]; /* how much a share of it counts for packing; SCARCITY_ONE for the scarcest */
    int64_t need_worth;               /* what the request itself takes off the weighers' sum; of a block the least */
    int64_t need_worth_high;
    int64_t worth_most;              /* 0, or the larger weight when the sum is one of VCPU and memory alone, which then
                                      * tells how little can be left */
    double worth_factor;             /* likewise for what is left, in pack's terms */
    const uint64_t *excluded;        /* slots to leave out, or NULL */
    const struct numa_request *numa; /* cells that a host must have free, or NULL */
    placement_refuse_fn refuse;      /* a filter of the request's own, or NULL */
    void *refuse_arg;
    const struct placement *placement;
};

/* placement_kind.c */
int32_t placement_name_find(const struct placement *p, const char *text);
int32_t placement_name_intern(struct placement *p, const char *text);
const char *placement_name_text(const struct placement *p, int32_t number);
/* The kind of such a host, made when new; counts the host in. */
struct kind *placement_kind_get(struct placement *p, const struct placement_host *host,
                                const struct resources *capacity);
/* Counts a host in, or out. */
void placement_kind_join(struct placement *p, struct kind *k);
void placement_kind_leave(struct placement *p, int32_t kind);
void placement_kinds_done(struct placement *p);
/* The kind's front has changed. */
void placement_block_change(struct placement *p, int32_t kind);
/* The front of a block, up to date. */
const struct kind_front *placement_block_front(struct placement *p, int level, int32_t block);
/* The class of the filters, up to date. Valid until the next call. */
const struct class *placement_class_get(struct placement *p, const struct constraints *c);
static inline bool placement_class_passes(const struct class *k, int32_t kind)
{
    return k->passing[kind / 64] >> (kind % 64) & 1;
}
/* placement_filter.c */
int placement_order_numbers(const void *a, const void *b);
void placement_resolve(const struct placement *p, const struct placement_request *r, struct constraints *ret);
bool placement_kind_passes(const struct placement *p, const struct kind_key *k, const struct constraints *c);
/* A kind before the filters. With the request, `detail` says of the filter that removes it what was asked for (text of
 * the request or the library; equal details are one pointer), or is NULL. */
struct judging {
    const struct placement *p;
    const struct kind_key *k;
    const struct constraints *c;
    const struct placement_request *r; /* NULL: nobody wants to know */
    const char *detail;
};
/* Why the kind is removed by the first filter that does (*ret_index of all), or NULL. */
const char *placement_kind_refusal(struct judging *j, int *ret_index);

/* The class's dimension in the kind's tree, -1: the kind lacks it. */
int32_t placement_class_dimension(const struct kind_key *k, int32_t class);

/* placement_search.c */
/* What of the query is the same for all kinds. False when no kind can hold it (an amount beyond all bounds). */
bool placement_query_begin(const struct placement *p, const struct placement_request *r, struct query *ret);
/* The rest, for one kind after another. False when the kind cannot hold it. */
bool placement_query_kind(const struct placement *p, const struct placement_request *r, int32_t kind, struct query *q);
/* Likewise for a block of kinds, whose front it is: further classes are not asked. */
void placement_query_block(const struct kind_front *front, struct query *q);
/* Whether a host with these values lacks something that is asked of all kinds. */
static inline bool placement_lacks(const struct query *q, const int32_t *values)
{
    int32_t lacks = 0;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        lacks |= values[i] < q->need[i];
    }
    return lacks != 0;
}
/* Score of a host with these values, SCORE_NONE when they do not suffice. */
int64_t placement_score(const struct query *q, int32_t slot, const int32_t *values);
/* The weighers' sum of a host before anything is placed, coarsely: what TREE_WORTH holds. */
int32_t placement_worth(const struct placement *p, int32_t kind, const int32_t *values);
/* What could at best be reached below. */
int64_t placement_bound(const struct query *q, int32_t least, const int32_t *low, const int32_t *high);
static inline bool placement_better(int64_t score, int32_t slot, const struct found *than)
{
    return score > than->score || (score == than->score && slot < than->slot);
}
void placement_shortlist_init(struct shortlist *list, int32_t most);
/* Puts in a host that beats the bar. */
void placement_shortlist_add(struct shortlist *list, int64_t score, int32_t slot);
/* Adds the hosts of the tree that beat the bar. */
void placement_search(const struct tree *t, const struct query *q, struct shortlist *list);

/* Names of the further classes of a request. */
struct class_names {
    const char *text[PLACEMENT_CLASSES_MAX];
};

/* placement_explain.c */
/* What explaining needs, once for a request. */
struct asked {
    struct constraints constraints;
    struct class_names names;
};
void placement_asked_begin(const struct placement *p, const struct placement_request *r, struct asked *ret);
/* Adds why the host refuses one more after it has taken `taken` of them beside what it holds; *nearest begins with 0.
 */
void placement_explain_slot(const struct placement *p, int32_t slot, const struct placement_request *r,
                            const struct asked *asked, int64_t taken, struct placement_explanation *x, double *nearest);
/* Adds the explanation of one host, whose nearest miss is `share`. */
void placement_explain_add(const struct placement_explanation *one, double share, struct placement_explanation *x,
                           double *nearest);

/* placement.c */
/* The slot's free amounts and the other dimensions of its tree. */
void placement_values(const struct placement *p, const struct slot *s, int32_t *ret);

/* placement_numa.c */
/* Takes over the host's cells and what is held of them. Adds the class PCPU to `host`, whose classes then lie in `room`
 * (PLACEMENT_CLASSES_MAX). */
void placement_numa_set(struct placement *p, int32_t slot, struct placement_host *host, struct placement_class *room);
void placement_numa_forget(struct placement *p, int32_t slot);
/* Gives a host without cells those of another one, nothing of them held. */
void placement_numa_copy(struct placement *p, int32_t slot, int32_t from);
/* Number of what the host is made of, -1: not told. */
int32_t placement_numa_kind(const struct placement *p, int32_t slot);
void placement_numa_done(struct placement *p);
bool placement_numa_fits(const struct placement *p, int32_t slot, const struct numa_request *r);
/* Whether there is no room in its cells, and what is missing. */
bool placement_numa_lacks(const struct placement *p, int32_t slot, const struct numa_request *r, struct numa_lack *ret);
void placement_numa_take(struct placement *p, int32_t slot, const struct placement_extra *extra);
void placement_numa_release(struct placement *p, int32_t slot, const struct placement_extra *extra);
/* Adds what is given to what is held of the host's cells, or takes it away. */
void placement_numa_hold(struct placement *p, int32_t slot, const struct numa_given *given, int sign);
/* What it takes of the three at least, whatever pages it gets. */
struct resources placement_numa_least(const struct resources *need, const struct numa_request *r);

/* placement_recall.c */
/* A host has these values now; NULL: nothing goes there any more. */
void placement_recall_change(struct placement *p, int32_t slot, const int32_t *values);
/* What is known of this request, all changes taken into account. Of era 0 when it is nothing. */
struct recall *placement_recall_get(struct placement *p, const struct placement_request *r, const struct class *k,
                                    struct query *q);
/* The list of this very moment. */
void placement_recall_set(const struct placement *p, struct recall *m, const struct shortlist *list);

/* placement_choose.c */
/* What belongs to the request alone: hints and group. NULL: passes; else why not, and what was asked for. */
const char *placement_own_refusal(const struct placement *p, const struct placement_request *r, int32_t slot,
                                  const char **ret_detail);
