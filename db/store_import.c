/* An import writes what the API and the scheduler write for a new server, in one transaction: nothing waits, because
 * the host is known. The machine's UUID is the server's id, so the agent finds the one by the other; hence a machine
 * can be imported once. */
#include "db/store_import.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/model/operation.h"
#include "common/model/quota.h"
#include "common/uuid.h"
#include "db/rows.h"
#include "db/store_host.h"
#include "db/store_operation.h"
#include "db/store_placement.h"
#include "db/store_port.h"
#include "db/store_quota.h"
#include "db/store_secgroup.h"
#include "db/store_server.h"
#include "db/store_subnet.h"
#include <string.h>

#define REQUEST_ID "req-import"

/* ---- flavor ---- */

struct matching {
    const struct import_machine *m;
    struct arena *arena;
    struct flavor_row *ret;
    bool found;
};

static int match_flavor(void *arg, const struct flavor_row *row, struct error *e)
{
    struct matching *x = arg;
    const struct import_machine *m = x->m;
    (void)e;
    if (x->found || row->disabled || row->vcpus != m->vcpus || row->memory_mib != m->memory_mib ||
        row->root_gib != m->root_gib || row->ephemeral_gib != m->ephemeral_gib || row->swap_mib != 0 ||
        strcmp(row->extra_specs, "{}") != 0)
        return 0;
    *x->ret = *row;
    x->ret->id = arena_strdup(x->arena, row->id);
    x->ret->name = arena_strdup(x->arena, row->name);
    x->ret->description = NULL;
    x->ret->extra_specs = "{}";
    x->found = true;
    return 0;
}

int store_import_flavor(struct db_conn *c, const struct import_machine *m, struct arena *a, struct flavor_row *ret,
                        bool *ret_made, struct error *e)
{
    struct matching x = {.m = m, .arena = a, .ret = ret};
    const struct flavor_query all = {.project_id = m->project_id, .scope = FLAVOR_SCOPE_ALL, .limit = INT64_MAX};
    int rc = store_flavor_list(c, &all, a, match_flavor, &x, e);
    if (rc)
        return rc;
    *ret_made = !x.found;
    if (x.found)
        return 0;
    const char *name =
        arena_printf(a, "imported-%lldc-%lldm-%lldg-%lldg-%.8s", (long long)m->vcpus, (long long)m->memory_mib,
                     (long long)m->root_gib, (long long)m->ephemeral_gib, m->project_id);
    *ret = (struct flavor_row){.id = name,
                               .name = name,
                               .vcpus = m->vcpus,
                               .memory_mib = m->memory_mib,
                               .root_gib = m->root_gib,
                               .ephemeral_gib = m->ephemeral_gib,
                               .rxtx_permille = 1000,
                               .created_us = clock_now_us(),
                               .extra_specs = "{}"};
    return 0;
}

static int take_flavor(struct db_conn *c, const struct import_machine *m, struct arena *a, struct flavor_row *ret,
                       struct error *e)
{
    bool made = false;
    int rc = store_import_flavor(c, m, a, ret, &made, e);
    rc = rc || !made ? rc : store_flavor_insert(c, ret, e);
    return rc || !made ? rc : store_flavor_allow(c, ret->id, m->project_id, e);
}

/* ---- ports ---- */

struct import {
    struct db_conn *c;
    const struct import_machine *m;
    struct arena *a;
    struct network_row network;
    struct subnet_row *subnets;
    size_t subnet_count;
    int64_t now_us;
};

static int take_addresses(struct import *x, const struct import_nic *nic, struct ip_assigned **ret, size_t *ret_count,
                          struct error *e)
{
    struct ip_request *requests = arena_array(x->a, nic->address_count + 1, sizeof(*requests));
    const struct ipam_query query = {.network_id = x->network.id,
                                     .mac = nic->mac,
                                     .device_owner = "compute:nova",
                                     .subnets = x->subnets,
                                     .subnet_count = x->subnet_count,
                                     .requests = requests,
                                     .request_count = nic->address_count};
    for (size_t i = 0; i < nic->address_count; i++)
        requests[i] = (struct ip_request){.ip = nic->addresses[i]};
    *ret_count = 0;
    return nic->address_count ? store_ipam_take(x->c, &query, x->a, ret, ret_count, e) : 0;
}

static int make_port(struct import *x, const struct import_nic *nic, size_t index, struct error *e)
{
    struct ip_assigned *addresses = NULL;
    const char *group = NULL;
    size_t count = 0;
    int rc = take_addresses(x, nic, &addresses, &count, e);
    if (!rc && x->network.port_security)
        rc = store_secgroup_default(x->c, x->m->project_id, x->now_us, x->a, &group, e);
    if (rc)
        return rc;
    struct port_row row = store_port_of_server(&x->network, x->m->project_id, x->m->id, (int64_t)index, x->now_us);
    row.id = uuid_ordered(arena_alloc(x->a, UUID_SIZE));
    row.mac = nic->mac;
    return store_port_insert(x->c, &row, addresses, count, &group, group ? 1 : 0, x->a, e);
}

