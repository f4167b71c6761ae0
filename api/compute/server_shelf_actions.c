/* shelve, shelveOffload, unshelve: what their bodies say. */
#include "api/compute/server_shelf_actions.h"
#include "api/api.h"
#include "api/compute/server_image_properties.h"
#include "api/compute/server_shelf.h"
#include "api/config.h"
#include "common/json_in.h"
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
    return server_shelf_begin(request->conn, row, &image, request->api->config->shelved_offload_s, &actor,
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

/* Before 2.77 whatever is said is nothing; then null or a zone, from 2.91 on a host too. */
static int read_zone(struct request *request, const struct server_row *row, json_value *value, const char **ret)
{
    json_value *zone = json_in_member(value, "availability_zone");
    bool there = false;
    *ret = NULL;
    if (!compute_since(request, 77) || json_in_is_null(value))
        return 0;
    if (!json_in_is_object(value) || json_in_count(value) == 0)
        return bad(request, "It is null or names an availability_zone");
    if (compute_since(request, 91) && json_in_has(value, "host"))
        return compute_not_served(request, "unshelving to a host that is named");
    if (json_in_count(value) != 1 || !json_in_has(value, "availability_zone"))
        return bad(request, "Additional properties are not allowed");
    if (compute_since(request, 91) && json_in_is_null(zone))
        return 0;
    if (!json_in_is_text(zone))
        return bad(request, "availability_zone is a text");
    if (row->host_id != NULL)
        return error_set(&request->error, ERR_CONFLICT,
                         "The server must be in the SHELVED_OFFLOADED status to unshelve it to an availability zone");
    int rc = store_server_zone_exists(request->conn, json_in_text(zone), &there, &request->error);
    if (!rc && !there)
        rc = error_set(&request->error, ERR_INVALID, "The requested availability zone is not available");
    *ret = json_in_text(zone);
    return rc;
}

int server_shelf_actions_unshelve(struct request *request, struct reply *reply, struct server_row *row,
                                  json_value *value)
{
    struct server_life_actor actor = actor_of(request);
    const char *zone;
    int rc = read_zone(request, row, value, &zone);
    (void)reply;
    return rc ? rc
              : server_shelf_unshelve(request->conn, row, zone, &actor, request->now_us, &request->arena,
                                      &request->error);
}
