/* Where does a server go from here? The same question as for a new one, without the hosts that it has to do with, and
 * among hosts of the same kind as its own. */
#include "common/clock.h"
#include "common/model/cpu.h"
#include "common/model/resize.h"
#include "db/lease.h"
#include "db/store_cells.h"
#include "db/store_host.h"
#include "db/store_host_storage.h"
#include "scheduler/flows/relocate_internal.h"
#include "scheduler/reading/requirements.h"
#include <string.h>

struct search {
    struct relocate *m;
    struct placement_waiting_row waiting;
    struct host_row source;
    const char *busy[PLACEMENT_NAMES_MAX]; /* hosts of migrations of this server that have not ended */
    size_t busy_count;
    const char **peers; /* where that matters: hosts that reach the source's storage */
    size_t peer_count;
    struct placement_request request;
    struct store_holding holding; /* what it will hold there */
    int32_t slot;
    bool shares;   /* one of the peers */
    bool reached;  /* only one of the peers will do: its disks are not copied while it runs */
    bool stuck;    /* its host's hypervisor cannot move it */
    bool in_place; /* with `more` beyond what the server holds */
    struct resources more;
};

static int note_busy(void *arg, const struct migration_row *row, struct error *e)
{
    struct search *s = arg;
    const char *hosts[] = {row->source_host, row->target_host};
    (void)e;
    for (size_t i = 0; i < 2 && row->id != s->m->row.id; i++) {
        if (hosts[i] && s->busy_count < PLACEMENT_NAMES_MAX - 1)
            s->busy[s->busy_count++] = arena_strdup(s->m->arena, hosts[i]);
    }
    return 0;
}

static int read_search(struct search *s, struct error *e)
{
    struct relocate *m = s->m;
    struct db_conn *c = m->dispatch->conn;
    struct server_row wished = m->server;
    struct migration_filter open = {.server_id = m->row.server_id, .open = true};
    int rc = store_migration_wear(&wished, m->row.new_flavor, m->arena, e);
    rc = rc ? rc : store_migration_need(m->row.new_flavor, &s->waiting.need, e);
    rc = rc ? rc : store_host_get(c, m->row.source_host, m->arena, &s->source, e);
    rc = rc ? rc : store_migration_list(c, &open, note_busy, s, e);
    s->reached = !rc && m->row.kind == MIGRATION_LIVE && store_host_has_trait(&s->source, MIGRATION_SHARED_TRAIT);
    if (!rc && (s->reached || m->row.kind == MIGRATION_EVACUATION))
        rc = store_host_storage_peers(c, m->row.source_host, m->arena, &s->peers, &s->peer_count, e);
    if (rc)
        return rc;
    s->stuck = store_host_has_trait(&s->source, RESIZE_STAYS_TRAIT);
    strncpy(s->waiting.id, m->server.id, sizeof(s->waiting.id) - 1);
    s->waiting.project_id = m->server.project_id;
    s->waiting.zone = m->server.zone;
    s->waiting.group_id = m->server.group_id;
    s->waiting.flavor_extra = wished.flavor_extra;
    s->waiting.hints = m->server.hints;
    return requirements_read_image(s->m->dispatch->conn, &s->m->server, s->m->arena, &s->waiting, e);
}

/* The server itself is no member that others must keep away from. */
static void forget_self(struct search *s)
{
    struct placement_request *r = &s->request;
    int32_t here = placement_slot(s->m->dispatch->feed.placement, s->m->server.host_id);
    struct placement_group_host *members = arena_array(s->m->arena, r->member_count + 1, sizeof(*members));
    size_t count = 0;
    for (size_t i = 0; i < r->member_count; i++) {
        members[count] = r->members[i];
        members[count].count -= members[count].slot == here;
        count += members[count].count > 0;
    }
    r->members = members;
    r->member_count = count;
}

static void avoid(struct placement_request *r, const char *host)
{
    size_t i = 0;
    while (i < PLACEMENT_NAMES_MAX && r->avoid_hosts[i])
        i++;
    if (i < PLACEMENT_NAMES_MAX)
        r->avoid_hosts[i] = host;
}

/* Where it is: under the running guest, or by a restart where its disks cannot be moved. */
static bool may_grow_here(struct search *s)
{
    const struct relocate *m = s->m;
    bool runs = m->row.power == SERVER_POWER_RUNNING && m->server.observed_state == SERVER_STATE_RUNNING;
    if (m->row.kind != MIGRATION_RESIZE || m->row.wanted_host || s->request.extra.numa)
        return false;
    enum resize_way way = resize_way_of(m->row.old_flavor, m->row.new_flavor, &s->more);
    bool able = way == RESIZE_LIVE || (way == RESIZE_PLUG && store_host_has_trait(&s->source, RESIZE_DISK_TRAIT));
    bool live = able && runs && store_host_has_trait(&s->source, RESIZE_LIVE_TRAIT);
    return live || (s->stuck && (way == RESIZE_LIVE || way == RESIZE_RESTART));
}

