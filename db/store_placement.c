/* The scheduler's statements. The commit of a batch compares and sets each host's allocation_revision, so that two
 * schedulers that decide at once never book the same room; a server that was deleted meanwhile simply is not there to
 * be bound. */
#include "db/store_placement.h"
#include "db/store_host_reach.h"
#include <string.h>

/* Of a host that is asleep nobody heard. */
#define HEARD "CASE WHEN asleep_us > 0 THEN 0 ELSE seen_us END"
#define HOST_COLUMNS                                                                                                   \
    "id, zone, hypervisor, architecture, traits, enabled, " HEARD ", vcpus, reserved_vcpus, ratio_vcpus, memory_mib, " \
    "reserved_memory_mib, ratio_memory, disk_gib, reserved_disk_gib, ratio_disk, used_vcpus, used_memory_mib, "        \
    "used_disk_gib, server_count, allocation_revision, feed, dedicated_project_id, cpu, hypervisor_version, "          \
    "reach_networks, "                                                                                                 \
    "told_networks, reach_storage, told_storage"

static struct resource_inventory read_inventory(const struct db_rows *rows, int column)
{
    return (struct resource_inventory){.total = db_get_int(rows, column),
                                       .reserved = db_get_int(rows, column + 1),
                                       .ratio_permille = db_get_int(rows, column + 2)};
}

static void read_host(const struct db_rows *rows, struct placement_host_row *ret)
{
    ret->id = db_get_text(rows, 0);
    ret->zone = db_get_text(rows, 1);
    ret->hypervisor = db_get_text(rows, 2);
    ret->architecture = db_get_text(rows, 3);
    ret->traits = db_get_text(rows, 4);
    ret->enabled = db_get_int(rows, 5) != 0;
    ret->seen_us = db_get_int(rows, 6);
    ret->inventory[RESOURCE_VCPU] = read_inventory(rows, 7);
    ret->inventory[RESOURCE_MEMORY_MIB] = read_inventory(rows, 10);
    ret->inventory[RESOURCE_DISK_GIB] = read_inventory(rows, 13);
    ret->used.amount[RESOURCE_VCPU] = db_get_int(rows, 16);
    ret->used.amount[RESOURCE_MEMORY_MIB] = db_get_int(rows, 17);
    ret->used.amount[RESOURCE_DISK_GIB] = db_get_int(rows, 18);
    ret->server_count = db_get_int(rows, 19);
    ret->allocation_revision = db_get_int(rows, 20);
    ret->feed = db_get_int(rows, 21);
    ret->dedicated_project_id = db_get_text(rows, 22);
    ret->cpu = db_get_text(rows, 23);
    ret->hypervisor_version = db_get_int(rows, 24);
    ret->networks = store_host_reach_of(db_get_text(rows, 25), db_get_text(rows, 26));
    ret->storage = store_host_reach_of(db_get_text(rows, 27), db_get_text(rows, 28));
    ret->aggregates = db_get_text(rows, 29);
    ret->resources = db_get_text(rows, 30);
    ret->topology = db_get_text(rows, 31);
    ret->given = db_get_text(rows, 32);
}

#define RESOURCE_TEXT                                                                                                  \
    "r.name || ' ' || CAST(r.total AS TEXT) || ' ' || CAST(r.reserved AS TEXT) || ' ' || "                             \
    "CAST(r.ratio_permille AS TEXT) || ' ' || CAST(r.used AS TEXT), ','"
#define CELLS(concat)                                                                                                  \
    "topology, (SELECT '[' || " concat "(l.topology, ',') || ']' FROM allocation l WHERE l.host_id = host.id AND "     \
    "l.topology IS NOT NULL)"
#define OF_HOST "FROM aggregate a JOIN aggregate_host m ON m.aggregate_id = a.id WHERE m.host_id = host.id), "
#define HOSTS(concat)                                                                                                  \
    "SELECT " HOST_COLUMNS ", (SELECT '[' || " concat "(a.metadata, ',') || ']' " OF_HOST "(SELECT " concat            \
    "(" RESOURCE_TEXT                                                                                                  \
    ") FROM host_resource r WHERE r.host_id = host.id AND r.total > 0), " CELLS(concat) " FROM host "
DB_STATEMENT2(placement_hosts, HOSTS("group_concat") "WHERE feed > $1 ORDER BY feed",
              HOSTS("string_agg") "WHERE feed > $1 ORDER BY feed");
DB_STATEMENT2(placement_host, HOSTS("group_concat") "WHERE id = $1", HOSTS("string_agg") "WHERE id = $1");

