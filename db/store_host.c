/* Hosts: the row mapper, enrolment, reports, and the numbers that order what others read: desired_revision for the
 * agent, feed for the scheduler, allocation_revision for whoever changes allocations. */
#include "db/store_host.h"
#include "common/json_in.h"
#include "db/store_host_size.h"
#include "db/store_resource.h"
#include <stdio.h>
#include <string.h>

#define HOST_COLUMNS                                                                                                   \
    "id, name, zone, enabled, disabled_reason, hypervisor, hypervisor_version, agent_version, architecture, address, " \
    "vcpus, memory_mib, disk_gib, reserved_vcpus, reserved_memory_mib, reserved_disk_gib, ratio_vcpus, ratio_memory, " \
    "ratio_disk, used_vcpus, used_memory_mib, used_disk_gib, server_count, traits, cpu, certificate, "                 \
    "certificate_previous, enrolled_us, seen_us, boot_id, desired_revision, allocation_revision, feed, event_seq, "    \
    "asleep_us"

struct reader {
    const struct db_rows *rows;
    struct arena *a;
    int column;
};

static const char *text(struct reader *r)
{
    int column = r->column++;
    return r->a == NULL ? db_get_text(r->rows, column) : db_dup_text(r->rows, column, r->a);
}

static int64_t number(struct reader *r)
{
    return db_get_int(r->rows, r->column++);
}

static struct resources amounts(struct reader *r)
{
    struct resources what;
    for (int i = 0; i < RESOURCE_COUNT; i++)
        what.amount[i] = number(r);
    return what;
}

static void map(const struct db_rows *rows, struct arena *a, struct host_row *ret)
{
    struct reader r = {.rows = rows, .a = a};
    ret->id = text(&r);
    ret->name = text(&r);
    ret->zone = text(&r);
    ret->enabled = number(&r) != 0;
    ret->disabled_reason = text(&r);
    ret->hypervisor = text(&r);
    ret->hypervisor_version = number(&r);
    ret->agent_version = text(&r);
    ret->architecture = text(&r);
    ret->address = text(&r);
    ret->total = amounts(&r);
    ret->reserved = amounts(&r);
    ret->ratio = amounts(&r);
    ret->used = amounts(&r);
    ret->server_count = number(&r);
    ret->traits = text(&r);
    ret->cpu = text(&r);
    ret->certificate = text(&r);
    ret->certificate_previous = text(&r);
    ret->enrolled_us = number(&r);
    ret->seen_us = number(&r);
    ret->boot_id = text(&r);
    ret->desired_revision = number(&r);
    ret->allocation_revision = number(&r);
    ret->feed = number(&r);
    ret->event_seq = number(&r);
    ret->asleep_us = number(&r);
}

DB_STATEMENT(host_by_id, "SELECT " HOST_COLUMNS " FROM host WHERE id = $1");
bool store_host_has_trait(const struct host_row *host, const char *trait)
{
    struct json_doc doc;
    bool has = false;
    if (json_in_parse(host->traits, strlen(host->traits), &doc, NULL))
        return false;
    for (size_t i = 0; i < json_in_count(doc.root) && !has; i++) {
        const char *text = json_in_text(json_in_item(doc.root, i));
        has = text != NULL && strcmp(text, trait) == 0;
    }
    json_in_done(&doc);
    return has;
}

int store_host_get(struct db_conn *c, const char *id, struct arena *a, struct host_row *ret, struct error *e)
{
    struct db_rows rows;
    struct host_row row;
    bool found;
    int rc = db_query(c, &host_by_id, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    found = db_next(&rows);
    if (found)
        map(&rows, a, &row);
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "host %s is not known", id);
    if (!rc)
        *ret = row;
    return rc;
}

