/* Where does a server go? A pure library over flat arrays: no SQL, no clock, no I/O. Hosts are fed in, requests are
 * answered, and what was decided is taken into account at once. One thread at a time.
 *
 * The answer is exact: the best host by the goal among all hosts that pass all filters; ties go to the lowest slot.
 *
 * Data: hosts that only differ in what they have free are one *kind* (zone, hypervisor, architecture, traits, aggregate
 * properties, tenants, resource classes, size to a thousandth). Filters on those look at kinds, and equal
 * requests share the outcome as a bitset. The hosts of a kind hang in a tree ordered by what they have free; each node
 * knows the least and the most of each resource below it, so that a search leaves out whatever cannot fit or cannot be
 * better. The best hosts of repeated requests are remembered and kept up to date by the changes of hosts. A decision
 * costs about the logarithm of the hosts, a change too; neither allocates memory. */
#pragma once
#include "common/model/numa.h"
#include "common/model/resources.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct placement;

#define PLACEMENT_NO_SLOT     (-1)
#define PLACEMENT_ID_SIZE     37     /* of a host's id, with its end */
#define PLACEMENT_NAMES_MAX   16     /* traits of one request, properties, hosts named in hints */
#define PLACEMENT_CLASSES_MAX 8      /* resource classes beside VCPU, MEMORY_MB and DISK_GB, of one host or request */
#define PLACEMENT_PCPU        "PCPU" /* the class of dedicated processors: hosts have it by their topology */

/* An amount of a further resource class: "PCPU" (dedicated processors), "CUSTOM_GPU", ... */
struct placement_class {
    const char *name;
    struct resource_inventory inventory;
    int64_t used;
};

/* What the caller knows of a host. Text is copied where it is kept. */
struct placement_host {
    const char *id;
    const char *zone;
    const char *hypervisor;   /* "QEMU", "KVM", "fake" */
    const char *architecture; /* "x86_64" */
    bool enabled, alive;
    struct resource_inventory inventory[RESOURCE_COUNT];
    struct resources used;
    int64_t server_count;
    int64_t revision; /* the row's allocation_revision that `used` belongs to */
    const char *const *traits;
    size_t trait_count;
    const char *const
        *tenants; /* NULL-terminated projects that may use it exclusively (aggregate isolation); NULL: everybody */
    const char *const *aggregates; /* "key=value" properties of its aggregates */
    size_t aggregate_count;
    const struct placement_class *classes; /* further resource classes; those above the maximum are left out */
    size_t class_count;
    const char *topology; /* its NUMA cells, as numa_topology_read takes them; NULL: not known */
    const char *given;    /* what its servers hold of them, as numa_given_each takes it; NULL: nothing */
};

enum placement_group_policy {
    PLACEMENT_GROUP_NONE,
    PLACEMENT_AFFINITY,
    PLACEMENT_ANTI_AFFINITY,
    PLACEMENT_SOFT_AFFINITY,
    PLACEMENT_SOFT_ANTI_AFFINITY
};

struct placement_group_host {
    int32_t slot;
    int32_t count; /* members of the group there */
};

/* What makes one host better than another. A share is free / capacity of the host's kind. */
enum placement_goal {
    PLACEMENT_GOAL_DEFAULT,   /* what placement_set_goal said, else the weights */
    PLACEMENT_GOAL_WEIGHTS,   /* sum of the weighers */
    PLACEMENT_GOAL_FIRST_FIT, /* the lowest slot */
    PLACEMENT_GOAL_BEST_FIT,  /* the least sum of the shares of VCPU and memory left over */
    PLACEMENT_GOAL_PACK,     /* best fit by shape and scarcity: in use before empty, VCPU and memory run out together */
    PLACEMENT_GOAL_SPREAD,   /* the most left over of whatever is scarcer */
    PLACEMENT_GOAL_LIFETIME, /* PACK, and of like fits the host where most will stay, so that the others drain */
    PLACEMENT_GOAL_COUNT
};
/* A pool's own goal: the property of its aggregate that names it, "placement_policy=pack". It counts for a request that
 * names no goal when all hosts that pass its filters have the same one. */
#define PLACEMENT_POLICY_PROPERTY "placement_policy="
/* "weights", "first-fit", "best-fit", "pack", "spread", "lifetime"; PLACEMENT_GOAL_DEFAULT for another name. */
enum placement_goal placement_goal_parse(const char *name);
const char *placement_goal_name(enum placement_goal goal);

/* What a request asks for beside the three: amounts of further classes (`class` is from placement_class_number; of PCPU
 * at least the dedicated processors of `numa`), and cells of the host. */
struct placement_extra {
    const struct numa_request *numa; /* NULL: none */
    struct numa_given *given;        /* the caller's: written when it is taken, read when it is released */
    size_t count;
    struct {
        int32_t class;
        int64_t amount;
    } item[PLACEMENT_CLASSES_MAX];
};

