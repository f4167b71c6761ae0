/* The parameters are three lists for each address family, read side by side ([@1]): MAC, address and prefix length of
 * the n-th pair. libvirt makes no filter of an empty list; what a host sends before it has an address is never empty:
 * 0.0.0.0 for DHCP and ARP probes, :: and the link-local address for IPv6's. */
#include "compute-agent/xml/filter_xml.h"
#include "common/model/ip.h"
#include "compute-agent/xml/xml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void filter_xml_allow(xmlNodePtr reference, const char *mac, const char *prefix)
{
    struct ip_net net;
    char text[IP_TEXT_SIZE], bits[8];
    if (!ip_net_parse(prefix, &net))
        return;
    snprintf(bits, sizeof(bits), "%d", net.prefix);
    filter_xml_parameter(reference, net.base.version, "MAC", mac);
    filter_xml_parameter(reference, net.base.version, "IP", ip_text(&net.base, text));
    filter_xml_parameter(reference, net.base.version, "PREFIX", bits);
}

/* RFC 4291, appendix A: the address that a guest gives itself. */
static void filter_xml_allow_link_local(xmlNodePtr reference, const char *mac)
{
    unsigned b[6] = {0};
    char text[IP_TEXT_SIZE];
    if (sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
        return;
    snprintf(text, sizeof(text), "fe80::%02x%02x:%02xff:fe%02x:%02x%02x", b[0] ^ 2, b[1], b[2], b[3], b[4], b[5]);
    filter_xml_allow(reference, mac, text);
}

void filter_xml_refer(xmlNodePtr interface, const struct spec_nic *nic)
{
    const struct spec_address *addresses = nic->addresses.items;
    const struct spec_pair *pairs = nic->allowed_address_pairs.items;
    xmlNodePtr reference = xml_set(xml_add(interface, "filterref"), "filter", FILTER_XML_NAME);
    filter_xml_allow(reference, nic->mac, "0.0.0.0");
    filter_xml_allow(reference, nic->mac, "::");
    filter_xml_allow_link_local(reference, nic->mac);
    for (size_t i = 0; i < nic->addresses.count; i++)
        filter_xml_allow(reference, nic->mac, addresses[i].ip);
    for (size_t i = 0; i < nic->allowed_address_pairs.count; i++) {
        filter_xml_allow(reference, pairs[i].mac_address, pairs[i].ip_address);
        if (strcmp(pairs[i].mac_address, nic->mac) != 0)
            filter_xml_allow_link_local(reference, pairs[i].mac_address);
    }
}
