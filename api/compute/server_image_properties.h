/* What an image of a server says about itself: the properties of the image that the server was made of, and where it
 * comes from (nova/compute/api.py, _create_image, and what its drivers add). */
#pragma once
#include "api/compute/compute.h"
#include "db/store_image.h"
#include "db/store_server.h"

struct server_image_wish {
    const char *name, *type; /* "snapshot" or "backup" */
    const char *backup_type; /* NULL: none */
    json_value *metadata;    /* object of text, or NULL */
};
/* Everything of the row but its status: private, owned by the caller's project. `metadata` wins over what is inherited,
 * and may say another image_type of a snapshot, but not where it comes from. */
int server_image_properties_fill(struct request *request, const struct server_row *row,
                                 const struct server_image_wish *wish, struct image_row *ret);
/* The image's properties with this one, in place of the one of that name; text is the request's. */
int server_image_properties_set(struct request *request, struct image_row *image, const char *name, const char *value);
/* An image of a container's root says vm_mode=exe, if it says nothing of the kind: its servers are containers when it
 * is deleted, too. */
int server_image_properties_say_mode(struct request *request, struct image_row *image);
/* What the image of the server said of that name when it was made, or `fallback`. In the arena. */
int server_image_properties_word(struct request *request, const struct server_row *row, const char *name,
                                 const char *fallback, const char **ret);
