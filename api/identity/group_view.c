/* Groups as JSON. */
#include "api/identity/group_view.h"
#include "api/identity/attributes.h"

void group_view_put(struct request *request, struct reply *reply, const char *key, const struct group_row *row)
{
    struct json_out *o = &reply->out;
    json_out_object(o, key);
    attributes_put(o, &request->arena, row->extra);
    json_out_text(o, "id", row->id);
    json_out_text(o, "name", row->name);
    json_out_text(o, "domain_id", row->domain_id);
    json_out_text(o, "description", row->description);
    identity_link(request, reply, "groups", row->id);
    json_out_object_end(o);
}
