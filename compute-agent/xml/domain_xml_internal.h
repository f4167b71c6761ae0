/* Parts that the domains of all drivers share; for this folder. */
#pragma once
#include "compute-agent/xml/domain_xml.h"
#include "compute-agent/xml/xml.h"

/* An image's property, or the fallback. */
const char *domain_xml_property(const struct spec *spec, const char *name, const char *fallback);
/* Name, UUID, our marks, memory and processors: the first children of every domain. */
void domain_xml_head(xmlNodePtr domain, const struct spec *spec, const struct names *names);
