/* Custom resources of hosts and allocations. A host's row counts what its allocations hold, as used_* of the host does
 * for the three; both change in one transaction. */
#include "db/store_resource.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "db/rows.h"
#include "db/store_cells.h"
#include "db/store_host_admin.h"
#include <stdlib.h>
#include <string.h>

bool store_resource_valid(const char *name)
{
    size_t length = strlen(name);
    for (int r = 0; r < RESOURCE_COUNT; r++)
        if (strcmp(resource_name((enum resource)r), name) == 0)
            return false;
    return length > 0 && length <= STORE_RESOURCE_NAME_MAX && !store_cells_is_class(name) &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == length;
}

/* ---- what allocations hold ---- */

DB_STATEMENT(resource_allocate, "INSERT INTO allocation (server_id, host_id, project_id, vcpus, memory_mib, disk_gib, "
                                "created_us, resources, topology) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
DB_STATEMENT(resource_count, "UPDATE host_resource SET used = used + $3 WHERE host_id = $1 AND name = $2");

static void write_holding(const struct store_holding *holding, struct strbuf *text)
{
    struct json_out out;
    json_out_init(&out, text);
    json_out_object(&out, NULL);
    for (size_t i = 0; i < holding->count; i++)
        json_out_int(&out, holding->item[i].name, holding->item[i].amount);
    json_out_object_end(&out);
}

int store_resource_hold(struct db_conn *c, const char *consumer_id, const char *host_id, const char *project_id,
                        const struct store_holding *holding, int64_t now_us, struct error *e)
{
    const int64_t *need = holding->need.amount;
    struct strbuf text;
    int64_t changed = 0;
    strbuf_init(&text, 0);
    if (holding->count > 0)
        write_holding(holding, &text);
    int rc = db_exec(c, &resource_allocate, NULL, e,
                     DB_ARGS(db_text(consumer_id), db_text(host_id), db_text(project_id), db_int(need[RESOURCE_VCPU]),
                             db_int(need[RESOURCE_MEMORY_MIB]), db_int(need[RESOURCE_DISK_GIB]), db_int(now_us),
                             db_text(holding->count > 0 ? text.data : NULL), db_text(holding->topology)));
    for (size_t i = 0; !rc && i < holding->count; i++) {
        if (store_cells_is_class(holding->item[i].name))
            continue;
        rc = db_exec(c, &resource_count, &changed, e,
                     DB_ARGS(db_text(host_id), db_text(holding->item[i].name), db_int(holding->item[i].amount)));
        if (!rc && changed == 0)
            rc = error_set(e, ERR_CORRUPT, "host %s has no %s", host_id, holding->item[i].name);
    }
    strbuf_done(&text);
    return rc;
}

struct giving {
    struct db_conn *conn;
    const char *host_id;
    struct error *error;
};

static int give_one(void *arg, const char *name, json_value *value)
{
    struct giving *g = arg;
    int64_t amount = 0;
    json_in_int(value, &amount);
    return db_exec(g->conn, &resource_count, NULL, g->error,
                   DB_ARGS(db_text(g->host_id), db_text(name), db_int(-amount)));
}

int store_resource_give_back(struct db_conn *c, const char *host_id, const char *resources, struct error *e)
{
    struct giving g = {c, host_id, e};
    struct json_doc doc;
    if (resources == NULL)
        return 0;
    int rc = json_in_parse(resources, strlen(resources), &doc, e);
    if (rc)
        return rc;
    rc = json_in_each(doc.root, give_one, &g);
    json_in_done(&doc);
    return rc;
}

/* ---- what hosts have ---- */

#define COLUMNS "host_id, name, total, reserved, ratio_permille, used, told"
DB_STATEMENT(resource_of_host, "SELECT " COLUMNS " FROM host_resource WHERE host_id = $1 ORDER BY name");
DB_STATEMENT(resource_of_all, "SELECT " COLUMNS " FROM host_resource ORDER BY host_id, name");
DB_STATEMENT(resource_get, "SELECT " COLUMNS " FROM host_resource WHERE host_id = $1 AND name = $2");

static void map(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct host_resource_row *)ret = (struct host_resource_row){
        .host_id = a != NULL ? db_dup_text(rows, 0, a) : NULL,
        .name = a != NULL ? db_dup_text(rows, 1, a) : NULL,
        .inventory = {.total = db_get_int(rows, 2),
                      .reserved = db_get_int(rows, 3),
                      .ratio_permille = db_get_int(rows, 4)},
        .used = db_get_int(rows, 5),
        .told = db_get_int(rows, 6) != 0,
    };
}

