/* host/topology/cells/cell: memory in KiB, pages by size, cpus with the numbers of their siblings. */
#include "compute-agent/xml/topology_xml.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>
#include <string.h>

static int64_t number_of(char *text)
{
    int64_t value = text ? strtoll(text, NULL, 10) : -1;
    free(text);
    return value;
}

static bool read_cpus(xmlNodePtr cell, struct numa_topology *t, struct cpuset *ret)
{
    for (xmlNodePtr cpu = xml_first(xml_first(cell, "cpus"), "cpu"); cpu; cpu = xml_next(cpu, "cpu")) {
        int64_t id = number_of(xml_get(cpu, "id"));
        struct cpuset siblings = {{0}};
        char *text = xml_get(cpu, "siblings");
        bool good = id >= 0 && id < CPUSET_MAX && (!text || cpuset_parse(text, &siblings));
        free(text);
        if (!good)
            return false;
        cpuset_add(&siblings, (int)id);
        cpuset_add(ret, (int)id);
        t->core[id] = (int16_t)cpuset_next(&siblings, 0);
        int threads = cpuset_count(&siblings);
        t->threads = threads > t->threads ? threads : t->threads;
    }
    return true;
}

/* The largest first, as all keep them. */
static void read_pages(xmlNodePtr cell, struct numa_cell *ret)
{
    for (xmlNodePtr node = xml_first(cell, "pages"); node; node = xml_next(node, "pages")) {
        struct numa_pages p = {.kib = number_of(xml_get(node, "size")), .total = number_of(xml_get_text(node))};
        if (p.kib <= NUMA_BASE_KIB || p.total < 0 || ret->page_count == NUMA_PAGES_MAX)
            continue;
        int32_t at = ret->page_count++;
        for (; at > 0 && ret->pages[at - 1].kib < p.kib; at--)
            ret->pages[at] = ret->pages[at - 1];
        ret->pages[at] = p;
    }
}

void topology_xml_read(const char *capabilities, struct numa_topology *ret)
{
    xmlDocPtr doc = capabilities ? xml_parse(capabilities, NULL) : NULL;
    xmlNodePtr cells = doc ? xml_path(xmlDocGetRootElement(doc), "host", "topology", "cells", NULL) : NULL;
    bool good = true;
    memset(ret, 0, sizeof(*ret));
    memset(ret->core, -1, sizeof(ret->core));
    ret->threads = 1;
    for (xmlNodePtr node = xml_first(cells, "cell"); good && node; node = xml_next(node, "cell")) {
        good = ret->cell_count < NUMA_CELLS_MAX;
        if (!good)
            break;
        struct numa_cell *cell = &ret->cells[ret->cell_count++];
        cell->id = (int32_t)number_of(xml_get(node, "id"));
        int64_t kib = number_of(xml_get_text(xml_first(node, "memory")));
        cell->memory_mib = kib > 0 ? kib / 1024 : 0;
        good = cell->id >= 0 && read_cpus(node, ret, &cell->shared);
        read_pages(node, cell);
    }
    if (!good)
        ret->cell_count = 0;
    if (doc)
        xmlFreeDoc(doc);
}
