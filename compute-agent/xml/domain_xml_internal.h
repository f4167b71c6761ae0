/* Parts that the domains of all drivers share; for this folder. */
#pragma once
#include "compute-agent/xml/domain_xml.h"
#include "compute-agent/xml/xml.h"

/* An image's property, or the fallback. */
const char *domain_xml_property(const struct spec *spec, const char *name, const char *fallback);
struct domain_room;
/* Name, UUID, our marks, memory and processors: the first children of every domain. `room`: how far it may grow; NULL
 * for hypervisors whose guests do not grow. */
void domain_xml_head(xmlNodePtr domain, const struct spec *spec, const struct names *names,
                     const struct domain_room *room);

/* ---- domain_xml_numa.c: what the server was given of the host's cells; nothing for servers without ---- */
void domain_xml_back_memory(xmlNodePtr domain, const struct spec *spec);
void domain_xml_tune_cpus(xmlNodePtr domain, const struct spec *spec);
void domain_xml_tune_memory(xmlNodePtr domain, const struct spec *spec);
/* Sockets, cores and threads of every server, and the guest's cells. `vcpus`: those that it may have at most. */
void domain_xml_shape(xmlNodePtr cpu, const struct spec *spec, int64_t vcpus);
