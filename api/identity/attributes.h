/* Attributes that nobody foresaw: Keystone keeps what a client adds to a user or project and shows it again beside the
 * others. */
#pragma once
#include "api/http/handler.h"

/* The members of `body` that are not in the NULL-terminated `known`, over those of `old` (JSON text of an object, or
 * NULL): JSON text in the arena. */
const char *attributes_merge(struct request *request, const char *old, json_value *body, const char *const *known);
/* `old` with the members of `changes` over it. */
const char *attributes_update(struct request *request, const char *old, json_value *changes);
/* Writes the members of a stored object into the object that is open in `o`. */
void attributes_put(struct json_out *o, struct arena *arena, const char *stored);
/* The text of one member, in the arena; NULL when it is not there or no text. */
const char *attributes_text(struct arena *arena, const char *stored, const char *name);
/* Whether a stored object has this member set to true. */
bool attributes_flag(const char *stored, const char *name);
/* The JSON array of texts, sorted and without repeats, as text in the arena. */
const char *attributes_tags(struct request *request, const struct json_list *texts);
