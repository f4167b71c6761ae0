/* A group's template: the body of a server create, kept as text, checked when it is given and read when a member is
 * made. */
#pragma once
#include "api/compute/servers_create.h"

/* Checks the template `value` as a create would, but for what a group decides itself (name, number, zone, server group,
 * ports), and gives its text in the arena. ERR_INVALID and Nova's other codes, in request->error. */
int template_check(struct request *request, json_value *value, const char **ret_text);

/* The template read for making members; call template_done. */
struct template
{
    struct json_doc doc;
    struct servers_document document;
    struct servers_wish wish;
};
int template_read(struct request *request, const char *text, struct template *ret);
void template_done(struct template *t);
