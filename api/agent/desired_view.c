/* A server's specification as JSON. Its members are docs/agent-protocol.md's. */
#include "api/agent/desired_view.h"
#include "common/json_out.h"
#include "common/model/resize.h"
#include "db/store_cells.h"
#include "db/store_elastic_check.h"
#include "db/store_image.h"
#include "db/store_import.h"
#include "db/store_migration.h"
#include "db/store_port.h"
#include "db/store_server_clone.h"
#include "db/store_server_shelf.h"

/* A server that comes from the shelf is made of the image that it was there. */
static int find_shelf(struct db_conn *c, const struct server_row *row, struct arena *arena, const char **image_id,
                      struct error *e)
{
    struct server_shelf_row shelf;
    enum server_power rest;
    bool found = false,
         on_host = server_power_of(row->observed_state, &rest) && row->observed_state != SERVER_STATE_SHELVED;
    if (row->operation != SERVER_OPERATION_UNSHELVING || on_host)
        return 0;
    int rc = store_server_shelf_get(c, row->id, arena, &shelf, &found, e);
    if (!rc && found)
        *image_id = shelf.image_id;
    return rc;
}

/* null is for servers that were made without an image. One whose image was deleted says so: its host must not give it
 * an empty disk, nor must a database that fails. Its properties are then those of the time when the server was made. */
static int write_image(struct db_conn *c, const struct server_row *row, struct json_out *out, struct arena *arena,
                       struct error *e)
{
    struct error why = {0};
    const char *image_id = row->image_id;
    int rc = find_shelf(c, row, arena, &image_id, e);
    if (rc)
        return rc;
    struct image_row image = {.id = image_id, .name = "", .properties = "{}"};
    rc = image_id == NULL ? 0 : store_image_get(c, image_id, NULL, true, arena, &image, &why);
    bool gone = rc == ERR_NOT_FOUND;
    if (gone)
        rc = store_server_image_properties(c, row->id, arena, &image.properties, &why);
    if (rc && rc != ERR_NOT_FOUND)
        return error_set(e, rc, "%s", error_text(&why));
    if (image_id == NULL) {
        json_out_null(out, "image");
        return 0;
    }
    json_out_object(out, "image");
    json_out_text(out, "id", image.id);
    json_out_text(out, "name", image.name);
    const char *kind = store_image_kind(&image);
    json_out_text(out, "disk_format", kind != NULL ? kind : "");
    json_out_int(out, "size_bytes", image.size_bytes);
    json_out_text(out, "sha512", image.hash_value != NULL ? image.hash_value : "");
    json_out_raw(out, "properties", image.properties != NULL ? image.properties : "{}");
    if (gone)
        json_out_bool(out, "deleted", true);
    if (image.properties == NULL)
        json_out_bool(out, "properties_lost", true);
    json_out_object_end(out);
    if (image_id != row->image_id)
        json_out_bool(out, "anew", true);
    return 0;
}

static void write_amounts(struct json_out *out, const struct server_row *row, const struct resize_disks *disks)
{
    json_out_int(out, "vcpus", row->vcpus);
    json_out_int(out, "memory_mib", row->memory_mib);
    json_out_int(out, "root_gib", disks->root_gib);
    json_out_int(out, "ephemeral_gib", disks->ephemeral_gib);
    json_out_int(out, "swap_mib", disks->swap_mib);
    json_out_text(out, "flavor_name", row->flavor_name);
    json_out_raw(out, "flavor_extra", row->flavor_extra);
}

static void write_key(struct json_out *out, const struct server_row *row)
{
    if (row->key_name == NULL || row->key_public == NULL) {
        json_out_null(out, "key");
        return;
    }
    json_out_object(out, "key");
    json_out_text(out, "name", row->key_name);
    json_out_text(out, "public", row->key_public);
    json_out_object_end(out);
}

