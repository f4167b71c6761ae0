/* A domain's counters under the names of libvirt's bulk statistics, for drivers that have no bulk call. What the driver
 * does not count is left out. */
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/xml/xml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct single {
    virTypedParameterPtr params;
    int count, room;
};

static void single_add(struct single *s, const char *name, unsigned long long value)
{
    virTypedParamsAddULLong(&s->params, &s->count, &s->room, name, value);
}

static void single_add_nic(struct single *s, unsigned at, const char *device, const virDomainInterfaceStatsStruct *nic)
{
    const struct {
        const char *name;
        long long value;
    } rows[] = {{"rx.bytes", nic->rx_bytes}, {"rx.pkts", nic->rx_packets}, {"rx.errs", nic->rx_errs},
                {"rx.drop", nic->rx_drop},   {"tx.bytes", nic->tx_bytes},  {"tx.pkts", nic->tx_packets},
                {"tx.errs", nic->tx_errs},   {"tx.drop", nic->tx_drop}};
    char name[VIR_TYPED_PARAM_FIELD_LENGTH];
    snprintf(name, sizeof(name), "net.%u.name", at);
    virTypedParamsAddString(&s->params, &s->count, &s->room, name, device);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(name, sizeof(name), "net.%u.%s", at, rows[i].name);
        if (rows[i].value >= 0)
            single_add(s, name, (unsigned long long)rows[i].value);
    }
}

static void single_add_nics(struct single *s, virDomainPtr domain)
{
    char *text = virDomainGetXMLDesc(domain, 0);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    xmlNodePtr devices = doc ? xml_first(xmlDocGetRootElement(doc), "devices") : NULL;
    unsigned count = 0;
    for (xmlNodePtr n = xml_first(devices, "interface"); n; n = xml_next(n, "interface")) {
        virDomainInterfaceStatsStruct nic;
        char *dev = xml_get(xml_first(n, "target"), "dev");
        if (dev && virDomainInterfaceStats(domain, dev, &nic, sizeof(nic)) == 0)
            single_add_nic(s, count, dev, &nic);
        free(dev);
        count++;
    }
    single_add(s, "net.count", count);
    if (doc)
        xmlFreeDoc(doc);
    free(text);
}

int libvirt_stats_single(virDomainPtr domain, virDomainStatsRecord *ret)
{
    struct single s = {0};
    virDomainInfo info;
    if (virDomainGetInfo(domain, &info) < 0)
        return -1;
    single_add(&s, "cpu.time", info.cpuTime);
    single_add(&s, "balloon.rss", info.memory);
    single_add(&s, "balloon.maximum", info.maxMem);
    single_add(&s, "vcpu.current", info.nrVirtCpu);
    single_add_nics(&s, domain);
    *ret = (virDomainStatsRecord){.dom = domain, .params = s.params, .nparams = s.count};
    return 0;
}
