/* Relieving: of the hottest host the smallest server that cools it enough, else the one that cools it most, goes to the
 * coolest host that may have it and stays below the mark; again until nothing is hot or nothing helps. Consolidating:
 * hosts in the order of what they hold; all of one's servers find places on others, packed, or none of them moves. */
#include "scheduler/placement/rebalance.h"
#include "common/memory.h"
#include <stdlib.h>
#include <string.h>

#define TARGETS_TRIED 64 /* coolest hosts that a server is offered to */
#define HOSTS_TRIED   8  /* packed choices that are too hot, before a server is given up */

struct plan {
    struct placement *p;
    const struct rebalance_pool *pool;
    const struct rebalance_limits *limits;
    struct rebalance_host *hosts; /* as they are after the moves so far */
    size_t *first, *count;        /* servers of each host */
    int32_t *by_slot, *order;
    bool *fixed, *hidden, *moved; /* hosts that stay, hosts that placement does not see; servers */
    bool *cooling;                /* hosts that were hot: they are cooled to the mark */
    struct rebalance_move *moves;
    size_t move_count;
    struct rebalance_server least; /* as little as any server that may move uses */
};

static int64_t share(int64_t used, int64_t total)
{
    return total > 0 ? used * 1000 / total : 0;
}

int64_t rebalance_load(const struct rebalance_host *h)
{
    int64_t cpu = share(h->cpu_used_milli, h->cpu_milli), memory = share(h->memory_used_mib, h->memory_mib);
    return cpu > memory ? cpu : memory;
}

static int64_t load_with(const struct rebalance_host *h, const struct rebalance_server *s, int sign)
{
    struct rebalance_host x = *h;
    x.cpu_used_milli += sign * s->cpu_milli;
    x.memory_used_mib += sign * s->memory_mib;
    return rebalance_load(&x);
}

static void plan_init(struct plan *x, struct placement *p, const struct rebalance_pool *pool,
                      const struct rebalance_limits *limits, struct rebalance_move *moves)
{
    size_t n = pool->host_count;
    *x = (struct plan){.p = p, .pool = pool, .limits = limits, .moves = moves};
    x->hosts = memory_array(n + 1, sizeof(*x->hosts));
    x->first = memory_array(n + 1, sizeof(*x->first));
    x->count = memory_array(n + 1, sizeof(*x->count));
    x->order = memory_array(n + 1, sizeof(*x->order));
    x->fixed = memory_array(n + 1, sizeof(*x->fixed));
    x->hidden = memory_array(n + 1, sizeof(*x->hidden));
    x->cooling = memory_array(n + 1, sizeof(*x->cooling));
    x->moved = memory_array(pool->server_count + 1, sizeof(*x->moved));
    x->by_slot = memory_array((size_t)placement_slot_end(p) + 1, sizeof(*x->by_slot));
    for (size_t i = 0; i < n; i++) {
        x->hosts[i] = pool->hosts[i];
        x->order[i] = (int32_t)i;
        x->by_slot[pool->hosts[i].slot] = (int32_t)i + 1;
    }
    for (size_t i = pool->server_count; i-- > 0;) {
        x->first[pool->servers[i].host] = i;
        x->count[pool->servers[i].host]++;
    }
}

/* Shows again what was hidden, and gives back what the moves took. */
static void plan_done(struct plan *x)
{
    while (x->move_count > 0) {
        const struct rebalance_move *m = &x->moves[--x->move_count];
        const struct rebalance_server *s = &x->pool->servers[m->server];
        placement_release(x->p, x->hosts[m->to].slot, &s->request.need, &s->request.extra);
        placement_take(x->p, x->hosts[m->from].slot, &s->request.need, &s->request.extra);
    }
    for (size_t i = 0; i < x->pool->host_count; i++)
        if (x->hidden[i])
            placement_set_alive(x->p, x->hosts[i].slot, true);
    free(x->hosts);
    free(x->first);
    free(x->count);
    free(x->order);
    free(x->fixed);
    free(x->hidden);
    free(x->cooling);
    free(x->moved);
    free(x->by_slot);
}

static void carry(struct plan *x, size_t server, int32_t from, int32_t to)
{
    const struct rebalance_server *s = &x->pool->servers[server];
    struct rebalance_host *a = &x->hosts[from], *b = &x->hosts[to];
    placement_release(x->p, a->slot, &s->request.need, &s->request.extra);
    placement_take(x->p, b->slot, &s->request.need, &s->request.extra);
    a->cpu_used_milli -= s->cpu_milli;
    a->memory_used_mib -= s->memory_mib;
    b->cpu_used_milli += s->cpu_milli;
    b->memory_used_mib += s->memory_mib;
    a->servers--;
    b->servers++;
}

