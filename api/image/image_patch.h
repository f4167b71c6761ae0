/* Changes of an image by JSON patch, in both of Glance's media types. */
#pragma once
#include "api/image/image_edit.h"

/* Applies the request's body to `edit`. ERR_MEDIA_TYPE, ERR_INVALID, ERR_FORBIDDEN, ERR_CONFLICT (a property that is
 * not there). */
int image_patch_apply(struct request *request, struct reply *reply, struct image_edit *edit);