static void ask_in_place(struct search *s)
{
    struct relocate *m = s->m;
    struct placement_request here = s->request;
    if (!may_grow_here(s))
        return;
    here.only_host = m->row.source_host;
    here.need = s->more;
    here.extra.count = 0;
    s->slot = placement_choose(m->dispatch->feed.placement, &here);
    s->in_place = s->slot != PLACEMENT_NO_SLOT;
    s->holding = (struct store_holding){.need = s->more}; /* what it holds already stays its own */
}

/* A guest that runs on keeps the size of its pages, and its cells. */
static int keep_pages(struct search *s, struct error *e)
{
    struct relocate *m = s->m;
    const char *held = NULL;
    if (m->row.kind != MIGRATION_LIVE || !s->request.extra.numa)
        return 0;
    struct numa_given *given = arena_alloc(m->arena, sizeof(*given));
    struct numa_request *same = arena_alloc(m->arena, sizeof(*same));
    int rc = store_cells_held(m->dispatch->conn, m->server.id, m->arena, &held, e);
    rc = rc || !held ? rc : numa_given_read(held, given, e);
    if (rc || !held)
        return rc;
    *same = *s->request.extra.numa;
    same->page_kib = given->page_kib == NUMA_BASE_KIB ? NUMA_PAGE_SMALL : given->page_kib;
    s->request.extra.numa = same;
    return 0;
}

static bool is_peer(const struct search *s, const char *host)
{
    for (size_t i = 0; i < s->peer_count; i++) {
        if (strcmp(s->peers[i], host) == 0)
            return true;
    }
    return false;
}

/* Where a dead host's disks can be reached, its server goes on with them or not at all, unless somebody named a host. A
 * guest that runs, and whose disks are not copied, goes to no other host, named or not.
 * `request` is what is asked of any host. */
static void ask_peers(struct search *s, const struct placement_request *request)
{
    const struct placement *p = s->m->dispatch->feed.placement;
    struct placement_request one = *request;
    if (s->slot != PLACEMENT_NO_SLOT && is_peer(s, placement_host_id(p, s->slot))) {
        s->shares = !s->reached;
        return;
    }
    if (s->m->row.wanted_host && !s->reached)
        return;
    s->slot = PLACEMENT_NO_SLOT;
    if (s->m->row.wanted_host)
        return;
    for (size_t i = 0; i < s->peer_count && s->slot == PLACEMENT_NO_SLOT; i++) {
        one.only_host = s->peers[i];
        s->slot = placement_choose(s->m->dispatch->feed.placement, &one);
    }
    s->shares = s->slot != PLACEMENT_NO_SLOT && !s->reached;
}

static void refuse(struct search *s, struct placement_request *request, const char **ret_reason)
{
    struct placement_explanation x;
    char *text = arena_alloc(s->m->arena, PLACEMENT_SENTENCE_SIZE);
    bool bound = s->peer_count > 0 && !s->m->row.wanted_host;
    if (bound)
        request->only_host = s->peers[0];
    placement_explain(s->m->dispatch->feed.placement, request, &x);
    *ret_reason = placement_sentence(&x, text, PLACEMENT_SENTENCE_SIZE);
    if (s->reached && !bound)
        *ret_reason =
            "No valid host: its hypervisor copies no disks of a guest that runs, and no such host reaches them";
    else if (s->reached)
        *ret_reason =
            arena_printf(s->m->arena, "None of the %zu other hosts that reach the storage of its disks can take it: %s",
                         s->peer_count, text);
    else if (bound)
        *ret_reason = arena_printf(s->m->arena,
                                   "None of the %zu other hosts that reach the storage of its disks can take it: %s. "
                                   "Evacuated to a named host without that storage it is built anew",
                                   s->peer_count, text);
}

/* A guest that runs on cannot do without what such a host lacks of its pool's baseline. */
static void explain_baseline(struct search *s, struct placement_request *request, const char **ret_reason)
{
    struct placement_request without = *request;
    memset(without.forbidden, 0, sizeof(without.forbidden));
    for (size_t i = 0, n = 0; i < PLACEMENT_NAMES_MAX && request->forbidden[i]; i++) {
        if (strcmp(request->forbidden[i], CPU_TRAIT_BELOW_BASELINE) != 0)
            without.forbidden[n++] = request->forbidden[i];
    }
    int32_t slot = placement_choose(s->m->dispatch->feed.placement, &without);
    if (slot != PLACEMENT_NO_SLOT)
        *ret_reason = arena_printf(s->m->arena,
                                   "%s. Hosts that would have the room lack features of the processors' baseline "
                                   "(virga host baseline --stored)",
                                   *ret_reason);
}

