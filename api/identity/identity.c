/* The service rows of identity, and what its resources share. */
#include "api/identity/identity.h"
#include "api/http/fault.h"
#include "api/identity/routes.h"
#include "common/uuid.h"
#include <stdarg.h>
#include <string.h>

#define PREFIX "/identity/v3"

static int add_headers(struct request *request, struct reply *reply)
{
    (void)request;
    reply_header(reply, "Vary", "X-Auth-Token");
    return 0;
}

static const struct route_table *const tables[] = {
    &identity_versions_routes,
    &auth_routes,
    &projects_routes,
    &project_tags_routes,
    &domains_routes,
    &users_routes,
    &user_password_routes,
    &user_lists_routes,
    &groups_routes,
    &roles_routes,
    &role_implied_routes,
    &grants_routes,
    &role_assignments_routes,
    &regions_routes,
    &catalog_services_routes,
    &endpoints_routes,
    &application_credentials_routes,
    &access_rules_routes,
    &credentials_routes,
    &ec2_credentials_routes,
    NULL,
};
const struct service identity_service = {
    .name = "identity", .prefix = PREFIX, .tables = tables, .fault = fault_write, .negotiate = add_headers};

static const struct route_table *const root_tables[] = {&identity_versions_root_routes, NULL};
const struct service identity_root_service = {
    .name = "identity-versions", .prefix = "/identity", .tables = root_tables, .fault = fault_write};

const char *identity_url(struct request *request, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *path = arena_vprintf(&request->arena, format, args);
    va_end(args);
    return arena_printf(&request->arena, "%s" PREFIX "%s", request_base_url(request), path);
}

int identity_missing(struct request *request, const char *what, const char *id)
{
    return error_set(&request->error, ERR_NOT_FOUND, "Could not find %s: %s.", what, id);
}

int identity_found(struct request *request, int rc, const char *what, const char *id)
{
    return rc == ERR_NOT_FOUND ? identity_missing(request, what, id) : rc;
}

int identity_conflict(struct request *request, const char *type, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *details = arena_vprintf(&request->arena, format, args);
    va_end(args);
    return error_set(&request->error, ERR_CONFLICT, "Conflict occurred attempting to store %s - %s.", type, details);
}

int identity_invalid(struct request *request, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *why = arena_vprintf(&request->arena, format, args);
    va_end(args);
    return error_set(&request->error, ERR_INVALID, "Invalid input for field '%s': %s", field, why);
}

void identity_link(struct request *request, struct reply *reply, const char *collection, const char *id)
{
    json_out_object(&reply->out, "links");
    json_out_text(&reply->out, "self", identity_url(request, "/%s/%s", collection, id));
    json_out_object_end(&reply->out);
}

int identity_check_name(struct request *request, const char *name)
{
    if (name[strspn(name, " \t\r\n\f\v")])
        return 0;
    return identity_invalid(request, "name", "'%s' does not match '[\\S]+'", name);
}

const char *identity_id(struct request *request)
{
    return uuid_hex(arena_alloc(&request->arena, UUID_HEX_SIZE));
}
