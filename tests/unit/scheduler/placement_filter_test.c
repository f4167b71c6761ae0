/* Filters on what hosts are kept for, against an oracle that looks at one host after the other: operators of extra
 * specs on aggregates' properties, aggregates for images, for servers that ask for a trait, for projects, and projects
 * that have hosts of their own. */
#include "common/model/spec_match.h"
#include "scheduler/placement/placement.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS 200

/* Bits of a host's properties. */
static const char *const properties[] = {"n=1",        "n=2",        "n=30", "os=linux",   "os=windows",
                                         "net=phys-1", "net=phys-2", "net=", "store=ceph", "trait:FAST=required"};
enum { N_1, N_2, N_30, OS_LINUX, OS_WINDOWS, NET_1, NET_2, NET_NONE, STORE_CEPH, FAST, PROPERTIES };
static const char *const specs[] = {">= 2", "== 1", "<or> 1 <or> 30", "s!= 1", "<in> 3", "<= 1"};
static const char *const projects[] = {"p0", "p1", "p2"};

struct model {
    unsigned properties;
    bool enabled, fast;
    unsigned tenants; /* 0: everybody's */
};
struct wish {
    int spec, os, net, store, project; /* -1: not asked */
    bool exact, fast;
    int every;   /* the request's own filter takes one host in so many; 0: it has none */
    int same[2]; /* one of these; -1: not asked */
};

static unsigned seed;
static int below(int n)
{
    return (int)((unsigned)rand_r(&seed) % (unsigned)n);
}

/* Whether a host that has any property of a range has the one that is asked for. */
static bool keeps(const struct model *m, int first, int last, int asked)
{
    bool any = false;
    for (int i = first; i <= last; i++) {
        any = any || (m->properties >> i & 1);
    }
    return asked < 0 || !any || (first + asked <= last && (m->properties >> (first + asked) & 1));
}

static const char *oracle_refusal(const struct model *m, const struct wish *w, unsigned confined)
{
    bool match = w->spec < 0;
    for (int i = N_1; i <= N_30 && w->spec >= 0; i++) {
        match = match || ((m->properties >> i & 1) && spec_match(properties[i] + 2, specs[w->spec]));
    }
    if (!m->enabled) {
        return "disabled";
    }
    if (w->fast && !m->fast) {
        return "without the traits";
    }
    if (!match || (w->exact && !(m->properties >> N_2 & 1))) {
        return "without the aggregate properties";
    }
    if (!keeps(m, OS_LINUX, OS_WINDOWS, w->os)) {
        return "in aggregates for other images";
    }
    if ((m->properties >> FAST & 1) && !w->fast) {
        return "in aggregates for servers that ask for a trait";
    }
    if (m->tenants && !(m->tenants >> w->project & 1)) {
        return "kept for other projects";
    }
    if ((confined >> w->project & 1) && !(m->tenants >> w->project & 1)) {
        return "not among the project's own";
    }
    if (!keeps(m, NET_1, NET_NONE, w->net)) {
        return "without reach of the network";
    }
    return keeps(m, STORE_CEPH, STORE_CEPH, w->store) ? NULL : "without reach of the store";
}

static const char *own_refusal(void *arg, int32_t slot, const char **ret_detail)
{
    (void)ret_detail;
    const struct wish *w = arg;
    return slot % w->every != 0 ? "refused by its own filter" : NULL;
}

static const char *oracle_own(struct wish *w, int32_t slot)
{
    if (w->same[0] >= 0 && slot != w->same[0] && slot != w->same[1]) {
        return "without the servers of same_host";
    }
    return w->every > 0 ? own_refusal(w, slot, NULL) : NULL;
}

static const char *refusal_of(const struct model *models, int slot, struct wish *w, unsigned confined)
{
    const char *refusal = oracle_refusal(&models[slot], w, confined);
    return refusal ? refusal : oracle_own(w, slot);
}

