/* Where a guest's processors and memory lie: vcpu's cpuset, cputune, numatune, memoryBacking, and the cells and the
 * shape of processors that the guest sees. As Nova's libvirt driver writes them. */
#include "common/model/numa_wish.h"
#include "compute-agent/xml/domain_xml_internal.h"
#include <stdlib.h>

static void domain_xml_set_cpus(xmlNodePtr node, const char *attribute, const struct cpuset *set)
{
    char text[CPUSET_TEXT_SIZE];
    xml_set(node, attribute, cpuset_print(set, text));
}

static void domain_xml_pin(xmlNodePtr tune, const struct numa_given *g, int v)
{
    struct cpuset set = g->floats[g->cell_of[v]];
    if (g->pin[v] >= 0) {
        set = (struct cpuset){{0}};
        cpuset_add(&set, g->pin[v]);
    }
    if (cpuset_is_empty(&set))
        return;
    xmlNodePtr pin = xml_add(tune, "vcpupin");
    xml_setf(pin, "vcpu", "%d", v);
    domain_xml_set_cpus(pin, "cpuset", &set);
}

/* Wherever the guest's own processors may run, unless something else was wanted. */
static struct cpuset domain_xml_emulator(const struct numa_given *g)
{
    struct cpuset set = g->emulator;
    for (int v = 0; cpuset_is_empty(&g->emulator) && v < g->vcpus; v++)
        if (g->pin[v] >= 0)
            cpuset_add(&set, g->pin[v]);
    for (int32_t i = 0; cpuset_is_empty(&g->emulator) && i < g->cell_count; i++)
        cpuset_join(&set, &g->floats[i]);
    return set;
}

void domain_xml_tune_cpus(xmlNodePtr domain, const struct spec *spec)
{
    const struct numa_given *g = spec->cells;
    if (!g)
        return;
    xmlNodePtr tune = xml_add(domain, "cputune");
    struct cpuset emulator = domain_xml_emulator(g);
    for (int v = 0; v < g->vcpus; v++)
        domain_xml_pin(tune, g, v);
    if (!cpuset_is_empty(&emulator))
        domain_xml_set_cpus(xml_add(tune, "emulatorpin"), "cpuset", &emulator);
}

void domain_xml_tune_memory(xmlNodePtr domain, const struct spec *spec)
{
    const struct numa_given *g = spec->cells;
    struct cpuset nodes = {{0}};
    if (!g)
        return;
    for (int32_t i = 0; i < g->cell_count; i++)
        cpuset_add(&nodes, g->host[i]);
    xmlNodePtr tune = xml_add(domain, "numatune");
    domain_xml_set_cpus(xml_set(xml_add(tune, "memory"), "mode", "strict"), "nodeset", &nodes);
    for (int32_t i = 0; g->explicit_cells && i < g->cell_count; i++) {
        xmlNodePtr node = xml_add(tune, "memnode");
        xml_setf(node, "cellid", "%d", (int)i);
        xml_setf(xml_set(node, "mode", "strict"), "nodeset", "%d", (int)g->host[i]);
    }
}

void domain_xml_back_memory(xmlNodePtr domain, const struct spec *spec)
{
    const struct numa_given *g = spec->cells;
    if (!g || g->page_kib <= NUMA_BASE_KIB)
        return;
    xmlNodePtr page = xml_add(xml_add(xml_add(domain, "memoryBacking"), "hugepages"), "page");
    xml_setf(page, "size", "%lld", (long long)g->page_kib);
    xml_set(page, "unit", "KiB");
}

static void domain_xml_cells(xmlNodePtr cpu, const struct numa_given *g)
{
    xmlNodePtr numa = xml_add(cpu, "numa");
    for (int32_t i = 0; i < g->cell_count; i++) {
        struct cpuset vcpus = {{0}};
        for (int v = 0; v < g->vcpus; v++)
            if (g->cell_of[v] == i)
                cpuset_add(&vcpus, v);
        xmlNodePtr cell = xml_add(numa, "cell");
        xml_setf(cell, "id", "%d", (int)i);
        domain_xml_set_cpus(cell, "cpus", &vcpus);
        xml_setf(cell, "memory", "%lld", (long long)g->memory_mib[i]);
        xml_set(cell, "unit", "MiB");
    }
}

void domain_xml_shape(xmlNodePtr cpu, const struct spec *spec, int64_t vcpus)
{
    struct json_map none = {NULL, 0}, flavor = spec->flavor_extra;
    struct json_map image = spec->image ? spec->image->properties : none;
    struct numa_wish wish = {.flavor = numa_wish_from_map,
                             .image = numa_wish_from_map,
                             .flavor_arg = &flavor,
                             .image_arg = &image,
                             .vcpus = vcpus,
                             .memory_mib = spec->memory_mib};
    struct numa_shape shape;
    if (numa_wish_shape(&wish, &shape, NULL)) /* the API refuses what cannot be; a flavor may be older */
        shape = (struct numa_shape){(int32_t)vcpus, 1, 1};
    xmlNodePtr topology = xml_add(cpu, "topology");
    xml_setf(topology, "sockets", "%d", (int)shape.sockets);
    xml_set(topology, "dies", "1");
    xml_setf(topology, "cores", "%d", (int)shape.cores);
    xml_setf(topology, "threads", "%d", (int)shape.threads);
    if (spec->cells && spec->cells->explicit_cells)
        domain_xml_cells(cpu, spec->cells);
}

char *domain_xml_tuning(const struct spec *spec, const struct domain_xml_host *host)
{
    xmlDocPtr doc;
    xmlNodePtr root = xml_root(&doc, "tuning");
    if (host->shared_cpus && !spec->cells)
        xml_set(root, "cpuset", host->shared_cpus);
    domain_xml_tune_cpus(root, spec);
    domain_xml_tune_memory(root, spec);
    return xml_print(doc);
}
