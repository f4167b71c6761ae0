/* Rows to a pool: hosts with what their servers use, and the servers of those that may give some, with the request that
 * placement would get for them. A server that nobody measured, or that is in the middle of something, stays. */
#include "common/json_in.h"
#include "common/model/cpu.h"
#include "db/store_host_leave.h"
#include "db/store_host_load.h"
#include "db/store_rebalance.h"
#include "scheduler/flows/rebalance_flow.h"
#include "scheduler/reading/requirements.h"
#include <stdlib.h>
#include <string.h>

#define FRESH_US    (120 * (int64_t)1000000) /* older measurements count for nothing */
#define SOURCES_MAX 256                      /* hosts whose servers are read */
#define OPT_OUT     "virga:rebalance"        /* metadata: "no" keeps the server where it is */

struct reader {
    struct dispatch *d;
    const struct rebalance_settings *settings;
    struct arena *arena;
    struct rebalance_pool *pool;
    struct rebalance_names *names;
    int32_t *by_slot; /* index of the host + 1 */
    struct load {
        char server_id[40];
        int64_t cpu_milli, memory_mib;
    } * *loads; /* by host */
    size_t *load_counts;
    const char **architectures;
    struct host_row *rows; /* by host: hypervisor and traits */
    size_t host_room, server_room, name_room;
    int64_t now_us;
    bool automatic;
    int32_t host; /* whose servers are read */
    int rc;
};

static int add_host(void *arg, const struct host_row *row, struct error *e)
{
    struct reader *r = arg;
    const struct placement *p = r->d->feed.placement;
    int32_t slot = placement_slot(p, row->id);
    (void)e;
    if (slot == PLACEMENT_NO_SLOT || r->pool->host_count >= r->host_room)
        return 0;
    bool alive = placement_is_alive(p, slot) && r->now_us - row->seen_us <= STORE_HOST_ALIVE_US;
    size_t i = r->pool->host_count++;
    r->pool->hosts[i] = (struct rebalance_host){.slot = slot,
                                                .cpu_milli = row->total.amount[RESOURCE_VCPU] * 1000,
                                                .memory_mib = row->total.amount[RESOURCE_MEMORY_MIB],
                                                .servers = row->server_count,
                                                .gives = alive && row->enabled,
                                                .takes = alive && row->enabled};
    r->by_slot[slot] = (int32_t)i + 1;
    r->names->hosts[i] = arena_strdup(r->arena, row->id);
    r->rows[i] = (struct host_row){.hypervisor = arena_strdup(r->arena, row->hypervisor),
                                   .traits = arena_strdup(r->arena, row->traits)};
    r->architectures[i] = arena_strdup(r->arena, row->architecture);
    return 0;
}

static int add_loads(void *arg, const char *host_id, const struct host_load *loads, size_t count, struct error *e)
{
    struct reader *r = arg;
    int32_t slot = placement_slot(r->d->feed.placement, host_id);
    int32_t i = slot == PLACEMENT_NO_SLOT ? -1 : r->by_slot[slot] - 1;
    (void)e;
    if (i < 0)
        return 0;
    r->loads[i] = arena_array(r->arena, count + 1, sizeof(**r->loads));
    for (size_t k = 0; k < count; k++) {
        struct load *to = &r->loads[i][r->load_counts[i]];
        if (loads[k].cpu_milli < 0)
            continue;
        memcpy(to->server_id, loads[k].server_id, sizeof(to->server_id));
        to->cpu_milli = loads[k].cpu_milli;
        to->memory_mib = loads[k].memory_mib > 0 ? loads[k].memory_mib : 0;
        r->pool->hosts[i].cpu_used_milli += to->cpu_milli;
        r->pool->hosts[i].memory_used_mib += to->memory_mib;
        r->load_counts[i]++;
    }
    return 0;
}

static const struct load *load_of(const struct reader *r, const char *server_id)
{
    for (size_t k = 0; k < r->load_counts[r->host]; k++)
        if (strcmp(r->loads[r->host][k].server_id, server_id) == 0)
            return &r->loads[r->host][k];
    return NULL;
}

static bool opts_out(const struct server_row *row)
{
    struct json_doc doc;
    if (strstr(row->metadata, OPT_OUT) == NULL || json_in_parse(row->metadata, strlen(row->metadata), &doc, NULL))
        return false;
    const char *text = json_in_text(json_in_member(doc.root, OPT_OUT));
    bool out = text && strcmp(text, "no") == 0;
    json_in_done(&doc);
    return out;
}