/* What hosts may be kept for by properties: where one has `key` at all, it must have one of the values. */
enum placement_keeps {
    PLACEMENT_KEEPS_IMAGES,
    PLACEMENT_KEEPS_NETWORKS,
    PLACEMENT_KEEPS_STORES,
    PLACEMENT_KEEPS_COUNT
};
#define PLACEMENT_KEPT_VALUES 3
struct placement_kept {
    enum placement_keeps what;
    const char *key;
    const char *values[PLACEMENT_KEPT_VALUES]; /* "key=value"; NULL: no further one */
};

/* A filter of the caller's own: why the host is refused (static text), NULL when it is not; *ret_detail may be set to
 * what was asked for (one pointer for all hosts). Asked of hosts that would be the best so far; must give the same as
 * long as the host does not change. */
typedef const char *(*placement_refuse_fn)(void *arg, int32_t slot, const char **ret_detail);

struct placement_request {
    struct resources need;
    struct placement_extra extra;
    const char *project_id;
    const char *zone;                          /* NULL: any */
    const char *hypervisor;                    /* NULL: any */
    const char *architecture;                  /* NULL: any */
    const char *required[PLACEMENT_NAMES_MAX]; /* traits; NULL-terminated unless full */
    const char *forbidden[PLACEMENT_NAMES_MAX];
    const char *properties[PLACEMENT_NAMES_MAX]; /* "key=value" that an aggregate of the host must have */
    int32_t matches[PLACEMENT_NAMES_MAX];        /* from placement_match_number */
    size_t match_count;
    struct placement_kept kept[PLACEMENT_NAMES_MAX];
    size_t kept_count;
    const char *only_host;                        /* id: the one that is asked for */
    const char *same_hosts[PLACEMENT_NAMES_MAX];  /* ids: one of them, if any are named */
    const char *avoid_hosts[PLACEMENT_NAMES_MAX]; /* ids: different_host */
    const char *same_servers, *avoid_servers;     /* what refusals tell of both, NULL: nothing */
    enum placement_group_policy policy;
    const char *group;    /* its name, for refusals; NULL: not known */
    int32_t max_per_host; /* anti-affinity; at least 1 */
    const struct placement_group_host *members;
    size_t member_count;
    enum placement_goal goal;
    placement_refuse_fn refuse; /* NULL: none */
    void *refuse_arg;
};

/* Weighers: score of a host for a request in shares, times its multiplier; higher is better. Positive multipliers
 * spread, negative ones pack. */
struct placement_weights {
    int32_t memory, vcpu, disk; /* share left free after placing */
    int32_t servers;            /* fewer servers */
    int32_t soft_affinity, soft_anti_affinity;
};
extern const struct placement_weights placement_weights_default;

struct placement *placement_new(const struct placement_weights *weights);
void placement_free(struct placement **p);
/* The goal of requests that name none. */
void placement_set_goal(struct placement *p, enum placement_goal goal);

/* Adds the host or takes over its new state. Returns its slot. */
int32_t placement_set_host(struct placement *p, const struct placement_host *host);
void placement_remove_host(struct placement *p, const char *id);
void placement_set_alive(struct placement *p, int32_t slot, bool alive);
bool placement_is_alive(const struct placement *p, int32_t slot);
/* How much of the host's use is foreseen to stay (lifetime.h); PLACEMENT_STAY_WHOLE: all of a full host. Forgotten when
 * the host becomes empty. Only PLACEMENT_GOAL_LIFETIME reads it. */
#define PLACEMENT_STAY_WHOLE (1 << 20)
void placement_set_stay(struct placement *p, int32_t slot, int32_t stay);
/* PLACEMENT_NO_SLOT when unknown. */
int32_t placement_slot(const struct placement *p, const char *id);
const char *placement_host_id(const struct placement *p, int32_t slot);
int64_t placement_host_revision(const struct placement *p, int32_t slot);
void placement_set_revision(struct placement *p, int32_t slot, int64_t revision);
int64_t placement_host_count(const struct placement *p);
/* Slots are 0 to placement_slot_end - 1; those of removed hosts hold none. */
int32_t placement_slot_end(const struct placement *p);
bool placement_slot_holds(const struct placement *p, int32_t slot);
const struct resources *placement_host_used(const struct placement *p, int32_t slot);
struct resources placement_host_capacity(const struct placement *p, int32_t slot);
int64_t placement_host_servers(const struct placement *p, int32_t slot);
/* What the host's property of that key is (the first, when it has several), or NULL. */
const char *placement_host_property(const struct placement *p, int32_t slot, const char *key);
/* Number of a resource class; makes one for a new name. */
int32_t placement_class_number(struct placement *p, const char *name);
const char *placement_class_name(const struct placement *p, int32_t number);

/* Number of the demand that a property `key` of the host be as `spec` says (common/model/spec_match.h); kept for good.
 */
int32_t placement_match_number(struct placement *p, const char *key, const char *spec);
/* Whether a host has ever had a property of that key: a request need not be kept from others. */
bool placement_has_key(const struct placement *p, const char *key);
/* Whether the host is not kept from what the request is `kept` for; nothing else is looked at. */
bool placement_keeps_reached(const struct placement *p, int32_t slot, const struct placement_request *r);
/* The projects whose servers may be on hosts only that are kept for them (placement_host.tenants). */
void placement_confine(struct placement *p, const char *const *projects, size_t count);