static int ask(struct search *s, const char **ret_reason, struct error *e)
{
    struct relocate *m = s->m;
    struct placement *p = m->dispatch->feed.placement;
    struct error reason = {0};
    char lower[64];
    int rc = requirements_read(m->dispatch->conn, p, &s->waiting, m->arena, &s->request, &reason);
    if (rc == ERR_NO_VALID_HOST || rc == ERR_INVALID) {
        *ret_reason = arena_printf(m->arena, "No valid host: %s", error_text(&reason));
        return 0;
    }
    if (rc)
        return error_set(e, rc, "%s", error_text(&reason));
    rc = keep_pages(s, e);
    if (rc)
        return rc;
    forget_self(s);
    s->request.hypervisor = feed_hypervisor(s->source.hypervisor, lower, sizeof(lower));
    s->request.architecture = s->source.architecture;
    if (m->row.kind == MIGRATION_LIVE)
        requirements_forbid(&s->request, CPU_TRAIT_BELOW_BASELINE);
    if (m->row.wanted_host)
        s->request.only_host = m->row.wanted_host;
    for (size_t i = 0; i < s->busy_count; i++)
        avoid(&s->request, s->busy[i]);
    struct placement_request elsewhere = s->request;
    avoid(&elsewhere, m->row.source_host);
    ask_in_place(s);
    if (s->in_place)
        return 0;
    if (s->stuck && m->row.kind == MIGRATION_RESIZE) {
        *ret_reason = "No valid host: the server's host has no room for it, and its hypervisor cannot move it";
        return 0;
    }
    s->slot = placement_choose(p, &elsewhere);
    if (s->peer_count > 0 || s->reached)
        ask_peers(s, &elsewhere);
    bool may_stay = m->row.kind == MIGRATION_RESIZE && m->settings->same_host && !m->row.wanted_host;
    if (s->slot == PLACEMENT_NO_SLOT && may_stay) {
        struct placement_request here = s->request;
        here.only_host = m->row.source_host;
        s->slot = placement_choose(p, &here);
    }
    if (s->slot == PLACEMENT_NO_SLOT) {
        refuse(s, &elsewhere, ret_reason);
        if (m->row.kind == MIGRATION_LIVE)
            explain_baseline(s, &elsewhere, ret_reason);
        return 0;
    }
    /* Only for the answer: the library learns of it when the row has it. */
    placement_take(p, s->slot, &s->request.need, &s->request.extra);
    requirements_holding(p, &s->request.need, &s->request.extra, m->arena, &s->holding);
    placement_release(p, s->slot, &s->request.need, &s->request.extra);
    return 0;
}

static int hold(struct db_conn *c, void *arg, struct error *e)
{
    struct search *s = arg;
    struct relocate *m = s->m;
    struct dispatch *d = m->dispatch;
    struct migration_row row = m->row;
    int rc = lease_check(c, "scheduler", d->holder, d->epoch, e);
    row.target_host = placement_host_id(d->feed.placement, s->slot);
    row.updated_us = m->now_us;
    rc = rc ? rc : store_migration_move(c, &row, MIGRATION_QUEUED, e);
    if (!rc && s->in_place)
        rc = store_migration_set_options(c, row.id, RESIZE_IN_PLACE_OPTIONS, e);
    if (!rc && s->shares)
        rc = store_migration_set_options(c, row.id, RELOCATE_SHARED_OPTIONS, e);
    return rc ? rc
              : store_migration_hold(c, &row, row.target_host, placement_host_revision(d->feed.placement, s->slot),
                                     m->server.project_id, &s->holding, m->now_us, e);
}

int relocate_place(struct relocate *m, bool *ret_placed, const char **ret_reason, struct error *e)
{
    struct dispatch *d = m->dispatch;
    struct search s = {.m = m, .slot = PLACEMENT_NO_SLOT};
    struct error lost = {0};
    *ret_reason = NULL;
    *ret_placed = false;
    if (m->gone)
        return 0;
    int rc = feed_refresh(&d->feed, d->conn, m->now_us, e);
    rc = rc ? rc : read_search(&s, e);
    rc = rc ? rc : ask(&s, ret_reason, e);
    if (rc || s.slot == PLACEMENT_NO_SLOT)
        return rc;
    rc = db_transact(d->conn, hold, &s, &lost);
    *ret_placed = !rc;
    if (rc == ERR_CONFLICT || rc == ERR_SERIALIZATION) /* the host, or the lease: the next round tells */
        return 0;
    return rc ? error_set(e, rc, "%s", error_text(&lost)) : 0;
}
