/* The image service: Glance's v2 API under /image, what its files share. */
#pragma once
#include "api/http/handler.h"
#include "db/store_image.h"

extern const struct service image_service;
extern const struct route_table images_routes, image_data_routes, image_members_routes, image_tags_routes,
    image_actions_routes, image_discovery_routes;

struct api;
/* Sweeps files that no row knows, now and every few minutes. Called once at start. */
int image_service_start(struct api *api, struct error *e);

/* Removes the files of the image folder that no row says to be there and that are at least so old. What does not look
 * like an image's file is not touched. Any thread. */
void image_service_sweep(struct api *api, int64_t least_age_s);

bool image_service_is_admin(const struct request *request);
/* The image that the path names, if the caller may see it; ERR_NOT_FOUND in Glance's words. */
int image_service_find(struct request *request, struct image_row *ret);
/* The same, and the caller may change it: ERR_FORBIDDEN "You are not authorized to complete <action> action." */
int image_service_find_own(struct request *request, const char *action, struct image_row *ret);
int image_service_check_own(struct request *request, const char *action, const struct image_row *row);
/* Deletes the image with its files, if the caller may. Outside a write transaction: read handlers alone. */
int image_service_remove(struct request *request, const struct image_row *row);
/* What the request has uploaded becomes the image's bytes, checked to be of its disk format, and the image active.
 * Inside the write transaction. */
int image_data_take(struct request *request, struct image_row *row);
/* A new image of the caller's project with the bytes of one that is active, which both share from then on, and what is
 * said of these; ret->id is new. Inside the write transaction. */
int image_data_clone(struct request *request, const struct image_row *source, const char *name, struct image_row *ret);
int image_service_forbid(struct request *request, const char *action);
/* Where the image's bytes are; with `suffix` "" or ".stage". In the arena. */
const char *image_service_path(struct request *request, const char *id, const char *suffix);
