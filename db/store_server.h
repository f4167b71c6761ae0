/* Servers: the hot table and its history. One row mapper; a row's texts are in the arena, or borrowed during a
 * callback. */
#pragma once
#include "common/model/server.h"
#include "db/db.h"

struct server_row {
    const char *id, *project_id, *user_id, *name, *hostname, *description; /* description: NULL unless given */
    const char *flavor_id, *flavor_name;
    int64_t vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib;
    const char *flavor_extra;                                                   /* JSON object */
    const char *image_id, *key_name, *key_public, *user_data, *zone, *group_id; /* NULL for none */
    const char *image_properties; /* JSON object, NULL without an image; for store_server_insert alone */
    bool config_drive;
    const char *hints, *metadata, *tags, *security_groups, *addresses; /* JSON */
    const char *access_ipv4, *access_ipv6, *disk_config, *reservation_id;
    int64_t launch_index;
    bool desired_exists;
    enum server_power desired_power;
    int64_t desired_revision;
    const char *host_id; /* NULL before it is placed */
    enum server_placement placement;
    enum server_state observed_state;
    int64_t observed_revision;
    enum server_operation operation;
    const char *operation_id; /* the running row of `operation`: NULL at rest */
    int64_t deadline_us;      /* 0 at rest */
    int64_t fault_code;       /* 0 for none */
    const char *fault_message, *fault_details;
    int64_t fault_us;
    int64_t locked; /* 0, 1 by its owner, 2 by an administrator */
    const char *locked_reason;
    int64_t created_us, updated_us, launched_us; /* launched_us: 0 before */
    int64_t revision;
    /* of its host, NULL and 0 without one */
    const char *host_name, *host_zone;
    int64_t host_seen_us;
    bool host_enabled;
    /* history only: 0 while it lives */
    int64_t deleted_us;
};

/* What server_words and its kin ask for; `silent` is false. */
struct server_situation store_server_situation(const struct server_row *row);
/* The same at a time: `silent` when its host was not heard for STORE_HOST_ALIVE_US then. */
struct server_situation store_server_situation_at(const struct server_row *row, int64_t now_us);

/* Called with borrowed texts; non-zero ends the walk and is returned, but STORE_SERVER_STOP ends it with success. */
#define STORE_SERVER_STOP (-1)
typedef int (*store_server_fn)(void *arg, const struct server_row *row, struct error *e);

/* ERR_NOT_FOUND when there is none in the hot table. Text is in the arena. */
int store_server_get(struct db_conn *c, const char *id, struct arena *a, struct server_row *ret, struct error *e);
/* As above, but calls `each` with the row instead of copying it. */
int store_server_visit(struct db_conn *c, const char *id, store_server_fn each, void *arg, struct error *e);
/* What decides whether a server looks as it did: its revision, which every change of its row makes larger, and what is
 * shown of its host. Otherwise as above. */
struct server_stamp {
    const char *project_id;
    int64_t revision;
    const char *host_name, *host_zone; /* NULL without a host */
    int64_t host_seen_us;
    bool host_enabled;
};
typedef int (*store_server_stamp_fn)(void *arg, const struct server_stamp *stamp, struct error *e);
int store_server_stamp(struct db_conn *c, const char *id, store_server_stamp_fn each, void *arg, struct error *e);
/* The servers of a host whose desired_revision is above `since`, by that revision, at most `limit`. */
int store_server_desired(struct db_conn *c, const char *host_id, int64_t since, int64_t limit, store_server_fn each,
                         void *arg, struct error *e);
/* Ids of at most `limit` servers whose deadline passed before `now_us`, the oldest deadline first. */
typedef int (*store_server_id_fn)(void *arg, const char *id, struct error *e);
int store_server_overdue(struct db_conn *c, int64_t now_us, int64_t limit, store_server_id_fn each, void *arg,
                         struct error *e);

/* What its guest may call itself, from its name. In the arena. */
const char *store_server_hostname(const char *name, struct arena *a);
/* A new row; host, observed and fault members are ignored (nothing of them is known yet). */
int store_server_insert(struct db_conn *c, const struct server_row *row, struct error *e);
/* Its image's properties when it was made, for when the image is gone: JSON object in the arena; NULL without an image,
 * or when the image went before they were kept. ERR_NOT_FOUND without a sentence. */
