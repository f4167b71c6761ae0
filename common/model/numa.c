/* Sums over what is asked for and given, and the JSON of the columns. */
#include "common/model/numa.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include <string.h>

size_t numa_use_size(const struct numa_topology *t)
{
    return sizeof(struct numa_use) + (size_t)t->cell_count * sizeof(struct numa_cell_use);
}

int64_t numa_request_dedicated(const struct numa_request *r)
{
    return cpuset_count(&r->dedicated);
}

bool numa_request_is_huge(const struct numa_request *r)
{
    return r->page_kib > NUMA_BASE_KIB || r->page_kib == NUMA_PAGE_LARGE;
}

int64_t numa_given_held(const struct numa_given *g)
{
    return cpuset_count(&g->held);
}

int64_t numa_given_huge_mib(const struct numa_given *g)
{
    int64_t sum = 0;
    for (int32_t i = 0; g->page_kib > NUMA_BASE_KIB && i < g->cell_count; i++)
        sum += g->memory_mib[i];
    return sum;
}

static void change_memory(const struct numa_cell *cell, struct numa_cell_use *use, const struct numa_given *g,
                          int32_t at, int sign)
{
    if (g->page_kib <= NUMA_BASE_KIB)
        use->memory_mib += sign * g->memory_mib[at];
    for (int32_t i = 0; i < cell->page_count; i++)
        if (cell->pages[i].kib == g->page_kib)
            use->pages[i] += sign * ((g->memory_mib[at] * 1024 + g->page_kib - 1) / g->page_kib);
}

void numa_use_change(const struct numa_topology *t, struct numa_use *use, const struct numa_given *g, int sign)
{
    if (sign > 0)
        cpuset_join(&use->held, &g->held);
    else
        cpuset_drop(&use->held, &g->held);
    for (int32_t i = 0; i < g->cell_count; i++) {
        for (int32_t h = 0; h < t->cell_count; h++) {
            if (t->cells[h].id == g->host[i]) {
                change_memory(&t->cells[h], &use->cells[h], g, i, sign);
                use->cells[h].shared_vcpus += sign * g->shared_vcpus[i];
            }
        }
    }
}

/* ---- a host's topology ---- */

static int64_t number(json_value *object, const char *name)
{
    int64_t value = 0;
    json_in_int(json_in_member(object, name), &value);
    return value > 0 ? value : 0;
}

static bool read_set(json_value *object, const char *name, struct cpuset *ret)
{
    const char *text = json_in_text(json_in_member(object, name));
    return !text || cpuset_parse(text, ret);
}

static bool read_cores(json_value *cores, struct numa_topology *t)
{
    for (size_t i = 0; i < json_in_count(cores); i++) {
        struct cpuset set = {{0}};
        const char *text = json_in_text(json_in_item(cores, i));
        if (!text || !cpuset_parse(text, &set))
            return false;
        int first = cpuset_next(&set, 0), threads = cpuset_count(&set);
        for (int cpu = first; cpu >= 0; cpu = cpu + 1 < CPUSET_MAX ? cpuset_next(&set, cpu + 1) : -1)
            t->core[cpu] = (int16_t)first;
        t->threads = threads > t->threads ? threads : t->threads;
    }
    return true;
}

static void read_pages(json_value *pages, struct numa_cell *cell)
{
    for (size_t i = 0; i < json_in_count(pages) && cell->page_count < NUMA_PAGES_MAX; i++) {
        json_value *item = json_in_item(pages, i);
        struct numa_pages p = {.kib = number(item, "kib"), .total = number(item, "total")};
        if (p.kib <= NUMA_BASE_KIB)
            continue;
        int32_t at = cell->page_count++;
        for (; at > 0 && cell->pages[at - 1].kib < p.kib; at--)
            cell->pages[at] = cell->pages[at - 1];
        cell->pages[at] = p;
    }
}

/* A processor that no core names is a core of its own. */
static void add_cores(const struct cpuset *set, struct numa_topology *t)
{
    for (int cpu = cpuset_next(set, 0); cpu >= 0; cpu = cpu + 1 < CPUSET_MAX ? cpuset_next(set, cpu + 1) : -1)
        if (t->core[cpu] < 0)
            t->core[cpu] = (int16_t)cpu;
}

static bool read_cell(json_value *item, struct numa_topology *t)
{
    struct numa_cell *cell = &t->cells[t->cell_count++];
    *cell = (struct numa_cell){.id = (int32_t)number(item, "id"), .memory_mib = number(item, "memory_mib")};
    read_pages(json_in_member(item, "pages"), cell);
    if (!read_set(item, "dedicated", &cell->dedicated) || !read_set(item, "shared", &cell->shared) ||
        !read_cores(json_in_member(item, "cores"), t))
        return false;
    add_cores(&cell->dedicated, t);
    add_cores(&cell->shared, t);
    return true;
}

int numa_topology_read(const char *json, struct numa_topology *ret, struct error *e)
{
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, e);
    if (rc)
        return rc;
    json_value *cells = json_in_member(doc.root, "cells");
    ret->cell_count = 0;
    ret->threads = 1;
    memset(ret->core, -1, sizeof(ret->core));
    for (size_t i = 0; !rc && i < json_in_count(cells) && i < NUMA_CELLS_MAX; i++)
        if (!read_cell(json_in_item(cells, i), ret))
            rc = error_set(e, ERR_INVALID, "a NUMA cell's processors are not a list of numbers");
    json_in_done(&doc);
    return rc;
}

static void print_set(struct json_out *o, const char *key, const struct cpuset *set)
{
    char text[CPUSET_TEXT_SIZE];
    json_out_text(o, key, cpuset_print(set, text));
}