/* Opened by db_query; ended in any case. */
static int each_host(struct db_rows *rows, void (*map)(const struct db_rows *rows, struct placement_host_row *ret),
                     placement_host_fn fn, void *arg, struct error *e)
{
    int rc = 0;
    while (!rc && db_next(rows)) {
        struct placement_host_row row = {0};
        map(rows, &row);
        rc = fn(arg, &row, e);
    }
    int end = db_rows_done(rows, e);
    return rc ? rc : end;
}

int store_placement_hosts(struct db_conn *c, int64_t feed, placement_host_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &placement_hosts, &rows, e, DB_ARGS(db_int(feed)));
    return rc ? rc : each_host(&rows, read_host, fn, arg, e);
}

int store_placement_host(struct db_conn *c, const char *host_id, placement_host_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &placement_host, &rows, e, DB_ARGS(db_text(host_id)));
    return rc ? rc : each_host(&rows, read_host, fn, arg, e);
}

static void read_seen(const struct db_rows *rows, struct placement_host_row *ret)
{
    ret->id = db_get_text(rows, 0);
    ret->seen_us = db_get_int(rows, 1);
}

DB_STATEMENT(placement_seen, "SELECT id, " HEARD " FROM host");
int store_placement_seen(struct db_conn *c, placement_host_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &placement_seen, &rows, e, DB_NO_ARGS);
    return rc ? rc : each_host(&rows, read_seen, fn, arg, e);
}

static void read_name(const struct db_rows *rows, struct placement_host_row *ret)
{
    ret->id = db_get_text(rows, 0);
    ret->name = db_get_text(rows, 1);
    ret->address = db_get_text(rows, 2);
}

DB_STATEMENT(placement_names, "SELECT id, name, address FROM host");
int store_placement_names(struct db_conn *c, placement_host_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &placement_names, &rows, e, DB_NO_ARGS);
    return rc ? rc : each_host(&rows, read_name, fn, arg, e);
}

int store_placement_read_waiting(struct db_rows *rows, struct arena *a, struct placement_waiting_row **ret_rows,
                                 size_t *ret_count, struct error *e)
{
    struct placement_waiting_row *found = NULL;
    size_t count = 0, room = 0;
    while (db_next(rows)) {
        found = arena_more(a, found, count, &room, sizeof(*found));
        struct placement_waiting_row *w = &found[count++];
        memset(w, 0, sizeof(*w));
        strncpy(w->id, db_get_text(rows, 0), sizeof(w->id) - 1);
        w->project_id = db_dup_text(rows, 1, a);
        w->zone = db_dup_text(rows, 2, a);
        w->group_id = db_dup_text(rows, 3, a);
        w->flavor_extra = db_dup_text(rows, 4, a);
        w->hints = db_dup_text(rows, 5, a);
        w->image_properties = db_dup_text(rows, 6, a);
        w->need.amount[RESOURCE_VCPU] = db_get_int(rows, 7);
        w->need.amount[RESOURCE_MEMORY_MIB] = db_get_int(rows, 8);
        w->need.amount[RESOURCE_DISK_GIB] = db_get_int(rows, 9);
        w->queued_us = db_get_int(rows, 10);
        w->until_us = db_get_int(rows, 11);
        w->image_kind = db_dup_text(rows, 12, a);
        w->batch_id = db_dup_text(rows, 13, a);
        w->batch_least = db_get_int(rows, 14);
        w->spot = !db_is_null(rows, 15);
        w->only_host = db_dup_text(rows, 16, a);
    }
    int rc = db_rows_done(rows, e);
    if (!rc) {
        *ret_rows = found;
        *ret_count = count;
    }
    return rc;
}

/* One that comes from the shelf is made of the image that it was there. */
#define PLACEMENT_IMAGE "coalesce((SELECT f.image_id FROM server_shelf f WHERE f.server_id = s.id), s.image_id)"
DB_STATEMENT(placement_waiting,
             "SELECT " PLACEMENT_WAITING_COLUMNS " FROM placement_queue q JOIN server s ON s.id = q.server_id "
             "LEFT JOIN image i ON i.id = " PLACEMENT_IMAGE
             " WHERE q.parked_us IS NULL ORDER BY q.created_us, q.server_id "
             "LIMIT $1");
int store_placement_waiting(struct db_conn *c, int64_t limit, struct arena *a, struct placement_waiting_row **ret_rows,
                            size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &placement_waiting, &rows, e, DB_ARGS(db_int(limit)));
    return rc ? rc : store_placement_read_waiting(&rows, a, ret_rows, ret_count, e);
}

