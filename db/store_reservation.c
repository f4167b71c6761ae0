/* Reservations. A free slot is an allocation under the slot's own id, so that a host's sums hold; a server that takes
 * it over takes the allocation's row, and nothing changes for the host but whose it is. */
#include "db/store_reservation.h"
#include "db/rows.h"
#include "db/store_host.h"

#define COLUMNS                                                                                                        \
    "r.id, r.project_id, r.name, r.flavor_id, r.flavor_name, r.flavor_extra, r.vcpus, r.memory_mib, r.disk_gib, "      \
    "r.zone, r.count, r.state, r.message, r.from_us, r.until_us, r.next_us, r.created_us, "                            \
    "(SELECT COUNT(*) FROM reservation_slot t WHERE t.reservation_id = r.id AND t.server_id IS NULL)"

static void map(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct reservation_row *)ret = (struct reservation_row){
        .id = rows_text(rows, 0, a),
        .project_id = rows_text(rows, 1, a),
        .name = rows_text(rows, 2, a),
        .flavor_id = rows_text(rows, 3, a),
        .flavor_name = rows_text(rows, 4, a),
        .flavor_extra = rows_text(rows, 5, a),
        .need = {{db_get_int(rows, 6), db_get_int(rows, 7), db_get_int(rows, 8)}},
        .zone = rows_text(rows, 9, a),
        .count = db_get_int(rows, 10),
        .state = rows_text(rows, 11, a),
        .message = rows_text(rows, 12, a),
        .from_us = db_get_int(rows, 13),
        .until_us = db_get_int(rows, 14),
        .next_us = db_get_int(rows, 15),
        .created_us = db_get_int(rows, 16),
        .free = db_get_int(rows, 17),
    };
}

DB_STATEMENT(
    reservation_insert,
    "INSERT INTO reservation (id, project_id, name, flavor_id, flavor_name, flavor_extra, vcpus, memory_mib, "
    "disk_gib, zone, count, state, from_us, until_us, next_us, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, "
    "$8, $9, $10, $11, 'pending', $12, $13, $12, $14)");
int store_reservation_insert(struct db_conn *c, const struct reservation_row *r, struct error *e)
{
    const int64_t *need = r->need.amount;
    db_wake(c, "placement");
    return db_exec(c, &reservation_insert, NULL, e,
                   DB_ARGS(db_text(r->id), db_text(r->project_id), db_text(r->name), db_text(r->flavor_id),
                           db_text(r->flavor_name), db_text(r->flavor_extra), db_int(need[RESOURCE_VCPU]),
                           db_int(need[RESOURCE_MEMORY_MIB]), db_int(need[RESOURCE_DISK_GIB]), db_text(r->zone),
                           db_int(r->count), db_int(r->from_us), db_int(r->until_us), db_int(r->created_us)));
}

DB_STATEMENT(reservation_get,
             "SELECT " COLUMNS " FROM reservation r WHERE r.id = $1 AND (r.project_id = $2 OR $2 IS NULL)");
