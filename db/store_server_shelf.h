/* Shelved servers, and those on their way to the shelf or back. */
#pragma once
#include "db/store_server.h"

struct server_shelf_row {
    const char *server_id, *image_id;
    const char *task_id;     /* its host removes it; NULL: no */
    int64_t offload_after_s; /* -1: never by itself */
    int64_t offload_us;      /* when it is to leave its host; 0: not known, or never */
};
int store_server_shelf_insert(struct db_conn *c, const struct server_shelf_row *row, struct error *e);
/* Text is in the arena; *ret_found false: there is none. The second by its task. */
int store_server_shelf_get(struct db_conn *c, const char *server_id, struct arena *a, struct server_shelf_row *ret,
                           bool *ret_found, struct error *e);
int store_server_shelf_of_task(struct db_conn *c, const char *task_id, struct arena *a, struct server_shelf_row *ret,
                               bool *ret_found, struct error *e);
/* Writes task_id and offload_us. */
int store_server_shelf_update(struct db_conn *c, const struct server_shelf_row *row, struct error *e);
/* It is to leave its host now. */
int store_server_shelf_hasten(struct db_conn *c, const char *server_id, int64_t now_us, struct error *e);
int store_server_shelf_delete(struct db_conn *c, const char *server_id, struct error *e);

/* Ids of servers whose time on their host is over, or that turned to something else than the shelf; at most `limit`. */
int store_server_shelf_due(struct db_conn *c, int64_t now_us, int64_t limit, store_server_id_fn each, void *arg,
                           struct error *e);

/* The server is on no host any more; row->host_id is NULL then. What it holds of the host is the caller's. Compares the
 * revision as store_server_move does. */
int store_server_shelf_leave_host(struct db_conn *c, struct server_row *row, struct error *e);
/* Where it is to be placed the next time. */
int store_server_shelf_set_zone(struct db_conn *c, struct server_row *row, const char *zone, struct error *e);
