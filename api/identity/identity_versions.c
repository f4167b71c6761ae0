/* What versions there are: GET /identity and GET /identity/v3. */
#include "api/identity/identity.h"
#include "api/identity/routes.h"

static void put_version(struct request *request, struct reply *reply, const char *key)
{
    struct json_out *o = &reply->out;
    json_out_object(o, key);
    json_out_text(o, "id", "v3.14");
    json_out_text(o, "status", "stable");
    json_out_text(o, "updated", "2020-04-07T00:00:00Z");
    json_out_array(o, "links");
    json_out_object(o, NULL);
    json_out_text(o, "rel", "self");
    json_out_text(o, "href", identity_url(request, "/"));
    json_out_object_end(o);
    json_out_array_end(o);
    json_out_array(o, "media-types");
    json_out_object(o, NULL);
    json_out_text(o, "base", "application/json");
    json_out_text(o, "type", "application/vnd.openstack.identity-v3+json");
    json_out_object_end(o);
    json_out_array_end(o);
    json_out_object_end(o);
}

static int identity_versions_show(struct request *request, struct reply *reply)
{
    json_out_object(&reply->out, NULL);
    put_version(request, reply, "version");
    json_out_object_end(&reply->out);
    return 0;
}

static int identity_versions_list(struct request *request, struct reply *reply)
{
    reply->status = 300;
    reply_header(reply, "Location", identity_url(request, "/"));
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "versions");
    json_out_array(&reply->out, "values");
    put_version(request, reply, NULL);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = identity_versions_show},
};
const struct route_table identity_versions_routes = ROUTE_TABLE(rows);

static const struct route root_rows[] = {
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = identity_versions_list},
};
const struct route_table identity_versions_root_routes = ROUTE_TABLE(root_rows);
