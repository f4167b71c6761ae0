/* resize, migrate, os-migrateLive, confirmResize, revertResize: bodies by microversion, Nova's refusals, and the rows
 * that make the scheduler go. */
#include "api/compute/server_moves.h"
#include "api/compute/server_ability.h"
#include "api/compute/server_cells.h"
#include "common/model/resize.h"
#include "db/store_flavor.h"
#include "db/store_host.h"
#include "db/store_host_admin.h"
#include "db/store_host_storage.h"
#include "db/store_host_work.h"
#include "db/store_quota.h"
#include <string.h>

/* ---- what bodies say ---- */

static struct migration_actor asker_of(const struct request *request)
{
    return (struct migration_actor){.request_id = request->id,
                                    .user_id = request->credential.user_id,
                                    .project_id = request->credential.project_id};
}

static struct server_life_actor actor_of(const struct request *request)
{
    return (struct server_life_actor){.request_id = request->id,
                                      .user_id = request->credential.user_id,
                                      .project_id = request->credential.project_id};
}

static int begin(struct request *request, struct server_row *row, const struct migration_wish *move)
{
    struct migration_actor actor = asker_of(request);
    return store_migration_begin(request->conn, row, move, &actor, request->now_us, &request->arena, &request->error);
}

static int bad(struct request *request, const char *action, const char *what)
{
    return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute %s. %s", action, what);
}

/* A host's name, or null for any. nova/api/openstack/compute: ComputeHostNotFound and UnableToMigrateToSelf are 400. */
static int read_host(struct request *request, const struct server_row *row, json_value *value, const char **ret)
{
    const char *name = json_in_text(value);
    *ret = NULL;
    if (json_in_is_null(value) || value == NULL)
        return 0;
    if (name == NULL || *name == '\0')
        return bad(request, "host", "It is a host's name or null");
    int rc = store_host_admin_find(request->conn, name, &request->arena, ret, &request->error);
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        return error_set(&request->error, ERR_INVALID, "Compute host %s could not be found.", name);
    }
    if (!rc && row->host_id != NULL && strcmp(*ret, row->host_id) == 0)
        return error_set(&request->error, ERR_INVALID, "Unable to migrate instance (%s) to current host (%s).", row->id,
                         name);
    return rc;
}

int server_moves_migrate(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    struct migration_wish move = {
        .kind = MIGRATION_COLD, .action = SERVER_ACTION_RESIZE, .operation = OPERATION_MIGRATE};
    bool judged = compute_since(request, 56), named = judged && json_in_is_object(value);
    (void)reply;
    if (judged && !json_in_is_null(value) && (!named || json_in_count(value) != (json_in_has(value, "host") ? 1u : 0u)))
        return bad(request, "migrate", "It is null or has a host");
    int rc = named ? read_host(request, row, json_in_member(value, "host"), &move.wanted_host) : 0;
    return rc ? rc : begin(request, row, &move);
}

/* block_migration decides nothing here: disks that both hosts reach are not copied, others are. */
static int check_live_body(struct request *request, json_value *value)
{
    json_value *block = json_in_member(value, "block_migration");
    const char *word = json_in_text(block);
    bool flag, automatic = word && strcmp(word, "auto") == 0 && compute_since(request, 25);
    size_t known = 2;
    if (!json_in_is_object(value) || !json_in_has(value, "host") || !json_in_has(value, "block_migration"))
        return bad(request, "os-migrateLive", "'host' and 'block_migration' are required properties");
    if (!automatic && !compute_read_bool(block, &flag))
        return bad(request, "block_migration", "It is a boolean, or from 2.25 on 'auto'");
    if (!compute_since(request, 25)) {
        if (!compute_read_bool(json_in_member(value, "disk_over_commit"), &flag))
            return bad(request, "disk_over_commit", "It is a boolean and required");
        known++;
    }
    if (compute_since(request, 30) && !compute_since(request, 68) && json_in_has(value, "force")) {
        if (!compute_read_bool(json_in_member(value, "force"), &flag))
            return bad(request, "force", "It is a boolean");
        known++;
    }
    return json_in_count(value) == known ? 0 : bad(request, "os-migrateLive", "Additional properties are not allowed");
}

/* Disks that the hypervisor does not copy must be where the other host reaches them. */
static int check_reach(struct request *request, const struct server_row *row, const char *wanted)
{
    const char **peers;
    size_t count = 0;
    bool reached = false;
    int rc = row->host_id ? store_host_storage_peers(request->conn, row->host_id, &request->arena, &peers, &count,
                                                     &request->error)
                          : 0;
    for (size_t i = 0; !rc && i < count; i++)
        reached = reached || wanted == NULL || strcmp(peers[i], wanted) == 0;
    return rc || reached ? rc
                         : server_ability_check(request, row,
                                                wanted ? "a live migration to a host that does not reach its disks"
                                                       : "a live migration of disks that no other host reaches",
                                                MIGRATION_SHARED_TRAIT);
}