static void move(struct plan *x, size_t server, int32_t to)
{
    int32_t from = x->pool->servers[server].host;
    struct rebalance_move *m = &x->moves[x->move_count++];
    *m = (struct rebalance_move){
        .server = server, .from = from, .to = to, .before_permille = rebalance_load(&x->hosts[from])};
    carry(x, server, from, to);
    m->after_permille = rebalance_load(&x->hosts[from]);
    m->target_permille = rebalance_load(&x->hosts[to]);
    x->moved[server] = true;
}

static void undo(struct plan *x)
{
    const struct rebalance_move *m = &x->moves[--x->move_count];
    carry(x, m->server, m->to, m->from);
    x->moved[m->server] = false;
}

/* Where a group's members are is known from before the plan: one of them moves. */
static bool may_move(const struct plan *x, size_t server)
{
    const struct rebalance_server *s = &x->pool->servers[server];
    if (!s->movable || x->moved[server])
        return false;
    for (size_t i = 0; s->group_id && i < x->move_count; i++) {
        const char *other = x->pool->servers[x->moves[i].server].group_id;
        if (other && strcmp(other, s->group_id) == 0)
            return false;
    }
    return true;
}

/* ---- relieving ---- */

static int cooler(const void *a, const void *b, void *arg)
{
    const struct rebalance_host *hosts = arg;
    int32_t i = *(const int32_t *)a, k = *(const int32_t *)b;
    int64_t x = rebalance_load(&hosts[i]), y = rebalance_load(&hosts[k]);
    return x != y ? (x > y) - (x < y) : (i > k) - (i < k);
}

static int32_t hottest(const struct plan *x)
{
    int32_t found = -1;
    for (size_t i = 0; i < x->pool->host_count; i++) {
        int64_t load = rebalance_load(&x->hosts[i]);
        int64_t mark = x->cooling[i] ? x->limits->settle_permille : x->limits->hot_permille;
        if (!x->fixed[i] && x->hosts[i].gives && load > mark && (found < 0 || load > rebalance_load(&x->hosts[found])))
            found = (int32_t)i;
    }
    return found;
}

/* The coolest host that may have the server and stays below the mark; -1: none. */
static int32_t find_cool(struct plan *x, size_t server)
{
    const struct rebalance_server *s = &x->pool->servers[server];
    struct placement_request r = s->request;
    size_t tried = 0;
    for (size_t i = 0; i < x->pool->host_count && tried < TARGETS_TRIED; i++) {
        int32_t to = x->order[i];
        if (!x->hosts[to].takes || to == s->host)
            continue;
        if (load_with(&x->hosts[to], s, 1) > x->limits->settle_permille)
            continue;
        r.only_host = placement_host_id(x->p, x->hosts[to].slot);
        tried++;
        if (placement_choose(x->p, &r) != PLACEMENT_NO_SLOT)
            return to;
    }
    return -1;
}

/* Whether taking `s` off the host is better than taking `best` off. */
static bool helps_more(const struct plan *x, const struct rebalance_host *h, const struct rebalance_server *s,
                       const struct rebalance_server *best)
{
    if (!best)
        return true;
    int64_t a = load_with(h, s, -1), b = load_with(h, best, -1), mark = x->limits->settle_permille;
    if ((a <= mark) != (b <= mark))
        return a <= mark;
    return a <= mark ? s->memory_mib < best->memory_mib : a < b;
}

/* One server leaves the host; false: none that helps can. */
static bool cool(struct plan *x, int32_t host)
{
    const struct rebalance_host *h = &x->hosts[host];
    const struct rebalance_server *best = NULL;
    int64_t load = rebalance_load(h);
    int32_t to = -1;
    for (size_t i = x->first[host]; i < x->first[host] + x->count[host]; i++) {
        const struct rebalance_server *s = &x->pool->servers[i];
        if (!may_move(x, i) || load - load_with(h, s, -1) < x->limits->gain_permille || !helps_more(x, h, s, best))
            continue;
        int32_t place = find_cool(x, i);
        if (place >= 0) {
            best = s;
            to = place;
        }
    }
    if (best)
        move(x, (size_t)(best - x->pool->servers), to);
    return best != NULL;
}

size_t rebalance_relieve(struct placement *p, const struct rebalance_pool *pool, const struct rebalance_limits *limits,
                         struct rebalance_move *ret)
{
    struct plan x;
    int32_t host;
    plan_init(&x, p, pool, limits, ret);
    while (x.move_count < limits->moves && (host = hottest(&x)) >= 0) {
        qsort_r(x.order, pool->host_count, sizeof(*x.order), cooler, x.hosts);
        x.cooling[host] = true;
        x.fixed[host] = !cool(&x, host);
    }
    size_t count = x.move_count;
    plan_done(&x);
    return count;
}

/* ---- consolidating ---- */