DB_STATEMENT(host_all, "SELECT " HOST_COLUMNS " FROM host ORDER BY name");
int store_host_list(struct db_conn *c, store_host_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct host_row row;
    int stop = 0, rc = db_query(c, &host_all, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        map(&rows, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(host_enrol,
             "INSERT INTO host (" HOST_COLUMNS ") VALUES ($1, $2, $3, 1, NULL, '', 0, '', '', '', 0, 0, 0, 0, 0, 0, "
             "16000, 1500, 1000, 0, 0, 0, 0, '[]', '{}', $4, NULL, $5, 0, NULL, 0, 0, $6, 0, 0) "
             "ON CONFLICT (id) DO UPDATE SET name = excluded.name, certificate_previous = host.certificate, "
             "certificate = excluded.certificate");
int store_host_enrol(struct db_conn *c, const char *id, const char *name, const char *zone, const char *certificate,
                     int64_t now_us, struct error *e)
{
    int64_t feed;
    int rc = db_counter_next(c, "host_feed", 1, &feed, e);
    if (!rc)
        rc = db_exec(
            c, &host_enrol, NULL, e,
            DB_ARGS(db_text(id), db_text(name), db_text(zone), db_text(certificate), db_int(now_us), db_int(feed)));
    return rc ? rc : store_host_size_note(c, id, now_us, e);
}

DB_STATEMENT(host_renew, "UPDATE host SET certificate_previous = $3, certificate = $2 WHERE id = $1");
int store_host_renew(struct db_conn *c, const char *id, const char *certificate, const char *shown, struct error *e)
{
    return db_exec(c, &host_renew, NULL, e, DB_ARGS(db_text(id), db_text(certificate), db_text(shown)));
}

DB_STATEMENT(host_settle, "UPDATE host SET certificate_previous = NULL WHERE id = $1 AND certificate = $2");
int store_host_settle_certificate(struct db_conn *c, const char *id, const char *certificate, struct error *e)
{
    return db_exec(c, &host_settle, NULL, e, DB_ARGS(db_text(id), db_text(certificate)));
}

DB_STATEMENT(host_inventory,
             "UPDATE host SET hypervisor = $2, hypervisor_version = $3, architecture = $4, address = $5, vcpus = $6, "
             "memory_mib = $7, disk_gib = $8, reserved_vcpus = COALESCE(kept_vcpus, $9), reserved_memory_mib = "
             "COALESCE(kept_memory_mib, $10), reserved_disk_gib = COALESCE(kept_disk_gib, $11), cpu = $12, feed = $13 "
             "WHERE id = $1");
int store_host_write_inventory(struct db_conn *c, const struct host_row *row, struct error *e)
{
    const int64_t *total = row->total.amount, *reserved = row->reserved.amount;
    int64_t feed;
    int rc = db_counter_next(c, "host_feed", 1, &feed, e);
    if (rc)
        return rc;
    db_wake(c, "placement");
    rc = store_resource_set_traits(c, row->id, row->traits, NULL, e);
    if (rc)
        return rc;
    return db_exec(c, &host_inventory, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->hypervisor), db_int(row->hypervisor_version),
                           db_text(row->architecture), db_text(row->address), db_int(total[RESOURCE_VCPU]),
                           db_int(total[RESOURCE_MEMORY_MIB]), db_int(total[RESOURCE_DISK_GIB]),
                           db_int(reserved[RESOURCE_VCPU]), db_int(reserved[RESOURCE_MEMORY_MIB]),
                           db_int(reserved[RESOURCE_DISK_GIB]), db_text(row->cpu), db_int(feed)));
}

DB_STATEMENT(host_seen, "UPDATE host SET seen_us = $2, boot_id = $3, agent_version = $4, event_seq = $5, "
                        "feed = COALESCE($6, feed) WHERE id = $1");
int store_host_write_seen(struct db_conn *c, const char *id, int64_t now_us, const char *boot_id,
                          const char *agent_version, int64_t event_seq, bool feed, struct error *e)
{
    int64_t number_of_feed = 0;
    int rc = feed ? db_counter_next(c, "host_feed", 1, &number_of_feed, e) : 0;
    if (rc)
        return rc;
    if (feed)
        db_wake(c, "placement");
    return db_exec(c, &host_seen, NULL, e,
                   DB_ARGS(db_text(id), db_int(now_us), db_text(boot_id), db_text(agent_version), db_int(event_seq),
                           db_int_opt(feed, number_of_feed)));
}

DB_STATEMENT(host_bump,
             "UPDATE host SET desired_revision = desired_revision + 1 WHERE id = $1 RETURNING desired_revision");
int store_host_bump(struct db_conn *c, const char *id, int64_t *ret_revision, struct error *e)
{
    char topic[64];
    int rc = db_query_int(c, &host_bump, ret_revision, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    snprintf(topic, sizeof(topic), "host:%s", id);
    db_wake(c, topic);
    return 0;
}

struct freed {
    char host_id[64];
    int64_t vcpus, memory_mib, disk_gib;
    const char *resources;
    bool found;
};

DB_STATEMENT(allocation_delete,
             "DELETE FROM allocation WHERE server_id = $1 RETURNING host_id, vcpus, memory_mib, disk_gib, resources");
static int delete_allocation(struct db_conn *c, const char *server_id, struct arena *a, struct freed *ret,
                             struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &allocation_delete, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc)
        return rc;
    ret->found = db_next(&rows);
    if (ret->found) {
        snprintf(ret->host_id, sizeof(ret->host_id), "%s", db_get_text(&rows, 0));
        ret->vcpus = db_get_int(&rows, 1);
        ret->memory_mib = db_get_int(&rows, 2);
        ret->disk_gib = db_get_int(&rows, 3);
        ret->resources = db_dup_text(&rows, 4, a);
    }
    return db_rows_done(&rows, e);
}

DB_STATEMENT(host_release, "UPDATE host SET used_vcpus = used_vcpus - $2, used_memory_mib = used_memory_mib - $3, "
                           "used_disk_gib = used_disk_gib - $4, server_count = server_count - 1, "
                           "allocation_revision = allocation_revision + 1, feed = $5 WHERE id = $1");
static int release(struct db_conn *c, const char *server_id, struct arena *a, struct error *e)
{
    struct freed freed = {.found = false};
    int64_t feed;
    int rc = delete_allocation(c, server_id, a, &freed, e);
    if (rc || !freed.found)
        return rc;
    rc = db_counter_next(c, "host_feed", 1, &feed, e);
    rc = rc ? rc : store_resource_give_back(c, freed.host_id, freed.resources, e);
    if (rc)
        return rc;
    db_wake(c, "placement");
    return db_exec(c, &host_release, NULL, e,
                   DB_ARGS(db_text(freed.host_id), db_int(freed.vcpus), db_int(freed.memory_mib),
                           db_int(freed.disk_gib), db_int(feed)));
}

int store_host_release(struct db_conn *c, const char *server_id, struct error *e)
{
    struct arena a;
    arena_init(&a);
    int rc = release(c, server_id, &a, e);
    arena_done(&a);
    return rc;
}

DB_STATEMENT(host_token_insert, "INSERT INTO host_token (token_hash, name, zone, created_us, expires_us, used_us, "
                                "host_id) VALUES ($1, $2, $3, $4, $5, NULL, NULL)");
int store_host_token_insert(struct db_conn *c, const char *token_hash, const char *name, const char *zone,
                            int64_t now_us, int64_t expires_us, struct error *e)
{
    return db_exec(c, &host_token_insert, NULL, e,
                   DB_ARGS(db_text(token_hash), db_text(name), db_text(zone), db_int(now_us), db_int(expires_us)));
}

DB_STATEMENT(host_token_get, "SELECT name, zone, expires_us, used_us, host_id FROM host_token WHERE token_hash = $1");
int store_host_token_get(struct db_conn *c, const char *token_hash, struct arena *a, struct host_token_row *ret,
                         struct error *e)
{
    struct db_rows rows;
    struct host_token_row row = {0};
    bool found;
    int rc = db_query(c, &host_token_get, &rows, e, DB_ARGS(db_text(token_hash)));
    if (rc)
        return rc;
    found = db_next(&rows);
    if (found)
        row = (struct host_token_row){.name = db_dup_text(&rows, 0, a),
                                      .zone = db_dup_text(&rows, 1, a),
                                      .expires_us = db_get_int(&rows, 2),
                                      .used_us = db_get_int(&rows, 3),
                                      .host_id = db_dup_text(&rows, 4, a)};
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "there is no such join token");
    if (!rc)
        *ret = row;
    return rc;
}

