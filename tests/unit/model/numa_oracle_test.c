/* The fit against an oracle that tries everything: every injective map of guest cells to the host's, every set of
 * processors. The answer is the same; what is given is within what was free, and nobody else has it. */
#include "common/model/numa.h"
#include "tests/unit/check.h"

static uint64_t state;
static int pick(int below)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((state >> 33) % (uint64_t)below);
}

/* ---- the oracle ---- */

struct world {
    struct numa_topology t;
    struct numa_use *use;
    struct numa_limits limits;
};

static bool is_idle_core(const struct world *w, int32_t h, int cpu)
{
    for (int other = 0; other < 64; other++)
        if (w->t.core[other] == w->t.core[cpu] &&
            (!cpuset_has(&w->t.cells[h].dedicated, other) || cpuset_has(&w->use->held, other)))
            return false;
    return true;
}

static int free_threads(const struct world *w, int32_t h, int cpu)
{
    int count = 0;
    for (int other = 0; other < 64; other++)
        count += w->t.core[other] == w->t.core[cpu] && cpuset_has(&w->t.cells[h].dedicated, other) &&
                 !cpuset_has(&w->use->held, other);
    return count;
}

/* Whether this set of the cell's first 16 processors may carry guest processors under the policy. */
static bool is_allowed(const struct world *w, int32_t h, enum numa_threads policy, unsigned set, int first)
{
    for (int i = 0; i < 16; i++) {
        if (!(set >> i & 1))
            continue;
        int cpu = first + i;
        if (!cpuset_has(&w->t.cells[h].dedicated, cpu) || cpuset_has(&w->use->held, cpu))
            return false;
        if (policy == NUMA_THREADS_REQUIRE && free_threads(w, h, cpu) < 2)
            return false;
        if (policy == NUMA_THREADS_ISOLATE && !is_idle_core(w, h, cpu))
            return false;
        for (int k = 0; policy == NUMA_THREADS_ISOLATE && k < i; k++)
            if ((set >> k & 1) && w->t.core[first + k] == w->t.core[cpu])
                return false;
    }
    return true;
}

/* Another processor for the emulator beside the set. */
static bool emulator_fits(const struct world *w, int32_t h, const struct numa_request *r, unsigned set, int first)
{
    enum numa_threads policy = r->threads == NUMA_THREADS_ISOLATE ? NUMA_THREADS_ISOLATE : NUMA_THREADS_PREFER;
    for (int i = 0; i < 8; i++)
        if (!(set >> i & 1) && is_allowed(w, h, policy, set | 1U << i, first))
            return true;
    return false;
}

static bool cpus_fit(const struct world *w, int32_t h, const struct numa_request *r, int32_t g)
{
    int need = 0;
    for (int v = 0; v < r->vcpus; v++)
        need += cpuset_has(&r->cells[g].vcpus, v) && cpuset_has(&r->dedicated, v);
    bool emulator = g == 0 && r->emulator == NUMA_EMULATOR_ISOLATE;
    for (unsigned set = 0; set < 256; set++)
        if (__builtin_popcount(set) == need && is_allowed(w, h, r->threads, set, h * 8) &&
            (!emulator || emulator_fits(w, h, r, set, h * 8)))
            return true;
    return false;
}

static bool memory_fits(const struct world *w, int32_t h, const struct numa_request *r, int32_t g, int64_t kib)
{
    const struct numa_cell *cell = &w->t.cells[h];
    int64_t need = r->cells[g].memory_mib;
    if (kib == 0)
        return w->use->cells[h].memory_mib + need <= cell->memory_mib * w->limits.ratio_memory / 1000;
    if (kib == NUMA_BASE_KIB)
        return w->use->cells[h].memory_mib + need <= cell->memory_mib;
    for (int i = 0; i < cell->page_count; i++)
        if (cell->pages[i].kib == kib)
            return need * 1024 % kib == 0 && w->use->cells[h].pages[i] + need * 1024 / kib <= cell->pages[i].total;
    return false;
}