int server_moves_live(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    struct migration_wish move = {
        .kind = MIGRATION_LIVE, .action = SERVER_ACTION_LIVE_MIGRATION, .operation = OPERATION_LIVE_MIGRATION};
    int rc = check_live_body(request, value);
    (void)reply;
    rc = rc ? rc : read_host(request, row, json_in_member(value, "host"), &move.wanted_host);
    rc = rc ? rc : check_reach(request, row, move.wanted_host);
    return rc ? rc : begin(request, row, &move);
}

/* ---- evacuate ---- */

/* Until 2.14 whoever asks says whether the disks are on storage that other hosts reach, too. */
static int check_shared(struct request *request, const struct server_row *row, bool said)
{
    const char **peers;
    size_t count = 0;
    int rc = row->host_id ? store_host_storage_peers(request->conn, row->host_id, &request->arena, &peers, &count,
                                                     &request->error)
                          : 0;
    if (rc || said == (count > 0))
        return rc;
    return error_set(&request->error, ERR_INVALID, "Invalid state of instance files%s: they are on %s",
                     said ? " on shared storage" : "", said ? "local disks" : "shared storage");
}

static int check_evacuate_body(struct request *request, const struct server_row *row, json_value *value)
{
    bool flag = false;
    size_t known = 0;
    if (!json_in_is_object(value))
        return bad(request, "evacuate", "It is an object");
    known += json_in_has(value, "host") ? 1u : 0u;
    known += json_in_has(value, "adminPass") ? 1u : 0u;
    if (!compute_since(request, 14)) {
        if (!compute_read_bool(json_in_member(value, "onSharedStorage"), &flag))
            return bad(request, "onSharedStorage", "It is a boolean and required");
        int rc = check_shared(request, row, flag);
        if (rc)
            return rc;
        known++;
    }
    if (compute_since(request, 29) && !compute_since(request, 68) && json_in_has(value, "force")) {
        if (!compute_read_bool(json_in_member(value, "force"), &flag))
            return bad(request, "force", "It is a boolean");
        known++;
    }
    return json_in_count(value) == known ? 0 : bad(request, "evacuate", "Additional properties are not allowed");
}

/* A server that runs twice is worse than one that is down. */
static int check_off(struct request *request, const struct server_row *row)
{
    bool off = false;
    int rc = row->host_id ? store_host_work_is_off(request->conn, row->host_id, request->now_us, &off, NULL,
                                                   &request->arena, &request->error)
                          : 0;
    if (rc || off)
        return rc;
    if (row->host_id && request->now_us - row->host_seen_us <= STORE_HOST_ALIVE_US)
        return error_set(&request->error, ERR_INVALID, "Compute service of %s is still in use.", row->host_name);
    return error_set(&request->error, ERR_INVALID,
                     "Nobody has proved that host %s is off: fence it first (virga host fence, or forced_down of "
                     "os-services)",
                     row->host_name ? row->host_name : "none");
}

int server_moves_evacuate(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    struct migration_wish move = {
        .kind = MIGRATION_EVACUATION, .action = SERVER_ACTION_EVACUATE, .operation = OPERATION_EVACUATE};
    int rc = check_evacuate_body(request, row, value);
    rc = rc ? rc : read_host(request, row, json_in_member(value, "host"), &move.wanted_host);
    rc = rc ? rc : check_reach(request, row, move.wanted_host);
    rc = rc ? rc : check_off(request, row);
    rc = rc ? rc : begin(request, row, &move);
    if (rc)
        return rc;
    reply->status = 200;
    if (!compute_since(request, 14)) {
        const char *password = json_in_text(json_in_member(value, "adminPass"));
        json_out_object(&reply->out, NULL);
        json_out_text(&reply->out, "adminPass", password ? password : "");
        json_out_object_end(&reply->out);
    }
    return 0;
}

/* ---- resize ---- */

static int check_quota(struct request *request, const struct server_row *row, const struct flavor_row *flavor)
{
    struct quota_set limits, used, asked = {{0}};
    const char *text;
    int rc = store_quota_limits(request->conn, row->project_id, &limits, &request->error);
    rc = rc ? rc : store_quota_used(request->conn, row->project_id, &used, &request->error);
    if (flavor->vcpus > row->vcpus)
        asked.amount[QUOTA_CORES] = flavor->vcpus - row->vcpus;
    if (flavor->memory_mib > row->memory_mib)
        asked.amount[QUOTA_RAM] = flavor->memory_mib - row->memory_mib;
    if (!rc && !quota_allows(&limits, &used, &asked, &request->arena, &text))
        rc = error_set(&request->error, ERR_QUOTA, "%s", text);
    return rc;
}

