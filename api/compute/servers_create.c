/* POST /servers. Everything that must hold is looked up in the transaction that inserts: flavor, image, key, zone,
 * group, quota, network. The server then waits for the scheduler. A refusal writes nothing: its savepoint is undone. */
#include "api/compute/servers_create.h"
#include "api/compute/server_cells.h"
#include "api/compute/server_image_properties.h"
#include "api/compute/server_machine.h"
#include "api/compute/server_reservation.h"
#include "api/compute/server_view.h"
#include "common/model/operation.h"
#include "common/uuid.h"
#include "db/store_budget.h"
#include "db/store_host.h"
#include "db/store_network.h"
#include "db/store_operation.h"

#include "db/store_preemption.h"
#include "db/store_quota.h"
#include "db/store_secgroup.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define GIB_BYTES ((int64_t)1 << 30)

static int invalid(struct request *request, const char *text)
{
    error_clear(&request->error);
    return error_set(&request->error, ERR_INVALID, "%s", text);
}

/* A row that is not there is the client's mistake in its own words. */
static int as_invalid(struct request *request, int rc, const char *text)
{
    return rc == ERR_NOT_FOUND ? invalid(request, text) : rc;
}

/* Of an image that was an appliance (OVA), or whoever made it says so. */
static int64_t least_vcpus(const struct image_row *image)
{
    struct json_doc doc;
    int64_t least = 0;
    if (!strstr(image->properties, IMAGE_MIN_VCPUS) ||
        json_in_parse(image->properties, strlen(image->properties), &doc, NULL) != 0)
        return 0;
    const char *text = json_in_text(json_in_member(doc.root, IMAGE_MIN_VCPUS));
    least = text ? strtoll(text, NULL, 10) : 0;
    json_in_done(&doc);
    return least;
}

static int check_image(struct request *request, const struct image_row *image, const struct flavor_row *flavor)
{
    int64_t disk = flavor->root_gib * GIB_BYTES;
    int64_t size = image->has_virtual_size ? image->virtual_size_bytes : image->has_size ? image->size_bytes : 0;
    if (strcmp(image->status, "active") != 0)
        return error_set(&request->error, ERR_INVALID, "Image %s is not active.", image->id);
    if (flavor->memory_mib < image->min_ram_mib)
        return invalid(request, "Flavor's memory is too small for requested image.");
    if (flavor->vcpus < least_vcpus(image))
        return invalid(request, "Flavor's processors are too few for requested image (" IMAGE_MIN_VCPUS ").");
    if (flavor->root_gib == 0) {
        if (compute_is_admin(request))
            return 0;
        return error_set(&request->error, ERR_FORBIDDEN,
                         "Only volume-backed servers are allowed for flavors with zero disk.");
    }
    if (size > disk)
        return error_set(&request->error, ERR_INVALID,
                         "Flavor's disk is too small for requested image. Flavor disk is %" PRId64
                         " bytes, image is %" PRId64 " bytes.",
                         disk, size);
    if (image->min_disk_gib > flavor->root_gib)
        return error_set(&request->error, ERR_INVALID,
                         "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is "
                         "%" PRId64 " bytes, minimum size is %" PRId64 " bytes.",
                         disk, image->min_disk_gib * GIB_BYTES);
    return 0;
}

static bool is_group(const struct secgroup_row *row, const char *name)
{
    return strcmp(row->name, name) == 0 || strcmp(row->id, name) == 0;
}

/* Each group that is named is the project's, by name or id; `default` always is. Their ids go into `found`; none when
 * only `default` is asked for, which every port gets. */
static int find_groups(struct request *request, const struct servers_wish *wish, struct servers_found *found)
{
    json_value *list = wish->body->security_groups;
    size_t asked = json_in_count(list), count = 0;
    struct secgroup_row *groups = NULL;
    const char *name = "default";
    int rc = 0;
    if (asked == 0 || (asked == 1 && strcmp(json_in_text(json_in_member(json_in_item(list, 0), "name")), name) == 0))
        return 0;
    rc = store_secgroup_default(request->conn, request->credential.project_id, request->now_us, &request->arena, &name,
                                &request->error);
    if (!rc)
        rc = store_secgroup_list(request->conn, request->credential.project_id, NULL, NULL, INT64_MAX, &request->arena,
                                 &groups, &count, &request->error);
    found->groups = arena_array(&request->arena, asked, sizeof(*found->groups));
    for (size_t i = 0; !rc && i < asked; i++) {
        size_t k = 0;
        name = json_in_text(json_in_member(json_in_item(list, i), "name"));
        while (k < count && !is_group(&groups[k], name))
            k++;
        if (k == count)
            return error_set(&request->error, ERR_INVALID, "Security group %s not found for project %s.", name,
                             request->credential.project_id);
        found->groups[found->group_count++] = groups[k].id;
    }
    return rc;
}

