/* Flavors. Extra specs come with each row as one JSON text, which the two engines build in their own words. */
#include "db/store_flavor.h"
#include "db/store_event.h"
#include "db/store_ledger.h"
#include <string.h>

#define FLAVOR_COLUMNS                                                                                                 \
    "f.id, f.name, f.description, f.vcpus, f.memory_mib, f.root_gib, f.ephemeral_gib, f.swap_mib, f.rxtx_permille, "   \
    "f.is_public, f.disabled, f.created_us"
#define EXTRA_SQLITE ", (SELECT json_group_object(x.name, x.value) FROM flavor_extra_spec x WHERE x.flavor_id = f.id)"
#define EXTRA_POSTGRES                                                                                                 \
    ", (SELECT COALESCE(json_object_agg(x.name, x.value)::text, '{}') FROM flavor_extra_spec x WHERE x.flavor_id = "   \
    "f.id)"

static void map(const struct db_rows *rows, struct arena *a, struct flavor_row *ret)
{
    *ret = (struct flavor_row){
        .id = db_dup_text(rows, 0, a),
        .name = db_dup_text(rows, 1, a),
        .description = db_dup_text(rows, 2, a),
        .vcpus = db_get_int(rows, 3),
        .memory_mib = db_get_int(rows, 4),
        .root_gib = db_get_int(rows, 5),
        .ephemeral_gib = db_get_int(rows, 6),
        .swap_mib = db_get_int(rows, 7),
        .rxtx_permille = db_get_int(rows, 8),
        .is_public = db_get_int(rows, 9) != 0,
        .disabled = db_get_int(rows, 10) != 0,
        .created_us = db_get_int(rows, 11),
        .extra_specs = db_dup_text(rows, 12, a),
    };
}

#define BY_ID(extra)                                                                                                   \
    "SELECT " FLAVOR_COLUMNS extra " FROM flavor f WHERE f.id = $1 AND (f.is_public = 1 OR $3 = 1 OR EXISTS "          \
    "(SELECT 1 FROM flavor_access x WHERE x.flavor_id = f.id AND x.project_id = $2))"
DB_STATEMENT2(flavor_by_id, BY_ID(EXTRA_SQLITE), BY_ID(EXTRA_POSTGRES));
int store_flavor_get(struct db_conn *c, const char *id, const char *project_id, bool admin, struct arena *a,
                     struct flavor_row *ret, struct error *e)
{
    struct db_rows rows;
    struct flavor_row row;
    bool found;
    int rc = db_query(c, &flavor_by_id, &rows, e, DB_ARGS(db_text(id), db_text(project_id), db_int(admin)));
    if (rc)
        return rc;
    found = db_next(&rows);
    if (found)
        map(&rows, a, &row);
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "Flavor %s could not be found.", id);
    if (!rc)
        *ret = row;
    return rc;
}

DB_STATEMENT(
    flavor_insert,
    "INSERT INTO flavor (id, name, description, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, "
    "rxtx_permille, is_public, disabled, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
int store_flavor_insert(struct db_conn *c, const struct flavor_row *row, struct error *e)
{
    return db_exec(c, &flavor_insert, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->name), db_text(row->description), db_int(row->vcpus),
                           db_int(row->memory_mib), db_int(row->root_gib), db_int(row->ephemeral_gib),
                           db_int(row->swap_mib), db_int(row->rxtx_permille), db_int(row->is_public),
                           db_int(row->disabled), db_int(row->created_us)));
}

DB_STATEMENT(flavor_id_taken, "SELECT COUNT(*) FROM flavor WHERE id = $1");
DB_STATEMENT(flavor_name_taken, "SELECT COUNT(*) FROM flavor WHERE name = $1");
int store_flavor_taken(struct db_conn *c, const char *id, const char *name, bool *ret_id, bool *ret_name,
                       struct error *e)
{
    int64_t ids = 0, names = 0;
    int rc = db_query_int(c, &flavor_id_taken, &ids, e, DB_ARGS(db_text(id)));
    if (!rc)
        rc = db_query_int(c, &flavor_name_taken, &names, e, DB_ARGS(db_text(name)));
    if (rc)
        return rc;
    *ret_id = ids != 0;
    *ret_name = names != 0;
    return 0;
}

DB_STATEMENT(flavor_place, "SELECT created_us FROM flavor WHERE id = $1");
#define LIST(extra)                                                                                                    \
    "SELECT " FLAVOR_COLUMNS extra " FROM flavor f WHERE (f.created_us, f.id) > ($1, $2) AND (f.is_public = 1 - $3 "   \
    "OR $3 = 2) AND (f.is_public = 1 OR EXISTS (SELECT 1 FROM flavor_access y WHERE y.flavor_id = f.id AND "           \
    "y.project_id = $4) OR $4 IS NULL) AND f.root_gib >= $5 AND f.memory_mib >= $6 ORDER BY f.created_us, f.id "       \
    "LIMIT $7"
