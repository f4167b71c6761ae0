/* Fitting. Each guest cell goes to a cell of the host of its own, and what happens in one cell never matters to
 * another, so which guest cell fits which cell is a table, and an assignment is a matching in it: found by augmenting
 * paths, exact, and polynomial where trying the permutations is not. The size of pages is the same for all cells: the
 * largest that works is taken. */
#include "common/model/numa.h"
#include <string.h>

/* A guest cell in a cell of the host. */
struct trial {
    const struct numa_topology *t;
    const struct numa_use *use;
    const struct numa_limits *limits;
    const struct numa_request *r;
    int64_t page_kib; /* 0: unsaid */
};

static const struct numa_cell_use unused;

static const struct numa_cell_use *use_of(const struct trial *x, int32_t h)
{
    return x->use ? &x->use->cells[h] : &unused;
}

/* Dedicated processors of the cell that nobody holds. */
static struct cpuset free_of(const struct trial *x, int32_t h)
{
    struct cpuset set = x->t->cells[h].dedicated;
    if (x->use)
        cpuset_drop(&set, &x->use->held);
    return set;
}

/* ---- dedicated processors ---- */

/* The free processors by core, the cores in the order of their lowest processor. */
struct cores {
    int32_t count;
    int16_t core[CPUSET_MAX], free[CPUSET_MAX], size[CPUSET_MAX];
};

static void count_cores(const struct trial *x, const struct cpuset *set, struct cores *ret)
{
    int16_t at[CPUSET_MAX];
    memset(at, -1, sizeof(at));
    ret->count = 0;
    for (int cpu = cpuset_next(set, 0); cpu >= 0; cpu = cpu + 1 < CPUSET_MAX ? cpuset_next(set, cpu + 1) : -1) {
        int16_t core = x->t->core[cpu];
        if (core < 0)
            continue;
        if (at[core] < 0) {
            at[core] = (int16_t)ret->count++;
            ret->core[at[core]] = core;
            ret->free[at[core]] = 0;
        }
        ret->free[at[core]]++;
    }
    for (int32_t i = 0; i < ret->count; i++)
        ret->size[i] = 0;
    for (int cpu = 0; cpu < CPUSET_MAX; cpu++)
        if (x->t->core[cpu] >= 0 && at[x->t->core[cpu]] >= 0)
            ret->size[at[x->t->core[cpu]]]++;
}

/* How many guest processors this core can carry under the policy. */
static int32_t carries(const struct numa_request *r, const struct cores *c, int32_t i)
{
    switch (r->threads) {
    case NUMA_THREADS_ISOLATE:
        return c->free[i] == c->size[i] ? 1 : 0;
    case NUMA_THREADS_REQUIRE:
        return c->free[i] >= 2 ? c->free[i] : 0;
    default:
        return c->free[i];
    }
}

static int32_t room_in(const struct numa_request *r, const struct cores *c)
{
    int32_t room = 0;
    for (int32_t i = 0; i < c->count; i++)
        room += carries(r, c, i);
    return room;
}

static int32_t pinned_in(const struct numa_request *r, int32_t g)
{
    struct cpuset set = r->cells[g].vcpus;
    cpuset_keep(&set, &r->dedicated);
    return cpuset_count(&set);
}

static bool emulator_is_here(const struct numa_request *r, int32_t g)
{
    return g == 0 && r->emulator == NUMA_EMULATOR_ISOLATE;
}

/* How many dedicated processors (or whole cores) are missing. */
static int64_t lacking_dedicated(const struct trial *x, int32_t g, int32_t h)
{
    int32_t need = pinned_in(x->r, g), extra = emulator_is_here(x->r, g);
    if (need + extra == 0)
        return 0;
    struct cpuset set = free_of(x, h);
    int32_t left = cpuset_count(&set);
    if (x->r->threads == NUMA_THREADS_PREFER || left < need + extra)
        return left < need + extra ? need + extra - left : 0;
    struct cores cores;
    count_cores(x, &set, &cores);
    int32_t room = room_in(x->r, &cores);
    if (x->r->threads == NUMA_THREADS_ISOLATE)
        need += extra;
    return room < need ? need - room : 0;
}

/* ---- what floats, and memory ---- */