static int make_ports(struct import *x, struct error *e)
{
    const struct import_machine *m = x->m;
    int rc = 0;
    if (m->nic_count == 0)
        return 0;
    if (!m->network_id)
        return error_set(e, ERR_INVALID, "it has nics, and no network was named for them");
    rc = store_network_get(x->c, m->network_id, m->project_id, x->a, &x->network, e);
    rc = rc ? rc : store_subnet_of_network(x->c, m->network_id, x->a, &x->subnets, &x->subnet_count, e);
    for (size_t i = 0; i < m->nic_count && !rc; i++)
        rc = make_port(x, &m->nics[i], i, e);
    return rc;
}

/* ---- the server ---- */

static int insert_server(struct import *x, const struct flavor_row *flavor, struct error *e)
{
    const struct import_machine *m = x->m;
    char *addresses = NULL;
    const char *groups = NULL;
    int rc = store_port_addresses(x->c, m->id, x->a, &addresses, e);
    rc = rc ? rc : store_port_group_names(x->c, m->id, x->a, &groups, e);
    if (rc)
        return rc;
    const struct server_row row = {
        .id = m->id,
        .project_id = m->project_id,
        .user_id = m->user_id,
        .name = m->name,
        .hostname = store_server_hostname(m->name, x->a),
        .flavor_id = flavor->id,
        .flavor_name = flavor->name,
        .vcpus = flavor->vcpus,
        .memory_mib = flavor->memory_mib,
        .root_gib = flavor->root_gib,
        .ephemeral_gib = flavor->ephemeral_gib,
        .flavor_extra = "{}",
        .hints = "{}",
        .metadata = "{}",
        .tags = "[]",
        .security_groups = groups,
        .addresses = addresses,
        .access_ipv4 = "",
        .access_ipv6 = "",
        .disk_config = "MANUAL",
        .reservation_id = arena_printf(x->a, "r-%.8s", m->id),
        .desired_power = (enum server_power)server_power_parse(m->power),
        .operation_id = uuid_ordered(arena_alloc(x->a, UUID_SIZE)),
        .deadline_us = x->now_us + operation_deadline_us(OPERATION_CREATE),
        .created_us = x->now_us,
        .updated_us = x->now_us,
    };
    const struct operation_row operation = {.id = row.operation_id,
                                            .server_id = m->id,
                                            .project_id = m->project_id,
                                            .user_id = m->user_id,
                                            .request_id = REQUEST_ID,
                                            .action = operation_name(OPERATION_CREATE),
                                            .started_us = x->now_us};
    rc = store_server_insert(x->c, &row, e);
    return rc ? rc : store_operation_insert(x->c, &operation, false, e);
}

/* As the scheduler does, but for the choice. */
static int place(struct import *x, const struct flavor_row *flavor, struct error *e)
{
    const struct import_machine *m = x->m;
    struct host_row host;
    struct store_holding holding = {
        .need = {.amount = {[RESOURCE_VCPU] = flavor->vcpus,
                            [RESOURCE_MEMORY_MIB] = flavor->memory_mib,
                            [RESOURCE_DISK_GIB] = flavor->root_gib + flavor->ephemeral_gib}}};
    struct resources capacity;
    struct placement_waiting_row waiting = {.project_id = m->project_id};
    int64_t feed = 0, revision = 0;
    int rc = store_host_get(x->c, m->host_id, x->a, &host, e);
    if (rc)
        return rc;
    for (int r = 0; r < RESOURCE_COUNT; r++)
        capacity.amount[r] = resource_capacity(
            &(struct resource_inventory){host.total.amount[r], host.reserved.amount[r], host.ratio.amount[r]});
    if (!resources_fit(&holding.need, &capacity, &host.used))
        return error_set(e, ERR_CONFLICT, "the host has no room for it beside what its servers hold");
    memcpy(waiting.id, m->id, UUID_SIZE);
    rc = db_counter_next(x->c, "host_feed", 1, &feed, e);
    rc = rc ? rc
            : store_placement_take(x->c, m->host_id, host.allocation_revision, &holding.need, 1, feed, &revision, e);
    rc = rc ? rc : store_placement_bind(x->c, &waiting, &holding, m->host_id, revision, x->now_us, e);
    db_wake(x->c, arena_printf(x->a, "host:%s", m->host_id));
    return rc;
}