/* Ports that were made with the server get the groups that were asked for; those that were there keep theirs. */
static int set_groups(struct request *request, const struct servers_found *found, const char *server_id)
{
    struct port_filter filter = {.device_id = server_id};
    struct port_row *ports = NULL;
    size_t count = 0;
    int rc = 0;
    if (found->group_count == 0)
        return 0;
    rc = store_port_list(request->conn, &filter, NULL, INT64_MAX, &request->arena, &ports, &count, &request->error);
    for (size_t i = 0; !rc && i < count; i++)
        if (ports[i].made_for_server)
            rc = store_port_set_groups(request->conn, ports[i].id, found->groups, found->group_count, &request->arena,
                                       &request->error);
    return rc;
}

int servers_create_look_up(struct request *request, const struct servers_wish *wish, struct servers_found *ret)
{
    const struct credential *who = &request->credential;
    bool admin = compute_is_admin(request), there = true;
    int rc = store_flavor_get(request->conn, wish->flavor_id, who->project_id, admin, &request->arena, &ret->flavor,
                              &request->error);
    if (rc == ERR_NOT_FOUND || (!rc && ret->flavor.disabled))
        return invalid(request, arena_printf(&request->arena, "Flavor %s could not be found.", wish->flavor_id));
    if (!rc)
        rc = as_invalid(request,
                        store_image_get(request->conn, wish->image_id, who->project_id, admin, &request->arena,
                                        &ret->image, &request->error),
                        "Can not find requested image");
    if (!rc)
        rc = check_image(request, &ret->image, &ret->flavor);
    if (!rc)
        rc = server_image_properties_say_mode(request, &ret->image);
    if (!rc)
        rc = server_cells_check(request, &ret->flavor, ret->image.properties);
    if (!rc)
        rc = server_machine_check(request, ret->flavor.extra_specs, ret->image.properties);
    if (!rc && wish->body->key_name != NULL)
        rc = as_invalid(request,
                        store_keypair_get(request->conn, who->user_id, wish->body->key_name, &request->arena, &ret->key,
                                          &request->error),
                        "Invalid key_name provided.");
    if (!rc && wish->zone != NULL)
        rc = store_server_zone_exists(request->conn, wish->zone, &there, &request->error);
    if (!rc && !there)
        rc = invalid(request, "The requested availability zone is not available");
    if (!rc && wish->group_id != NULL)
        rc = store_server_group_exists(request->conn, wish->group_id, who->project_id, &there, &request->error);
    if (!rc && !there)
        rc = invalid(request, arena_printf(&request->arena, "Instance group %s could not be found.", wish->group_id));
    return rc ? rc : find_groups(request, wish, ret);
}

struct quota_set servers_create_quota(const struct flavor_row *flavor, int64_t count)
{
    struct quota_set set = {{0}};
    set.amount[QUOTA_INSTANCES] = count;
    set.amount[QUOTA_CORES] = count * flavor->vcpus;
    set.amount[QUOTA_RAM] = count * flavor->memory_mib;
    return set;
}

/* How many of min..max fit, most first; the sentence is about the least. Takes them. */
int servers_create_take_quota(struct request *request, const struct servers_wish *wish, const struct flavor_row *flavor,
                              int64_t *ret_count)
{
    const char *project = request->credential.project_id, *text = "";
    struct quota_set limits, used, asked;
    int rc = store_budget_check(request->conn, project, request->now_us, &request->arena, &request->error);
    if (!rc)
        rc = store_quota_limits(request->conn, project, &limits, &request->error);
    if (!rc)
        rc = store_quota_used(request->conn, project, &used, &request->error);
    for (int64_t count = wish->max_count; !rc && count >= wish->min_count; count--) {
        asked = servers_create_quota(flavor, count);
        if (quota_allows(&limits, &used, &asked, &request->arena, count == wish->min_count ? &text : NULL)) {
            *ret_count = count;
            return store_quota_add(request->conn, project, &asked, 1, &request->error);
        }
    }
    return rc ? rc : error_set(&request->error, ERR_QUOTA, "%s", text);
}

