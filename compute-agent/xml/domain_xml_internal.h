/* Parts that the domains of all drivers share; for this folder. */
#pragma once
#include "compute-agent/xml/domain_xml.h"
#include "compute-agent/xml/xml.h"

/* An image's property, or the fallback. */
const char *domain_xml_property(const struct spec *spec, const char *name, const char *fallback);
struct domain_room;
/* Our marks, on the element `server`. Returns it. */
xmlNodePtr domain_xml_mark_server(xmlNodePtr server, const struct spec *spec, const struct names *names);
/* Name, UUID, our marks, memory and processors: the first children of every domain. `room`: how far it may grow; NULL
 * for hypervisors whose guests do not grow. */
void domain_xml_head(xmlNodePtr domain, const struct spec *spec, const struct names *names,
                     const struct domain_room *room);

/* ---- domain_xml_machine.c ---- */
struct machine;
void domain_xml_read_machine(const struct spec *spec, struct machine *ret);
void domain_xml_os(xmlNodePtr domain, const struct domain_xml_host *host, const struct machine *m);
void domain_xml_features(xmlNodePtr domain, const struct domain_xml_host *host, const struct machine *m);
void domain_xml_cpu(xmlNodePtr domain, const struct spec *spec, const struct domain_xml_host *host,
                    const struct domain_room *room, const struct machine *m);
void domain_xml_tpm(xmlNodePtr devices, const struct machine *m);
void domain_xml_video(xmlNodePtr devices, const struct machine *m);
void domain_xml_watchdog(xmlNodePtr devices, const struct machine *m);

/* ---- domain_xml_numa.c: what the server was given of the host's cells; nothing for servers without ---- */
void domain_xml_back_memory(xmlNodePtr domain, const struct spec *spec);
void domain_xml_tune_cpus(xmlNodePtr domain, const struct spec *spec);
void domain_xml_tune_memory(xmlNodePtr domain, const struct spec *spec);
/* Sockets, cores and threads of every server, and the guest's cells. `vcpus`: those that it may have at most. */
void domain_xml_shape(xmlNodePtr cpu, const struct spec *spec, int64_t vcpus);
