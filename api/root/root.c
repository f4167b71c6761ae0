/* The root service: answers for load balancers and for Prometheus. */
#include "api/root/root.h"
#include "api/config.h"
#include "api/http/fault.h"
#include "api/http/handler.h"
#include "api/http/http_server.h"
#include "api/http/metrics.h"
#include "api/root/health.h"
#include "api/root/neighbours.h"
#include "api/services.h"
#include <string.h>

/* Known paths and what they are, as Keystone's clients would look for them. */
static int root_list(struct request *request, struct reply *reply)
{
    const char *base = request_base_url(request);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "services");
    for (const struct service *const *service = services_all; *service; service++) {
        if (!*(*service)->prefix || !router_has(http_server_router(request->api->http), *service))
            continue;
        json_out_object(&reply->out, NULL);
        json_out_text(&reply->out, "name", (*service)->name);
        json_out_array(&reply->out, "links");
        json_out_object(&reply->out, NULL);
        json_out_text(&reply->out, "rel", "self");
        json_out_textf(&reply->out, "href", "%s%s", base, (*service)->prefix);
        json_out_object_end(&reply->out);
        json_out_array_end(&reply->out);
        json_out_object_end(&reply->out);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int root_health(struct request *request, struct reply *reply)
{
    const char *trouble = health_trouble(request->api, request->conn);
    reply_header(reply, "Cache-Control", "no-store");
    reply->status = trouble ? 503 : 200;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "status", trouble ? "failing" : "ok");
    if (trouble)
        json_out_text(&reply->out, "reason", trouble);
    json_out_object_end(&reply->out);
    return 0;
}

static int root_metrics(struct request *request, struct reply *reply)
{
    const char *from = request_client_address(request);
    bool local = !strncmp(from, "127.", 4) || !strcmp(from, "::1") || !strncmp(from, "::ffff:127.", 11);
    if (request->api->config && !config_now(request->api->config->metrics_public) && !local)
        return error_set(&request->error, ERR_FORBIDDEN, "Figures are for the machine itself");
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_text(request->api->metrics, &reply->body);
    if (request->api->config && request->api->config->metrics_dir)
        neighbours_append(request->api->config->metrics_dir, request->now_us, &reply->body);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = root_list},
    {.method = "GET", .pattern = "/healthz", .permission = PERMISSION_PUBLIC, .handler = root_health},
    {.method = "GET", .pattern = "/healthcheck", .permission = PERMISSION_PUBLIC, .handler = root_health},
    {.method = "GET", .pattern = "/metrics", .permission = PERMISSION_PUBLIC, .handler = root_metrics},
};
static const struct route_table root_routes = ROUTE_TABLE(rows);
static const struct route_table *const tables[] = {&root_routes, NULL};

const struct service root_service = {.name = "root", .prefix = "", .tables = tables, .fault = fault_write};
