/* The words are read one by one, the flavor's and the image's together, in the order in which Nova looks at them. */
#include "common/model/numa_wish.h"
#include "common/json_in.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *numa_wish_from_map(void *map, const char *name)
{
    const struct json_map *m = map;
    for (size_t i = 0; m && i < m->count; i++)
        if (strcmp(m->pairs[i].key, name) == 0)
            return m->pairs[i].value;
    return NULL;
}

const char *numa_wish_from_json(void *object, const char *name)
{
    return json_in_text(json_in_member(object, name));
}

/* "hw:NAME" of the flavor, "hw_NAME" of the image; an empty value is none. */
static const char *flavor_word(const struct numa_wish *w, const char *name)
{
    char key[64];
    snprintf(key, sizeof(key), "hw:%s", name);
    const char *value = w->flavor ? w->flavor(w->flavor_arg, key) : NULL;
    return value && *value ? value : NULL;
}

static const char *image_word(const struct numa_wish *w, const char *name)
{
    char key[64];
    snprintf(key, sizeof(key), "hw_%s", name);
    const char *value = w->image ? w->image(w->image_arg, key) : NULL;
    return value && *value ? value : NULL;
}

static bool read_int(const char *text, int64_t *ret)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || strlen(text) > 18)
        return false;
    *ret = value;
    return true;
}

/* ---- words out of lists ---- */

static const char *const policies[] = {"shared", "dedicated", "mixed", NULL};
static const char *const threads[] = {"prefer", "isolate", "require", NULL};
static const char *const emulators[] = {"default", "share", "isolate", NULL};

static int find(const char *const *list, const char *word)
{
    for (int i = 0; word && list[i]; i++)
        if (strcmp(list[i], word) == 0)
            return i;
    return -1;
}

static int check_word(const char *word, const char *const *list, const char *what, const char *source, struct error *e)
{
    if (!word || find(list, word) >= 0)
        return 0;
    return error_set(e, ERR_INVALID, "%s requested from '%s' is invalid, given: '%.64s', available: '%s, %s, %s'.",
                     what, source, word, list[0], list[1], list[2]);
}

static int check_words(const char *flavor, const char *image, const char *const *list, const char *what,
                       struct error *e)
{
    int rc = check_word(flavor, list, what, "flavor extra specs", e);
    return rc ? rc : check_word(image, list, what, "image properties", e);
}

static int read_policy(const struct numa_wish *w, enum numa_policy *ret, struct error *e)
{
    const char *flavor = flavor_word(w, "cpu_policy"), *image = image_word(w, "cpu_policy");
    int rc = check_words(flavor, image, policies, "CPU policy", e);
    if (rc)
        return rc;
    int f = find(policies, flavor), i = find(policies, image);
    bool widens = (f == NUMA_SHARED && i > NUMA_SHARED) || (f == NUMA_MIXED && i == NUMA_DEDICATED);
    if (widens)
        return error_set(e, ERR_INVALID,
                         "Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy set against "
                         "the flavor");
    *ret = f >= 0 ? (enum numa_policy)f : i >= 0 ? (enum numa_policy)i : NUMA_SHARED;
    return 0;
}

static int read_threads(const struct numa_wish *w, enum numa_threads *ret, bool *ret_said, struct error *e)
{
    const char *flavor = flavor_word(w, "cpu_thread_policy"), *image = image_word(w, "cpu_thread_policy");
    int rc = check_words(flavor, image, threads, "CPU thread policy", e);
    if (rc)
        return rc;
    int f = find(threads, flavor), i = find(threads, image);
    if (f > NUMA_THREADS_PREFER && i >= 0 && i != f)
        return error_set(e, ERR_INVALID,
                         "Image property 'hw_cpu_thread_policy' is not permitted to override CPU thread pinning policy "
                         "set against the flavor");
    *ret_said = f >= 0 || i >= 0;
    *ret = f >= 0 ? (enum numa_threads)f : i >= 0 ? (enum numa_threads)i : NUMA_THREADS_PREFER;
    return 0;
}

