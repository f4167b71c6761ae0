/* libvirt's dnsmasq serves DHCP for the first IPv4 subnet that wants it: one <dhcp> per network is its limit. No range
 * is given, so only reservations get an address. */
#include "compute-agent/xml/network_xml.h"
#include "common/memory.h"
#include "common/model/ip.h"
#include "common/strbuf.h"
#include "compute-agent/spec.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>
#include <string.h>

#define NETWORK_XML_DNSMASQ "http://libvirt.org/schemas/network/dnsmasq/1.0"
#define NETWORK_XML_NOBODY  "52:54:00:ff:ff:ff"

static bool network_xml_taken(const struct network_plan *plan, const struct ip *address)
{
    char text[IP_TEXT_SIZE];
    ip_text(address, text);
    for (size_t i = 0; i < plan->host_count; i++) {
        if (strcmp(plan->hosts[i].ip, text) == 0)
            return true;
    }
    return false;
}

/* The bridge's own address: the gateway, else the last or first address that no server has. */
static int network_xml_address(const struct network_plan *plan, const struct spec_subnet *s, const struct ip_net *net,
                               struct ip *ret, struct error *e)
{
    struct ip first, last;
    if (s->gateway && ip_parse(s->gateway, ret))
        return 0;
    ip_net_hosts(net, &first, &last);
    *ret = network_xml_taken(plan, &last) ? first : last; /* addresses are given out from the low end */
    if (network_xml_taken(plan, ret))
        return error_set(e, ERR_INVALID, "Subnet %s leaves no address for the host itself", s->cidr);
    return 0;
}

static void network_xml_dhcp(xmlNodePtr ip, const char *address)
{
    xmlNodePtr host = xml_add(xml_add(ip, "dhcp"), "host");
    xml_set(xml_set(host, "mac", NETWORK_XML_NOBODY), "ip", address);
}

static int network_xml_subnet(xmlNodePtr network, const struct network_plan *plan, const struct spec_subnet *s,
                              bool *dhcp, struct error *e)
{
    struct ip_net net;
    struct ip address;
    char text[IP_TEXT_SIZE];
    if (!ip_net_parse(s->cidr, &net))
        return error_set(e, ERR_INVALID, "Subnet %s is no prefix", s->cidr);
    int code = network_xml_address(plan, s, &net, &address, e);
    if (code)
        return code;
    xmlNodePtr ip = xml_add(network, "ip");
    if (net.base.version == 6)
        xml_set(ip, "family", "ipv6");
    xml_set(ip, "address", ip_text(&address, text));
    xml_setf(ip, "prefix", "%d", net.prefix);
    if (s->dhcp && net.base.version == 4 && !*dhcp) {
        network_xml_dhcp(ip, text);
        *dhcp = true;
    }
    return 0;
}

static void network_xml_option(xmlNodePtr options, const char *value)
{
    xml_set(xml_add(options, "option"), "value", value); /* takes over the parent's namespace */
}

/* Where the reservations are, and name servers of the tenant's choice instead of the host's own. */
static void network_xml_options(xmlNodePtr network, const struct spec_subnet *s, const char *hosts)
{
    struct strbuf option;
    xmlNsPtr ns = xmlNewNs(network, BAD_CAST NETWORK_XML_DNSMASQ, BAD_CAST "dnsmasq");
    xmlNodePtr options = xml_add(network, "options");
    xmlSetNs(options, ns);
    strbuf_init(&option, 0);
    strbuf_appendf(&option, "dhcp-hostsdir=%s", hosts);
    network_xml_option(options, option.data);
    strbuf_reset(&option);
    strbuf_append_text(&option, "dhcp-option=option:dns-server");
    for (size_t i = 0; i < s->dns.count; i++) {
        const char *address = ((const char **)s->dns.items)[i];
        if (!strchr(address, ':'))
            strbuf_appendf(&option, ",%s", address);
    }
    if (strchr(option.data, ','))
        network_xml_option(options, option.data);
    strbuf_done(&option);
}

int network_xml_make(const struct network_plan *plan, const struct names *names, const char *hosts, char **ret,
                     struct error *e)
{
    char name[NAMES_DOMAIN_SIZE], bridge_name[NAMES_BRIDGE_SIZE];
    const struct spec_subnet *subnets = plan->subnets.items;
    const struct spec_subnet *served_by = NULL;
    bool routed = false, dhcp = false;
    xmlDocPtr doc;
    xmlNodePtr network = xml_root(&doc, "network");
    for (size_t i = 0; i < plan->subnets.count; i++)
        routed = routed || subnets[i].gateway;
    xml_add_text(network, "name", names_domain(names, plan->id, name));
    xml_add_text(network, "uuid", plan->id);
    if (routed)
        xml_set(xml_add(network, "forward"), "mode", "nat");
    xmlNodePtr bridge = xml_set(xml_add(network, "bridge"), "name", names_bridge(plan->id, bridge_name));
    xml_set(xml_set(bridge, "stp", "off"), "delay", "0");
    if (plan->mtu > 0)
        xml_setf(xml_add(network, "mtu"), "size", "%lld", (long long)plan->mtu);
    int code = 0;
    for (size_t i = 0; i < plan->subnets.count && !code; i++) {
        bool served = dhcp;
        code = network_xml_subnet(network, plan, &subnets[i], &dhcp, e);
        if (!code && dhcp && !served)
            served_by = &subnets[i];
    }
    if (served_by)
        network_xml_options(network, served_by, hosts);
    char *text = xml_print(doc);
    if (code)
        free(text);
    else
        *ret = text;
    return code;
}