static int64_t lacking_shared(const struct trial *x, int32_t g, int32_t h)
{
    int64_t need = cpuset_count(&x->r->cells[g].vcpus) - pinned_in(x->r, g);
    int64_t there = cpuset_count(&x->t->cells[h].shared);
    int64_t left = there * x->limits->ratio_vcpus / 1000 - use_of(x, h)->shared_vcpus;
    if (left > there) /* no guest cell is wider than the cell that it runs on */
        left = there;
    return need > 0 && left < need ? need - left : 0;
}

static int64_t in_pages(int64_t memory_mib, int64_t kib)
{
    return (memory_mib * 1024 + kib - 1) / kib;
}

static int64_t lacking_pages(const struct trial *x, int32_t g, int32_t h)
{
    const struct numa_cell *cell = &x->t->cells[h];
    int64_t need = in_pages(x->r->cells[g].memory_mib, x->page_kib), left = 0;
    for (int32_t i = 0; i < cell->page_count; i++)
        if (cell->pages[i].kib == x->page_kib)
            left = cell->pages[i].total - use_of(x, h)->pages[i];
    return left < need ? need - (left > 0 ? left : 0) : 0;
}

static int64_t lacking_memory(const struct trial *x, int32_t g, int32_t h)
{
    int64_t need = x->r->cells[g].memory_mib, ratio = x->page_kib == 0 ? x->limits->ratio_memory : 1000;
    int64_t left = x->t->cells[h].memory_mib * ratio / 1000 - use_of(x, h)->memory_mib;
    return left < need ? need - (left > 0 ? left : 0) : 0;
}

static const char *page_words(int64_t kib)
{
    static const struct {
        int64_t kib;
        const char *words;
    } known[] = {{64, "pages of 64 KiB in one NUMA cell"},      {2048, "pages of 2 MiB in one NUMA cell"},
                 {16384, "pages of 16 MiB in one NUMA cell"},   {32768, "pages of 32 MiB in one NUMA cell"},
                 {524288, "pages of 512 MiB in one NUMA cell"}, {1048576, "pages of 1 GiB in one NUMA cell"},
                 {16777216, "pages of 16 GiB in one NUMA cell"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].kib == kib)
            return known[i].words;
    return "huge pages of the size asked for in one NUMA cell";
}

static const char *dedicated_words(const struct numa_request *r)
{
    switch (r->threads) {
    case NUMA_THREADS_ISOLATE:
        return "idle cores in one NUMA cell";
    case NUMA_THREADS_REQUIRE:
        return "dedicated sibling threads in one NUMA cell";
    default:
        return "dedicated CPUs in one NUMA cell";
    }
}

/* Everything that the cell lacks for the guest cell: the first of it, and how many things; 0: it fits. */
static int32_t look(const struct trial *x, int32_t g, int32_t h, struct numa_lack *ret)
{
    bool huge = x->page_kib > NUMA_BASE_KIB;
    struct numa_lack lacks[] = {
        {dedicated_words(x->r), lacking_dedicated(x, g, h)},
        {"shared CPUs in one NUMA cell", lacking_shared(x, g, h)},
        {huge ? page_words(x->page_kib) : "MiB in one NUMA cell",
         huge ? lacking_pages(x, g, h) : lacking_memory(x, g, h)},
    };
    int32_t missing = 0;
    for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++)
        if (lacks[i].amount > 0 && missing++ == 0)
            *ret = lacks[i];
    return missing;
}

/* ---- the matching ---- */

struct matching {
    const struct trial *x;
    int32_t order[NUMA_CELLS_MAX];       /* cells of the host, the one to fill first at the front */
    uint32_t fits[NUMA_GUEST_CELLS_MAX]; /* a bit per place in the order */
    int32_t guest[NUMA_CELLS_MAX];       /* per place: guest cell, -1: free */
};

static bool augment(struct matching *m, int32_t g, uint32_t *seen)
{
    for (uint32_t bits = m->fits[g] & ~*seen; bits; bits = m->fits[g] & ~*seen) {
        int32_t place = __builtin_ctz(bits);
        *seen |= 1U << place;
        if (m->guest[place] < 0 || augment(m, m->guest[place], seen)) {
            m->guest[place] = g;
            return true;
        }
    }
    return false;
}

/* Cells with the least left come first, so that the wide ones stay whole. */
static void put_in_order(struct matching *m)
{
    const struct trial *x = m->x;
    int64_t left[NUMA_CELLS_MAX];
    bool pins = numa_request_dedicated(x->r) > 0;
    for (int32_t h = 0; h < x->t->cell_count; h++) {
        const struct numa_cell *cell = &x->t->cells[h];
        int64_t cpus = x->use ? cpuset_count_without(&cell->dedicated, &x->use->held) : cpuset_count(&cell->dedicated);
        left[h] = pins ? cpus : -(cell->memory_mib - use_of(x, h)->memory_mib);
        int32_t at = h;
        for (; at > 0 && left[m->order[at - 1]] > left[h]; at--)
            m->order[at] = m->order[at - 1];
        m->order[at] = h;
    }
}