DB_STATEMENT(placement_waiting_batch,
             "SELECT " PLACEMENT_WAITING_COLUMNS " FROM placement_queue q JOIN server s ON s.id = q.server_id "
             "LEFT JOIN image i ON i.id = " PLACEMENT_IMAGE " WHERE q.batch_id = $1 AND q.parked_us IS NULL "
             "ORDER BY q.server_id");
int store_placement_waiting_batch(struct db_conn *c, const char *batch_id, struct arena *a,
                                  struct placement_waiting_row **ret_rows, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &placement_waiting_batch, &rows, e, DB_ARGS(db_text(batch_id)));
    return rc ? rc : store_placement_read_waiting(&rows, a, ret_rows, ret_count, e);
}

DB_STATEMENT(placement_batch_size, "SELECT COUNT(*) FROM placement_queue WHERE batch_id = $1 AND parked_us IS NULL");
int store_placement_batch_size(struct db_conn *c, const char *batch_id, int64_t *ret, struct error *e)
{
    return db_query_int(c, &placement_batch_size, ret, e, DB_ARGS(db_text(batch_id)));
}

DB_STATEMENT(placement_batch_end, "UPDATE placement_queue SET batch_id = NULL WHERE batch_id = $1");
int store_placement_batch_end(struct db_conn *c, const char *batch_id, struct error *e)
{
    return db_exec(c, &placement_batch_end, NULL, e, DB_ARGS(db_text(batch_id)));
}

DB_STATEMENT(placement_queue_depth, "SELECT count(*) FROM placement_queue");
int store_placement_queue_depth(struct db_conn *c, int64_t *ret, struct error *e)
{
    return db_query_int(c, &placement_queue_depth, ret, e, DB_NO_ARGS);
}

DB_STATEMENT(placement_group, "SELECT policy, max_per_host, name FROM server_group WHERE id = $1");
DB_STATEMENT(placement_group_members,
             "SELECT host_id, count(*) FROM server WHERE group_id = $1 AND host_id IS NOT NULL GROUP BY host_id");
int store_placement_group(struct db_conn *c, const char *group_id, struct arena *a, struct placement_group_row *ret,
                          struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &placement_group, &rows, e, DB_ARGS(db_text(group_id)));
    if (rc) {
        return rc;
    }
    struct placement_group_row group = {0};
    bool found = db_next(&rows);
    if (found) {
        strncpy(group.policy, db_get_text(&rows, 0), sizeof(group.policy) - 1);
        group.max_per_host = db_get_int(&rows, 1);
        group.name = db_dup_text(&rows, 2, a);
    }
    rc = db_rows_done(&rows, e);
    if (rc || !found) {
        return rc ? rc : error_set(e, ERR_NOT_FOUND, "server group %s could not be found", group_id);
    }
    rc = db_query(c, &placement_group_members, &rows, e, DB_ARGS(db_text(group_id)));
    if (rc) {
        return rc;
    }
    size_t capacity = 0;
    while (db_next(&rows)) {
        if (group.member_count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            struct placement_group_member *grown = arena_array(a, capacity, sizeof(*grown));
            if (group.member_count > 0) {
                memcpy(grown, group.members, group.member_count * sizeof(*grown));
            }
            group.members = grown;
        }
        struct placement_group_member *m = &group.members[group.member_count++];
        strncpy(m->host_id, db_get_text(&rows, 0), sizeof(m->host_id) - 1);
        m->count = db_get_int(&rows, 1);
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret = group;
    }
    return rc;
}

DB_STATEMENT(placement_host_of, "SELECT host_id FROM server WHERE id = $1");
int store_placement_host_of(struct db_conn *c, const char *server_id, char ret_host_id[40], struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &placement_host_of, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc) {
        return rc;
    }
    bool found = db_next(&rows);
    char host[40] = "";
    if (found && !db_is_null(&rows, 0)) {
        strncpy(host, db_get_text(&rows, 0), sizeof(host) - 1);
    }
    rc = db_rows_done(&rows, e);
    if (rc || !found) {
        return rc ? rc : error_set(e, ERR_NOT_FOUND, "server %s could not be found", server_id);
    }
    memcpy(ret_host_id, host, sizeof(host));
    return 0;
}

DB_STATEMENT(placement_take,
             "UPDATE host SET used_vcpus = used_vcpus + $3, used_memory_mib = used_memory_mib + $4, "
             "used_disk_gib = used_disk_gib + $5, server_count = server_count + $6, "
             "desired_revision = desired_revision + $6, allocation_revision = allocation_revision + 1, feed = $7 "
             "WHERE id = $1 AND allocation_revision = $2 AND enabled = 1 RETURNING desired_revision");
