/* shelve, shelveOffload, unshelve: what their bodies say. */
#include "api/compute/server_shelf_actions.h"
#include "api/api.h"
#include "api/compute/server_image_properties.h"
#include "api/compute/server_shelf.h"
#include "api/config.h"
#include "common/json_in.h"
#include "db/store_host.h"
#include "db/store_host_admin.h"
#include <string.h>

static struct server_life_actor actor_of(const struct request *request)
{
    return (struct server_life_actor){.request_id = request->id,
                                      .user_id = request->credential.user_id,
                                      .project_id = request->credential.project_id};
}

/* The image is its only disk one day: it is protected from a careless delete. It belongs to the server's project, as
 * the server does, whoever shelves it. */
int server_shelf_actions_shelve(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    struct server_image_wish wish = {.name = arena_printf(&request->arena, "%.246s-shelved", row->name),
                                     .type = "snapshot"};
    struct server_life_actor actor = actor_of(request);
    struct image_row image;
    (void)reply;
    (void)value;
    int rc = server_image_properties_fill(request, row, &wish, &image);
    if (rc)
        return rc;
    image.status = "queued";
    image.project_id = row->project_id;
    image.protected = true;
    return server_shelf_begin(request->conn, row, &image, config_now(request->api->config->shelved_offload_s), &actor,
                              request->now_us, &request->arena, &request->error);
}

int server_shelf_actions_offload(struct request *request, struct reply *reply, struct server_row *row,
                                 json_value *value)
{
    struct server_life_actor actor = actor_of(request);
    (void)reply;
    (void)value;
    return server_shelf_offload(request->conn, row, &actor, request->now_us, &request->arena, &request->error);
}

static int bad(struct request *request, const char *what)
{
    return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute unshelve. %s", what);
}

static int refuse_place(struct request *request, const struct server_row *row)
{
    return error_set(
        &request->error, ERR_CONFLICT,
        "Specifying an availability zone or a host when unshelving server \"%s\" with status \"shelved\" is "
        "not supported. The server status must be SHELVED_OFFLOADED.",
        row->id);
}

/* A text names the zone that it is bound to from now on, null unbinds it. */
static int read_zone(struct request *request, json_value *zone, const char **ret)
{
    bool there = false;
    *ret = json_in_text(zone);
    if (json_in_is_null(zone) && compute_since(request, 91))
        return 0;
    if (*ret == NULL)
        return bad(request, "availability_zone is a text");
    int rc = store_server_zone_exists(request->conn, *ret, &there, &request->error);
    return !rc && !there ? error_set(&request->error, ERR_INVALID, "The requested availability zone is not available")
                         : rc;
}

static int read_host(struct request *request, json_value *value, struct server_shelf_place *place)
{
    const char *name = json_in_text(value);
    struct host_row host;
    if (name == NULL)
        return bad(request, "host is a text");
    if (!compute_is_admin(request))
        return error_set(&request->error, ERR_FORBIDDEN,
                         "Policy doesn't allow os_compute_api:os-shelve:unshelve_to_host to be performed.");
    int rc = store_host_admin_find(request->conn, name, &request->arena, &place->host_id, &request->error);
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        return error_set(&request->error, ERR_INVALID, "Compute host %s could not be found.", name);
    }
    rc = rc ? rc : store_host_get(request->conn, place->host_id, &request->arena, &host, &request->error);
    if (!rc && place->zone != NULL && strcmp(host.zone, place->zone) != 0)
        rc = error_set(&request->error, ERR_CONFLICT, "Host \"%s\" is not in the availability zone \"%s\".", name,
                       place->zone);
    return rc;
}

/* Before 2.77 whatever is said is nothing; then null or a zone, from 2.91 on a host too. */
static int read_place(struct request *request, const struct server_row *row, json_value *value,
                      struct server_shelf_place *ret)
{
    bool names_hosts = compute_since(request, 91);
    bool zone = json_in_has(value, "availability_zone"), host = names_hosts && json_in_has(value, "host");
    *ret = (struct server_shelf_place){.zone = row->zone};
    if (!compute_since(request, 77) || json_in_is_null(value))
        return 0;
    if (!json_in_is_object(value) || (!zone && !names_hosts))
        return bad(request, "It is null or names an availability_zone");
    if (json_in_count(value) != (size_t)zone + (size_t)host)
        return bad(request, "Additional properties are not allowed");
    if (row->host_id != NULL && (zone || host))
        return refuse_place(request, row);
    int rc = zone ? read_zone(request, json_in_member(value, "availability_zone"), &ret->zone) : 0;
    return rc || !host ? rc : read_host(request, json_in_member(value, "host"), ret);
}

int server_shelf_actions_unshelve(struct request *request, struct reply *reply, struct server_row *row,
                                  json_value *value)
{
    struct server_life_actor actor = actor_of(request);
    struct server_shelf_place place;
    int rc = read_place(request, row, value, &place);
    (void)reply;
    return rc ? rc
              : server_shelf_unshelve(request->conn, row, &place, &actor, request->now_us, &request->arena,
                                      &request->error);
}
