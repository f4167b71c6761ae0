/* Reservations: room held for a project, slot by slot, until servers take the slots over or the time is over. */
#pragma once
#include "common/model/quota.h"
#include "common/model/resources.h"
#include "db/db.h"
#include "db/page.h"
#include "db/store_resource.h"

#define STORE_RESERVATION_NEVER INT64_MAX

struct reservation_row {
    const char *id, *project_id, *name, *flavor_id, *flavor_name, *flavor_extra;
    struct resources need; /* of a slot */
    const char *zone;      /* NULL: any */
    int64_t count;
    const char *state;   /* pending, held, used, ended */
    const char *message; /* NULL: none */
    int64_t from_us, until_us, next_us, created_us;
    int64_t free; /* slots that no server has taken yet; read only */
};
int store_reservation_insert(struct db_conn *c, const struct reservation_row *row, struct error *e);
/* ERR_NOT_FOUND, also for another project's unless project_id is NULL. Text is in the arena. */
int store_reservation_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                          struct reservation_row *ret, struct error *e);
typedef int (*store_reservation_fn)(void *arg, const struct reservation_row *row, struct error *e);
/* Of a project, or of all when it is NULL, by id; texts are borrowed. */
int store_reservation_list(struct db_conn *c, const char *project_id, const struct page *page,
                           store_reservation_fn each, void *arg, struct error *e);
/* Those that the scheduler has to look at, at most `limit`, copied into the arena. */
int store_reservation_due(struct db_conn *c, int64_t now_us, int64_t limit, struct arena *a,
                          struct reservation_row **ret_rows, size_t *ret_count, struct error *e);
int store_reservation_move(struct db_conn *c, const char *id, const char *state, const char *message, int64_t next_us,
                           struct error *e);
/* What free slots and pending reservations of the project take of its quota. */
int store_reservation_held(struct db_conn *c, const char *project_id, struct quota_set *ret, struct error *e);

/* A slot and its allocation on a host whose room was taken in this transaction (store_placement_take). */
int store_reservation_add_slot(struct db_conn *c, const char *slot_id, const struct reservation_row *row,
                               const struct store_holding *holding, const char *host_id, int64_t now_us,
                               struct error *e);
/* Its free slots are billed from now on as many as there are; to be called in each transaction that changes them. */
int store_reservation_meter(struct db_conn *c, const char *id, int64_t now_us, struct arena *a, struct error *e);
/* Gives the free slots back to their hosts. */
int store_reservation_release(struct db_conn *c, const char *id, struct arena *a, struct error *e);
/* A free slot, on a host that is enabled and was seen since alive_us (in `zone`, unless NULL). */
struct reservation_slot {
    const char *id, *host_id;
};
/* All of them, in the order in which they were made; in the arena. */
int store_reservation_slots(struct db_conn *c, const char *id, const char *zone, int64_t alive_us, struct arena *a,
                            struct reservation_slot **ret, size_t *ret_count, struct error *e);
/* A waiting server, not in the queue, takes over a free slot of the reservation: it is placed on the slot's host, whose
 * agent is woken. */
int store_reservation_use(struct db_conn *c, const char *id, const struct reservation_slot *slot, const char *server_id,
                          struct error *e);
