/* Images of servers on their way: a row that says who makes which, a task of the host, and the server's operation. All
 * run inside the caller's write transaction.
 *
 *   asked for   image queued, task open, operation image-snapshot or image-backup
 *   copied      the host says so: image-pending, then image-uploading with the image saving
 *   uploaded    image active, operation done, older backups of its kind go
 *   given up    image gone, operation failed: the host failed, was silent too long, the server is deleted or evacuated
 */
#pragma once
#include "db/store_image.h"
#include "db/store_server.h"
#include "db/store_server_image.h"

/* Begins. `image` is inserted; `row` has the operation (whose row is the caller's), and is written. */
int server_image_begin(struct db_conn *c, struct server_row *row, const struct image_row *image,
                       const struct server_image_row *making, struct error *e);

/* The two halves of it for a server that has to be switched off first: who will make which (the image is inserted, its
 * deadline begins with `making`'s), and the host's task. */
int server_image_prepare(struct db_conn *c, const struct server_image_row *making, struct error *e);
int server_image_start(struct db_conn *c, const char *image_id, const char *host_id, const char *server_id,
                       int64_t now_us, struct error *e);

enum server_image_step { SERVER_IMAGE_COPYING, SERVER_IMAGE_UPLOADING };
/* The host `host_id` is that far, or still at it. What nobody makes (any more) is no error. */
int server_image_progress(struct db_conn *c, const char *image_id, const char *host_id, enum server_image_step step,
                          int64_t now_us, struct arena *a, struct error *e);
/* The image is active: in the same transaction. */
int server_image_made(struct db_conn *c, const struct server_image_row *making, int64_t now_us, struct arena *a,
                      struct error *e);
/* It will not be made: its host (NULL: the controller itself) says why. */
int server_image_fail(struct db_conn *c, const char *image_id, const char *host_id, const char *why, int64_t now_us,
                      struct arena *a, struct error *e);
