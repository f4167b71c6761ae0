/* The arrays behind placement.h, for its own files and tests. */
#pragma once
#include "scheduler/placement/placement.h"
#include <uthash.h>

/* Names (zones, traits, projects, properties) become small numbers once. */
struct name {
    char *text;
    int32_t number;
    UT_hash_handle hh;
};

#define PLACEMENT_HOST_NAMES 64 /* traits, properties and tenants that one host may carry */

/* One host. Hot members first: what scoring and the capacity filters read. */
struct slot {
    struct resources capacity, used;
    int64_t server_count;
    int64_t revision;
    int32_t zone, hypervisor, architecture;
    bool present, enabled, alive, isolated;
    uint16_t trait_count, property_count, tenant_count;
    int32_t *names; /* traits, then properties, then tenants */
    char id[40];
};

struct slot_by_id {
    int32_t slot;
    char id[40];
    UT_hash_handle hh;
};

/* A request with its names resolved to numbers; what a class is equal by. -1: not asked; -2: asked for a name that no
 * host has. */
struct constraints {
    struct resources need;
    int32_t project, zone, hypervisor, architecture;
    int32_t required[PLACEMENT_NAMES_MAX], forbidden[PLACEMENT_NAMES_MAX], properties[PLACEMENT_NAMES_MAX];
    int32_t required_count, forbidden_count, property_count;
    int32_t padding;
};

#define SCORE_NONE INT64_MIN

struct class {
    struct constraints key;
    int64_t *score;   /* by slot; SCORE_NONE: does not pass */
    int32_t *tree;    /* tournament of size leaves: tree[1] is the best slot */
    int32_t leaves;   /* power of two, at least slot_capacity */
    uint64_t synced;  /* journal position it has seen */
    uint64_t used_at; /* for replacement of the least recently used */
    UT_hash_handle hh;
};

#define PLACEMENT_CLASSES 64
#define PLACEMENT_JOURNAL 65536 /* changed slots remembered; a class further behind is rebuilt */

struct placement {
    struct placement_weights weights;
    struct slot *slots;
    int32_t slot_count, slot_capacity;
    int64_t host_count;
    struct slot_by_id *by_id;
    struct name *names;
    int32_t name_count;
    int32_t *journal; /* ring of changed slots */
    uint64_t journal_end;
    struct class *classes;
    size_t class_count;
    uint64_t tick;
    int32_t *heap; /* scratch for best-first walks */
    size_t heap_capacity;
};

/* A filter: its name, the reason shown when it removes a host, and the test. */
struct placement_filter {
    const char *name, *reason;
    bool (*passes)(const struct placement *p, const struct slot *s, const struct constraints *c);
};
extern const struct placement_filter placement_filters[];
extern const size_t placement_filter_count;

/* placement_score.c */
bool placement_passes(const struct placement *p, const struct slot *s, const struct constraints *c);
int64_t placement_score(const struct placement *p, const struct slot *s, const struct constraints *c);

/* placement_class.c */
struct class *placement_class_get(struct placement *p, const struct constraints *c);
void placement_class_done(struct placement *p);
/* Slots of the class from the best down: start, then next until PLACEMENT_NO_SLOT. */
struct walk {
    const struct class *class;
    size_t heap_count;
};
void placement_walk_start(struct placement *p, const struct class *k, struct walk *w);
int32_t placement_walk_next(struct placement *p, struct walk *w);