static bool is_at_rest(const struct server_row *row)
{
    bool state = row->observed_state == SERVER_STATE_RUNNING || row->observed_state == SERVER_STATE_PAUSED ||
                 row->observed_state == SERVER_STATE_STOPPED;
    return state && row->desired_exists && row->operation == SERVER_OPERATION_NONE && row->deadline_us == 0 &&
           row->fault_code == 0 && row->observed_revision >= row->desired_revision;
}

/* The server itself is no member that others must keep away from. */
static void forget_self(struct placement_request *q, int32_t slot, struct arena *a)
{
    struct placement_group_host *members = arena_array(a, q->member_count + 1, sizeof(*members));
    size_t count = 0;
    for (size_t i = 0; i < q->member_count; i++) {
        members[count] = q->members[i];
        members[count].count -= members[count].slot == slot;
        count += members[count].count > 0;
    }
    q->members = members;
    q->member_count = count;
}

static int read_request(struct reader *r, const struct server_row *row, struct rebalance_server *to, struct error *e)
{
    struct placement_waiting_row *w = arena_alloc(r->arena, sizeof(*w));
    struct error reason = {0};
    char lower[64];
    w->project_id = arena_strdup(r->arena, row->project_id);
    w->zone = row->zone ? arena_strdup(r->arena, row->zone) : NULL;
    w->group_id = row->group_id ? arena_strdup(r->arena, row->group_id) : NULL;
    w->flavor_extra = arena_strdup(r->arena, row->flavor_extra);
    w->hints = arena_strdup(r->arena, row->hints);
    w->need = (struct resources){
        {row->vcpus, row->memory_mib, row->root_gib + row->ephemeral_gib + (row->swap_mib + 1023) / 1024}};
    memcpy(w->id, row->id, strnlen(row->id, sizeof(w->id) - 1));
    int rc = requirements_read_image(r->d->conn, row, r->arena, w, e);
    if (rc)
        return rc;
    rc = requirements_read(r->d->conn, r->d->feed.placement, w, r->arena, &to->request, &reason);
    if (rc == ERR_NO_VALID_HOST || rc == ERR_INVALID) {
        to->movable = false;
        return 0;
    }
    if (rc)
        return error_set(e, rc, "%s", error_text(&reason));
    if (to->request.extra.numa) /* which cells it holds is its host's to say */
        to->movable = false;
    forget_self(&to->request, r->pool->hosts[r->host].slot, r->arena);
    if (row->observed_state == SERVER_STATE_RUNNING || row->observed_state == SERVER_STATE_PAUSED)
        requirements_forbid(&to->request, CPU_TRAIT_BELOW_BASELINE); /* it moves live */
    feed_hypervisor(r->rows[r->host].hypervisor, lower, sizeof(lower));
    to->request.hypervisor = arena_strdup(r->arena, lower);
    to->request.architecture = r->architectures[r->host];
    to->group_id = w->group_id;
    return 0;
}

struct collected {
    struct reader *r;
    struct server_row *rows;
    size_t count, room;
};

static int collect(void *arg, const struct server_row *row, struct error *e)
{
    struct collected *x = arg;
    struct arena *a = x->r->arena;
    (void)e;
    x->rows = arena_more(a, x->rows, x->count, &x->room, sizeof(*x->rows));
    struct server_row *to = &x->rows[x->count++];
    *to = *row;
    to->id = arena_strdup(a, row->id);
    to->project_id = arena_strdup(a, row->project_id);
    to->zone = row->zone ? arena_strdup(a, row->zone) : NULL;
    to->group_id = row->group_id ? arena_strdup(a, row->group_id) : NULL;
    to->flavor_extra = arena_strdup(a, row->flavor_extra);
    to->hints = arena_strdup(a, row->hints);
    to->metadata = arena_strdup(a, row->metadata);
    to->image_id = row->image_id ? arena_strdup(a, row->image_id) : NULL;
    return 0;
}

/* What cannot be moved at all, or not as it runs, is not planned. */
static int check_bar(struct reader *r, const struct server_row *row, bool *movable, struct error *e)
{
    const struct host_row *host = &r->rows[r->host];
    const char *bar = NULL;
    int rc = store_host_leave_bar(r->d->conn, row, host, false, r->arena, &bar, e);
    if (!rc && !bar && row->observed_state != SERVER_STATE_STOPPED && !store_host_leave_lives(host))
        bar = arena_printf(r->arena, "the hypervisor %s moves no guest that runs", host->hypervisor);
    if (rc || !bar)
        return rc;
    *movable = false;
    r->names->barred++;
    r->names->bar = r->names->bar ? r->names->bar : bar;
    return 0;
}

