/* The networks that this host's servers need. A network's plan follows from all specifications at the time; it is
 * applied when it differs from what was applied last, one application at a time, and guests that wait for it are told.
 * Nothing here outlives a restart but the hypervisor's own networks: they are listed by the ids that they carry. */
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/host_internal.h"
#include "compute-agent/loop.h"
#include "compute-agent/network_plan.h"
#include <stdlib.h>
#include <string.h>

#define HOST_NETWORK_PAUSES                                                                                            \
    40 /* a network that could not be changed is tried again after so many of the first pauses */

struct host_network {
    struct host *host;
    char id[UUID_SIZE];
    bool busy, exists;  /* exists: the hypervisor may have it */
    char *applied;      /* the plan as text that was applied last, NULL: not known to be there */
    char *applying;     /* ... that is being applied */
    struct arena arena; /* of the plan being applied */
    struct guest **waiting;
    size_t waiting_count;
    struct loop_timer *again;
};

static void host_network_turn(struct host_network *n);

/* ---- plans ---- */

static bool host_network_needs(const struct guest *g)
{
    return g->spec && g->spec->nics.count && !g->spec->imported && (g->spec->exists || g->domain != HYPERVISOR_ABSENT);
}

static const char *host_network_first_ipv4(const struct spec_nic *nic)
{
    const struct spec_address *addresses = nic->addresses.items;
    for (size_t i = 0; i < nic->addresses.count; i++) {
        if (!strchr(addresses[i].ip, ':'))
            return addresses[i].ip;
    }
    return NULL;
}

static int host_network_compare(const void *a, const void *b)
{
    const struct network_host *x = a, *y = b;
    return strcmp(x->mac, y->mac);
}

/* Adds the guest's ports on this network; `hosts` has room. */
static void host_network_add(struct network_plan *plan, struct network_host *hosts, const struct guest *g)
{
    const struct spec_nic *nics = g->spec->nics.items;
    for (size_t i = 0; i < g->spec->nics.count; i++) {
        const struct spec_nic *nic = &nics[i];
        if (strcmp(nic->network.id, plan->id) != 0)
            continue;
        plan->name = nic->network.name ? nic->network.name : "";
        plan->mtu = nic->network.mtu;
        plan->subnets = nic->network.subnets;
        const char *ip = host_network_first_ipv4(nic);
        if (ip)
            hosts[plan->host_count++] = (struct network_host){nic->mac, ip, g->spec->hostname};
        if (!plan->hosts)
            plan->hosts = hosts;
    }
}

/* False when nobody needs the network. The texts are borrowed from the specifications. */
static bool host_network_plan(const struct host_network *n, struct arena *arena, struct network_plan *ret)
{
    size_t at = 0, room = 0;
    for (struct guest *g; (g = idmap_next(&n->host->guests, &at));)
        room += host_network_needs(g) ? g->spec->nics.count : 0;
    struct network_plan plan = {.id = n->id};
    struct network_host *hosts = arena_array(arena, room ? room : 1, sizeof(*hosts));
    at = 0;
    for (struct guest *g; (g = idmap_next(&n->host->guests, &at));) {
        if (host_network_needs(g))
            host_network_add(&plan, hosts, g);
    }
    qsort(hosts, plan.host_count, sizeof(*hosts), host_network_compare);
    *ret = plan;
    return plan.name != NULL;
}

static char *host_network_print(const struct network_plan *plan)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    strbuf_appendf(&text, "%s %lld\n", plan->id, (long long)plan->mtu);
    for (size_t i = 0; i < plan->subnets.count; i++) {
        const struct spec_subnet *s = (const struct spec_subnet *)plan->subnets.items + i;
        strbuf_appendf(&text, "%s %s %d\n", s->cidr, s->gateway ? s->gateway : "-", s->dhcp);
    }
    for (size_t i = 0; i < plan->host_count; i++)
        strbuf_appendf(&text, "%s %s %s\n", plan->hosts[i].mac, plan->hosts[i].ip, plan->hosts[i].name);
    return strbuf_take(&text);
}

/* A copy that lives in `arena`: specifications may change while it is applied. */
static void host_network_copy(struct network_plan *plan, struct arena *arena)
{
    plan->name = arena_strdup(arena, plan->name);
    struct spec_subnet *subnets = arena_array(arena, plan->subnets.count + 1, sizeof(*subnets));
    for (size_t i = 0; i < plan->subnets.count; i++) {
        const struct spec_subnet *from = (const struct spec_subnet *)plan->subnets.items + i;
        const char **dns = arena_array(arena, from->dns.count + 1, sizeof(*dns));
        for (size_t d = 0; d < from->dns.count; d++)
            dns[d] = arena_strdup(arena, ((const char **)from->dns.items)[d]);
        subnets[i] = (struct spec_subnet){.id = arena_strdup(arena, from->id),
                                          .cidr = arena_strdup(arena, from->cidr),
                                          .gateway = arena_strdup(arena, from->gateway),
                                          .dhcp = from->dhcp,
                                          .dns = {dns, from->dns.count}};
    }
    plan->subnets.items = subnets;
    struct network_host *hosts = arena_array(arena, plan->host_count + 1, sizeof(*hosts));
    for (size_t i = 0; i < plan->host_count; i++)
        hosts[i] =
            (struct network_host){arena_strdup(arena, plan->hosts[i].mac), arena_strdup(arena, plan->hosts[i].ip),
                                  arena_strdup(arena, plan->hosts[i].name)};
    plan->hosts = hosts;
}