static int read_emulator(const struct numa_wish *w, enum numa_emulator *ret, struct error *e)
{
    const char *word = flavor_word(w, "emulator_threads_policy");
    int i = find(emulators, word);
    if (word && i <= 0)
        return error_set(e, ERR_INVALID,
                         "CPU emulator threads option requested is invalid, given: '%.64s', available: 'isolate, "
                         "share'.",
                         word);
    *ret = i > 0 ? (enum numa_emulator)i : NUMA_EMULATOR_DEFAULT;
    return 0;
}

/* ---- pages ---- */

/* KiB, or one of the words; 0: bad. */
static int64_t read_size(const char *text)
{
    if (strcmp(text, "small") == 0)
        return NUMA_PAGE_SMALL;
    if (strcmp(text, "large") == 0)
        return NUMA_PAGE_LARGE;
    if (strcmp(text, "any") == 0)
        return NUMA_PAGE_ANY;
    char *unit;
    long long value = strtoll(text, &unit, 10);
    if (unit == text || value <= 0 || value > INT32_MAX)
        return 0;
    if (!*unit)
        return value;
    const char *letters = "KMG", *letter = strchr(letters, toupper((unsigned char)*unit));
    unit += letter && *letter ? 1 : 0;
    unit += letter && *unit == 'i';
    if (!letter || (strcmp(unit, "") != 0 && strcmp(unit, "B") != 0 && strcmp(unit, "b") != 0))
        return 0;
    return value << (10 * (letter - letters));
}

static int read_pages(const struct numa_wish *w, int64_t *ret, struct error *e)
{
    const char *flavor = flavor_word(w, "mem_page_size"), *image = image_word(w, "mem_page_size");
    *ret = flavor ? read_size(flavor) : NUMA_PAGE_UNSAID;
    if (flavor && *ret == 0)
        return error_set(e, ERR_INVALID, "Invalid memory page size '%.64s'", flavor);
    bool open = *ret == NUMA_PAGE_ANY || *ret == NUMA_PAGE_LARGE;
    if (image && !open)
        return error_set(e, ERR_INVALID, "Page size %.64s forbidden against '%.64s'", image,
                         flavor ? flavor : "<empty>");
    if (!image)
        return 0;
    *ret = read_size(image);
    return *ret ? 0 : error_set(e, ERR_INVALID, "Invalid memory page size '%.64s'", image);
}

/* ---- cells ---- */

static int read_nodes(const struct numa_wish *w, int64_t *ret, struct error *e)
{
    const char *flavor = flavor_word(w, "numa_nodes"), *image = image_word(w, "numa_nodes");
    const char *word = flavor ? flavor : image;
    *ret = 0;
    if (flavor && image)
        return error_set(e, ERR_INVALID,
                         "Image property 'hw_numa_nodes' is not permitted to override NUMA configuration set against "
                         "the flavor");
    if (word && (!read_int(word, ret) || *ret < 1))
        return error_set(e, ERR_INVALID,
                         "The property 'numa_nodes' cannot be '%.64s'. It must be a number greater than 0", word);
    if (*ret > NUMA_GUEST_CELLS_MAX)
        return error_set(e, ERR_INVALID, "The property 'numa_nodes' cannot be '%.64s'. It must be at most %d", word,
                         NUMA_GUEST_CELLS_MAX);
    return 0;
}

/* numa_cpus.N, or numa_mem.N: the flavor's, else the image's. */
struct list {
    const char *items[NUMA_GUEST_CELLS_MAX];
    int64_t count;
};

static int read_list(const struct numa_wish *w, const char *name, struct list *ret, struct error *e)
{
    struct list lists[2] = {{.count = 0}, {.count = 0}};
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < NUMA_GUEST_CELLS_MAX; i++) {
            char key[64];
            snprintf(key, sizeof(key), "%s.%d", name, i);
            const char *word = k == 0 ? flavor_word(w, key) : image_word(w, key);
            if (!word)
                break;
            lists[k].items[lists[k].count++] = word;
        }
    }
    if (lists[0].count > 0 && lists[1].count > 0)
        return error_set(e, ERR_INVALID,
                         "Image property 'hw_%s' is not permitted to override NUMA configuration set against the "
                         "flavor",
                         name);
    *ret = lists[0].count > 0 ? lists[0] : lists[1];
    return 0;
}

