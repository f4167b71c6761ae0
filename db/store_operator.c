/* Figures and contradictions. A check is a query that gives (subject, detail) for what must not be; all of them are in
 * one table. */
#include "db/store_operator.h"
#include "db/store_host.h"

/* ---- figures ---- */

DB_STATEMENT(operator_hosts, "SELECT COUNT(*) FROM host WHERE CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_hosts_up, "SELECT COUNT(*) FROM host WHERE seen_us >= $1");
DB_STATEMENT(operator_hosts_disabled, "SELECT COUNT(*) FROM host WHERE enabled = 0 AND CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_servers, "SELECT COUNT(*) FROM server WHERE CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_running,
             "SELECT COUNT(*) FROM server WHERE observed_state = 'running' AND CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_faulty, "SELECT COUNT(*) FROM server WHERE fault_code IS NOT NULL AND CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_queue, "SELECT COUNT(*) FROM placement_queue WHERE CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_projects, "SELECT COUNT(*) FROM project WHERE is_domain = 0 AND CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_users, "SELECT COUNT(*) FROM user_account WHERE CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_images, "SELECT COUNT(*) FROM image WHERE CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_networks, "SELECT COUNT(*) FROM network WHERE CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_meter_lag, "SELECT COALESCE((SELECT MAX(id) FROM lifecycle_event), 0) - "
                                 "COALESCE((SELECT MIN(position) FROM meter_cursor), 0) WHERE CAST($1 AS BIGINT) >= 0");

/* $1: a host heard since then is up. */
static const struct {
    const char *name;
    const struct db_statement *statement;
} figures[] = {
    {"hosts", &operator_hosts},
    {"hosts up", &operator_hosts_up},
    {"hosts disabled", &operator_hosts_disabled},
    {"servers", &operator_servers},
    {"servers running", &operator_running},
    {"servers with a fault", &operator_faulty},
    {"servers waiting for a host", &operator_queue},
    {"projects", &operator_projects},
    {"users", &operator_users},
    {"images", &operator_images},
    {"networks", &operator_networks},
    {"events not yet metered", &operator_meter_lag},
};

size_t store_operator_figure_count(void)
{
    return sizeof(figures) / sizeof(figures[0]);
}

const char *store_operator_figure_name(size_t index)
{
    return figures[index].name;
}

int store_operator_figure(struct db_conn *c, size_t index, int64_t now_us, int64_t *ret, struct error *e)
{
    return db_query_int(c, figures[index].statement, ret, e, DB_ARGS(db_int(now_us - STORE_HOST_ALIVE_US)));
}

DB_STATEMENT(operator_level, "SELECT COALESCE(MAX(number), 0) FROM schema_migration");
int store_operator_level(struct db_conn *c, int64_t *ret, struct error *e)
{
    return db_query_int(c, &operator_level, ret, e, DB_NO_ARGS);
}

DB_STATEMENT(operator_leases, "SELECT name, holder, epoch, until_us FROM lease ORDER BY name");
int store_operator_leases(struct db_conn *c, store_operator_lease_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &operator_leases, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (!stop && db_next(&rows))
        stop = each(arg, db_get_text(&rows, 0), db_get_text(&rows, 1), db_get_int(&rows, 2), db_get_int(&rows, 3), e);
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

/* ---- contradictions; $1 is now ---- */

#define SUMS                                                                                                           \
    "(SELECT host_id, CAST(SUM(vcpus) AS BIGINT) AS v, CAST(SUM(memory_mib) AS BIGINT) AS m, "                         \
    "CAST(SUM(disk_gib) AS BIGINT) AS d, COUNT(*) AS n FROM allocation GROUP BY host_id)"
DB_STATEMENT(
    operator_host_sums,
    "SELECT h.name, 'recorded ' || CAST(h.used_vcpus AS TEXT) || ' VCPU ' || CAST(h.used_memory_mib AS TEXT) || "
    "' MiB ' || CAST(h.used_disk_gib AS TEXT) || ' GiB ' || CAST(h.server_count AS TEXT) || ' servers, allocated ' || "
    "CAST(COALESCE(a.v, 0) AS TEXT) || ' ' || CAST(COALESCE(a.m, 0) AS TEXT) || ' ' || CAST(COALESCE(a.d, 0) AS TEXT) "
    "|| ' ' || CAST(COALESCE(a.n, 0) AS TEXT) FROM host h LEFT JOIN " SUMS " a ON a.host_id = h.id "
    "WHERE CAST($1 AS BIGINT) >= 0 AND (h.used_vcpus <> COALESCE(a.v, 0) OR h.used_memory_mib <> COALESCE(a.m, 0) OR "
    "h.used_disk_gib <> COALESCE(a.d, 0) OR h.server_count <> COALESCE(a.n, 0))");
DB_STATEMENT(
    operator_host_full,
    "SELECT name, 'used ' || CAST(used_vcpus AS TEXT) || ' VCPU ' || CAST(used_memory_mib AS TEXT) || ' MiB ' || "
    "CAST(used_disk_gib AS TEXT) || ' GiB' FROM host WHERE CAST($1 AS BIGINT) >= 0 AND "
    "(used_vcpus * 1000 > (vcpus - reserved_vcpus) * ratio_vcpus OR "
    "used_memory_mib * 1000 > (memory_mib - reserved_memory_mib) * ratio_memory OR "
    "used_disk_gib * 1000 > (disk_gib - reserved_disk_gib) * ratio_disk)");
#define RESOURCE_SUMS_HEAD                                                                                             \
    "SELECT h.name, 'recorded and allocated ' || d.name || ' differ by ' || CAST(d.used AS TEXT) FROM (SELECT "        \
    "host_id, name, CAST(SUM(used) AS BIGINT) AS used FROM (SELECT host_id, name, used FROM host_resource UNION ALL "
#define RESOURCE_SUMS_TAIL                                                                                             \
    " WHERE a.resources IS NOT NULL) b GROUP BY host_id, name) d JOIN host h ON h.id = d.host_id WHERE d.used <> 0 "   \
    "AND CAST($1 AS BIGINT) >= 0"
DB_STATEMENT2(operator_resource_sums,
              RESOURCE_SUMS_HEAD
              "SELECT a.host_id, j.key, -j.value FROM allocation a, json_each(a.resources) j" RESOURCE_SUMS_TAIL,
              RESOURCE_SUMS_HEAD "SELECT a.host_id, j.key, -CAST(j.value AS BIGINT) FROM allocation a, "
                                 "json_each_text(CAST(a.resources AS json)) j" RESOURCE_SUMS_TAIL);
DB_STATEMENT(operator_resource_full,
             "SELECT h.name, CAST(r.used AS TEXT) || ' ' || r.name || ' are used' FROM host_resource r JOIN host h "
             "ON h.id = r.host_id WHERE CAST($1 AS BIGINT) >= 0 AND r.used * 1000 > (r.total - r.reserved) * "
             "r.ratio_permille");
DB_STATEMENT(operator_allocation_alone,
             "SELECT a.server_id, 'on host ' || a.host_id FROM allocation a "
             "LEFT JOIN server s ON s.id = a.server_id LEFT JOIN migration m ON m.uuid = a.server_id AND m.ended = 0 "
             "WHERE s.id IS NULL AND m.id IS NULL AND CAST($1 AS BIGINT) >= 0 AND NOT EXISTS "
             "(SELECT 1 FROM reservation_slot r WHERE r.id = a.server_id AND r.server_id IS NULL)");
DB_STATEMENT(
    operator_allocation_elsewhere,
    "SELECT s.id, 'server on ' || COALESCE(s.host_id, 'no host') || ', allocation on ' || a.host_id FROM allocation a "
    "JOIN server s ON s.id = a.server_id WHERE CAST($1 AS BIGINT) >= 0 AND (s.host_id IS NULL OR s.host_id <> "
    "a.host_id)");
DB_STATEMENT(
    operator_server_unallocated,
    "SELECT s.id, 'on host ' || COALESCE(s.host_id, 'none') FROM server s LEFT JOIN allocation a ON a.server_id = s.id "
    "WHERE s.placement = 'placed' AND a.server_id IS NULL AND CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_server_homeless, "SELECT s.id, s.host_id FROM server s LEFT JOIN host h ON h.id = s.host_id "
                                       "WHERE s.host_id IS NOT NULL AND h.id IS NULL AND CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(
    operator_server_unqueued,
    "SELECT s.id, s.name FROM server s LEFT JOIN placement_queue q ON q.server_id = s.id "
    "WHERE s.placement = 'waiting' AND s.desired_exists = 1 AND q.server_id IS NULL AND CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_queue_alone, "SELECT q.server_id, COALESCE(s.placement, 'no such server') FROM placement_queue q "
                                   "LEFT JOIN server s ON s.id = q.server_id "
                                   "WHERE CAST($1 AS BIGINT) >= 0 AND (s.id IS NULL OR s.placement <> 'waiting')");
DB_STATEMENT(
    operator_server_overdue,
    "SELECT id, name FROM server WHERE deadline_us IS NOT NULL AND deadline_us < CAST($1 AS BIGINT) - 60000000");
DB_STATEMENT(operator_server_twice,
             "SELECT s.id, s.name FROM server s JOIN server_history h ON h.id = s.id WHERE CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_usage_sums,
             "SELECT u.project_id, 'recorded ' || CAST(u.instances AS TEXT) || ' servers ' || CAST(u.cores AS TEXT) || "
             "' VCPU ' || "
             "CAST(u.ram AS TEXT) || ' MiB, really ' || CAST(COALESCE(s.n, 0) AS TEXT) || ' ' || CAST(COALESCE(s.v, 0) "
             "AS TEXT) || "
             "' ' || CAST(COALESCE(s.m, 0) AS TEXT) FROM project_usage u LEFT JOIN (SELECT project_id, COUNT(*) AS n, "
             "CAST(SUM(vcpus) AS BIGINT) AS v, CAST(SUM(memory_mib) AS BIGINT) AS m FROM server GROUP BY project_id) s "
             "ON s.project_id = u.project_id WHERE CAST($1 AS BIGINT) >= 0 AND (u.instances <> COALESCE(s.n, 0) OR "
             "u.cores <> COALESCE(s.v, 0) OR u.ram <> COALESCE(s.m, 0))");
DB_STATEMENT(operator_host_clock, "SELECT c.host_id, 'ahead by ' || CAST(c.off_us / 1000000 AS TEXT) || ' s' FROM "
                                  "host_clock c JOIN host h ON h.id = c.host_id WHERE CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_port_alone,
             "SELECT p.id, 'made for ' || p.device_id FROM port p LEFT JOIN server s ON s.id = p.device_id "
             "WHERE p.made_for_server = 1 AND p.device_id <> '' AND s.id IS NULL AND CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_address_alone,
             "SELECT a.ip, 'held by port ' || a.port_id FROM port_address a "
             "LEFT JOIN port p ON p.id = a.port_id WHERE p.id IS NULL AND CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(operator_operation_alone,
             "SELECT o.id, o.action || ' of ' || o.server_id FROM operation o LEFT JOIN server s ON s.id = o.server_id "
             "WHERE o.state = 'running' AND s.id IS NULL AND CAST($1 AS BIGINT) >= 0");
DB_STATEMENT(
    operator_grant_alone,
    "SELECT a.actor_id, 'role ' || a.role_id || ' on ' || a.target_kind || ' ' || a.target_id FROM role_assignment a "
    "LEFT JOIN user_account u ON a.actor_kind = 'user' AND u.id = a.actor_id "
    "LEFT JOIN user_group g ON a.actor_kind = 'group' AND g.id = a.actor_id LEFT JOIN role r ON r.id = a.role_id "
    "LEFT JOIN project p ON p.id = a.target_id WHERE CAST($1 AS BIGINT) >= 0 AND ((u.id IS NULL AND g.id IS NULL) OR "
    "r.id IS NULL OR "
    "(a.target_kind <> 'system' AND p.id IS NULL))");

static const struct {
    const char *sentence;
    const struct db_statement *statement;
} checks[] = {
    {"the host's figures are not the sum of its allocations", &operator_host_sums},
    {"the host holds more than its capacity", &operator_host_full},
    {"the host's further resources are not the sum of its allocations", &operator_resource_sums},
    {"the host holds more of a resource than it has", &operator_resource_full},
    {"the allocation has no server", &operator_allocation_alone},
    {"the server is not on the host that its allocation names", &operator_allocation_elsewhere},
    {"the server is placed but has no allocation", &operator_server_unallocated},
    {"the server is on a host that is not there", &operator_server_homeless},
    {"the server waits for a host but is not in the queue", &operator_server_unqueued},
    {"the queue names a server that does not wait", &operator_queue_alone},
    {"the server's transition is past its deadline", &operator_server_overdue},
    {"the server is both alive and in history", &operator_server_twice},
    {"the project's figures are not the sum of its servers", &operator_usage_sums},
    {"the host's clock is wrong", &operator_host_clock},
    {"the port belongs to a server that is gone", &operator_port_alone},
    {"the address belongs to a port that is gone", &operator_address_alone},
    {"the operation runs for a server that is gone", &operator_operation_alone},
    {"the role assignment names something that is gone", &operator_grant_alone},
};

size_t store_operator_check_count(void)
{
    return sizeof(checks) / sizeof(checks[0]);
}

const char *store_operator_check_sentence(size_t index)
{
    return checks[index].sentence;
}

int store_operator_check(struct db_conn *c, size_t index, int64_t now_us, store_operator_finding_fn each, void *arg,
                         struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, checks[index].statement, &rows, e, DB_ARGS(db_int(now_us)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows))
        stop = each(arg, db_get_text(&rows, 0), db_get_text(&rows, 1), e);
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

/* ---- one server ---- */

DB_STATEMENT(operator_find_server, "SELECT id FROM server WHERE id = $1 OR name = $1 ORDER BY created_us DESC LIMIT 2");
int store_operator_find_server(struct db_conn *c, const char *id_or_name, struct arena *a, const char *ret_ids[2],
                               size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &operator_find_server, &rows, e, DB_ARGS(db_text(id_or_name)));
    if (rc)
        return rc;
    *ret_count = 0;
    while (*ret_count < 2 && db_next(&rows))
        ret_ids[(*ret_count)++] = db_dup_text(&rows, 0, a);
    return db_rows_done(&rows, e);
}

DB_STATEMENT(operator_waiting,
             "SELECT created_us, attempts, until_us, reason FROM placement_queue WHERE server_id = $1");
int store_operator_waiting(struct db_conn *c, const char *server_id, struct arena *a,
                           struct store_operator_waiting *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &operator_waiting, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    if (found)
        *ret = (struct store_operator_waiting){.since_us = db_get_int(&rows, 0),
                                               .attempts = db_get_int(&rows, 1),
                                               .until_us = db_get_int(&rows, 2),
                                               .reason = db_dup_text(&rows, 3, a)};
    rc = db_rows_done(&rows, e);
    return rc ? rc : found ? 0 : ERR_NOT_FOUND;
}
