/* Roles as JSON. */
#include "api/identity/role_view.h"
#include "api/identity/attributes.h"

void role_view_put(struct request *request, struct reply *reply, const char *key, const struct role_row *row)
{
    struct json_out *o = &reply->out;
    json_out_object(o, key);
    attributes_put(o, &request->arena, row->extra);
    json_out_text(o, "id", row->id);
    json_out_text(o, "name", row->name);
    json_out_text(o, "domain_id", *row->domain_id ? row->domain_id : NULL);
    json_out_text(o, "description", row->description);
    json_out_raw(o, "options", row->options);
    identity_link(request, reply, "roles", row->id);
    json_out_object_end(o);
}

void role_view_short(struct request *request, struct reply *reply, const char *key, const struct role_row *row)
{
    struct json_out *o = &reply->out;
    json_out_object(o, key);
    json_out_text(o, "id", row->id);
    json_out_text(o, "name", row->name);
    if (*row->domain_id)
        json_out_text(o, "domain_id", row->domain_id);
    identity_link(request, reply, "roles", row->id);
    json_out_object_end(o);
}