static int check_flavor(struct request *request, const struct server_row *row, const struct flavor_row *flavor)
{
    if (strcmp(flavor->id, row->flavor_id) == 0)
        return error_set(&request->error, ERR_INVALID, "When resizing, instances must change flavor!");
    if (flavor->root_gib == 0 && row->root_gib != 0)
        return error_set(&request->error, ERR_INVALID,
                         "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.");
    if (flavor->root_gib < row->root_gib || flavor->ephemeral_gib < row->ephemeral_gib ||
        flavor->swap_mib < row->swap_mib)
        return error_set(&request->error, ERR_INVALID,
                         "Server disk was unable to be resized because: disks do not shrink.");
    return check_quota(request, row, flavor);
}

/* The server keeps what is said of its disk with a resize, whatever becomes of that. */
static int set_disk_config(struct request *request, struct server_row *row, json_value *value)
{
    const char *given = json_in_text(value);
    if (given == NULL || (strcmp(given, "AUTO") != 0 && strcmp(given, "MANUAL") != 0))
        return bad(request, "OS-DCF:diskConfig", "It is one of ['AUTO', 'MANUAL']");
    if (strcmp(given, row->disk_config) == 0)
        return 0;
    row->disk_config = given;
    row->updated_us = request->now_us;
    return store_server_edit(request->conn, row, &request->error);
}

/* Where a server's disks cannot be moved it can only grow in what needs no other disk. */
static int check_stay(struct request *request, const struct server_row *row, const struct server_row *as)
{
    struct resources more;
    const char *old = store_migration_flavor(row, &request->arena), *new = store_migration_flavor(as, &request->arena);
    enum resize_way way = resize_way_of(old, new, &more);
    if (way == RESIZE_LIVE || way == RESIZE_RESTART)
        return 0;
    return server_ability_check(request, row, "a resize other than to more processors and memory", RESIZE_STAYS_TRAIT);
}

int server_moves_resize(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    struct migration_wish move = {
        .kind = MIGRATION_RESIZE, .action = SERVER_ACTION_RESIZE, .operation = OPERATION_RESIZE};
    struct server_row as;
    struct flavor_row flavor;
    const char *id = json_in_text(json_in_member(value, "flavorRef")), *image = NULL;
    bool disk = json_in_has(value, "OS-DCF:diskConfig");
    (void)reply;
    if (!json_in_is_object(value) || id == NULL || *id == '\0' || json_in_count(value) != (disk ? 2u : 1u))
        return bad(request, "resize", "'flavorRef' is a required property");
    int rc = store_flavor_get(request->conn, id, request->credential.project_id, compute_is_admin(request),
                              &request->arena, &flavor, &request->error);
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        return error_set(&request->error, ERR_INVALID, "Flavor %s could not be found.", id);
    }
    rc = rc ? rc : check_flavor(request, row, &flavor);
    rc = rc ? rc : store_server_image_properties(request->conn, row->id, &request->arena, &image, &request->error);
    rc = rc ? rc : server_cells_check(request, &flavor, image);
    if (!rc && disk)
        rc = set_disk_config(request, row, json_in_member(value, "OS-DCF:diskConfig"));
    if (rc)
        return rc;
    as = *row;
    as.flavor_id = flavor.id;
    as.flavor_name = flavor.name;
    as.flavor_extra = flavor.extra_specs;
    as.vcpus = flavor.vcpus;
    as.memory_mib = flavor.memory_mib;
    as.root_gib = flavor.root_gib;
    as.ephemeral_gib = flavor.ephemeral_gib;
    as.swap_mib = flavor.swap_mib;
    move.as = &as;
    rc = check_stay(request, row, &as);
    return rc ? rc : begin(request, row, &move);
}

/* ---- afterwards ---- */

static int answer(struct request *request, struct server_row *row, enum server_action action,
                  enum operation_kind operation, enum migration_request what)
{
    struct server_life_actor actor = actor_of(request);
    struct server_situation s = store_server_situation(row);
    struct migration_row migration;
    enum server_power power;
    if (!server_allows(&s, action, &power)) {
        struct migration_wish move = {.action = action, .operation = operation};
        return store_migration_begin_refuse(row, &move, &request->error);
    }
    int rc = store_migration_of_server(request->conn, row->id, &request->arena, &migration, &request->error);
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        return error_set(&request->error, ERR_INVALID, "Instance has not been resized.");
    }
    rc = rc ? rc : server_life_record(request->conn, row, operation, &actor, request->now_us, &request->error);
    return rc ? rc : store_migration_ask(request->conn, migration.id, what, &request->error);
}

int server_moves_confirm(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)value;
    reply->status = 204;
    return answer(request, row, SERVER_ACTION_CONFIRM_RESIZE, OPERATION_CONFIRM_RESIZE, MIGRATION_CONFIRM);
}

int server_moves_revert(struct request *request, struct reply *reply, struct server_row *row, json_value *value)
{
    (void)reply;
    (void)value;
    return answer(request, row, SERVER_ACTION_REVERT_RESIZE, OPERATION_REVERT_RESIZE, MIGRATION_REVERT);
}