/* The project's one network, when none is named. */
int servers_create_find_network(struct request *request, struct servers_wish *wish)
{
    const char *network = NULL;
    int rc;
    if (!wish->automatic)
        return 0;
    rc = store_network_auto(request->conn, request->credential.project_id, &request->arena, &network, &request->error);
    if (rc)
        return rc;
    if (network == NULL && wish->must_have_network)
        return error_set(&request->error, ERR_INVALID, "Unable to automatically allocate a network for project %s",
                         request->credential.project_id);
    if (network == NULL)
        return 0;
    wish->requests = arena_alloc(&request->arena, sizeof(*wish->requests));
    wish->requests[0] = (struct port_request){.network_id = network};
    wish->request_count = 1;
    return 0;
}

static void fill(struct request *request, const struct servers_wish *wish, const struct servers_found *found,
                 int64_t index, int64_t count, struct server_row *row)
{
    const struct servers_body *b = wish->body;
    const struct flavor_row *f = &found->flavor;
    const char *name = wish->name, *host_name = wish->hostname;
    if (count > 1)
        name = arena_printf(&request->arena, "%s-%" PRId64, wish->name, index + 1);
    if (host_name == NULL)
        host_name = servers_body_hostname(request, name, row->id);
    row->project_id = request->credential.project_id;
    row->user_id = request->credential.user_id;
    row->name = name;
    row->hostname = host_name;
    row->description = wish->description;
    row->flavor_id = f->id;
    row->flavor_name = f->name;
    row->vcpus = f->vcpus;
    row->memory_mib = f->memory_mib;
    row->root_gib = f->root_gib;
    row->ephemeral_gib = f->ephemeral_gib;
    row->swap_mib = f->swap_mib;
    row->flavor_extra = f->extra_specs;
    row->image_id = found->image.id;
    row->image_properties = found->image.properties;
    row->key_name = found->key.name;
    row->key_public = found->key.public_key;
    row->user_data = b->user_data;
    row->config_drive = wish->config_drive;
    row->zone = wish->zone;
    row->group_id = wish->group_id;
    row->hints = wish->hints;
    row->metadata = wish->metadata;
    row->tags = wish->tags;
    row->security_groups = wish->security_groups;
    row->access_ipv4 = wish->access_ipv4 != NULL ? wish->access_ipv4 : "";
    row->access_ipv6 = wish->access_ipv6 != NULL ? wish->access_ipv6 : "";
    row->disk_config = b->disk_config != NULL ? b->disk_config : "MANUAL";
    row->launch_index = index;
    row->desired_power = SERVER_POWER_RUNNING;
    row->deadline_us =
        (wish->queue_until_us != 0 ? wish->queue_until_us : request->now_us) + operation_deadline_us(OPERATION_CREATE);
    row->created_us = row->updated_us = request->now_us;
}

/* The server's one port was there before, with groups of its own. */
static bool is_bound(const struct servers_wish *wish)
{
    return wish->request_count == 1 && wish->requests[0].port_id != NULL;
}

/* The scheduler finds it a host, or it takes over room that its project has reserved. */
static int wait_or_take(struct request *request, const struct servers_wish *wish, const struct servers_found *found,
                        const char *id, const char *batch_id)
{
    struct server_waiting waiting = {.now_us = request->now_us,
                                     .until_us = wish->queue_until_us,
                                     .batch_id = batch_id,
                                     .batch_least = wish->min_count};
    return wish->reservation_id == NULL ? store_server_enqueue_as(request->conn, id, &waiting, &request->error)
                                        : server_reservation_take(request, wish, found, id);
}

