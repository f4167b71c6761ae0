/* The parameters are three lists for each address family, read side by side ([@1]): MAC, address and prefix length of
 * the n-th pair. libvirt makes no filter of an empty list, and none of these is (senders.h). */
#include "compute-agent/xml/filter_xml.h"
#include "compute-agent/senders.h"
#include "compute-agent/xml/xml.h"
#include <stdio.h>
#include <stdlib.h>

/* A rule's protocol and what must be so: attributes and values by turns. */
struct filter_rule {
    const char *protocol, *wants[10];
};
#define FILTER_LIST(family, what) "$VIRGA" #family "_" what "[@1]"
static const struct filter_rule filter_rules[] = {
    {"ip",
     {"srcmacaddr", FILTER_LIST(4, "MAC"), "srcipaddr", FILTER_LIST(4, "IP"), "srcipmask", FILTER_LIST(4, "PREFIX")}},
    {"arp",
     {"srcmacaddr", FILTER_LIST(4, "MAC"), "arpsrcmacaddr", FILTER_LIST(4, "MAC"), "arpsrcipaddr", FILTER_LIST(4, "IP"),
      "arpsrcipmask", FILTER_LIST(4, "PREFIX")}},
    {"ipv6",
     {"srcmacaddr", FILTER_LIST(6, "MAC"), "srcipaddr", FILTER_LIST(6, "IP"), "srcipmask", FILTER_LIST(6, "PREFIX")}},
    {"rarp", {"srcmacaddr", "$MAC", "arpsrcmacaddr", "$MAC"}}, /* by which QEMU tells switches that a guest has moved */
};

static xmlNodePtr filter_xml_rule(xmlNodePtr filter, const char *action, int priority)
{
    xmlNodePtr rule = xml_set(xml_set(xml_add(filter, "rule"), "action", action), "direction", "out");
    return xml_setf(rule, "priority", "%d", priority);
}

char *filter_xml_make(void)
{
    xmlDocPtr doc;
    xmlNodePtr filter = xml_set(xml_set(xml_root(&doc, "filter"), "name", FILTER_XML_NAME), "chain", "root");
    for (size_t i = 0; i < sizeof(filter_rules) / sizeof(filter_rules[0]); i++) {
        xmlNodePtr protocol = xml_add(filter_xml_rule(filter, "accept", 100 + 10 * (int)i), filter_rules[i].protocol);
        for (size_t k = 0; filter_rules[i].wants[k]; k += 2)
            xml_set(protocol, filter_rules[i].wants[k], filter_rules[i].wants[k + 1]);
    }
    filter_xml_rule(filter, "drop", 1000);
    return xml_print(doc);
}

static void filter_xml_parameter(xmlNodePtr reference, int family, const char *what, const char *value)
{
    xmlNodePtr parameter = xml_add(reference, "parameter");
    xml_setf(parameter, "name", "VIRGA%d_%s", family, what);
    xml_set(parameter, "value", value);
}

static void filter_xml_allow(void *arg, const char *mac, const struct ip_net *net)
{
    xmlNodePtr reference = arg;
    char text[IP_TEXT_SIZE], bits[8];
    snprintf(bits, sizeof(bits), "%d", net->prefix);
    filter_xml_parameter(reference, net->base.version, "MAC", mac);
    filter_xml_parameter(reference, net->base.version, "IP", ip_text(&net->base, text));
    filter_xml_parameter(reference, net->base.version, "PREFIX", bits);
}

void filter_xml_refer(xmlNodePtr interface, const struct spec_nic *nic)
{
    xmlNodePtr reference = xml_set(xml_add(interface, "filterref"), "filter", FILTER_XML_NAME);
    senders_each(nic, filter_xml_allow, reference);
}