static void tell(struct placement *p, const struct model *m, int number)
{
    const char *has[PROPERTIES], *tenants[4] = {NULL}, *fast = "FAST";
    char id[16];
    size_t count = 0, tenant_count = 0;
    snprintf(id, sizeof(id), "host-%03d", number);
    for (int i = 0; i < PROPERTIES; i++) {
        if (m->properties >> i & 1) {
            has[count++] = properties[i];
        }
    }
    for (int i = 0; i < 3; i++) {
        if (m->tenants >> i & 1) {
            tenants[tenant_count++] = projects[i];
        }
    }
    struct placement_host h = {.id = id,
                               .zone = "nova",
                               .hypervisor = "qemu",
                               .architecture = "x86_64",
                               .enabled = m->enabled,
                               .alive = true,
                               .traits = &fast,
                               .trait_count = m->fast,
                               .aggregates = has,
                               .aggregate_count = count,
                               .tenants = tenant_count > 0 ? tenants : NULL};
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        h.inventory[r] = (struct resource_inventory){.total = 1000, .ratio_permille = 1000};
    }
    CHECK_INT(placement_set_host(p, &h), number);
}

static void invent(struct model *m)
{
    *m = (struct model){.enabled = below(10) > 0, .fast = below(3) == 0};
    for (int i = 0; i < PROPERTIES; i++) {
        m->properties |= (unsigned)(below(4) == 0) << i;
    }
    m->tenants = below(3) == 0 ? 1 + (unsigned)below(7) : 0;
}

static void keep(struct placement_request *r, enum placement_keeps what, const char *key, const char *value)
{
    r->kept[r->kept_count++] = (struct placement_kept){what, key, {value, "net=no-such"}};
}

static void make_request(struct placement *p, struct wish *w, struct placement_request *r)
{
    static const char *const stores[] = {"store=ceph", "store=elsewhere"};
    *r = (struct placement_request){
        .need = {{1, 1, 1}}, .project_id = projects[w->project], .goal = PLACEMENT_GOAL_FIRST_FIT};
    r->required[0] = w->fast ? "FAST" : NULL;
    r->properties[0] = w->exact ? "n=2" : NULL;
    if (w->spec >= 0) {
        r->matches[r->match_count++] = placement_match_number(p, "n", specs[w->spec]);
    }
    if (w->os >= 0) {
        keep(r, PLACEMENT_KEEPS_IMAGES, "os", properties[OS_LINUX + w->os]);
    }
    if (w->net >= 0) {
        keep(r, PLACEMENT_KEEPS_NETWORKS, "net", properties[NET_1 + w->net]);
    }
    if (w->store >= 0) {
        keep(r, PLACEMENT_KEEPS_STORES, "store", stores[w->store]);
    }
    keep(r, PLACEMENT_KEEPS_IMAGES, "a-key-of-no-host", "a-key-of-no-host=1");
    r->refuse = w->every > 0 ? own_refusal : NULL;
    r->refuse_arg = w;
    for (int i = 0; i < 2 && w->same[0] >= 0; i++) {
        r->same_hosts[i] = placement_host_id(p, w->same[i]);
    }
}

/* The counts are the oracle's, host by host, for reasons without regard to details. */
static void compare_reasons(struct placement *p, const struct placement_request *r, const struct model *models,
                            struct wish *w, unsigned confined)
{
    struct placement_explanation x;
    placement_explain(p, r, &x);
    CHECK_INT(x.hosts, HOSTS);
    for (size_t i = 1; i < x.count; i++) {
        CHECK(x.removed[i - 1].rank <= x.removed[i].rank);
    }
    for (size_t i = 0; i < x.count; i++) {
        int64_t told = 0, counted = 0;
        for (size_t k = 0; k < x.count; k++) {
            told += strcmp(x.removed[k].reason, x.removed[i].reason) == 0 ? x.removed[k].hosts : 0;
        }
        for (int k = 0; k < HOSTS; k++) {
            const char *refusal = refusal_of(models, k, w, confined);
            counted += refusal && strcmp(refusal, x.removed[i].reason) == 0;
        }
        CHECK_INT(told, counted);
    }
}