static int spread_evenly(const struct numa_wish *w, int64_t nodes, struct numa_request *ret, struct error *e)
{
    if (w->vcpus % nodes != 0 || w->memory_mib % nodes != 0)
        return error_set(e, ERR_INVALID,
                         "Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. "
                         "Explicit assignment of CPUs and memory to nodes is required");
    for (int64_t g = 0; g < nodes; g++) {
        ret->cells[g].memory_mib = w->memory_mib / nodes;
        for (int64_t v = 0; v < w->vcpus / nodes; v++)
            cpuset_add(&ret->cells[g].vcpus, (int)(g * (w->vcpus / nodes) + v));
    }
    return 0;
}

static int take_cell(const struct numa_wish *w, const char *cpus, const char *memory, struct cpuset *taken,
                     struct numa_guest_cell *ret, struct error *e)
{
    if (!cpuset_parse(cpus, &ret->vcpus))
        return error_set(e, ERR_INVALID, "Invalid range expression '%.64s'", cpus);
    for (int v = cpuset_next(&ret->vcpus, 0); v >= 0; v = v + 1 < CPUSET_MAX ? cpuset_next(&ret->vcpus, v + 1) : -1) {
        if (v >= w->vcpus)
            return error_set(e, ERR_INVALID, "CPU number %d is larger than max %d", v, (int)w->vcpus - 1);
        if (cpuset_has(taken, v))
            return error_set(e, ERR_INVALID, "CPU number %d is assigned to two nodes", v);
    }
    cpuset_join(taken, &ret->vcpus);
    if (!read_int(memory, &ret->memory_mib) || ret->memory_mib < 1)
        return error_set(e, ERR_INVALID,
                         "The memory of a NUMA node cannot be '%.64s'. It must be a number of MB greater "
                         "than 0",
                         memory);
    return 0;
}

static int spread_as_said(const struct numa_wish *w, const struct list *cpus, const struct list *memory,
                          struct numa_request *ret, struct error *e)
{
    struct cpuset taken = {{0}}, all;
    int64_t sum = 0;
    char text[CPUSET_TEXT_SIZE];
    for (int64_t g = 0; g < cpus->count; g++) {
        int rc = take_cell(w, cpus->items[g], memory->items[g], &taken, &ret->cells[g], e);
        if (rc)
            return rc;
        sum += ret->cells[g].memory_mib;
    }
    cpuset_fill(&all, (int)w->vcpus);
    cpuset_drop(&all, &taken);
    if (!cpuset_is_empty(&all))
        return error_set(e, ERR_INVALID, "CPU number %.200s is not assigned to any node", cpuset_print(&all, text));
    if (sum != w->memory_mib)
        return error_set(e, ERR_INVALID, "%lld MB of memory assigned, but expected %lld MB", (long long)sum,
                         (long long)w->memory_mib);
    return 0;
}

static int read_cells(const struct numa_wish *w, int64_t nodes, struct numa_request *ret, struct error *e)
{
    struct list cpus, memory;
    int rc = read_list(w, "numa_cpus", &cpus, e);
    rc = rc ? rc : read_list(w, "numa_mem", &memory, e);
    if (rc)
        return rc;
    ret->explicit_cells = true;
    ret->cell_count = (int32_t)nodes;
    if (cpus.count == 0 && memory.count == 0)
        return spread_evenly(w, nodes, ret, e);
    if (cpus.count != nodes || memory.count != nodes)
        return error_set(e, ERR_INVALID, "CPU and memory allocation must be provided for all NUMA nodes");
    return spread_as_said(w, &cpus, &memory, ret, e);
}

/* Explicit sizes of pages: each cell is made of whole ones. */
static int check_pages(const struct numa_request *r, struct error *e)
{
    for (int32_t g = 0; r->page_kib > NUMA_BASE_KIB && g < r->cell_count; g++)
        if (r->cells[g].memory_mib * 1024 % r->page_kib != 0)
            return error_set(e, ERR_INVALID,
                             "The memory of NUMA node %d, %lld MB, is not a multiple of the page size "
                             "%lld kB",
                             (int)g, (long long)r->cells[g].memory_mib, (long long)r->page_kib);
    return 0;
}

/* ---- dedicated processors ---- */

