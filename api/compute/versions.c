/* Version documents: GET /compute and /compute/v2.1, without a token. Shapes:
 * nova/api/openstack/compute/views/versions.py. */
#include "api/compute/compute.h"

static void write_self(struct request *request, struct json_out *out)
{
    json_out_object(out, NULL);
    json_out_text(out, "rel", "self");
    json_out_text(out, "href", arena_printf(&request->arena, "%s" COMPUTE_PREFIX "/", request_base_url(request)));
    json_out_object_end(out);
}

static void write_numbers(struct json_out *out)
{
    json_out_text(out, "id", "v2.1");
    json_out_text(out, "status", "CURRENT");
    json_out_textf(out, "version", "2.%d", COMPUTE_VERSION_MAX);
    json_out_textf(out, "min_version", "2.%d", COMPUTE_VERSION_MIN);
    json_out_text(out, "updated", "2013-07-23T11:33:21Z");
}

static int versions_list(struct request *request, struct reply *reply)
{
    struct json_out *out = &reply->out;
    json_out_object(out, NULL);
    json_out_array(out, "versions");
    json_out_object(out, NULL);
    write_numbers(out);
    json_out_array(out, "links");
    write_self(request, out);
    json_out_array_end(out);
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
    return 0;
}

static int versions_show(struct request *request, struct reply *reply)
{
    struct json_out *out = &reply->out;
    json_out_object(out, NULL);
    json_out_object(out, "version");
    write_numbers(out);
    json_out_array(out, "links");
    write_self(request, out);
    json_out_object(out, NULL);
    json_out_text(out, "rel", "describedby");
    json_out_text(out, "type", "text/html");
    json_out_text(out, "href", "http://docs.openstack.org/");
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_array(out, "media-types");
    json_out_object(out, NULL);
    json_out_text(out, "base", "application/json");
    json_out_text(out, "type", "application/vnd.openstack.compute+json;version=2.1");
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
    json_out_object_end(out);
    return 0;
}

static const struct route root_rows[] = {
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = versions_list},
};
const struct route_table versions_root_routes = ROUTE_TABLE(root_rows);

static const struct route rows[] = {
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = versions_show},
};
const struct route_table versions_routes = ROUTE_TABLE(rows);