static int list_counted(struct db_conn *c, const char *host_id, struct arena *a, struct host_resource_row **ret,
                        size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = host_id != NULL ? db_query(c, &resource_of_host, &rows, e, DB_ARGS(db_text(host_id)))
                             : db_query(c, &resource_of_all, &rows, e, DB_NO_ARGS);
    return rc ? rc : rows_all(&rows, map, sizeof(**ret), a, ret, ret_count, e);
}

static int by_host_and_name(const void *a, const void *b)
{
    const struct host_resource_row *x = a, *y = b;
    int order = strcmp(x->host_id, y->host_id);
    return order != 0 ? order : strcmp(x->name, y->name);
}

int store_resource_list(struct db_conn *c, const char *host_id, struct arena *a, struct host_resource_row **ret,
                        size_t *ret_count, struct error *e)
{
    struct host_resource_row *counted = NULL, *cells = NULL;
    size_t counted_count = 0, cell_count = 0;
    int rc = list_counted(c, host_id, a, &counted, &counted_count, e);
    rc = rc ? rc : store_cells_resources(c, host_id, a, &cells, &cell_count, e);
    if (rc)
        return rc;
    struct host_resource_row *all = arena_array(a, counted_count + cell_count + 1, sizeof(*all));
    for (size_t i = 0; i < counted_count; i++)
        all[i] = counted[i];
    for (size_t i = 0; i < cell_count; i++)
        all[counted_count + i] = cells[i];
    qsort(all, counted_count + cell_count, sizeof(*all), by_host_and_name);
    *ret = all;
    *ret_count = counted_count + cell_count;
    return 0;
}

