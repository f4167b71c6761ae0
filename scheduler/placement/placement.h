/* Where does a server go? A pure library over flat arrays: no SQL, no clock, no I/O. Hosts are fed in, requests are
 * answered, and what was decided is taken into account at once. One thread at a time.
 *
 * Data: one array per attribute, indexed by slot. Per class of equal requests (same needs, same constraints) a score
 * per slot and a tournament tree over the scores, so that the best host is at the root; a journal of changed slots lets
 * each class catch up by what changed only. */
#pragma once
#include "common/model/resources.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct placement;

#define PLACEMENT_NO_SLOT   (-1)
#define PLACEMENT_NAMES_MAX 16 /* traits of one request, hosts named in hints, zones a host is in */

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

struct placement_request {
    struct resources need;
    const char *project_id;
    const char *zone;                          /* NULL: any */
    const char *hypervisor;                    /* NULL: any */
    const char *architecture;                  /* NULL: any */
    const char *required[PLACEMENT_NAMES_MAX]; /* traits; NULL-terminated unless full */
    const char *forbidden[PLACEMENT_NAMES_MAX];
    const char *properties[PLACEMENT_NAMES_MAX];  /* "key=value" that an aggregate of the host must have */
    const char *only_host;                        /* id: forced or same_host */
    const char *avoid_hosts[PLACEMENT_NAMES_MAX]; /* ids: different_host */
    enum placement_group_policy policy;
    int32_t max_per_host; /* anti-affinity; at least 1 */
    const struct placement_group_host *members;
    size_t member_count;
};

/* Weighers: score of a host for a request in permille, times its multiplier; higher is better. Positive multipliers
 * spread, negative ones pack. */
struct placement_weights {
    int32_t memory, vcpu, disk; /* share left free after placing */
    int32_t servers;            /* fewer servers */
    int32_t soft_affinity, soft_anti_affinity;
};
extern const struct placement_weights placement_weights_default;

struct placement *placement_new(const struct placement_weights *weights);
void placement_free(struct placement **p);

/* Adds the host or takes over its new state. Returns its slot. */
int32_t placement_set_host(struct placement *p, const struct placement_host *host);
void placement_remove_host(struct placement *p, const char *id);
void placement_set_alive(struct placement *p, int32_t slot, bool alive);
/* PLACEMENT_NO_SLOT when unknown. */
int32_t placement_slot(const struct placement *p, const char *id);
const char *placement_host_id(const struct placement *p, int32_t slot);
int64_t placement_host_revision(const struct placement *p, int32_t slot);
void placement_set_revision(struct placement *p, int32_t slot, int64_t revision);
int64_t placement_host_count(const struct placement *p);
const struct resources *placement_host_used(const struct placement *p, int32_t slot);

/* The best host for the request among all that pass all filters; ties go to the lowest slot. PLACEMENT_NO_SLOT: none;
 * then placement_explain says why. Nothing is taken: call placement_take. */
int32_t placement_choose(struct placement *p, const struct placement_request *r);
/* Adds / gives back what a server holds. */
void placement_take(struct placement *p, int32_t slot, const struct resources *need);
void placement_release(struct placement *p, int32_t slot, const struct resources *need);

/* How many hosts each filter removed, in the order of the filters. */
#define PLACEMENT_REASONS 16
struct placement_explanation {
    int64_t hosts;
    size_t count;
    struct {
        const char *reason; /* static: "disabled", "full (VCPU)", ... */
        int64_t hosts;
    } removed[PLACEMENT_REASONS]; /* only those that removed some */
    enum resource short_resource; /* the nearest miss: the host that lacks least */
    int64_t short_amount;         /* 0: no host failed by amounts alone */
};
void placement_explain(struct placement *p, const struct placement_request *r, struct placement_explanation *ret);
/* The explanation as a sentence: "No valid host: 12 hosts, 7 full (VCPU), 5 disabled". Returns ret. */
char *placement_sentence(const struct placement_explanation *x, char *ret, size_t size);