static bool match(const struct trial *x, struct matching *m)
{
    struct numa_lack none;
    m->x = x;
    put_in_order(m);
    memset(m->fits, 0, sizeof(m->fits));
    memset(m->guest, -1, sizeof(m->guest));
    for (int32_t g = 0; g < x->r->cell_count; g++) {
        for (int32_t i = 0; i < x->t->cell_count; i++)
            if (look(x, g, m->order[i], &none) == 0)
                m->fits[g] |= 1U << i;
        uint32_t seen = 0;
        if (!augment(m, g, &seen))
            return false;
    }
    return true;
}

/* ---- what it gets ---- */

/* The core to go on with: the fullest that is used up by what is left, else the emptiest that is enough. */
static int32_t next_core(const struct numa_request *r, const struct cores *c, int32_t need)
{
    int32_t best = -1;
    for (int32_t i = 0; i < c->count; i++) {
        int32_t can = carries(r, c, i), had = best < 0 ? 0 : carries(r, c, best);
        if (can == 0)
            continue;
        bool better = best < 0 || (can <= need ? had > need || can > had : had > need && can < had);
        if (better)
            best = i;
    }
    return best;
}

static int take_free(struct cpuset *left, const struct trial *x, int16_t core)
{
    for (int cpu = cpuset_next(left, 0); cpu >= 0; cpu = cpu + 1 < CPUSET_MAX ? cpuset_next(left, cpu + 1) : -1) {
        if (core < 0 || x->t->core[cpu] == core) {
            cpuset_remove(left, cpu);
            return cpu;
        }
    }
    return -1;
}

/* All that is left of the core is held too. */
static void hold_core(struct cpuset *left, const struct trial *x, int16_t core, struct cpuset *held)
{
    for (int cpu = take_free(left, x, core); cpu >= 0; cpu = take_free(left, x, core))
        cpuset_add(held, cpu);
}

/* Fills `ret` with host processors for `need` guest processors. */
static void pick(const struct trial *x, struct cpuset *left, int32_t need, int16_t *ret, struct cpuset *held)
{
    struct cores cores;
    count_cores(x, left, &cores);
    while (need > 0) {
        int32_t i = next_core(x->r, &cores, need), can = carries(x->r, &cores, i);
        for (int32_t k = 0; k < can && need > 0; k++, need--) {
            *ret = (int16_t)take_free(left, x, cores.core[i]);
            cpuset_add(held, *ret++);
        }
        cores.free[i] = 0;
        cores.size[i] = -1;
        if (x->r->threads == NUMA_THREADS_ISOLATE)
            hold_core(left, x, cores.core[i], held);
    }
}

static void give_cell(const struct trial *x, int32_t g, int32_t h, struct numa_given *ret)
{
    const struct numa_request *r = x->r;
    struct cpuset left = free_of(x, h);
    int16_t pins[NUMA_VCPUS_MAX], *pin = pins;
    int32_t need = pinned_in(r, g);
    ret->host[g] = x->t->cells[h].id;
    ret->memory_mib[g] = r->cells[g].memory_mib;
    ret->shared_vcpus[g] = 0;
    pick(x, &left, need, pins, &ret->held);
    for (int v = cpuset_next(&r->cells[g].vcpus, 0); v >= 0; v = cpuset_next(&r->cells[g].vcpus, v + 1)) {
        bool pinned = cpuset_has(&r->dedicated, v);
        ret->pin[v] = pinned ? *pin++ : -1;
        ret->cell_of[v] = (int8_t)g;
        ret->shared_vcpus[g] += !pinned;
    }
    if (ret->shared_vcpus[g] > 0)
        ret->floats[g] = x->t->cells[h].shared;
    if (emulator_is_here(r, g)) {
        int16_t cpu;
        if (r->threads == NUMA_THREADS_ISOLATE)
            pick(x, &left, 1, &cpu, &ret->held);
        else
            cpu = (int16_t)take_free(&left, x, -1);
        cpuset_add(&ret->held, cpu);
        cpuset_add(&ret->emulator, cpu);
    }
}