static void print_cores(struct json_out *o, const struct numa_topology *t, const struct numa_cell *cell)
{
    struct cpuset all = cell->dedicated;
    cpuset_join(&all, &cell->shared);
    json_out_array(o, "cores");
    for (int core = 0; core < CPUSET_MAX; core++) {
        struct cpuset set = {{0}};
        for (int cpu = core; cpu < CPUSET_MAX; cpu++)
            if (t->core[cpu] == core)
                cpuset_add(&set, cpu);
        if (cpuset_meets(&set, &all))
            print_set(o, NULL, &set);
    }
    json_out_array_end(o);
}

void numa_topology_print(const struct numa_topology *t, struct strbuf *ret)
{
    struct json_out o;
    json_out_init(&o, ret);
    json_out_object(&o, NULL);
    json_out_array(&o, "cells");
    for (int32_t h = 0; h < t->cell_count; h++) {
        const struct numa_cell *cell = &t->cells[h];
        json_out_object(&o, NULL);
        json_out_int(&o, "id", cell->id);
        json_out_int(&o, "memory_mib", cell->memory_mib);
        print_set(&o, "dedicated", &cell->dedicated);
        print_set(&o, "shared", &cell->shared);
        print_cores(&o, t, cell);
        json_out_array(&o, "pages");
        for (int32_t i = 0; i < cell->page_count; i++) {
            json_out_object(&o, NULL);
            json_out_int(&o, "kib", cell->pages[i].kib);
            json_out_int(&o, "total", cell->pages[i].total);
            json_out_object_end(&o);
        }
        json_out_array_end(&o);
        json_out_object_end(&o);
    }
    json_out_array_end(&o);
    json_out_object_end(&o);
}

/* ---- what is given ---- */

static bool read_given_cell(json_value *item, struct numa_given *g, int32_t at)
{
    struct cpuset vcpus = {{0}};
    json_value *pins = json_in_member(item, "pins");
    size_t next = 0;
    g->host[at] = (int32_t)number(item, "host");
    g->memory_mib[at] = number(item, "memory_mib");
    if (!read_set(item, "vcpus", &vcpus) || !read_set(item, "floats", &g->floats[at]))
        return false;
    for (int v = cpuset_next(&vcpus, 0); v >= 0 && v < NUMA_VCPUS_MAX; v = cpuset_next(&vcpus, v + 1)) {
        int64_t cpu = -1;
        json_in_int(json_in_item(pins, next++), &cpu);
        g->pin[v] = (int16_t)(cpu >= 0 && cpu < CPUSET_MAX ? cpu : -1);
        g->cell_of[v] = (int8_t)at;
        g->shared_vcpus[at] += g->pin[v] < 0;
        g->vcpus = v + 1 > g->vcpus ? v + 1 : g->vcpus;
    }
    return true;
}

int numa_given_read_json(json_value *root, struct numa_given *ret, struct error *e)
{
    json_value *cells = json_in_member(root, "cells");
    memset(ret, 0, sizeof(*ret));
    memset(ret->pin, -1, sizeof(ret->pin));
    ret->page_kib = number(root, "page_kib");
    json_in_bool(json_in_member(root, "explicit"), &ret->explicit_cells);
    bool good = read_set(root, "held", &ret->held) && read_set(root, "emulator", &ret->emulator);
    for (size_t i = 0; good && i < json_in_count(cells) && i < NUMA_GUEST_CELLS_MAX; i++)
        good = read_given_cell(json_in_item(cells, i), ret, ret->cell_count++);
    return good ? 0 : error_set(e, ERR_INVALID, "what a server holds of NUMA cells is damaged");
}

int numa_given_read(const char *json, struct numa_given *ret, struct error *e)
{
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, e);
    if (rc)
        return rc;
    rc = numa_given_read_json(doc.root, ret, e);
    json_in_done(&doc);
    return rc;
}

int numa_given_each(const char *json, numa_given_fn fn, void *arg, struct error *e)
{
    struct json_doc doc;
    struct numa_given g;
    int rc = json_in_parse(json, strlen(json), &doc, e);
    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < json_in_count(doc.root); i++) {
        rc = numa_given_read_json(json_in_item(doc.root, i), &g, e);
        if (!rc)
            fn(arg, &g);
    }
    json_in_done(&doc);
    return rc;
}

static void print_given_cell(struct json_out *o, const struct numa_given *g, int32_t at)
{
    struct cpuset vcpus = {{0}};
    for (int v = 0; v < g->vcpus; v++)
        if (g->cell_of[v] == at)
            cpuset_add(&vcpus, v);
    json_out_object(o, NULL);
    json_out_int(o, "host", g->host[at]);
    print_set(o, "vcpus", &vcpus);
    json_out_int(o, "memory_mib", g->memory_mib[at]);
    json_out_array(o, "pins");
    for (int v = 0; v < g->vcpus; v++)
        if (g->cell_of[v] == at)
            json_out_int(o, NULL, g->pin[v]);
    json_out_array_end(o);
    if (g->shared_vcpus[at] > 0)
        print_set(o, "floats", &g->floats[at]);
    json_out_object_end(o);
}

void numa_given_print(const struct numa_given *g, struct strbuf *ret)
{
    struct json_out o;
    json_out_init(&o, ret);
    json_out_object(&o, NULL);
    json_out_int(&o, "page_kib", g->page_kib);
    json_out_bool(&o, "explicit", g->explicit_cells);
    json_out_array(&o, "cells");
    for (int32_t i = 0; i < g->cell_count; i++)
        print_given_cell(&o, g, i);
    json_out_array_end(&o);
    print_set(&o, "held", &g->held);
    print_set(&o, "emulator", &g->emulator);
    json_out_object_end(&o);
}