static bool shared_fits(const struct world *w, int32_t h, const struct numa_request *r, int32_t g)
{
    int64_t need = 0, there = cpuset_count(&w->t.cells[h].shared);
    for (int v = 0; v < r->vcpus; v++)
        need += cpuset_has(&r->cells[g].vcpus, v) && !cpuset_has(&r->dedicated, v);
    return need == 0 || (need <= there && w->use->cells[h].shared_vcpus + need <= there * w->limits.ratio_vcpus / 1000);
}

static bool oracle_maps(const struct world *w, const struct numa_request *r, int64_t kib, int32_t g, unsigned taken)
{
    if (g == r->cell_count)
        return true;
    for (int32_t h = 0; h < w->t.cell_count; h++)
        if (!(taken >> h & 1) && cpus_fit(w, h, r, g) && memory_fits(w, h, r, g, kib) && shared_fits(w, h, r, g) &&
            oracle_maps(w, r, kib, g + 1, taken | 1U << h))
            return true;
    return false;
}

static bool oracle_fits(const struct world *w, const struct numa_request *r)
{
    int64_t sum = 0;
    for (int32_t g = 0; g < r->cell_count; g++)
        sum += r->cells[g].memory_mib;
    if (r->page_kib >= 0)
        return oracle_maps(w, r, r->page_kib, 0, 0);
    if (r->page_kib == NUMA_PAGE_SMALL)
        return oracle_maps(w, r, NUMA_BASE_KIB, 0, 0);
    if (oracle_maps(w, r, 2048, 0, 0) || oracle_maps(w, r, 1048576, 0, 0))
        return true;
    return r->page_kib == NUMA_PAGE_ANY && sum <= w->limits.free_memory_mib && oracle_maps(w, r, NUMA_BASE_KIB, 0, 0);
}

/* ---- random hosts and requests ---- */

/* Up to four cells of eight processors, whose cores have one, two or four threads. */
static void make_world(struct world *w)
{
    static const int threads[] = {1, 2, 2, 4};
    memset(w, 0, sizeof(*w));
    memset(w->t.core, -1, sizeof(w->t.core));
    w->t.cell_count = 1 + pick(4);
    w->t.threads = threads[pick(4)];
    for (int32_t h = 0; h < w->t.cell_count; h++) {
        struct numa_cell *cell = &w->t.cells[h];
        *cell = (struct numa_cell){.id = h * 2, .memory_mib = 1024 * (1 + pick(4)), .page_count = 2};
        cell->pages[0] = (struct numa_pages){1048576, pick(3)};
        cell->pages[1] = (struct numa_pages){2048, pick(2) * 512 * (1 + pick(2))};
        for (int i = 0; i < 8; i++) {
            w->t.core[h * 8 + i] = (int16_t)(h * 8 + i % (8 / w->t.threads));
            cpuset_add(pick(5) == 0 ? &cell->shared : &cell->dedicated, h * 8 + i);
        }
    }
    w->use = calloc(1, numa_use_size(&w->t));
    w->limits = (struct numa_limits){1000 + pick(3) * 1000, 1000 + pick(2) * 500, 512 * pick(9)};
}

static void make_request(struct numa_request *r)
{
    static const int64_t pages[] = {0, 0, NUMA_PAGE_SMALL, NUMA_PAGE_LARGE, NUMA_PAGE_ANY, 2048, 1048576};
    memset(r, 0, sizeof(*r));
    r->cell_count = 1 + (pick(2) ? pick(4) : 0);
    r->page_kib = pages[pick(7)];
    r->threads = (enum numa_threads)pick(3);
    r->policy = (enum numa_policy)pick(3);
    for (int32_t g = 0; g < r->cell_count; g++) {
        int count = 1 + pick(pick(2) ? 5 : 2);
        r->cells[g].memory_mib = 512 * (1 + pick(3));
        for (int i = 0; i < count; i++, r->vcpus++) {
            cpuset_add(&r->cells[g].vcpus, r->vcpus);
            if (r->policy == NUMA_DEDICATED || (r->policy == NUMA_MIXED && pick(2)))
                cpuset_add(&r->dedicated, r->vcpus);
        }
    }
    if (r->policy != NUMA_SHARED)
        r->emulator = (enum numa_emulator)pick(3);
}

