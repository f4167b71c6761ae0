/* Lists of servers: one statement for each order, direction and scope, so that every page is one walk along an order
 * and costs what it shows; the optional filters are the same in all. The marker's place is taken from its row first.
 * Deleted servers are listed from the history alone. */
#include "common/clock.h"
#include "db/store_host.h"
#include "db/store_server_internal.h"
#include <assert.h>
#include <limits.h>
#include <string.h>

/* One term to SQLite's planner: it would take each of many for a halving of the rows, and sort what seems to be left
 * instead of walking in order. */
#define FILTERS                                                                                                        \
    " AND CASE WHEN (s.id = $5 OR $5 IS NULL) AND (s.user_id = $6 OR $6 IS NULL) AND (s.image_id = $7 OR $7 IS NULL) " \
    "AND (s.flavor_id = $8 OR $8 IS NULL) AND (s.key_name = $9 OR $9 IS NULL) "                                        \
    "AND (s.reservation_id = $10 OR $10 IS NULL) AND (s.host_id = $11 OR h.name = $11 OR $11 IS NULL) "                \
    "AND (COALESCE(h.zone, s.zone) = $12 OR $12 IS NULL) AND (s.name LIKE $13 ESCAPE '\\' OR $13 IS NULL) "            \
    "AND ($14 LIKE '%,' || " SERVER_VM_STATE " || ',%' OR $14 IS NULL) "                                               \
    "AND ($15 LIKE '%,' || " SERVER_STATUS_SINCE(                                                                      \
        "$19") " || ',%' OR $15 IS NULL) "                                                                             \
               "AND (s.updated_us >= $16 OR $16 IS NULL) AND (s.updated_us <= $17 OR $17 IS NULL) "                    \
               "AND (CASE WHEN s.locked > 0 THEN 1 ELSE 0 END = $18 OR $18 IS NULL) "                                  \
               "THEN 1 ELSE 0 END = 1 "

/* An order by an index: the first page starts at the end of the range. By another column: without a marker $2 is NULL.
 */
#define WALK(scope, column, op, dir)                                                                                   \
    "SELECT " SERVER_COLUMNS SERVER_FROM "WHERE " scope " AND (" column ", s.id) " op " ($2, $3)" FILTERS              \
    "ORDER BY " column " " dir ", s.id " dir " LIMIT $4"
#define SORT(scope, column, op, dir)                                                                                   \
    "SELECT " SERVER_COLUMNS SERVER_FROM "WHERE " scope " AND ((" column ", s.id) " op                                 \
    " ($2, $3) OR $2 IS NULL)" FILTERS "ORDER BY " column " " dir ", s.id " dir " LIMIT $4"
#define OWN "s.project_id = $1"
#define ALL "(s.project_id = $1 OR $1 IS NULL)"

#define ORDERS(X)                                                                                                      \
    X(created, CREATED, WALK, "s.created_us")                                                                          \
    X(updated, UPDATED, SORT, "s.updated_us")                                                                          \
    X(launched, LAUNCHED, SORT, "COALESCE(s.launched_us, 0)")                                                          \
    X(name, NAME, SORT, "s.name")                                                                                      \
    X(hostname, HOSTNAME, SORT, "s.hostname")                                                                          \
    X(id, ID, SORT, "s.id")                                                                                            \
    X(project, PROJECT, SORT, "s.project_id")                                                                          \
    X(user, USER, SORT, "s.user_id")                                                                                   \
    X(image, IMAGE, SORT, "COALESCE(s.image_id, '')")                                                                  \
    X(flavor, FLAVOR, SORT, "s.flavor_id")                                                                             \
    X(key, KEY, SORT, "COALESCE(s.key_name, '')")                                                                      \
    X(zone, ZONE, SORT, "COALESCE(h.zone, s.zone, '')")                                                                \
    X(host, HOST, SORT, "COALESCE(h.name, '')")                                                                        \
    X(vm_state, VM_STATE, SORT, SERVER_VM_STATE)                                                                       \
    X(locked, LOCKED, SORT, "s.locked")