DB_STATEMENT(host_token_use, "UPDATE host_token SET used_us = $3, host_id = $2 WHERE token_hash = $1");
int store_host_token_use(struct db_conn *c, const char *token_hash, const char *host_id, int64_t now_us,
                         struct error *e)
{
    return db_exec(c, &host_token_use, NULL, e, DB_ARGS(db_text(token_hash), db_text(host_id), db_int(now_us)));
}

DB_STATEMENT(host_token_revoke, "DELETE FROM host_token WHERE used_us IS NULL AND (name = $1 OR "
                                "(LENGTH(name) > LENGTH($1) AND SUBSTR(name, 1, LENGTH($1) + 1) = $1 || '-'))");
int store_host_token_revoke(struct db_conn *c, const char *name, int64_t *ret, struct error *e)
{
    return db_exec(c, &host_token_revoke, ret, e, DB_ARGS(db_text(name)));
}

DB_STATEMENT(host_token_purge, "DELETE FROM host_token WHERE expires_us < $1");
int store_host_token_purge(struct db_conn *c, int64_t now_us, struct error *e)
{
    return db_exec(c, &host_token_purge, NULL, e, DB_ARGS(db_int(now_us)));
}

DB_STATEMENT(host_total, "SELECT COUNT(*) FROM host");
DB_STATEMENT(host_alive, "SELECT COUNT(*) FROM host WHERE seen_us >= $1");
DB_STATEMENT(
    host_drift,
    "SELECT COALESCE(SUM(ABS(h.used_vcpus - COALESCE(a.vcpus, 0)) + ABS(h.used_memory_mib - COALESCE(a.memory_mib, 0)) "
    "+ ABS(h.used_disk_gib - COALESCE(a.disk_gib, 0)) + ABS(h.server_count - COALESCE(a.count, 0))), 0) "
    "FROM host h LEFT JOIN (SELECT host_id, SUM(vcpus) AS vcpus, SUM(memory_mib) AS memory_mib, "
    "SUM(disk_gib) AS disk_gib, COUNT(*) AS count FROM allocation GROUP BY host_id) a ON a.host_id = h.id");