DB_STATEMENT(import_mark,
             "INSERT INTO imported_server (server_id, machine, released, imported_us) VALUES ($1, $2, 0, $3)");

static int check_new(struct db_conn *c, const struct import_machine *m, struct arena *a, struct error *e)
{
    struct server_row row;
    struct error none = {0};
    bool deleted = false;
    int rc = store_server_get(c, m->id, a, &row, &none);
    if (rc == 0)
        return error_set(e, ERR_CONFLICT, "there is a server with its UUID");
    if (rc != ERR_NOT_FOUND)
        return error_set(e, rc, "%s", error_text(&none));
    rc = store_server_was_deleted(c, m->id, &deleted, e);
    return rc || !deleted ? rc
                          : error_set(e, ERR_CONFLICT, "a server with its UUID has been here; it needs another UUID");
}

int store_import_take(struct db_conn *c, const struct import_machine *m, int64_t now_us, struct arena *a,
                      struct error *e)
{
    struct import x = {.c = c, .m = m, .a = a, .now_us = now_us};
    struct flavor_row flavor;
    int rc = check_new(c, m, a, e);
    rc = rc ? rc : take_flavor(c, m, a, &flavor, e);
    rc = rc ? rc : make_ports(&x, e);
    rc = rc ? rc : insert_server(&x, &flavor, e);
    if (rc)
        return rc;
    struct quota_set more = {{0}};
    more.amount[QUOTA_INSTANCES] = 1;
    more.amount[QUOTA_CORES] = flavor.vcpus;
    more.amount[QUOTA_RAM] = flavor.memory_mib;
    rc = store_quota_add(c, m->project_id, &more, 1, e);
    rc = rc ? rc : place(&x, &flavor, e);
    return rc ? rc : db_exec(c, &import_mark, NULL, e, DB_ARGS(db_text(m->id), db_text(m->name), db_int(now_us)));
}

/* ---- afterwards ---- */

DB_STATEMENT(import_get, "SELECT released FROM imported_server WHERE server_id = $1");
int store_import_get(struct db_conn *c, const char *server_id, bool *ret_imported, bool *ret_released, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &import_get, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc)
        return rc;
    *ret_imported = *ret_released = false;
    while (db_next(&rows)) {
        *ret_imported = true;
        *ret_released = db_get_int(&rows, 0) != 0;
    }
    return db_rows_done(&rows, e);
}

/* A deletion, but for the mark. */
static int begin_end(struct db_conn *c, struct server_row *row, int64_t now_us, struct arena *a, struct error *e)
{
    const struct operation_row operation = {.id = uuid_ordered(arena_alloc(a, UUID_SIZE)),
                                            .server_id = row->id,
                                            .project_id = row->project_id,
                                            .user_id = row->user_id,
                                            .request_id = REQUEST_ID,
                                            .action = operation_name(OPERATION_DELETE),
                                            .started_us = now_us};
    int rc = store_operation_end_all(c, row->id, OPERATION_FAIL, "The server was released", now_us, e);
    rc = rc ? rc : store_operation_insert(c, &operation, false, e);
    rc = rc ? rc : store_host_bump(c, row->host_id, &row->desired_revision, e);
    row->desired_exists = false;
    row->operation = SERVER_OPERATION_NONE;
    row->operation_id = operation.id;
    row->deadline_us = now_us + operation_deadline_us(OPERATION_DELETE);
    row->updated_us = now_us;
    return rc ? rc : store_server_move(c, row, e);
}

DB_STATEMENT(import_release, "UPDATE imported_server SET released = 1 WHERE server_id = $1");
int store_import_release(struct db_conn *c, const char *server_id, int64_t now_us, struct arena *a, struct error *e)
{
    struct server_row row;
    bool imported, released;
    int rc = store_server_get(c, server_id, a, &row, e);
    rc = rc ? rc : store_import_get(c, server_id, &imported, &released, e);
    if (rc)
        return rc;
    if (!imported)
        return error_set(e, ERR_CONFLICT,
                         "server %s was not imported: its machine and its disks are of this cloud's making", server_id);
    if (released)
        return 0;
    if (!row.desired_exists)
        return error_set(e, ERR_CONFLICT, "server %s is being deleted", server_id);
    rc = db_exec(c, &import_release, NULL, e, DB_ARGS(db_text(server_id)));
    return rc ? rc : begin_end(c, &row, now_us, a, e);
}

DB_STATEMENT(import_forget, "DELETE FROM imported_server WHERE server_id = $1");
int store_import_forget(struct db_conn *c, const char *server_id, struct error *e)
{
    return db_exec(c, &import_forget, NULL, e, DB_ARGS(db_text(server_id)));
}