static void give(const struct trial *x, const struct matching *m, struct numa_given *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->cell_count = x->r->cell_count;
    ret->vcpus = x->r->vcpus;
    ret->page_kib = x->page_kib;
    ret->explicit_cells = x->r->explicit_cells;
    for (int32_t i = 0; i < x->t->cell_count; i++)
        if (m->guest[i] >= 0)
            give_cell(x, m->guest[i], m->order[i], ret);
    for (int32_t h = 0; x->r->emulator == NUMA_EMULATOR_SHARE && h < x->t->cell_count; h++)
        cpuset_join(&ret->emulator, &x->t->cells[h].shared);
}

/* ---- sizes of pages ---- */

/* The sizes to try, the largest first. */
static int32_t page_sizes(const struct trial *x, int64_t ret[NUMA_PAGES_MAX * NUMA_CELLS_MAX + 1])
{
    int64_t wish = x->r->page_kib;
    int32_t count = 0;
    if (wish >= 0 || wish == NUMA_PAGE_SMALL) {
        ret[0] = wish == NUMA_PAGE_SMALL ? NUMA_BASE_KIB : wish;
        return 1;
    }
    for (int32_t h = 0; h < x->t->cell_count; h++) {
        for (int32_t i = 0; i < x->t->cells[h].page_count; i++) {
            int64_t kib = x->t->cells[h].pages[i].kib;
            int32_t at = 0;
            while (at < count && ret[at] > kib)
                at++;
            if (at < count && ret[at] == kib)
                continue;
            memmove(ret + at + 1, ret + at, (size_t)(count - at) * sizeof(*ret));
            ret[at] = kib;
            count++;
        }
    }
    if (wish == NUMA_PAGE_ANY)
        ret[count++] = NUMA_BASE_KIB;
    return count;
}

/* Whether every guest cell is made of whole pages. */
static bool is_whole(const struct trial *x)
{
    for (int32_t g = 0; x->page_kib > NUMA_BASE_KIB && g < x->r->cell_count; g++)
        if (x->r->cells[g].memory_mib * 1024 % x->page_kib != 0)
            return false;
    return true;
}

static int64_t all_memory(const struct numa_request *r)
{
    int64_t sum = 0;
    for (int32_t g = 0; g < r->cell_count; g++)
        sum += r->cells[g].memory_mib;
    return sum;
}

/* The nearest miss of the guest cell that fits nowhere. */
static void explain(const struct trial *x, struct numa_lack *ret)
{
    *ret = (struct numa_lack){"NUMA cells that have room", 1};
    if (x->t->cell_count < x->r->cell_count) {
        *ret = (struct numa_lack){"NUMA cells", x->r->cell_count - x->t->cell_count};
        return;
    }
    for (int32_t g = 0; g < x->r->cell_count; g++) {
        struct numa_lack nearest = {NULL, 0};
        int32_t least = 0;
        for (int32_t h = 0; h < x->t->cell_count; h++) {
            struct numa_lack lack = {NULL, 0};
            int32_t missing = look(x, g, h, &lack);
            if (h == 0 || missing < least || (missing == least && missing > 0 && lack.amount < nearest.amount)) {
                least = missing;
                nearest = lack;
            }
        }
        if (least > 0) {
            *ret = nearest;
            return;
        }
    }
}

bool numa_fit(const struct numa_topology *t, const struct numa_use *use, const struct numa_limits *limits,
              const struct numa_request *r, struct numa_given *ret_given, struct numa_lack *ret_lack)
{
    int64_t sizes[NUMA_PAGES_MAX * NUMA_CELLS_MAX + 1];
    struct trial x = {.t = t, .use = use, .limits = limits, .r = r};
    struct matching m;
    int32_t count = page_sizes(&x, sizes);
    bool enough = t->cell_count >= r->cell_count;
    for (int32_t i = 0; enough && i < count; i++) {
        x.page_kib = sizes[i];
        bool small = r->page_kib == NUMA_PAGE_ANY && x.page_kib == NUMA_BASE_KIB;
        if ((!small || limits->free_memory_mib >= all_memory(r)) && is_whole(&x) && match(&x, &m)) {
            if (ret_given)
                give(&x, &m, ret_given);
            return true;
        }
    }
    if (ret_lack && count == 0)
        *ret_lack = (struct numa_lack){"NUMA cells with huge pages", r->cell_count};
    else if (ret_lack)
        explain(&x, ret_lack);
    return false;
}