/* What is given is what was asked for, was free, and lies where it should. */
static void check_given(const struct world *w, const struct numa_request *r, const struct numa_given *g)
{
    struct cpuset seen = {{0}};
    unsigned hosts = 0;
    CHECK_INT(g->cell_count, r->cell_count);
    for (int32_t i = 0; i < g->cell_count; i++) {
        CHECK(g->host[i] % 2 == 0 && g->host[i] / 2 < w->t.cell_count && !(hosts >> g->host[i] & 1));
        hosts |= 1U << g->host[i];
        CHECK_INT(g->memory_mib[i], r->cells[i].memory_mib);
    }
    for (int v = 0; v < r->vcpus; v++) {
        int32_t h = g->host[g->cell_of[v]] / 2;
        int cpu = g->pin[v];
        CHECK(cpuset_has(&r->cells[g->cell_of[v]].vcpus, v));
        CHECK_INT(cpu >= 0, cpuset_has(&r->dedicated, v));
        if (cpu < 0)
            continue;
        CHECK(cpuset_has(&w->t.cells[h].dedicated, cpu) && !cpuset_has(&w->use->held, cpu));
        CHECK(!cpuset_has(&seen, cpu) && cpuset_has(&g->held, cpu) && !cpuset_has(&g->emulator, cpu));
        cpuset_add(&seen, cpu);
        CHECK(r->threads != NUMA_THREADS_REQUIRE || free_threads(w, h, cpu) > 1);
        CHECK(r->threads != NUMA_THREADS_ISOLATE || is_idle_core(w, h, cpu));
        for (int other = 0; r->threads == NUMA_THREADS_ISOLATE && other < 64; other++)
            CHECK(w->t.core[other] != w->t.core[cpu] || cpuset_has(&g->held, other));
    }
    CHECK(!cpuset_meets(&g->held, &w->use->held));
    CHECK_INT(r->emulator == NUMA_EMULATOR_ISOLATE, r->emulator == NUMA_EMULATOR_ISOLATE &&
                                                        cpuset_count(&g->emulator) == 1 &&
                                                        cpuset_is_within(&g->emulator, &g->held));
}

#define HELD_MAX 64

static void run_world(int rounds, int *ret_fits)
{
    struct world w;
    struct numa_given *held = calloc(HELD_MAX, sizeof(*held));
    int count = 0;
    make_world(&w);
    for (int i = 0; i < rounds; i++) {
        struct numa_request r;
        struct numa_given g;
        struct numa_lack lack = {NULL, 0};
        make_request(&r);
        bool fits = numa_fit(&w.t, w.use, &w.limits, &r, &g, &lack);
        CHECK_INT(fits, oracle_fits(&w, &r));
        *ret_fits += fits;
        CHECK(fits || (lack.what && lack.amount > 0));
        if (fits && count < HELD_MAX) {
            check_given(&w, &r, &g);
            numa_use_change(&w.t, w.use, &g, 1);
            held[count++] = g;
        }
        while (count > 0 && pick(3) == 0) {
            int k = pick(count);
            numa_use_change(&w.t, w.use, &held[k], -1);
            held[k] = held[--count];
        }
    }
    while (count > 0)
        numa_use_change(&w.t, w.use, &held[--count], -1);
    CHECK(cpuset_is_empty(&w.use->held));
    for (int32_t h = 0; h < w.t.cell_count; h++)
        CHECK(w.use->cells[h].memory_mib == 0 && w.use->cells[h].pages[0] == 0 && w.use->cells[h].shared_vcpus == 0);
    free(held);
    free(w.use);
}

TEST("random guests fit random hosts exactly where the oracle fits them, and nobody's processor is given twice")
{
    int fits = 0, rounds = 0;
    for (int world = 0; world < 400; world++) {
        state = 77 + (uint64_t)world;
        run_world(40, &fits);
        rounds += 40;
    }
    CHECK(fits > rounds / 8 && fits < rounds * 7 / 8);
}