#define RESOURCE_DRIFT_HEAD                                                                                            \
    "SELECT COALESCE(SUM(ABS(used)), 0) FROM (SELECT host_id, name, CAST(SUM(used) AS BIGINT) AS used FROM (SELECT "   \
    "host_id, name, used FROM host_resource UNION ALL "
/* What hosts have by their topology (store_cells.h) is counted nowhere: nothing can drift. */
#define RESOURCE_DRIFT_TAIL                                                                                            \
    " WHERE a.resources IS NOT NULL) b WHERE name <> 'PCPU' AND name NOT LIKE 'CUSTOM_HUGE_PAGES_%' GROUP BY "         \
    "host_id, name) d"
DB_STATEMENT2(resource_drift,
              RESOURCE_DRIFT_HEAD
              "SELECT a.host_id, j.key, -j.value FROM allocation a, json_each(a.resources) j" RESOURCE_DRIFT_TAIL,
              RESOURCE_DRIFT_HEAD "SELECT a.host_id, j.key, -CAST(j.value AS BIGINT) FROM allocation a, "
                                  "json_each_text(CAST(a.resources AS json)) j" RESOURCE_DRIFT_TAIL);
DB_STATEMENT(usage_drift,
             "SELECT COALESCE(SUM(ABS(u.instances - COALESCE(s.instances, 0)) + ABS(u.cores - COALESCE(s.cores, 0)) "
             "+ ABS(u.ram - COALESCE(s.ram, 0))), 0) FROM project_usage u LEFT JOIN (SELECT project_id, "
             "COUNT(*) AS instances, SUM(vcpus) AS cores, SUM(memory_mib) AS ram FROM server GROUP BY project_id) s "
             "ON s.project_id = u.project_id");
DB_STATEMENT(usage_missing, "SELECT COUNT(*) FROM server s WHERE NOT EXISTS "
                            "(SELECT 1 FROM project_usage u WHERE u.project_id = s.project_id)");
int store_host_gauges(struct db_conn *c, int64_t now_us, struct store_host_gauges *ret, struct error *e)
{
    struct store_host_gauges g;
    int64_t missing = 0, further = 0;
    int rc = db_query_int(c, &host_total, &g.hosts, e, DB_NO_ARGS);
    if (!rc)
        rc = db_query_int(c, &host_alive, &g.alive, e, DB_ARGS(db_int(now_us - STORE_HOST_ALIVE_US)));
    if (!rc)
        rc = db_query_int(c, &host_drift, &g.allocation_drift, e, DB_NO_ARGS);
    if (!rc)
        rc = db_query_int(c, &resource_drift, &further, e, DB_NO_ARGS);
    if (!rc)
        rc = db_query_int(c, &usage_drift, &g.usage_drift, e, DB_NO_ARGS);
    if (!rc)
        rc = db_query_int(c, &usage_missing, &missing, e, DB_NO_ARGS);
    g.usage_drift += missing;
    g.allocation_drift += further;
    if (!rc)
        *ret = g;
    return rc;
}