static int run(unsigned with_seed)
{
    static struct model models[HOSTS];
    struct placement *p = placement_new(NULL);
    unsigned confined = 0;
    int refused = 0;
    seed = with_seed;
    for (int i = 0; i < HOSTS; i++) {
        invent(&models[i]);
        tell(p, &models[i], i);
    }
    for (int step = 0; step < 3000; step++) {
        if (below(5) == 0) {
            int i = below(HOSTS);
            invent(&models[i]);
            tell(p, &models[i], i);
        }
        if (below(50) == 0) {
            confined = below(2) == 0 ? 1U << below(3) : 0;
            const char *own = confined ? projects[confined / 2] : NULL;
            placement_confine(p, &own, confined != 0);
        }
        struct wish w = {.spec = below(7) - 1,
                         .os = below(3) - 1,
                         .net = below(3) - 1,
                         .store = below(3) - 1,
                         .project = below(3),
                         .exact = below(4) == 0,
                         .fast = below(3) == 0,
                         .every = below(3) == 0 ? 1 + below(20) : 0,
                         .same = {below(6) == 0 ? below(HOSTS) : -1, below(HOSTS)}};
        struct placement_request r;
        int32_t first = 0;
        make_request(p, &w, &r);
        while (first < HOSTS && refusal_of(models, first, &w, confined)) {
            first++;
        }
        CHECK_INT(placement_choose(p, &r), first < HOSTS ? first : PLACEMENT_NO_SLOT);
        refused += first == HOSTS;
        if (below(10) == 0 || first == HOSTS) {
            compare_reasons(p, &r, models, &w, confined);
        }
    }
    placement_free(&p);
    return refused;
}

TEST("choices and reasons are the oracle's under every filter on properties")
{
    CHECK(run(1) > 0);
    run(2);
}

TEST("a filter names what the hosts lack")
{
    struct placement *p = placement_new(NULL);
    struct model other = {.enabled = true, .properties = 1U << NET_1};
    struct placement_explanation x;
    struct placement_request r = {.need = {{1, 1, 1}}, .project_id = "p0"};
    char text[200];
    tell(p, &other, 0);
    other.properties = 1U << NET_2 | 1U << OS_WINDOWS;
    tell(p, &other, 1);
    keep(&r, PLACEMENT_KEEPS_NETWORKS, "net", "net=phys-3");
    keep(&r, PLACEMENT_KEEPS_IMAGES, "os", "os=linux");
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    placement_explain(p, &r, &x);
    CHECK_TEXT(placement_sentence(&x, text, sizeof(text)),
               "No valid host: 2 hosts, 1 in aggregates for other images (os=linux), 1 without reach of the network "
               "(phys-3)");
    placement_free(&p);
}

TEST("however many names there are when the key of a property becomes one, it is found")
{
    enum { MOST = 140 };
    for (int before = 0; before < MOST; before++) {
        struct placement *p = placement_new(NULL);
        char traits[MOST][16];
        const char *named[MOST], *property = "key=1";
        for (int i = 0; i < before; i++) {
            snprintf(traits[i], sizeof(traits[i]), "CUSTOM_%d", i);
            named[i] = traits[i];
        }
        struct placement_host h = {.id = "host", .zone = "nova", .hypervisor = "qemu", .architecture = "x86_64"};
        h.enabled = h.alive = true;
        h.traits = named;
        h.trait_count = (size_t)before;
        h.aggregates = &property;
        h.aggregate_count = 1;
        for (int r = 0; r < RESOURCE_COUNT; r++) {
            h.inventory[r] = (struct resource_inventory){.total = 1000, .ratio_permille = 1000};
        }
        placement_set_host(p, &h);
        struct placement_request fits = {.need = {{1, 1, 1}}, .project_id = "p0"}, other = fits;
        keep(&fits, PLACEMENT_KEEPS_NETWORKS, "key", "key=1");
        keep(&other, PLACEMENT_KEEPS_NETWORKS, "key", "key=2");
        CHECK(placement_choose(p, &fits) != PLACEMENT_NO_SLOT);
        CHECK_INT(placement_choose(p, &other), PLACEMENT_NO_SLOT);
        placement_free(&p);
    }
}
