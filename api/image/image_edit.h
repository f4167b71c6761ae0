/* An image that is being made or changed: columns, properties and tags as values that can be set by name, with Glance's
 * rules. */
#pragma once
#include "api/image/image_service.h"

#define IMAGE_EDIT_PROPERTIES_MAX 128
#define IMAGE_EDIT_TAGS_MAX       128

struct image_edit {
    struct request *request;
    struct image_row row;
    struct json_pair *properties;
    size_t property_count;
    const char **tags;
    size_t tag_count;
};

/* A new image of the caller with Glance's defaults. */
void image_edit_new(struct request *request, struct image_edit *ret);
/* From a row. 0 or ERR_CORRUPT. */
int image_edit_open(struct request *request, const struct image_row *row, struct image_edit *ret);
/* Prints properties and tags into the row, ready to be written. */
void image_edit_close(struct image_edit *edit);

/* Whether the image has a member of this name: a column, or a property that is there. */
bool image_edit_is_base(const char *name);
bool image_edit_has_property(const struct image_edit *edit, const char *name);
/* ERR_FORBIDDEN when the name is read-only or reserved. */
int image_edit_check_name(struct request *request, const char *name);
/* Sets a column, tags or a property. ERR_INVALID (does not match the schema), ERR_FORBIDDEN, ERR_TOO_LARGE. */
int image_edit_set(struct image_edit *edit, const char *name, json_value *value);
/* Removes a property that is there. */
void image_edit_remove(struct image_edit *edit, const char *name);
int image_edit_add_tag(struct image_edit *edit, const char *tag);
bool image_edit_remove_tag(struct image_edit *edit, const char *tag);
