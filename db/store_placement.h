/* The scheduler's rows: hosts as they change, servers that wait, and the commit of what was decided. */
#pragma once
#include "common/model/resources.h"
#include "db/db.h"
#include "db/store_resource.h"

struct placement_host_row {
    const char *id, *zone, *hypervisor, *architecture;
    const char *name, *address; /* of store_placement_names alone */
    const char *traits;         /* JSON array of names */
    const char *aggregates;     /* JSON array of the metadata objects of its aggregates */
    const char *cpu;            /* JSON object: vendor, model, topology, features */
    int64_t hypervisor_version;
    const char *networks, *storage;   /* that it reaches, commas between; NULL: all */
    const char *topology;             /* JSON object: its NUMA cells */
    const char *given;                /* JSON array of what its allocations hold of them; NULL: nothing */
    const char *dedicated_project_id; /* only its servers; NULL: everybody's */
    bool enabled;
    int64_t seen_us;
    struct resource_inventory inventory[RESOURCE_COUNT];
    const char *resources; /* "NAME total reserved ratio_permille used" each, comma between; NULL: no further ones */
    struct resources used;
    int64_t server_count, allocation_revision, feed;
};
/* Called per row; text is borrowed until it returns. Returns 0 or an error that ends the walk. */
typedef int (*placement_host_fn)(void *arg, const struct placement_host_row *row, struct error *e);
/* Hosts whose feed is above `feed`, in its order. */
int store_placement_hosts(struct db_conn *c, int64_t feed, placement_host_fn fn, void *arg, struct error *e);
/* The host alone; not called when there is none. */
int store_placement_host(struct db_conn *c, const char *host_id, placement_host_fn fn, void *arg, struct error *e);
/* Ids and last-seen times of all hosts: fn's row has id and seen_us only. */
int store_placement_seen(struct db_conn *c, placement_host_fn fn, void *arg, struct error *e);
/* Names and addresses of all hosts: fn's row has id, name and address only. */
int store_placement_names(struct db_conn *c, placement_host_fn fn, void *arg, struct error *e);

struct placement_waiting_row {
    char id[40];
    const char *project_id, *zone, *group_id;            /* zone, group_id: NULL for none */
    const char *flavor_extra, *hints, *image_properties; /* JSON objects; image_properties NULL for none */
    const char *image_kind;                              /* store_image_kind, or NULL */
    const char *networks; /* that it will have ports on, as store_host_reach_asked says; NULL: those it has, by `id` */
    struct resources need;
    int64_t queued_us;
    int64_t until_us;      /* waits for room until then; 0: is refused at once */
    const char *batch_id;  /* placed together with the others of this number; NULL: alone */
    bool spot;             /* it may be preempted, so that nobody goes for it */
    int64_t batch_least;   /* or not at all when fewer fit (or fewer are left of it, then all of them) */
    const char *only_host; /* id; NULL: any */
};
/* Of the queue `q`, the server `s` and its image `i`, in the order that store_placement_read_waiting wants. What an
 * image asked for that is gone holds on. */
#define PLACEMENT_WAITING_COLUMNS                                                                                      \
    "s.id, s.project_id, s.zone, s.group_id, s.flavor_extra, s.hints, coalesce(i.properties, s.image_properties), "    \
    "s.vcpus, s.memory_mib, s.root_gib + s.ephemeral_gib + (s.swap_mib + 1023) / 1024, q.created_us, q.until_us, "     \
    "CASE WHEN i.container_format = 'docker' THEN 'root-tar' ELSE i.disk_format END, q.batch_id, q.batch_least, "      \
    "(SELECT 1 FROM spot_server p WHERE p.server_id = s.id), q.host_id"
/* Reads and ends `rows`, which db_query has just opened. */
int store_placement_read_waiting(struct db_rows *rows, struct arena *a, struct placement_waiting_row **ret_rows,
                                 size_t *ret_count, struct error *e);
/* The first `limit` servers of the queue that are not parked (store_queue.h), oldest first, copied into the arena. */
int store_placement_waiting(struct db_conn *c, int64_t limit, struct arena *a, struct placement_waiting_row **ret_rows,
                            size_t *ret_count, struct error *e);
/* All of a batch that is not parked, in the order of their ids. */
int store_placement_waiting_batch(struct db_conn *c, const char *batch_id, struct arena *a,
                                  struct placement_waiting_row **ret_rows, size_t *ret_count, struct error *e);
/* How many of a batch are in the queue and not parked. */
int store_placement_batch_size(struct db_conn *c, const char *batch_id, int64_t *ret, struct error *e);
/* Its least is placed: whoever is left waits alone. */
int store_placement_batch_end(struct db_conn *c, const char *batch_id, struct error *e);
int store_placement_queue_depth(struct db_conn *c, int64_t *ret, struct error *e);

struct placement_group_row {
    const char *name;
    char policy[32];
    int64_t max_per_host;
    struct placement_group_member {
        char host_id[40];
        int64_t count;
    } * members;
    size_t member_count;
};
/* The group's policy and where its placed members are. ERR_NOT_FOUND. */
int store_placement_group(struct db_conn *c, const char *group_id, struct arena *a, struct placement_group_row *ret,
                          struct error *e);
/* Host of a server, "" when it has none. ERR_NOT_FOUND for unknown servers. */
int store_placement_host_of(struct db_conn *c, const char *server_id, char ret_host_id[40], struct error *e);

/* Within the transaction of a batch. Adds `sum` of `count` servers to the host when its allocation_revision is
 * `expected`: ERR_CONFLICT otherwise. Gives the desired_revision of the first of them (the others follow by one). */
int store_placement_take(struct db_conn *c, const char *host_id, int64_t expected, const struct resources *sum,
                         int64_t count, int64_t feed, int64_t *ret_first_revision, struct error *e);
/* Undoes one server's share of the above in the same transaction. */
int store_placement_untake(struct db_conn *c, const char *host_id, const struct resources *need, struct error *e);
/* Binds the server, writes its allocation, takes it off the queue. ERR_NOT_FOUND when it waits no more (deleted
 * meanwhile). */
int store_placement_bind(struct db_conn *c, const struct placement_waiting_row *server,
                         const struct store_holding *holding, const char *host_id, int64_t desired_revision,
                         int64_t now_us, struct error *e);
/* Ends the waiting with a fault. Nothing when it waits no more. */
int store_placement_fail(struct db_conn *c, const char *server_id, const char *message, int64_t now_us,
                         struct error *e);
