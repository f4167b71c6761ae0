/* The network service: its tables and the shape of its faults. */
#include "api/network/network_service.h"
#include "api/http/fault_html.h"

/* The type where the fault names none. */
static const char *fault_type(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {400, "HTTPBadRequest"},         {403, "PolicyNotAuthorized"},       {404, "HTTPNotFound"},
        {405, "HTTPMethodNotAllowed"},   {406, "HTTPNotAcceptable"},         {409, "HTTPConflict"},
        {412, "HTTPPreconditionFailed"}, {413, "HTTPRequestEntityTooLarge"}, {415, "HTTPUnsupportedMediaType"},
        {501, "HTTPNotImplemented"},     {503, "HTTPServiceUnavailable"},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].status == status)
            return types[i].type;
    return status < 500 ? "HTTPClientError" : "HTTPInternalServerError";
}

static void fault(struct request *request, struct reply *reply, int status, const char *message)
{
    if (status == 404 && request->route == NULL) {
        fault_html_write(request, reply, status, "The resource could not be found.");
        return;
    }
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "NeutronError");
    json_out_text(&reply->out, "type", request->error.type != NULL ? request->error.type : fault_type(status));
    json_out_text(&reply->out, "message", message);
    json_out_text(&reply->out, "detail", "");
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
}

static const struct route_table *const tables[] = {
    &network_discovery_routes,    &networks_routes,     &subnets_routes,        &ports_routes, &security_groups_routes,
    &security_group_rules_routes, &network_tags_routes, &network_quotas_routes, NULL,
};
const struct service network_service = {.name = "network", .prefix = "/network", .tables = tables, .fault = fault};