int store_reservation_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                          struct reservation_row *ret, struct error *e)
{
    struct db_rows rows;
    struct reservation_row row;
    int rc = db_query(c, &reservation_get, &rows, e, DB_ARGS(db_text(id), db_text(project_id)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    if (found)
        map(&rows, a, &row);
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "Reservation %s could not be found.", id);
    if (!rc)
        *ret = row;
    return rc;
}

DB_STATEMENT(reservation_list_own, "SELECT " COLUMNS " FROM reservation r WHERE r.project_id = $1 AND r.id > $2 "
                                   "ORDER BY r.id LIMIT $3");
DB_STATEMENT(reservation_list_all, "SELECT " COLUMNS " FROM reservation r WHERE r.id > $1 ORDER BY r.id LIMIT $2");
int store_reservation_list(struct db_conn *c, const char *project_id, const struct page *page,
                           store_reservation_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0;
    int rc = project_id != NULL
                 ? db_query(c, &reservation_list_own, &rows, e,
                            DB_ARGS(db_text(project_id), PAGE_AFTER(page), PAGE_LIMIT(page)))
                 : db_query(c, &reservation_list_all, &rows, e, DB_ARGS(PAGE_AFTER(page), PAGE_LIMIT(page)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct reservation_row row;
        map(&rows, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(reservation_due,
             "SELECT " COLUMNS " FROM reservation r WHERE r.next_us <= $1 ORDER BY r.next_us LIMIT $2");
int store_reservation_due(struct db_conn *c, int64_t now_us, int64_t limit, struct arena *a,
                          struct reservation_row **ret_rows, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &reservation_due, &rows, e, DB_ARGS(db_int(now_us), db_int(limit)));
    return rc ? rc : rows_all(&rows, map, sizeof(**ret_rows), a, ret_rows, ret_count, e);
}

DB_STATEMENT(reservation_move, "UPDATE reservation SET state = $2, message = $3, next_us = $4 WHERE id = $1");
int store_reservation_move(struct db_conn *c, const char *id, const char *state, const char *message, int64_t next_us,
                           struct error *e)
{
    return db_exec(c, &reservation_move, NULL, e,
                   DB_ARGS(db_text(id), db_text(state), db_text(message), db_int(next_us)));
}

DB_STATEMENT(reservation_held,
             "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT), CAST(COALESCE(SUM(n * vcpus), 0) AS BIGINT), "
             "CAST(COALESCE(SUM(n * memory_mib), 0) AS BIGINT) FROM (SELECT r.vcpus, r.memory_mib, CASE WHEN r.state = "
             "'pending' THEN r.count ELSE (SELECT COUNT(*) FROM reservation_slot t WHERE t.reservation_id = r.id AND "
             "t.server_id IS NULL) END AS n FROM reservation r WHERE r.project_id = $1 AND r.state IN ('pending', "
             "'held')) h");
int store_reservation_held(struct db_conn *c, const char *project_id, struct quota_set *ret, struct error *e)
{
    struct db_rows rows;
    struct quota_set set = {{0}};
    int rc = db_query(c, &reservation_held, &rows, e, DB_ARGS(db_text(project_id)));
    if (rc)
        return rc;
    if (db_next(&rows)) {
        set.amount[QUOTA_INSTANCES] = db_get_int(&rows, 0);
        set.amount[QUOTA_CORES] = db_get_int(&rows, 1);
        set.amount[QUOTA_RAM] = db_get_int(&rows, 2);
    }
    rc = db_rows_done(&rows, e);
    if (!rc)
        *ret = set;
    return rc;
}

DB_STATEMENT(reservation_add_slot,
             "INSERT INTO reservation_slot (id, reservation_id, host_id, server_id) VALUES ($1, $2, $3, NULL)");
int store_reservation_add_slot(struct db_conn *c, const char *slot_id, const struct reservation_row *row,
                               const struct store_holding *holding, const char *host_id, int64_t now_us,
                               struct error *e)
{
    int rc = db_exec(c, &reservation_add_slot, NULL, e, DB_ARGS(db_text(slot_id), db_text(row->id), db_text(host_id)));
    return rc ? rc : store_resource_hold(c, slot_id, host_id, row->project_id, holding, now_us, e);
}

DB_STATEMENT(reservation_free, "SELECT id FROM reservation_slot WHERE reservation_id = $1 AND server_id IS NULL");
DB_STATEMENT(reservation_remove_slot, "DELETE FROM reservation_slot WHERE id = $1");
int store_reservation_release(struct db_conn *c, const char *id, struct arena *a, struct error *e)
{
    struct db_rows rows;
    const char **slots = NULL;
    size_t count = 0, room = 0;
    int rc = db_query(c, &reservation_free, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    while (db_next(&rows)) {
        slots = arena_more(a, slots, count, &room, sizeof(*slots));
        slots[count++] = db_dup_text(&rows, 0, a);
    }
    rc = db_rows_done(&rows, e);
    for (size_t i = 0; !rc && i < count; i++) {
        rc = store_host_release(c, slots[i], e);
        rc = rc ? rc : db_exec(c, &reservation_remove_slot, NULL, e, DB_ARGS(db_text(slots[i])));
    }
    return rc;
}

DB_STATEMENT(
    reservation_slots,
    "SELECT t.id, t.host_id FROM reservation_slot t JOIN host h ON h.id = t.host_id WHERE t.reservation_id = $1 "
    "AND t.server_id IS NULL AND h.enabled = 1 AND h.seen_us >= $2 AND (h.zone = $3 OR $3 IS NULL) "
    "ORDER BY t.id");
static void map_slot(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct reservation_slot *)ret =
        (struct reservation_slot){.id = rows_text(rows, 0, a), .host_id = rows_text(rows, 1, a)};
}

int store_reservation_slots(struct db_conn *c, const char *id, const char *zone, int64_t alive_us, struct arena *a,
                            struct reservation_slot **ret, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &reservation_slots, &rows, e, DB_ARGS(db_text(id), db_int(alive_us), db_text(zone)));
    return rc ? rc : rows_all(&rows, map_slot, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(reservation_take_slot, "UPDATE reservation_slot SET server_id = $2 WHERE id = $1");
DB_STATEMENT(reservation_take_room, "UPDATE allocation SET server_id = $2 WHERE server_id = $1");
DB_STATEMENT(reservation_bind, "UPDATE server SET host_id = $2, placement = 'placed', desired_revision = $3, "
                               "revision = revision + 1 WHERE id = $1 AND placement = 'waiting'");
DB_STATEMENT(reservation_settle,
             "UPDATE reservation SET state = 'used', next_us = $2 WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM "
             "reservation_slot t WHERE t.reservation_id = $1 AND t.server_id IS NULL)");
int store_reservation_use(struct db_conn *c, const char *id, const struct reservation_slot *slot, const char *server_id,
                          struct error *e)
{
    int64_t revision = 0;
    int rc = db_exec(c, &reservation_take_slot, NULL, e, DB_ARGS(db_text(slot->id), db_text(server_id)));
    if (!rc)
        rc = db_exec(c, &reservation_take_room, NULL, e, DB_ARGS(db_text(slot->id), db_text(server_id)));
    if (!rc)
        rc = store_host_bump(c, slot->host_id, &revision, e);
    if (!rc)
        rc = db_exec(c, &reservation_bind, NULL, e,
                     DB_ARGS(db_text(server_id), db_text(slot->host_id), db_int(revision)));
    return rc ? rc : db_exec(c, &reservation_settle, NULL, e, DB_ARGS(db_text(id), db_int(STORE_RESERVATION_NEVER)));
}