static void find_least(struct plan *x)
{
    x->least = (struct rebalance_server){.cpu_milli = INT64_MAX, .memory_mib = INT64_MAX};
    for (size_t i = 0; i < x->pool->server_count; i++) {
        const struct rebalance_server *s = &x->pool->servers[i];
        if (s->movable && s->cpu_milli < x->least.cpu_milli)
            x->least.cpu_milli = s->cpu_milli;
        if (s->movable && s->memory_mib < x->least.memory_mib)
            x->least.memory_mib = s->memory_mib;
    }
}

/* No server may come without filling it beyond the mark. */
static bool is_full(const struct plan *x, int32_t host)
{
    return x->least.cpu_milli != INT64_MAX && load_with(&x->hosts[host], &x->least, 1) > x->limits->settle_permille;
}

static void hide(struct plan *x, int32_t host)
{
    if (x->hidden[host] || !placement_is_alive(x->p, x->hosts[host].slot))
        return;
    placement_set_alive(x->p, x->hosts[host].slot, false);
    x->hidden[host] = true;
}

static void show(struct plan *x, int32_t host)
{
    if (x->hidden[host])
        placement_set_alive(x->p, x->hosts[host].slot, true);
    x->hidden[host] = false;
}

static int64_t held(const struct plan *x, int32_t host)
{
    int32_t slot = x->hosts[host].slot;
    const struct resources *used = placement_host_used(x->p, slot);
    struct resources capacity = placement_host_capacity(x->p, slot);
    int64_t most = 0;
    for (int r = RESOURCE_VCPU; r <= RESOURCE_MEMORY_MIB; r++) {
        int64_t part = share(used->amount[r], capacity.amount[r]);
        most = part > most ? part : most;
    }
    return most;
}

static int holds_less(const void *a, const void *b, void *arg)
{
    const struct plan *plan = arg;
    int32_t i = *(const int32_t *)a, k = *(const int32_t *)b;
    int64_t x = held(plan, i), y = held(plan, k);
    return x != y ? (x > y) - (x < y) : (i > k) - (i < k);
}

/* The tightest host in use that may have the server and stays below the mark. Full ones stay hidden, so that however
 * many there are, those with room are found behind them. */
static int32_t find_packed(struct plan *x, const struct rebalance_server *s)
{
    int32_t tried[HOSTS_TRIED], found = -1;
    size_t count = 0;
    struct placement_request r = s->request;
    r.goal = PLACEMENT_GOAL_PACK;
    while (found < 0 && count < HOSTS_TRIED) {
        int32_t slot = placement_choose(x->p, &r);
        int32_t host = slot == PLACEMENT_NO_SLOT ? -1 : x->by_slot[slot] - 1;
        if (host < 0)
            break;
        if (x->hosts[host].takes && load_with(&x->hosts[host], s, 1) <= x->limits->settle_permille) {
            found = host;
        } else {
            hide(x, host);
            if (!is_full(x, host))
                tried[count++] = host;
        }
    }
    while (count > 0)
        show(x, tried[--count]);
    return found;
}

/* All of them or none. */
static bool empty(struct plan *x, int32_t host)
{
    size_t before = x->move_count;
    bool good = x->count[host] == (size_t)x->hosts[host].servers && before + x->count[host] <= x->limits->moves;
    hide(x, host);
    for (size_t i = x->first[host]; good && i < x->first[host] + x->count[host]; i++) {
        int32_t to = may_move(x, i) ? find_packed(x, &x->pool->servers[i]) : -1;
        good = to >= 0;
        if (good)
            move(x, i, to);
    }
    while (!good && x->move_count > before) {
        int32_t to = x->moves[x->move_count - 1].to;
        undo(x);
        show(x, to); /* it may have been full */
    }
    if (!good)
        show(x, host);
    for (size_t i = before; i < x->move_count; i++) { /* who has taken servers keeps them */
        x->fixed[x->moves[i].to] = true;
        x->moves[i].after_permille = 0;
    }
    return good;
}

size_t rebalance_consolidate(struct placement *p, const struct rebalance_pool *pool,
                             const struct rebalance_limits *limits, struct rebalance_move *ret, size_t *ret_emptied)
{
    struct plan x;
    plan_init(&x, p, pool, limits, ret);
    *ret_emptied = 0;
    find_least(&x);
    for (size_t i = 0; i < pool->host_count; i++)
        if (x.hosts[i].takes && x.hosts[i].servers == 0)
            hide(&x, (int32_t)i);
    qsort_r(x.order, pool->host_count, sizeof(*x.order), holds_less, &x);
    for (size_t i = 0; i < pool->host_count && x.move_count < limits->moves; i++) {
        int32_t host = x.order[i];
        if (x.hosts[host].gives && x.hosts[host].servers > 0 && !x.fixed[host])
            *ret_emptied += empty(&x, host);
    }
    size_t count = x.move_count;
    plan_done(&x);
    return count;
}