bool servers_create_is_spot(const struct servers_wish *wish, const struct servers_found *found)
{
    const char *extra = found->flavor.extra_specs;
    struct json_doc doc;
    struct error none = {0};
    bool spot = wish->spot;
    if (!spot && extra != NULL && json_in_parse(extra, strlen(extra), &doc, &none) == 0) {
        const char *text = json_in_text(json_in_member(doc.root, "placement:spot"));
        spot = text != NULL && strcasecmp(text, "true") == 0;
        json_in_done(&doc);
    }
    return spot;
}

static int insert(struct request *request, const struct servers_wish *wish, const struct servers_found *found,
                  struct server_row *row, const char *batch_id)
{
    struct operation_row operation = {
        .id = row->operation_id,
        .server_id = row->id,
        .project_id = row->project_id,
        .user_id = row->user_id,
        .request_id = request->id,
        .action = operation_name(OPERATION_CREATE),
        .started_us = request->now_us,
    };
    char *addresses = "{}";
    int rc = 0;
    if (wish->request_count > 0)
        rc = store_port_attach(request->conn, row->id, row->project_id, wish->requests, wish->request_count,
                               request->now_us, &request->arena, &addresses, &request->error);
    if (!rc)
        rc = set_groups(request, found, row->id);
    if (!rc && (wish->request_count > 1 || found->group_count > 0 || is_bound(wish)))
        rc = store_port_group_names(request->conn, row->id, &request->arena, &row->security_groups, &request->error);
    row->addresses = addresses;
    if (!rc)
        rc = store_server_insert(request->conn, row, &request->error);
    if (!rc)
        rc = store_operation_insert(request->conn, &operation, false, &request->error);
    if (!rc && servers_create_is_spot(wish, found))
        rc = store_preemption_mark(request->conn, row->id, &request->error);
    if (!rc)
        rc = wait_or_take(request, wish, found, row->id, batch_id);
    return rc;
}

static const char *new_id(struct request *request)
{
    return uuid_ordered(arena_alloc(&request->arena, UUID_SIZE));
}

static int answer(struct request *request, struct reply *reply, const struct servers_wish *wish,
                  const struct server_row *first)
{
    struct server_view view;
    reply->status = 202;
    if (wish->return_reservation) {
        json_out_object(&reply->out, NULL);
        json_out_text(&reply->out, "reservation_id", first->reservation_id);
        json_out_object_end(&reply->out);
        return 0;
    }
    server_view_init(&view, request, SERVER_VIEW_SHOW);
    reply_header(reply, "location", compute_link_self(request, "servers", first->id));
    server_view_created(&view, &reply->out, first, wish->security_groups, wish->password);
    return 0;
}

int servers_create_insert(struct request *request, const struct servers_wish *wish, const struct servers_found *found,
                          int64_t count, struct server_row *ret_first)
{
    const char *reservation = arena_printf(&request->arena, "r-%.8s", request->id + 4);
    int rc = 0;
    for (int64_t i = 0; !rc && i < count; i++) {
        struct server_row row = {.id = new_id(request), .operation_id = new_id(request), .reservation_id = reservation};
        fill(request, wish, found, i, count, &row);
        if (i == 0)
            *ret_first = row;
        rc = insert(request, wish, found, &row, count > 1 ? ret_first->id : NULL);
        if (i == 0)
            *ret_first = row;
    }
    db_wake(request->conn, "placement");
    return rc;
}

static int servers_create(struct request *request, struct reply *reply)
{
    struct servers_wish wish;
    struct servers_found found = {0};
    struct server_row first = {0};
    int64_t count = 0;
    int rc = 0;
    if (request->credential.project_id[0] == '\0')
        return error_set(&request->error, ERR_FORBIDDEN, "A server is made in a project: the token has none");
    rc = servers_body_read(request, request->body, &wish);
    if (!rc)
        rc = servers_create_look_up(request, &wish, &found);
    if (!rc)
        rc = servers_create_take_quota(request, &wish, &found.flavor, &count);
    if (!rc)
        rc = servers_create_find_network(request, &wish);
    if (!rc)
        rc = servers_create_insert(request, &wish, &found, count, &first);
    return rc ? rc : answer(request, reply, &wish, &first);
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/servers",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &servers_document_table,
     .body_size = sizeof(struct servers_document),
     .handler = servers_create},
};
const struct route_table servers_create_routes = ROUTE_TABLE(rows);
