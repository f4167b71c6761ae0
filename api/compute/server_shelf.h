/* Shelving: a server is switched off, its disk becomes an image, and after a while (or when somebody asks) its host is
 * free of it; unshelved it starts where it still is, or on any host from that image. All run inside the caller's write
 * transaction.
 *
 *   shelving - shelving-pending - shelving-uploading - SHELVED - offloading - (no operation, state shelved, no host)
 *   back: unshelving - (no operation, state running); failed: SHELVED, or offloading when a host has half of it
 *
 * The row of the shelf is there from the request until the server is back; with it goes the image. */
#pragma once
#include "api/compute/server_life.h"
#include "db/store_image.h"
#include "db/store_server_shelf.h"

/* Begins; `image` becomes its disk. After `offload_after_s` on the shelf it leaves its host, -1: not by itself.
 * ERR_CONFLICT. */
int server_shelf_begin(struct db_conn *c, struct server_row *row, const struct image_row *image,
                       int64_t offload_after_s, const struct server_life_actor *actor, int64_t now_us, struct arena *a,
                       struct error *e);
/* It leaves its host now. ERR_CONFLICT. */
int server_shelf_offload(struct db_conn *c, struct server_row *row, const struct server_life_actor *actor,
                         int64_t now_us, struct arena *a, struct error *e);
/* Where a server that is on no host is to start. */
struct server_shelf_place {
    const char *zone;    /* NULL: anywhere */
    const char *host_id; /* NULL: any of the zone */
};
/* It starts; where it is when it is on a host. ERR_CONFLICT, also when its image is gone. */
int server_shelf_unshelve(struct db_conn *c, struct server_row *row, const struct server_shelf_place *place,
                          const struct server_life_actor *actor, int64_t now_us, struct arena *a, struct error *e);

/* After every change of a server that is or was on its way: takes the next step. Nothing for those without a shelf. */
int server_shelf_follow(struct db_conn *c, struct server_row *row, int64_t now_us, struct arena *a, struct error *e);
/* A task of the host `host_id` has ended: it may be the one that removes a shelved server. */
int server_shelf_task_ended(struct db_conn *c, const char *task_id, const char *host_id, bool done, int64_t now_us,
                            struct arena *a, struct error *e);
/* The server is deleted: its image too. */
int server_shelf_drop(struct db_conn *c, const char *server_id, struct arena *a, struct error *e);
