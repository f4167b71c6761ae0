/* Images that hosts are making of their servers. */
#pragma once
#include "db/db.h"

struct server_image_row {
    const char *image_id, *server_id, *operation_id, *host_id;
    const char *backup_type; /* NULL: it does not rotate */
    int64_t rotation;
    int64_t deadline_us;
};
int store_server_image_insert(struct db_conn *c, const struct server_image_row *row, struct error *e);
/* Text is in the arena; *ret_found false: nobody makes it (any more). */
int store_server_image_get(struct db_conn *c, const char *image_id, struct arena *a, struct server_image_row *ret,
                           bool *ret_found, struct error *e);
/* Its host was heard. */
int store_server_image_extend(struct db_conn *c, const char *image_id, int64_t deadline_us, struct error *e);
int store_server_image_delete(struct db_conn *c, const char *image_id, struct error *e);

/* Ids of those that nobody will end: overdue at `now_us`, or of servers that are deleted or do something else by now;
 * at most `limit`. */
typedef int (*store_server_image_fn)(void *arg, const char *image_id, struct error *e);
int store_server_image_lost(struct db_conn *c, int64_t now_us, int64_t limit, store_server_image_fn each, void *arg,
                            struct error *e);