/* ---- turns ---- */

static void host_network_tell(struct host_network *n, const struct hypervisor_result *result)
{
    struct guest **waiting = n->waiting;
    size_t count = n->waiting_count;
    n->waiting = NULL;
    n->waiting_count = 0;
    for (size_t i = 0; i < count; i++)
        guest_networks_done(waiting[i], result); /* may wait for the next network, or for this one again */
    free(waiting);
}

static void host_network_ended(void *arg, const struct hypervisor_result *result)
{
    struct host_network *n = arg;
    bool removed = !n->applying;
    n->busy = false;
    arena_done(&n->arena);
    free(n->applied);
    n->applied = result->code ? NULL : n->applying;
    if (result->code)
        free(n->applying);
    n->applying = NULL;
    if (result->code) {
        log_warn("network not as planned", "network=%s removing=%d error=\"%s\"", n->id, removed,
                 error_text(result->error));
        loop_timer_start(n->again, n->host->settings->retry_pause_ms * HOST_NETWORK_PAUSES, 0);
        host_network_tell(n, result);
        return;
    }
    n->exists = !removed;
    host_network_turn(n);
    if (removed)
        host_upkeep_soon(n->host);
}

static void host_network_apply(struct host_network *n, struct network_plan *plan, char *text)
{
    struct hypervisor *hv = n->host->hypervisor;
    host_network_copy(plan, &n->arena);
    struct network_plan *copy = arena_alloc(&n->arena, sizeof(*copy));
    *copy = *plan;
    n->busy = n->exists = true;
    n->applying = text;
    hv->ops->network_apply(hv, copy, host_network_ended, n);
}

static void host_network_turn(struct host_network *n)
{
    struct hypervisor *hv = n->host->hypervisor;
    struct network_plan plan;
    struct arena arena;
    if (n->busy || !n->host->connected)
        return;
    arena_init(&arena);
    if (host_network_plan(n, &arena, &plan)) {
        char *text = host_network_print(&plan);
        if (n->applied && strcmp(n->applied, text) == 0) {
            static const struct hypervisor_result good = {0};
            free(text);
            host_network_tell(n, &good);
        } else {
            host_network_apply(n, &plan, text);
        }
    } else if (n->exists && n->host->poll.full && n->host->listed && !n->waiting_count) {
        n->busy = true;
        hv->ops->network_remove(hv, n->id, host_network_ended, n);
    }
    arena_done(&arena);
}

static void host_network_again(void *arg)
{
    host_network_turn(arg);
}

static struct host_network *host_network_get(struct host *h, const char *id)
{
    struct host_network *n = idmap_get(&h->networks, id);
    if (n)
        return n;
    n = memory_new(sizeof(*n));
    n->host = h;
    memcpy(n->id, id, UUID_SIZE);
    n->again = loop_timer_new(h->loop, host_network_again, n);
    idmap_put(&h->networks, n->id, n);
    return n;
}

/* ---- for guests ---- */

static void host_network_wait(struct host_network *n, struct guest *g)
{
    n->waiting = memory_resize(n->waiting, (n->waiting_count + 1) * sizeof(*n->waiting));
    n->waiting[n->waiting_count++] = g;
}

void host_network_ensure(struct host *h, struct guest *g)
{
    static const struct hypervisor_result good = {0};
    const struct spec_nic *nics = g->spec->nics.items;
    g->parts--; /* the one that the caller counted; each network is one of its own, and this call is one while it runs
                 */
    g->parts += (unsigned)g->spec->nics.count + 1;
    for (size_t i = 0; h->hypervisor->ops->network_apply && i < g->spec->nics.count; i++)
        host_network_wait(host_network_get(h, nics[i].network.id), g);
    for (size_t i = 0; i < g->spec->nics.count; i++) {
        if (h->hypervisor->ops->network_apply)
            host_network_turn(idmap_get(&h->networks, nics[i].network.id));
        else
            guest_networks_done(g, &good);
    }
    guest_networks_done(g, &good);
}

void host_network_sweep(struct host *h)
{
    size_t at = 0;
    for (struct host_network *n; (n = idmap_next(&h->networks, &at));)
        host_network_turn(n);
}

void host_network_listed(struct host *h, const char *const *ids, size_t count)
{
    size_t at = 0;
    for (struct host_network *n; (n = idmap_next(&h->networks, &at));) {
        free(n->applied);
        n->applied = NULL;
    }
    for (size_t i = 0; i < count; i++)
        host_network_get(h, ids[i])->exists = true;
}

static void host_network_forget(struct host_network *n)
{
    loop_timer_free(&n->again);
    arena_done(&n->arena);
    free(n->applied);
    free(n->applying);
    free(n->waiting);
    free(n);
}

void host_network_upkeep(struct host *h)
{
    size_t at = 0;
    struct host_network *over = NULL;
    for (struct host_network *n; (n = idmap_next(&h->networks, &at));) {
        if (!n->busy && !n->exists && !n->waiting_count)
            over = n;
    }
    if (over) { /* one a turn: the map must not change under the walk */
        idmap_remove(&h->networks, over->id);
        host_network_forget(over);
        host_upkeep_soon(h);
    }
}

void host_network_free(struct host *h)
{
    size_t at = 0;
    for (struct host_network *n; (n = idmap_next(&h->networks, &at));)
        host_network_forget(n);
    idmap_done(&h->networks);
}
