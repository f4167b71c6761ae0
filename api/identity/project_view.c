/* Projects and domains as JSON. */
#include "api/identity/project_view.h"
#include "api/identity/attributes.h"

void project_view_open(struct request *request, struct reply *reply, const char *key, const struct project_row *row,
                       enum project_view view)
{
    struct json_out *o = &reply->out;
    json_out_object(o, key);
    attributes_put(o, &request->arena, row->extra);
    json_out_text(o, "id", row->id);
    json_out_text(o, "name", row->name);
    if (view != PROJECT_VIEW_DOMAIN)
        json_out_text(o, "domain_id", row->is_domain ? NULL : row->domain_id);
    json_out_text(o, "description", row->description);
    json_out_bool(o, "enabled", row->enabled);
    if (view != PROJECT_VIEW_DOMAIN) {
        json_out_text(o, "parent_id", row->parent_id);
        json_out_bool(o, "is_domain", row->is_domain);
    }
    json_out_raw(o, "tags", row->tags);
    if (view == PROJECT_VIEW_UPDATED)
        json_out_raw(o, "extra", row->extra);
    json_out_raw(o, "options", row->options);
    identity_link(request, reply, view == PROJECT_VIEW_DOMAIN ? "domains" : "projects", row->id);
}

void project_view_put(struct request *request, struct reply *reply, const char *key, const struct project_row *row,
                      enum project_view view)
{
    project_view_open(request, reply, key, row, view);
    json_out_object_end(&reply->out);
}