static int add_server(struct reader *r, const struct server_row *row, struct error *e)
{
    const struct load *load = load_of(r, row->id);
    bool rested = false;
    r->pool->servers =
        arena_more(r->arena, r->pool->servers, r->pool->server_count, &r->server_room, sizeof(*r->pool->servers));
    r->names->servers =
        arena_more(r->arena, r->names->servers, r->pool->server_count, &r->name_room, sizeof(*r->names->servers));
    r->names->servers[r->pool->server_count] = row->id;
    struct rebalance_server *to = &r->pool->servers[r->pool->server_count++];
    *to = (struct rebalance_server){.host = r->host};
    to->movable = is_at_rest(row) && !opts_out(row) && (load || row->observed_state == SERVER_STATE_STOPPED);
    to->cpu_milli = load ? load->cpu_milli : 0;
    to->memory_mib = load ? load->memory_mib : 0;
    int rc = to->movable ? check_bar(r, row, &to->movable, e) : 0;
    if (!rc && to->movable && r->automatic)
        rc = store_rebalance_moved(r->d->conn, row->id, r->now_us - r->settings->rest_us, &rested, e);
    to->movable = to->movable && !rested;
    return rc || !to->movable ? rc : read_request(r, row, to, e);
}

static int read_servers(struct reader *r, struct error *e)
{
    struct server_query q = {.sort = SERVER_SORT_CREATED, .ascending = true, .limit = 10000};
    struct collected x = {.r = r};
    q.host = r->names->hosts[r->host];
    int rc = store_server_list(r->d->conn, &q, collect, &x, e);
    for (size_t i = 0; !rc && i < x.count; i++)
        rc = add_server(r, &x.rows[i], e);
    return rc;
}

static int fewer(const void *a, const void *b, void *arg)
{
    const struct rebalance_host *hosts = arg;
    int32_t i = *(const int32_t *)a, k = *(const int32_t *)b;
    return hosts[i].servers != hosts[k].servers
               ? (hosts[i].servers > hosts[k].servers) - (hosts[i].servers < hosts[k].servers)
               : (i > k) - (i < k);
}

/* Hosts that a plan may take servers from. */
static int read_sources(struct reader *r, bool consolidates, struct error *e)
{
    size_t n = r->pool->host_count, read = 0;
    int32_t *order = arena_array(r->arena, n + 1, sizeof(*order));
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        order[i] = (int32_t)i;
    qsort_r(order, n, sizeof(*order), fewer, r->pool->hosts);
    for (size_t i = 0; !rc && i < n && read < SOURCES_MAX; i++) {
        const struct rebalance_host *h = &r->pool->hosts[order[i]];
        bool wanted = consolidates ? h->servers > 0 : rebalance_load(h) > r->settings->limits.hot_permille;
        if (!h->gives || !wanted)
            continue;
        r->host = order[i];
        rc = read_servers(r, e);
        read++;
    }
    return rc;
}

int rebalance_read(struct dispatch *d, const struct rebalance_settings *settings, bool consolidates, bool automatic,
                   int64_t now_us, struct arena *a, struct rebalance_pool *ret, struct rebalance_names *ret_names,
                   struct error *e)
{
    size_t room = (size_t)placement_host_count(d->feed.placement) + 1;
    *ret = (struct rebalance_pool){.hosts = arena_array(a, room, sizeof(*ret->hosts))};
    *ret_names = (struct rebalance_names){.hosts = arena_array(a, room, sizeof(*ret_names->hosts))};
    struct reader r = {.d = d,
                       .settings = settings,
                       .arena = a,
                       .pool = ret,
                       .names = ret_names,
                       .loads = arena_array(a, room, sizeof(*r.loads)),
                       .load_counts = arena_array(a, room, sizeof(*r.load_counts)),
                       .rows = arena_array(a, room, sizeof(*r.rows)),
                       .architectures = arena_array(a, room, sizeof(*r.architectures)),
                       .by_slot = arena_array(a, (size_t)placement_slot_end(d->feed.placement) + 1, sizeof(*r.by_slot)),
                       .host_room = room,
                       .now_us = now_us,
                       .automatic = automatic};
    int rc = store_host_list(d->conn, add_host, &r, e);
    rc = rc ? rc : store_host_load_each(d->conn, now_us - FRESH_US, add_loads, &r, e);
    return rc ? rc : read_sources(&r, consolidates, e);
}