static void write_operation(struct json_out *out, const struct server_row *row)
{
    bool is_its_own = row->operation == SERVER_OPERATION_REBOOT_SOFT || row->operation == SERVER_OPERATION_REBOOT_HARD;
    if (!is_its_own || row->operation_id == NULL) {
        json_out_null(out, "operation");
        return;
    }
    json_out_object(out, "operation");
    json_out_text(out, "id", row->operation_id);
    json_out_text(out, "action", server_operation_name(row->operation));
    json_out_object_end(out);
}

/* Whether it has run here, or in a place that it has moved from: its disks must be there, and are never made anew. */
static bool launched(const struct server_row *row)
{
    return row->launched_us != 0 && row->observed_state != SERVER_STATE_NONE &&
           row->observed_state != SERVER_STATE_BUILDING && row->observed_state != SERVER_STATE_SHELVED;
}

/* Held: it leaves this host, and what runs of it may run on the other one already. A disk grows for good: of a resize
 * on the same host with its confirmation. */
static int read_move(struct db_conn *c, const struct server_row *row, struct arena *a, bool *ret_held,
                     struct resize_disks *ret_disks, struct error *e)
{
    struct migration_row m;
    struct error none = {0};
    *ret_held = row->operation == SERVER_OPERATION_OFFLOADING;
    *ret_disks = (struct resize_disks){row->root_gib, row->ephemeral_gib, row->swap_mib};
    if (!server_operation_moves(row->operation))
        return 0;
    int rc = store_migration_of_server(c, row->id, a, &m, &none);
    if (!rc)
        *ret_held = m.step == MIGRATION_RELEASING || m.step == MIGRATION_RECEIVING || m.step == MIGRATION_SENDING ||
                    m.step == MIGRATION_ADOPTING || m.step == MIGRATION_ARRIVING || m.step == MIGRATION_RECALLING ||
                    m.step == MIGRATION_BACK_RELEASING;
    if (!rc && store_migration_is_local(&m))
        resize_keep_disks(m.old_flavor, ret_disks);
    return rc && rc != ERR_NOT_FOUND ? error_set(e, rc, "%s", error_text(&none)) : 0;
}

int desired_view_write(struct db_conn *c, const char *key, const struct server_row *row, const char *consumer,
                       const char *zone, struct json_out *out, struct arena *arena, struct error *e)
{
    const char *topology = NULL, *check = NULL, *source = NULL;
    bool held, imported = false, released = false;
    struct resize_disks disks;
    int rc = read_move(c, row, arena, &held, &disks, e);
    rc = rc || row->image_id ? rc : store_import_get(c, row->id, &imported, &released, e); /* they have no image */
    rc = rc ? rc : store_cells_held(c, consumer, arena, &topology, e);
    rc = rc ? rc : store_elastic_check_of(c, row->id, arena, &check, e);
    rc = rc || launched(row) ? rc : store_server_clone_source(c, row->id, arena, &source, e);
    if (rc)
        return rc;
    json_out_object(out, key);
    json_out_bool(out, "held", held);
    json_out_text(out, "id", row->id);
    json_out_text(out, "name", row->name);
    json_out_text(out, "hostname", row->hostname);
    json_out_text(out, "project_id", row->project_id);
    json_out_text(out, "user_id", row->user_id);
    json_out_int(out, "created_us", row->created_us);
    json_out_int(out, "revision", row->desired_revision);
    json_out_bool(out, "exists", row->desired_exists);
    json_out_text(out, "power", server_power_name(row->desired_power));
    json_out_raw(out, "check", check);
    json_out_bool(out, "launched", launched(row));
    if (source != NULL)
        json_out_text(out, "clone_of", source);
    if (imported)
        json_out_bool(out, "imported", true);
    if (released)
        json_out_bool(out, "released", true);
    write_amounts(out, row, &disks);
    rc = write_image(c, row, out, arena, e);
    if (!rc)
        rc = store_port_write_nics(c, row->id, out, arena, e);
    if (rc)
        return rc;
    json_out_raw(out, "topology", topology);
    json_out_raw(out, "metadata", row->metadata);
    write_key(out, row);
    json_out_text(out, "user_data", row->user_data);
    json_out_text(out, "zone", zone);
    write_operation(out, row);
    json_out_object_end(out);
    return 0;
}