static int read_mask(const struct numa_wish *w, enum numa_policy policy, struct cpuset *ret, struct error *e)
{
    const char *mask = flavor_word(w, "cpu_dedicated_mask");
    struct cpuset all;
    cpuset_fill(&all, (int)w->vcpus);
    if (mask && policy != NUMA_MIXED)
        return error_set(e, ERR_INVALID, "Cannot specify 'hw:cpu_dedicated_mask' without the 'mixed' policy.");
    if (policy == NUMA_MIXED && !mask)
        return error_set(e, ERR_INVALID,
                         "Dedicated CPU set can be specified from either 'hw:cpu_dedicated_mask' or "
                         "'hw:cpu_realtime_mask' when using 'mixed' CPU policy; here it must be "
                         "'hw:cpu_dedicated_mask'.");
    memset(ret, 0, sizeof(*ret));
    if (policy == NUMA_DEDICATED)
        *ret = all;
    if (policy != NUMA_MIXED)
        return 0;
    char text[256];
    if (mask[strspn(mask, " ")] == '^')
        snprintf(text, sizeof(text), "0-%d,%s", (int)w->vcpus - 1, mask);
    else
        snprintf(text, sizeof(text), "%s", mask);
    if (!cpuset_parse(text, ret))
        return error_set(e, ERR_INVALID, "Invalid range expression '%.64s'", mask);
    if (!cpuset_is_within(ret, &all))
        return error_set(e, ERR_INVALID,
                         "Mixed instance dedicated vCPU(s) mask is not a subset of vCPUs in the flavor. See "
                         "'hw:cpu_dedicated_mask'");
    if (cpuset_is_empty(ret) || cpuset_count(ret) == w->vcpus)
        return error_set(e, ERR_INVALID,
                         "Mixed instance must have at least 1 pinned vCPU and 1 unpinned vCPU. See "
                         "'hw:cpu_dedicated_mask'.");
    return 0;
}

static bool is_true(const char *word)
{
    static const char *const yes[] = {"1", "t", "true", "on", "y", "yes", "True", "TRUE", NULL};
    return find(yes, word) >= 0;
}

static int read_processors(const struct numa_wish *w, struct numa_request *ret, struct error *e)
{
    bool said = false;
    int rc = read_policy(w, &ret->policy, e);
    rc = rc ? rc : read_threads(w, &ret->threads, &said, e);
    rc = rc ? rc : read_emulator(w, &ret->emulator, e);
    if (rc)
        return rc;
    if (is_true(flavor_word(w, "cpu_realtime")))
        return error_set(e, ERR_INVALID, "hw:cpu_realtime is not supported here");
    if (ret->policy == NUMA_SHARED && said)
        return error_set(e, ERR_INVALID, "Cannot set cpu thread pinning policy in a non dedicated cpu pinning policy");
    if (ret->policy == NUMA_SHARED && ret->emulator == NUMA_EMULATOR_ISOLATE)
        return error_set(e, ERR_INVALID,
                         "An isolated CPU emulator threads option requires a dedicated CPU policy option.");
    return read_mask(w, ret->policy, &ret->dedicated, e);
}

int numa_wish_read(const struct numa_wish *w, struct numa_request *ret, bool *ret_any, struct error *e)
{
    struct numa_request r = {.vcpus = (int32_t)w->vcpus};
    int64_t nodes = 0;
    int rc = read_nodes(w, &nodes, e);
    rc = rc ? rc : read_pages(w, &r.page_kib, e);
    rc = rc ? rc : read_processors(w, &r, e);
    bool any = nodes > 0 || r.page_kib != NUMA_PAGE_UNSAID || r.policy != NUMA_SHARED;
    if (!rc && any && w->vcpus > NUMA_VCPUS_MAX)
        rc =
            error_set(e, ERR_INVALID, "NUMA cells, page sizes and CPU policies are for up to %d VCPUs", NUMA_VCPUS_MAX);
    if (!rc && (nodes > 0 || r.page_kib != NUMA_PAGE_UNSAID))
        rc = read_cells(w, nodes > 0 ? nodes : 1, &r, e);
    else if (!rc && any) {
        r.cell_count = 1;
        r.cells[0].memory_mib = w->memory_mib;
        cpuset_fill(&r.cells[0].vcpus, (int)w->vcpus);
    }
    rc = rc ? rc : check_pages(&r, e);
    if (rc)
        return rc;
    *ret_any = any;
    if (any)
        *ret = r;
    return 0;
}