DB_STATEMENT2(flavor_list, LIST(EXTRA_SQLITE), LIST(EXTRA_POSTGRES));
int store_flavor_list(struct db_conn *c, const struct flavor_query *q, struct arena *a, store_flavor_fn each, void *arg,
                      struct error *e)
{
    struct db_rows rows;
    struct flavor_row row;
    int64_t from = INT64_MIN;
    int stop = 0, rc = 0;
    if (q->marker != NULL)
        rc = db_query_int(c, &flavor_place, &from, e, DB_ARGS(db_text(q->marker)));
    if (!rc)
        rc = db_query(c, &flavor_list, &rows, e,
                      DB_ARGS(db_int(from), db_text(q->marker != NULL ? q->marker : ""), db_int((int64_t)q->scope),
                              db_text(q->project_id), db_int(q->min_disk_gib), db_int(q->min_ram_mib),
                              db_int(q->limit)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        map(&rows, a, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(flavor_delete_specs, "DELETE FROM flavor_extra_spec WHERE flavor_id = $1");
DB_STATEMENT(flavor_delete_access, "DELETE FROM flavor_access WHERE flavor_id = $1");
DB_STATEMENT(flavor_delete, "DELETE FROM flavor WHERE id = $1");
int store_flavor_delete(struct db_conn *c, const char *id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &flavor_delete_specs, NULL, e, DB_ARGS(db_text(id)));
    if (!rc)
        rc = db_exec(c, &flavor_delete_access, NULL, e, DB_ARGS(db_text(id)));
    if (!rc)
        rc = db_exec(c, &flavor_delete, &changed, e, DB_ARGS(db_text(id)));
    if (!rc && changed == 0)
        rc = error_set(e, ERR_NOT_FOUND, "Flavor %s could not be found.", id);
    return rc;
}

DB_STATEMENT(flavor_describe, "UPDATE flavor SET description = $2 WHERE id = $1");
int store_flavor_describe(struct db_conn *c, const char *id, const char *description, struct error *e)
{
    return db_exec(c, &flavor_describe, NULL, e, DB_ARGS(db_text(id), db_text(description)));
}

DB_STATEMENT(flavor_set_spec, "INSERT INTO flavor_extra_spec (flavor_id, name, value) VALUES ($1, $2, $3) "
                              "ON CONFLICT (flavor_id, name) DO UPDATE SET value = excluded.value");
int store_flavor_set_spec(struct db_conn *c, const char *id, const char *name, const char *value, struct error *e)
{
    int rc = db_exec(c, &flavor_set_spec, NULL, e, DB_ARGS(db_text(id), db_text(name), db_text(value)));
    bool held = strncmp(name, STORE_EVENT_RESOURCES, strlen(STORE_EVENT_RESOURCES)) == 0;
    return rc || !held ? rc : store_ledger_class(c, name + strlen(STORE_EVENT_RESOURCES), e);
}

DB_STATEMENT(flavor_delete_spec, "DELETE FROM flavor_extra_spec WHERE flavor_id = $1 AND name = $2");
int store_flavor_delete_spec(struct db_conn *c, const char *id, const char *name, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &flavor_delete_spec, &changed, e, DB_ARGS(db_text(id), db_text(name)));
    if (!rc && changed == 0)
        rc = error_set(e, ERR_NOT_FOUND, "Flavor %s has no extra specs with key %s.", id, name);
    return rc;
}

DB_STATEMENT(flavor_allow, "INSERT INTO flavor_access (flavor_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING");
int store_flavor_allow(struct db_conn *c, const char *id, const char *project_id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &flavor_allow, &changed, e, DB_ARGS(db_text(id), db_text(project_id)));
    if (!rc && changed == 0)
        rc = error_set(e, ERR_CONFLICT, "Flavor access already exists for flavor %s and project %s combination.", id,
                       project_id);
    return rc;
}

DB_STATEMENT(flavor_deny, "DELETE FROM flavor_access WHERE flavor_id = $1 AND project_id = $2");
int store_flavor_deny(struct db_conn *c, const char *id, const char *project_id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &flavor_deny, &changed, e, DB_ARGS(db_text(id), db_text(project_id)));
    if (!rc && changed == 0)
        rc = error_set(e, ERR_NOT_FOUND, "Flavor access not found for %s / %s combination.", id, project_id);
    return rc;
}

DB_STATEMENT(flavor_list_access, "SELECT project_id FROM flavor_access WHERE flavor_id = $1 ORDER BY project_id");
int store_flavor_list_access(struct db_conn *c, const char *id, store_flavor_access_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &flavor_list_access, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows))
        stop = each(arg, db_get_text(&rows, 0), e);
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}