int store_resource_get(struct db_conn *c, const char *host_id, const char *name, struct host_resource_row *ret,
                       struct error *e)
{
    struct host_resource_row row = {0};
    struct db_rows rows;
    int rc = db_query(c, &resource_get, &rows, e, DB_ARGS(db_text(host_id), db_text(name)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    if (found)
        map(&rows, NULL, &row);
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        return error_set(e, ERR_NOT_FOUND, "No inventory of class %s for %s", name, host_id);
    row.host_id = host_id;
    row.name = name;
    if (!rc)
        *ret = row;
    return rc;
}

DB_STATEMENT(resource_revise, "UPDATE host SET allocation_revision = allocation_revision + 1 WHERE id = $1");
static int revise(struct db_conn *c, const char *host_id, struct error *e)
{
    int rc = store_host_admin_touch(c, host_id, e);
    return rc ? rc : db_exec(c, &resource_revise, NULL, e, DB_ARGS(db_text(host_id)));
}

static int check_set(struct db_conn *c, const char *host_id, const char *name, const struct resource_inventory *i,
                     struct error *e)
{
    struct host_resource_row row = {0}, *list = NULL;
    struct error none = {0};
    struct arena a;
    size_t count = 0, classes = 0;
    int rc = store_resource_get(c, host_id, name, &row, &none);
    if (!rc && row.used > resource_capacity(i))
        return error_set(e, ERR_CONFLICT, "servers on host %s hold %lld %s", host_id, (long long)row.used, name);
    if (rc && rc != ERR_NOT_FOUND)
        return error_set(e, rc, "%s", error_text(&none));
    if (!rc && row.inventory.total > 0)
        return 0;
    arena_init(&a);
    rc = store_resource_list(c, host_id, &a, &list, &count, e);
    for (size_t k = 0; !rc && k < count; k++)
        classes += list[k].inventory.total > 0 && strcmp(list[k].name, name) != 0;
    arena_done(&a);
    if (!rc && i->total > 0 && classes >= STORE_RESOURCE_CLASSES_MAX)
        rc = error_set(e, ERR_CONFLICT, "host %s has %d resource classes already", host_id, STORE_RESOURCE_CLASSES_MAX);
    return rc;
}

DB_STATEMENT(resource_put,
             "INSERT INTO host_resource (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, 0, $6) "
             "ON CONFLICT (host_id, name) DO UPDATE SET total = excluded.total, "
             "reserved = excluded.reserved, ratio_permille = excluded.ratio_permille, told = excluded.told");
DB_STATEMENT(resource_drop, "DELETE FROM host_resource WHERE host_id = $1 AND name = $2");
int store_resource_put(struct db_conn *c, const char *host_id, const char *name,
                       const struct resource_inventory *inventory, bool told, int64_t now_us, struct error *e)
{
    int rc = check_set(c, host_id, name, inventory, e);
    bool drop = inventory->total == 0 && told; /* an operator's none stays, lest the agent's word come back */
    if (!rc && drop)
        rc = db_exec(c, &resource_drop, NULL, e, DB_ARGS(db_text(host_id), db_text(name)));
    else if (!rc)
        rc = store_resource_class_add(c, name, now_us, e);
    if (!rc && !drop)
        rc = db_exec(c, &resource_put, NULL, e,
                     DB_ARGS(db_text(host_id), db_text(name), db_int(inventory->total), db_int(inventory->reserved),
                             db_int(inventory->ratio_permille), db_int(told)));
    return rc ? rc : revise(c, host_id, e);
}

int store_resource_set(struct db_conn *c, const char *host_id, const char *name,
                       const struct resource_inventory *inventory, int64_t now_us, struct error *e)
{
    return store_resource_put(c, host_id, name, inventory, false, now_us, e);
}

DB_STATEMENT(resource_ratio_vcpus, "UPDATE host SET ratio_vcpus = $2 WHERE id = $1");
DB_STATEMENT(resource_ratio_memory, "UPDATE host SET ratio_memory = $2 WHERE id = $1");
DB_STATEMENT(resource_ratio_disk, "UPDATE host SET ratio_disk = $2 WHERE id = $1");
int store_resource_set_ratio(struct db_conn *c, const char *host_id, enum resource r, int64_t ratio_permille,
                             struct error *e)
{
    static const struct db_statement *const statements[RESOURCE_COUNT] = {&resource_ratio_vcpus, &resource_ratio_memory,
                                                                          &resource_ratio_disk};
    int rc = db_exec(c, statements[r], NULL, e, DB_ARGS(db_text(host_id), db_int(ratio_permille)));
    return rc ? rc : revise(c, host_id, e);
}

DB_STATEMENT(resource_keep_vcpus,
             "UPDATE host SET kept_vcpus = $2, reserved_vcpus = COALESCE($2, reserved_vcpus) WHERE id = $1");
DB_STATEMENT(resource_keep_memory, "UPDATE host SET kept_memory_mib = $2, reserved_memory_mib = COALESCE($2, "
                                   "reserved_memory_mib) WHERE id = $1");
DB_STATEMENT(resource_keep_disk, "UPDATE host SET kept_disk_gib = $2, reserved_disk_gib = COALESCE($2, "
                                 "reserved_disk_gib) WHERE id = $1");
int store_resource_set_reserved(struct db_conn *c, const char *host_id, enum resource r, int64_t reserved,
                                struct error *e)
{
    static const struct db_statement *const statements[RESOURCE_COUNT] = {&resource_keep_vcpus, &resource_keep_memory,
                                                                          &resource_keep_disk};
    int rc = db_exec(c, statements[r], NULL, e, DB_ARGS(db_text(host_id), db_int_opt(reserved >= 0, reserved)));
    return rc ? rc : revise(c, host_id, e);
}

/* ---- classes ---- */

DB_STATEMENT(resource_classes, "SELECT name FROM resource_class ORDER BY name");
int store_resource_classes(struct db_conn *c, store_resource_class_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &resource_classes, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (!stop && db_next(&rows))
        stop = each(arg, db_get_text(&rows, 0), e);
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(resource_class_exists, "SELECT COUNT(*) FROM resource_class WHERE name = $1");
int store_resource_class_exists(struct db_conn *c, const char *name, bool *ret, struct error *e)
{
    int64_t count = 0;
    int rc = db_query_int(c, &resource_class_exists, &count, e, DB_ARGS(db_text(name)));
    if (!rc)
        *ret = count > 0;
    return rc;
}

DB_STATEMENT(resource_class_add,
             "INSERT INTO resource_class (name, created_us) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
int store_resource_class_add(struct db_conn *c, const char *name, int64_t now_us, struct error *e)
{
    return db_exec(c, &resource_class_add, NULL, e, DB_ARGS(db_text(name), db_int(now_us)));
}

DB_STATEMENT(resource_class_used,
             "SELECT COUNT(*) FROM (SELECT 1 FROM host_resource WHERE name = $1 AND total > 0 LIMIT 1) h");
DB_STATEMENT(resource_class_forget, "DELETE FROM host_resource WHERE name = $1 AND total = 0");
DB_STATEMENT(resource_class_remove, "DELETE FROM resource_class WHERE name = $1");
int store_resource_class_remove(struct db_conn *c, const char *name, struct error *e)
{
    int64_t used = 0, changed = 0;
    int rc = db_query_int(c, &resource_class_used, &used, e, DB_ARGS(db_text(name)));
    if (!rc && used > 0)
        return error_set(e, ERR_CONFLICT, "Cannot delete in-use resource class. Hosts have %s.", name);
    rc = rc ? rc : db_exec(c, &resource_class_forget, NULL, e, DB_ARGS(db_text(name)));
    rc = rc ? rc : db_exec(c, &resource_class_remove, &changed, e, DB_ARGS(db_text(name)));
    return rc || changed ? rc : error_set(e, ERR_NOT_FOUND, "No such resource class %s.", name);
}