int store_placement_take(struct db_conn *c, const char *host_id, int64_t expected, const struct resources *sum,
                         int64_t count, int64_t feed, int64_t *ret_first_revision, struct error *e)
{
    int64_t last = 0;
    struct error none = {0};
    int rc = db_query_int(c, &placement_take, &last, &none,
                          DB_ARGS(db_text(host_id), db_int(expected), db_int(sum->amount[RESOURCE_VCPU]),
                                  db_int(sum->amount[RESOURCE_MEMORY_MIB]), db_int(sum->amount[RESOURCE_DISK_GIB]),
                                  db_int(count), db_int(feed)));
    if (rc == ERR_NOT_FOUND) {
        return error_set(e, ERR_CONFLICT, "the allocations of host %s have changed", host_id);
    }
    if (rc) {
        return error_set(e, rc, "%s", error_text(&none));
    }
    *ret_first_revision = last - count + 1;
    return 0;
}

DB_STATEMENT(placement_untake, "UPDATE host SET used_vcpus = used_vcpus - $2, used_memory_mib = used_memory_mib - $3, "
                               "used_disk_gib = used_disk_gib - $4, server_count = server_count - 1 WHERE id = $1");
int store_placement_untake(struct db_conn *c, const char *host_id, const struct resources *need, struct error *e)
{
    return db_exec(c, &placement_untake, NULL, e,
                   DB_ARGS(db_text(host_id), db_int(need->amount[RESOURCE_VCPU]),
                           db_int(need->amount[RESOURCE_MEMORY_MIB]), db_int(need->amount[RESOURCE_DISK_GIB])));
}

DB_STATEMENT(placement_bind, "UPDATE server SET host_id = $2, placement = 'placed', desired_revision = $3, "
                             "revision = revision + 1 WHERE id = $1 AND placement = 'waiting' AND desired_exists = 1");
DB_STATEMENT(placement_dequeue, "DELETE FROM placement_queue WHERE server_id = $1");
int store_placement_bind(struct db_conn *c, const struct placement_waiting_row *server,
                         const struct store_holding *holding, const char *host_id, int64_t desired_revision,
                         int64_t now_us, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &placement_bind, &changed, e,
                     DB_ARGS(db_text(server->id), db_text(host_id), db_int(desired_revision)));
    if (rc) {
        return rc;
    }
    if (changed == 0) {
        return ERR_NOT_FOUND;
    }
    rc = store_resource_hold(c, server->id, host_id, server->project_id, holding, now_us, e);
    return rc ? rc : db_exec(c, &placement_dequeue, NULL, e, DB_ARGS(db_text(server->id)));
}

DB_STATEMENT(placement_fail, "UPDATE server SET placement = 'failed', fault_code = 500, fault_message = $2, "
                             "fault_us = $3, updated_us = $3, deadline_us = NULL, revision = revision + 1 "
                             "WHERE id = $1 AND placement = 'waiting' "
                             "AND (operation IS NULL OR operation <> 'unshelving')");
/* It stays on the shelf. */
DB_STATEMENT(
    placement_fail_unshelve,
    "UPDATE server SET placement = 'placed', desired_power = 'stopped', operation = NULL, operation_id = NULL, "
    "deadline_us = NULL, updated_us = $2, revision = revision + 1 "
    "WHERE id = $1 AND placement = 'waiting' AND operation = 'unshelving'");
DB_STATEMENT(placement_fail_operation,
             "UPDATE operation SET state = 'failed', message = $2, updated_us = $3, finished_us = $3 "
             "WHERE server_id = $1 AND action IN ('create', 'unshelve') AND state = 'running'");
int store_placement_fail(struct db_conn *c, const char *server_id, const char *message, int64_t now_us, struct error *e)
{
    int rc = db_exec(c, &placement_fail, NULL, e, DB_ARGS(db_text(server_id), db_text(message), db_int(now_us)));
    if (!rc) {
        rc = db_exec(c, &placement_fail_unshelve, NULL, e, DB_ARGS(db_text(server_id), db_int(now_us)));
    }
    if (!rc) {
        rc = db_exec(c, &placement_fail_operation, NULL, e,
                     DB_ARGS(db_text(server_id), db_text(message), db_int(now_us)));
    }
    return rc ? rc : db_exec(c, &placement_dequeue, NULL, e, DB_ARGS(db_text(server_id)));
}
