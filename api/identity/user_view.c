/* Users as JSON. */
#include "api/identity/user_view.h"
#include "api/identity/attributes.h"
#include "common/clock.h"

void user_view_put(struct request *request, struct reply *reply, const char *key, const struct user_row *row,
                   bool updated)
{
    struct json_out *o = &reply->out;
    char time[CLOCK_TEXT_SIZE];
    json_out_object(o, key);
    attributes_put(o, &request->arena, row->extra);
    json_out_text(o, "id", row->id);
    json_out_text(o, "name", row->name);
    json_out_text(o, "domain_id", row->domain_id);
    json_out_bool(o, "enabled", row->enabled);
    if (row->default_project_id)
        json_out_text(o, "default_project_id", row->default_project_id);
    json_out_text(o, "password_expires_at",
                  row->password_expires_us ? clock_text(row->password_expires_us, CLOCK_ISO_MICRO, time) : NULL);
    if (updated)
        json_out_raw(o, "extra", row->extra);
    json_out_raw(o, "options", row->options);
    identity_link(request, reply, "users", row->id);
    json_out_object_end(o);
}
