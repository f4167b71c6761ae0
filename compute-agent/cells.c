/* Options are short texts; they are read again where they are used. */
#include "compute-agent/cells.h"
#include <stdlib.h>
#include <string.h>

static int read_set(const char *option, const char *text, struct cpuset *ret, struct error *e)
{
    memset(ret, 0, sizeof(*ret));
    if (text && !cpuset_parse(text, ret))
        return error_set(e, ERR_INVALID, "%s: '%.64s' is not a list of processors such as 2-15,^8", option, text);
    return 0;
}

/* "A:B:C" or "A:B", and a comma or the end behind it. */
static bool read_numbers(const char **at, int64_t *ret, int count)
{
    for (int i = 0; i < count; i++) {
        char *end;
        ret[i] = strtoll(*at, &end, 10);
        if (end == *at || ret[i] < 0 || *end != (i + 1 < count ? ':' : *end == ',' ? ',' : '\0'))
            return false;
        *at = end + (*end != '\0');
    }
    return true;
}

static int check_pages(const char *option, const char *text, int count, struct error *e)
{
    int64_t numbers[3];
    for (const char *at = text; at && *at;)
        if (!read_numbers(&at, numbers, count))
            return error_set(e, ERR_INVALID, "%s: '%.64s' is not %s between commas", option, text,
                             count == 3 ? "CELL:KIB:COUNT" : "KIB:COUNT");
    return 0;
}

int cells_check(const struct settings *s, struct error *e)
{
    struct cpuset dedicated, shared;
    int rc = read_set("dedicated_cpus", s->dedicated_cpus, &dedicated, e);
    rc = rc ? rc : read_set("shared_cpus", s->shared_cpus, &shared, e);
    if (!rc && cpuset_meets(&dedicated, &shared))
        rc = error_set(e, ERR_INVALID, "dedicated_cpus and shared_cpus: a processor is in both");
    rc = rc ? rc : check_pages("reserved_huge_pages", s->reserved_huge_pages, 3, e);
    return rc ? rc : check_pages("fake_huge_pages", s->fake_huge_pages, 2, e);
}

static void keep_back(struct numa_topology *t, int64_t cell, int64_t kib, int64_t count)
{
    for (int32_t h = 0; h < t->cell_count; h++) {
        for (int32_t i = 0; t->cells[h].id == cell && i < t->cells[h].page_count; i++) {
            struct numa_pages *p = &t->cells[h].pages[i];
            if (p->kib == kib)
                p->total = p->total > count ? p->total - count : 0;
        }
    }
}

static void divide_processors(struct numa_cell *cell, const struct settings *s)
{
    struct cpuset dedicated, shared;
    read_set("dedicated_cpus", s->dedicated_cpus, &dedicated, NULL);
    read_set("shared_cpus", s->shared_cpus, &shared, NULL);
    cell->dedicated = cell->shared;
    cpuset_keep(&cell->dedicated, &dedicated);
    if (s->shared_cpus)
        cpuset_keep(&cell->shared, &shared);
    else
        cpuset_drop(&cell->shared, &dedicated);
}

void cells_divide(struct numa_topology *t, const struct settings *s, struct cells_sums *ret)
{
    int64_t numbers[3];
    *ret = (struct cells_sums){0};
    for (int32_t h = 0; h < t->cell_count; h++) {
        struct numa_cell *cell = &t->cells[h];
        int64_t huge_mib = 0;
        for (int32_t i = 0; i < cell->page_count; i++)
            huge_mib += cell->pages[i].kib * cell->pages[i].total / 1024;
        cell->memory_mib = cell->memory_mib > huge_mib ? cell->memory_mib - huge_mib : 0;
        ret->huge_mib += huge_mib;
        divide_processors(cell, s);
        ret->shared += cpuset_count(&cell->shared);
    }
    for (const char *at = s->reserved_huge_pages; at && *at && read_numbers(&at, numbers, 3);)
        keep_back(t, numbers[0], numbers[1], numbers[2]);
}

static void fake_pages(struct numa_cell *cell, const char *at)
{
    int64_t numbers[2];
    while (at && *at && cell->page_count < NUMA_PAGES_MAX && read_numbers(&at, numbers, 2))
        cell->pages[cell->page_count++] = (struct numa_pages){.kib = numbers[0], .total = numbers[1]};
}

void cells_fake(const struct settings *s, int64_t vcpus, int64_t memory_mib, struct numa_topology *ret)
{
    int64_t cells = s->fake_cells > 0 ? s->fake_cells : 1, each = vcpus / cells;
    memset(ret, 0, sizeof(*ret));
    memset(ret->core, -1, sizeof(ret->core));
    ret->cell_count = (int32_t)cells;
    ret->threads = each % 2 == 0 ? 2 : 1;
    for (int64_t h = 0; h < cells; h++) {
        struct numa_cell *cell = &ret->cells[h];
        *cell = (struct numa_cell){.id = (int32_t)h, .memory_mib = memory_mib / cells};
        for (int64_t i = h * each; i < (h + 1) * each && i < CPUSET_MAX; i++) {
            cpuset_add(&cell->shared, (int)i);
            ret->core[i] = (int16_t)(i - i % ret->threads);
        }
        fake_pages(cell, s->fake_huge_pages);
    }
}
