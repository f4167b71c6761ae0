/* Resource classes beside VCPU, MEMORY_MB and DISK_GB ("CUSTOM_GPU", "SRIOV_NET_VF"): what hosts have of them, by an
 * operator's word, and what allocations hold. Whoever changes what a host has counts its allocation_revision and its
 * feed: a scheduler that decided on what was before writes nothing. */
#pragma once
#include "common/model/resources.h"
#include "db/db.h"

#define STORE_RESOURCE_CLASSES_MAX 8 /* of one host, and of one server */
#define STORE_RESOURCE_NAME_MAX    100

/* All that a server holds of its host. */
struct store_holding {
    struct resources need;
    size_t count;
    struct {
        const char *name;
        int64_t amount;
    } item[STORE_RESOURCE_CLASSES_MAX];
    const char *topology; /* what it has of the host's NUMA cells, as JSON (common/model/numa.h); NULL: nothing */
};

/* Upper case letters, digits and underscores, at most STORE_RESOURCE_NAME_MAX, and none of the three that every host
 * has, nor of those that they have by their topology (store_cells_is_class). */
bool store_resource_valid(const char *name);
/* Writes an allocation and counts what it holds beside the three, within the transaction that counts those. The host's
 * server_count and used_* are the caller's. */
int store_resource_hold(struct db_conn *c, const char *consumer_id, const char *host_id, const char *project_id,
                        const struct store_holding *holding, int64_t now_us, struct error *e);
/* What an allocation's column `resources` says is given back to the host; NULL is nothing. */
int store_resource_give_back(struct db_conn *c, const char *host_id, const char *resources, struct error *e);

struct host_resource_row {
    const char *host_id, *name;
    struct resource_inventory inventory;
    int64_t used;
    bool told; /* the total is its agent's word */
};
/* Of one host, or of all (NULL), by host and name, with what hosts have by their topology; in the arena. */
int store_resource_list(struct db_conn *c, const char *host_id, struct arena *a, struct host_resource_row **ret,
                        size_t *ret_count, struct error *e);
/* One of a host; ERR_NOT_FOUND. */
int store_resource_get(struct db_conn *c, const char *host_id, const char *name, struct host_resource_row *ret,
                       struct error *e);
/* The host has so much of it from now on; a total of 0 removes it. ERR_CONFLICT when less would be left than servers
 * hold, or the host has too many classes. A name that was new becomes a class. */
int store_resource_set(struct db_conn *c, const char *host_id, const char *name,
                       const struct resource_inventory *inventory, int64_t now_us, struct error *e);
/* Likewise; whether the total is the agent's word. */
int store_resource_put(struct db_conn *c, const char *host_id, const char *name,
                       const struct resource_inventory *inventory, bool told, int64_t now_us, struct error *e);
/* The agent says that the host has so much of a class: nothing when it said so before, or an operator said something
 * else. ERR_INVALID: no class, or no amount; ERR_CONFLICT as store_resource_set. */
int store_resource_tell(struct db_conn *c, const char *host_id, const char *name, int64_t total, int64_t now_us,
                        struct error *e);
/* Classes that were the agent's word and are no members of the JSON object `names` are gone, as far as no server holds
 * some. */
int store_resource_untell(struct db_conn *c, const char *host_id, const char *names, int64_t now_us, struct arena *a,
                          struct error *e);
/* Overcommit of one of the three that every host has, in permille. */
int store_resource_set_ratio(struct db_conn *c, const char *host_id, enum resource r, int64_t ratio_permille,
                             struct error *e);
/* What is reserved of it whatever the agent says; negative: what the agent says at its next report. */
int store_resource_set_reserved(struct db_conn *c, const char *host_id, enum resource r, int64_t reserved,
                                struct error *e);

typedef int (*store_resource_class_fn)(void *arg, const char *name, struct error *e);
/* All classes by name; the text is borrowed. */
int store_resource_classes(struct db_conn *c, store_resource_class_fn each, void *arg, struct error *e);
int store_resource_class_exists(struct db_conn *c, const char *name, bool *ret, struct error *e);
/* Nothing when it is there. */
int store_resource_class_add(struct db_conn *c, const char *name, int64_t now_us, struct error *e);
/* ERR_NOT_FOUND; ERR_CONFLICT while a host has it. */
int store_resource_class_remove(struct db_conn *c, const char *name, struct error *e);

/* Traits: a host has those that its agent reports and those that an operator gives it. Either list is a JSON array of
 * names; NULL leaves it as it is. Does not count the feed. */
int store_resource_set_traits(struct db_conn *c, const char *host_id, const char *reported, const char *own,
                              struct error *e);
/* The operator's own. */
int store_resource_own_traits(struct db_conn *c, const char *host_id, struct arena *a, const char **ret,
                              struct error *e);

/* What is to change of one class of a host, standard or not; the rest stays. */
struct resource_change {
    bool has_total, has_reserved, has_ratio;
    int64_t total;          /* not of the three that agents report; 0: it has none, whatever its agent says; negative:
                             * what the agent says */
    int64_t reserved;       /* negative, for the three: what the agent says */
    int64_t ratio_permille; /* 1 to 1000000 */
};
/* ERR_INVALID for what cannot be, else as store_resource_set. */
int store_resource_change(struct db_conn *c, const char *host_id, const char *name,
                          const struct resource_change *change, int64_t now_us, struct error *e);