int store_server_image_properties(struct db_conn *c, const char *id, struct arena *a, const char **ret,
                                  struct error *e);
/* Writes desired, observed, placement, operation, deadline, fault and updated_us of `row`, whose revision must be the
 * row's own still: else ERR_SERIALIZATION. Counts row->revision up. */
int store_server_move(struct db_conn *c, struct server_row *row, struct error *e);
/* Writes what a tenant may edit: name, hostname, description, addresses for access, disk_config, metadata, tags, lock,
 * updated_us; as above. */
int store_server_edit(struct db_conn *c, struct server_row *row, struct error *e);
/* Takes the server out of the hot table and the placement queue into the history. Its allocation, ports and usage are
 * the caller's. */
int store_server_archive(struct db_conn *c, const struct server_row *row, int64_t deleted_us, struct error *e);
/* Whether the history has it. */
int store_server_was_deleted(struct db_conn *c, const char *id, bool *ret, struct error *e);

int store_server_enqueue(struct db_conn *c, const char *server_id, int64_t now_us, struct error *e);
struct server_waiting {
    int64_t now_us;
    int64_t until_us;     /* when nothing fits it waits for room until then; 0: is refused */
    const char *batch_id; /* of those that are placed together; NULL: alone */
    int64_t batch_least;  /* or not at all when fewer than that fit */
    const char *host_id;  /* only there; NULL: anywhere */
};
int store_server_enqueue_as(struct db_conn *c, const char *server_id, const struct server_waiting *how,
                            struct error *e);
int store_server_dequeue(struct db_conn *c, const char *server_id, struct error *e);

/* Whether a host is in that zone, and whether the project has that group: what a new server may name. */
int store_server_zone_exists(struct db_conn *c, const char *zone, bool *ret, struct error *e);
int store_server_group_exists(struct db_conn *c, const char *group_id, const char *project_id, bool *ret,
                              struct error *e);

/* ---- lists ---- */

enum server_sort {
    SERVER_SORT_CREATED,
    SERVER_SORT_UPDATED,
    SERVER_SORT_LAUNCHED,
    SERVER_SORT_NAME,
    SERVER_SORT_HOSTNAME,
    SERVER_SORT_ID,
    SERVER_SORT_PROJECT,
    SERVER_SORT_USER,
    SERVER_SORT_IMAGE,
    SERVER_SORT_FLAVOR,
    SERVER_SORT_KEY,
    SERVER_SORT_ZONE,
    SERVER_SORT_HOST,
    SERVER_SORT_VM_STATE,
    SERVER_SORT_LOCKED,
    SERVER_SORT_COUNT
};
/* A page of servers. NULL and 0 members filter nothing. */
struct server_query {
    const char *project_id; /* NULL: all projects */
    enum server_sort sort;
    bool ascending;
    const char *marker; /* id of the last server of the page before */
    bool from_place;    /* all that have the marker's place in the order, not only those behind it by id */
    int64_t limit;      /* most rows to walk */
    const char *id, *user_id, *image_id, *flavor_id, *key_name, *reservation_id;
    const char *host;      /* a host's id or name */
    const char *zone;      /* of its host, or asked for while it has none */
    const char *name_part; /* a LIKE pattern with \ as escape */
    const char *vm_states; /* ",active,error,": one of them */
    const char *statuses;  /* ",ACTIVE,BUILD,": one of them */
    int64_t changed_since_us, changed_before_us;
    bool by_lock, locked;
    int64_t now_us; /* by which `statuses` calls the servers of silent hosts UNKNOWN; 0: never */
};
/* Walks the page in order. ERR_NOT_FOUND when the marker is not there. One statement, and one more with a marker. */
int store_server_list(struct db_conn *c, const struct server_query *q, store_server_fn each, void *arg,
                      struct error *e);
/* The same among deleted servers, newest first; sort, marker beyond deleted_us and id, and state filters do not apply.
 */
int store_server_list_deleted(struct db_conn *c, const struct server_query *q, store_server_fn each, void *arg,
                              struct error *e);

/* ---- gauges ---- */

/* Calls `each` with every status word of live servers and their count. */
typedef int (*store_server_count_fn)(void *arg, const char *status, int64_t count, struct error *e);
int store_server_count(struct db_conn *c, int64_t now_us, store_server_count_fn each, void *arg, struct error *e);