/* The best host for the request among all that pass all filters; ties go to the lowest slot. PLACEMENT_NO_SLOT: none;
 * then placement_explain says why. Nothing is taken: call placement_take. */
int32_t placement_choose(struct placement *p, const struct placement_request *r);
/* Adds / gives back what a server holds; `extra` may be NULL. `need` is what was asked for: what is held on dedicated
 * processors and in huge pages is taken off it. What is taken must fit: with `extra->numa`, placement_choose said so.
 */
void placement_take(struct placement *p, int32_t slot, const struct resources *need,
                    const struct placement_extra *extra);
void placement_release(struct placement *p, int32_t slot, const struct resources *need,
                       const struct placement_extra *extra);
/* Adds (`sign` 1) or gives back (-1) exactly what an allocation says: `held` of the three, amounts of further classes,
 * and cells (`given`, NULL: none). `extra->numa` is not looked at. What was given back may be added again as it was. */
void placement_hold(struct placement *p, int32_t slot, const struct resources *held,
                    const struct placement_extra *extra, const struct numa_given *given, int sign);
/* `extra` of the i-th server of a batch. */
struct placement_extra placement_extra_at(const struct placement_request *r, size_t index);
/* What is held of the three by whoever took it. */
struct resources placement_held(const struct resources *need, const struct placement_extra *extra);
/* Likewise, how much of extra->item[index]. */
int64_t placement_held_extra(const struct placement *p, const struct placement_extra *extra, size_t index);
/* One more member of a group on the host; `members` has room for it. */
void placement_add_member(struct placement_group_host *members, size_t *count, int32_t slot);
/* Chooses and takes for up to `most` equal servers, each seeing the ones before as members of its group; the i-th one's
 * cells are written to r->extra.given[i]. Fills ret_slots and returns how many; when fewer than `least` fit, nothing is
 * taken and 0 returned. `members` is the caller's room for r->member_count + most group hosts. */
size_t placement_choose_batch(struct placement *p, const struct placement_request *r, size_t least, size_t most,
                              struct placement_group_host *members, int32_t *ret_slots);

/* How many servers of the request find room one after the other, whatever the order of hosts: placing until it is
 * refused. Requests without a group. `ret` (NULL: not wanted): who refuses then, and why. What is tried is given back.
 */
struct placement_explanation;
int64_t placement_count(struct placement *p, const struct placement_request *r, struct placement_explanation *ret);
/* Likewise on that host alone. */
int64_t placement_count_at(struct placement *p, const struct placement_request *r, int32_t slot);
/* Calls `fn` once for each set of hosts that only differ in what is held and in their state: the lowest slot of it, and
 * how many they are. */
typedef void (*placement_like_fn)(void *arg, int32_t slot, int64_t count);
void placement_each_like(const struct placement *p, placement_like_fn fn, void *arg);
/* Adds an empty host like the one of the slot, enabled and alive. Returns its slot. */
int32_t placement_add_like(struct placement *p, int32_t slot, const char *id);

/* How many hosts each filter removed, in the order of the filters. */
#define PLACEMENT_REASONS 24
struct placement_explanation {
    int64_t hosts;
    size_t count;
    struct {
        const char *reason; /* static: "disabled", "full (VCPU)", ... */
        const char *detail; /* what it is about, borrowed from the request or the library; NULL: nothing more */
        int rank;           /* of the filter among all */
        int64_t hosts;
    } removed[PLACEMENT_REASONS]; /* only those that removed some */
    /* The nearest miss: of the hosts that pass all else and lack the fewest resources those that lack least, by the sum
     * of the shares of what was asked. */
    size_t short_count; /* 0: no host failed by amounts alone */
    struct placement_short {
        const char *resource; /* "VCPU", "MiB", "GiB of disk", a class, or what its cells lack */
        int64_t amount;
    } shortage[RESOURCE_COUNT + PLACEMENT_CLASSES_MAX];
    int64_t short_hosts;
};
void placement_explain(const struct placement *p, const struct placement_request *r, struct placement_explanation *ret);
/* Calls `fn` with each host that refuses, in the order of slots, at most `limit` of them: its explanation is of that
 * host alone. */
typedef void (*placement_explain_fn)(void *arg, int32_t slot, const struct placement_explanation *x);
void placement_explain_each(const struct placement *p, const struct placement_request *r, size_t limit,
                            placement_explain_fn fn, void *arg);
/* The explanation as a sentence: "No valid host: 12 hosts, 5 disabled, 7 full (VCPU); nearest: 7 hosts lack 1 VCPU".
 * What does not fit in `size` is cut. Returns ret. */
#define PLACEMENT_SENTENCE_SIZE 4096 /* room for all of it */
char *placement_sentence(const struct placement_explanation *x, char *ret, size_t size);
