/* For libvirt's test driver, which only keeps it. */
#include "compute-agent/xml/domain_xml_internal.h"

char *domain_xml_make_test(const struct spec *spec, const struct names *names, const struct domain_xml_host *host)
{
    xmlDocPtr doc;
    xmlNodePtr domain = xml_root(&doc, "domain");
    (void)host;
    xml_set(domain, "type", "test");
    domain_xml_head(domain, spec, names, NULL);
    xml_add_text(xml_add(domain, "os"), "type", "hvm");
    xml_add(domain, "devices");
    return xml_print(doc);
}
