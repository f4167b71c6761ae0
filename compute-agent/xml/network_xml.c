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

/* The bridge's own address: the gateway, else the first or last address that no server has. */
static int network_xml_address(const struct network_plan *plan, const struct spec_subnet *s, const struct ip_net *net,
                               struct ip *ret, struct error *e)
{
    struct ip first, last;
    if (s->gateway && ip_parse(s->gateway, ret))
        return 0;
    ip_net_hosts(net, &first, &last);
    *ret = network_xml_taken(plan, &first) ? last : first;
    if (network_xml_taken(plan, ret))
        return error_set(e, ERR_INVALID, "Subnet %s leaves no address for the host itself", s->cidr);
    return 0;
}

static xmlNodePtr network_xml_add_host(xmlNodePtr parent, const struct network_host *host, bool named)
{
    xmlNodePtr node = xml_add(parent, "host");
    xml_set(node, "mac", host->mac);
    if (named && host->name[0])
        xml_set(node, "name", host->name);
    xml_set(node, "ip", host->ip);
    return node;
}

/* libvirt refuses a name twice, tenants do not: the first keeps it. */
static bool network_xml_first_named(const struct network_plan *plan, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(plan->hosts[i].name, plan->hosts[index].name) == 0)
            return false;
    }
    return true;
}

static void network_xml_dhcp(xmlNodePtr ip, const struct network_plan *plan, const struct ip_net *net)
{
    xmlNodePtr dhcp = xml_add(ip, "dhcp");
    for (size_t i = 0; i < plan->host_count; i++) {
        struct ip address;
        if (ip_parse(plan->hosts[i].ip, &address) && ip_net_contains(net, &address))
            network_xml_add_host(dhcp, &plan->hosts[i], network_xml_first_named(plan, i));
    }
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
        network_xml_dhcp(ip, plan, &net);
        *dhcp = true;
    }
    return 0;
}

/* Name servers of the tenant's choice instead of the host's own. */
static void network_xml_dns(xmlNodePtr network, const struct spec_subnet *s)
{
    struct strbuf option;
    if (!s->dns.count)
        return;
    xmlNsPtr ns = xmlNewNs(network, BAD_CAST NETWORK_XML_DNSMASQ, BAD_CAST "dnsmasq");
    xmlNodePtr options = xml_add(network, "options");
    xmlSetNs(options, ns);
    strbuf_init(&option, 0);
    strbuf_append_text(&option, "dhcp-option=option:dns-server");
    for (size_t i = 0; i < s->dns.count; i++) {
        const char *address = ((const char **)s->dns.items)[i];
        if (!strchr(address, ':'))
            strbuf_appendf(&option, ",%s", address);
    }
    if (strchr(option.data, ','))
        xml_set(xml_add(options, "option"), "value", option.data); /* takes over the parent's namespace */
    strbuf_done(&option);
}

int network_xml_make(const struct network_plan *plan, const struct names *names, char **ret, struct error *e)
{
    char name[NAMES_DOMAIN_SIZE], bridge_name[NAMES_BRIDGE_SIZE];
    const struct spec_subnet *subnets = plan->subnets.items;
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
            network_xml_dns(network, &subnets[i]);
    }
    char *text = xml_print(doc);
    if (code)
        free(text);
    else
        *ret = text;
    return code;
}

char *network_xml_host(const struct network_host *host, bool named)
{
    xmlDocPtr doc;
    xmlNodePtr node = xml_root(&doc, "host");
    xml_set(node, "mac", host->mac);
    if (named && host->name[0])
        xml_set(node, "name", host->name);
    xml_set(node, "ip", host->ip);
    return xml_print(doc);
}

/* ---- reading ---- */

static char *network_xml_or_empty(char *text)
{
    return text ? text : memory_strdup("");
}

static void network_xml_read_host(struct network_xml_found *f, xmlNodePtr node)
{
    f->hosts = memory_resize(f->hosts, (f->host_count + 1) * sizeof(*f->hosts));
    f->hosts[f->host_count++] = (struct network_host){.mac = network_xml_or_empty(xml_get(node, "mac")),
                                                      .ip = network_xml_or_empty(xml_get(node, "ip")),
                                                      .name = network_xml_or_empty(xml_get(node, "name"))};
}

int network_xml_read(const char *xml, struct network_xml_found *ret, struct error *e)
{
    xmlDocPtr doc = xml_parse(xml, e);
    if (!doc)
        return ERR_CORRUPT;
    struct network_xml_found f = {0};
    xmlNodePtr network = xmlDocGetRootElement(doc);
    f.bridge = network_xml_or_empty(xml_get(xml_first(network, "bridge"), "name"));
    for (xmlNodePtr ip = xml_first(network, "ip"); ip; ip = xml_next(ip, "ip")) {
        xmlNodePtr dhcp = xml_first(ip, "dhcp");
        for (xmlNodePtr host = xml_first(dhcp, "host"); host; host = xml_next(host, "host"))
            network_xml_read_host(&f, host);
    }
    xmlFreeDoc(doc);
    *ret = f;
    return 0;
}

void network_xml_done(struct network_xml_found *f)
{
    for (size_t i = 0; i < f->host_count; i++) {
        free((char *)(uintptr_t)f->hosts[i].mac);
        free((char *)(uintptr_t)f->hosts[i].ip);
        free((char *)(uintptr_t)f->hosts[i].name);
    }
    free(f->hosts);
    free(f->bridge);
    *f = (struct network_xml_found){0};
}