/* The walk over all projects is by the index server_by_created: no condition on the project at all. */
#define DECLARE(ident, order, form, column)                                                                            \
    DB_STATEMENT(server_list_own_##ident##_asc, form(OWN, column, ">", "ASC"));                                        \
    DB_STATEMENT(server_list_own_##ident##_desc, form(OWN, column, "<", "DESC"));                                      \
    DB_STATEMENT(server_list_all_##ident##_asc, form(ALL, column, ">", "ASC"));                                        \
    DB_STATEMENT(server_list_all_##ident##_desc, form(ALL, column, "<", "DESC"));                                      \
    DB_STATEMENT(server_place_##ident, "SELECT " column SERVER_FROM "WHERE s.id = $1");
ORDERS(DECLARE)

/* The usual page has no filter at all. */
#define PLAIN(scope, op, dir)                                                                                          \
    "SELECT " SERVER_COLUMNS SERVER_FROM "WHERE " scope " AND (s.created_us, s.id) " op " ($2, $3) "                   \
    "ORDER BY s.created_us " dir ", s.id " dir " LIMIT $4"
DB_STATEMENT(server_plain_own_asc, PLAIN(OWN, ">", "ASC"));
DB_STATEMENT(server_plain_own_desc, PLAIN(OWN, "<", "DESC"));
DB_STATEMENT(server_plain_all_asc, PLAIN(ALL, ">", "ASC"));
DB_STATEMENT(server_plain_all_desc, PLAIN(ALL, "<", "DESC"));
static const struct db_statement *const plain_own[] = {&server_plain_own_desc, &server_plain_own_asc};
static const struct db_statement *const plain_all[] = {&server_plain_all_desc, &server_plain_all_asc};

struct order {
    const struct db_statement *own[2], *all[2], *place;
    bool number; /* the column is an integer */
    bool walk;
};
#define ROW(ident, order, form, column)                                                                                \
    [SERVER_SORT_##order] = {.own = {&server_list_own_##ident##_desc, &server_list_own_##ident##_asc},                 \
                             .all = {&server_list_all_##ident##_desc, &server_list_all_##ident##_asc},                 \
                             .place = &server_place_##ident,                                                           \
                             .number = IS_NUMBER_##order,                                                              \
                             .walk = IS_WALK_##form},
#define IS_WALK_WALK       true
#define IS_WALK_SORT       false
#define IS_NUMBER_CREATED  true
#define IS_NUMBER_UPDATED  true
#define IS_NUMBER_LAUNCHED true
#define IS_NUMBER_LOCKED   true
#define IS_NUMBER_NAME     false
#define IS_NUMBER_HOSTNAME false
#define IS_NUMBER_ID       false
#define IS_NUMBER_PROJECT  false
#define IS_NUMBER_USER     false
#define IS_NUMBER_IMAGE    false
#define IS_NUMBER_FLAVOR   false
#define IS_NUMBER_KEY      false
#define IS_NUMBER_ZONE     false
#define IS_NUMBER_HOST     false
#define IS_NUMBER_VM_STATE false
static const struct order orders[SERVER_SORT_COUNT] = {ORDERS(ROW)};

/* Where the page starts: the marker's value, copied into `a`. */
static int read_place(struct db_conn *c, const struct order *order, const char *marker, struct arena *a,
                      struct db_value *ret, struct error *e)
{
    struct db_rows rows;
    bool found;
    int rc = db_query(c, order->place, &rows, e, DB_ARGS(db_text(marker)));
    if (rc)
        return rc;
    found = db_next(&rows);
    if (found)
        *ret = order->number ? db_int(db_get_int(&rows, 0)) : db_text(db_dup_text(&rows, 0, a));
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "marker [%s] not found", marker);
    return rc;
}

static bool is_plain(const struct server_query *q)
{
    return orders[q->sort].walk && q->id == NULL && q->user_id == NULL && q->image_id == NULL && q->flavor_id == NULL &&
           q->key_name == NULL && q->reservation_id == NULL && q->host == NULL && q->zone == NULL &&
           q->name_part == NULL && q->vm_states == NULL && q->statuses == NULL && q->changed_since_us == 0 &&
           q->changed_before_us == 0 && !q->by_lock;
}

/* What ids are compared with: those that share the marker's place come too when they are asked for. */
static const char *from_id(const struct server_query *q)
{
    if (q->from_place)
        return q->ascending ? "" : "g";
    return q->marker != NULL ? q->marker : "";
}

static int run_plain(struct db_conn *c, const struct server_query *q, struct db_value place, store_server_fn each,
                     void *arg, struct error *e)
{
    const struct db_statement *statement = (q->project_id != NULL ? plain_own : plain_all)[q->ascending];
    struct db_rows rows;
    int rc =
        db_query(c, statement, &rows, e, DB_ARGS(db_text(q->project_id), place, db_text(from_id(q)), db_int(q->limit)));
    return rc ? rc : store_server_walk(&rows, each, arg, e);
}

static int run(struct db_conn *c, const struct server_query *q, struct db_value place, store_server_fn each, void *arg,
               struct error *e)
{
    const struct order *order = &orders[q->sort];
    const struct db_statement *statement = q->project_id != NULL ? order->own[q->ascending] : order->all[q->ascending];
    struct db_rows rows;
    int rc = db_query(
        c, statement, &rows, e,
        DB_ARGS(db_text(q->project_id), place, db_text(from_id(q)), db_int(q->limit), db_text(q->id),
                db_text(q->user_id), db_text(q->image_id), db_text(q->flavor_id), db_text(q->key_name),
                db_text(q->reservation_id), db_text(q->host), db_text(q->zone), db_text(q->name_part),
                db_text(q->vm_states), db_text(q->statuses), db_int_opt(q->changed_since_us != 0, q->changed_since_us),
                db_int_opt(q->changed_before_us != 0, q->changed_before_us), db_int_opt(q->by_lock, q->locked),
                db_int_opt(q->now_us != 0, q->now_us - STORE_HOST_ALIVE_US)));
    return rc ? rc : store_server_walk(&rows, each, arg, e);
}

int store_server_list(struct db_conn *c, const struct server_query *q, store_server_fn each, void *arg, struct error *e)
{
    const struct order *order = &orders[q->sort];
    struct db_value place = db_null();
    struct arena a;
    int rc = 0;
    assert(q->sort < SERVER_SORT_COUNT);
    arena_init(&a);
    if (order->walk)
        place = db_int(q->ascending ? INT64_MIN : INT64_MAX);
    if (q->marker != NULL)
        rc = read_place(c, order, q->marker, &a, &place, e);
    if (!rc)
        rc = is_plain(q) ? run_plain(c, q, place, each, arg, e) : run(c, q, place, each, arg, e);
    arena_done(&a);
    return rc;
}

#define HISTORY_COLUMNS                                                                                                \
    "s.id, s.project_id, s.user_id, s.name, s.hostname, s.flavor_id, s.flavor_name, s.vcpus, s.memory_mib, "           \
    "s.root_gib, s.ephemeral_gib, s.image_id, s.host_id, s.zone, s.metadata, s.tags, s.created_us, s.launched_us, "    \
    "s.deleted_us, h.name, h.zone"
#define HISTORY(scope)                                                                                                 \
    "SELECT " HISTORY_COLUMNS " FROM server_history s LEFT JOIN host h ON h.id = s.host_id WHERE " scope               \
    " AND (s.deleted_us, s.id) < ($2, $3) AND (s.id = $5 OR $5 IS NULL) AND (s.user_id = $6 OR $6 IS NULL) "           \
    "AND (s.image_id = $7 OR $7 IS NULL) AND (s.flavor_id = $8 OR $8 IS NULL) "                                        \
    "AND (s.host_id = $9 OR h.name = $9 OR $9 IS NULL) AND (s.name LIKE $10 ESCAPE '\\' OR $10 IS NULL) "              \
    "AND s.deleted_us >= $11 AND s.deleted_us <= $12 ORDER BY s.deleted_us DESC, s.id DESC LIMIT $4"
DB_STATEMENT(server_history_own, HISTORY(OWN));
DB_STATEMENT(server_history_all, HISTORY(ALL));
DB_STATEMENT(server_history_place, "SELECT deleted_us FROM server_history WHERE id = $1");

static void map_deleted(const struct db_rows *rows, struct server_row *ret)
{
    *ret = (struct server_row){
        .id = db_get_text(rows, 0),
        .project_id = db_get_text(rows, 1),
        .user_id = db_get_text(rows, 2),
        .name = db_get_text(rows, 3),
        .hostname = db_get_text(rows, 4),
        .flavor_id = db_get_text(rows, 5),
        .flavor_name = db_get_text(rows, 6),
        .vcpus = db_get_int(rows, 7),
        .memory_mib = db_get_int(rows, 8),
        .root_gib = db_get_int(rows, 9),
        .ephemeral_gib = db_get_int(rows, 10),
        .flavor_extra = "{}",
        .image_id = db_get_text(rows, 11),
        .host_id = db_get_text(rows, 12),
        .zone = db_get_text(rows, 13),
        .metadata = db_get_text(rows, 14),
        .tags = db_get_text(rows, 15),
        .created_us = db_get_int(rows, 16),
        .launched_us = db_get_int(rows, 17),
        .deleted_us = db_get_int(rows, 18),
        .updated_us = db_get_int(rows, 18),
        .host_name = db_get_text(rows, 19),
        .host_zone = db_get_text(rows, 20),
        .hints = "{}",
        .security_groups = "[]",
        .addresses = "{}",
        .access_ipv4 = "",
        .access_ipv6 = "",
        .disk_config = "MANUAL",
        .reservation_id = "",
        .placement = SERVER_PLACEMENT_PLACED,
        .observed_state = SERVER_STATE_GONE,
        .desired_power = SERVER_POWER_STOPPED,
    };
}

static int walk_deleted(struct db_rows *rows, store_server_fn each, void *arg, struct error *e)
{
    struct server_row row;
    int stop = 0, rc;
    while (!stop && db_next(rows)) {
        map_deleted(rows, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(rows, e);
    return stop && stop != STORE_SERVER_STOP ? stop : rc;
}

int store_server_list_deleted(struct db_conn *c, const struct server_query *q, store_server_fn each, void *arg,
                              struct error *e)
{
    struct db_rows rows;
    int64_t from = INT64_MAX;
    int rc = 0;
    if (q->marker != NULL) {
        rc = db_query_int(c, &server_history_place, &from, e, DB_ARGS(db_text(q->marker)));
        if (rc == ERR_NOT_FOUND) {
            error_clear(e);
            rc = error_set(e, ERR_NOT_FOUND, "marker [%s] not found", q->marker);
        }
    }
    if (!rc)
        rc = db_query(c, q->project_id != NULL ? &server_history_own : &server_history_all, &rows, e,
                      DB_ARGS(db_text(q->project_id), db_int(from), db_text(q->marker != NULL ? q->marker : ""),
                              db_int(q->limit), db_text(q->id), db_text(q->user_id), db_text(q->image_id),
                              db_text(q->flavor_id), db_text(q->host), db_text(q->name_part),
                              db_int(q->changed_since_us),
                              db_int(q->changed_before_us != 0 ? q->changed_before_us : INT64_MAX)));
    return rc ? rc : walk_deleted(&rows, each, arg, e);
}

DB_STATEMENT(server_count_by_status,
             "SELECT " SERVER_STATUS_SINCE("$1") " AS status, COUNT(*)" SERVER_FROM "GROUP BY 1");
int store_server_count(struct db_conn *c, int64_t now_us, store_server_count_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0;
    int rc = db_query(c, &server_count_by_status, &rows, e, DB_ARGS(db_int(now_us - STORE_HOST_ALIVE_US)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows))
        stop = each(arg, db_get_text(&rows, 0), db_get_int(&rows, 1), e);
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}
