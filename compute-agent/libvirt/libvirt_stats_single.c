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

struct single_row {
    const char *name;
    long long value; /* negative: not counted */
};

static void single_add_rows(struct single *s, const char *kind, unsigned at, const struct single_row *rows,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[VIR_TYPED_PARAM_FIELD_LENGTH];
        snprintf(name, sizeof(name), "%s.%u.%s", kind, at, rows[i].name);
        if (rows[i].value >= 0)
            single_add(s, name, (unsigned long long)rows[i].value);
    }
}

static void single_add_nic(struct single *s, virDomainPtr domain, const char *dev, unsigned at)
{
    virDomainInterfaceStatsStruct nic;
    if (virDomainInterfaceStats(domain, dev, &nic, sizeof(nic)) < 0)
        return;
    const struct single_row rows[] = {
        {"rx.bytes", nic.rx_bytes}, {"rx.pkts", nic.rx_packets}, {"rx.errs", nic.rx_errs}, {"rx.drop", nic.rx_drop},
        {"tx.bytes", nic.tx_bytes}, {"tx.pkts", nic.tx_packets}, {"tx.errs", nic.tx_errs}, {"tx.drop", nic.tx_drop}};
    single_add_rows(s, "net", at, rows, sizeof(rows) / sizeof(rows[0]));
}

static void single_add_disk(struct single *s, virDomainPtr domain, const char *dev, unsigned at)
{
    virDomainBlockStatsStruct disk;
    if (virDomainBlockStats(domain, dev, &disk, sizeof(disk)) < 0)
        return;
    const struct single_row rows[] = {
        {"rd.reqs", disk.rd_req}, {"rd.bytes", disk.rd_bytes}, {"wr.reqs", disk.wr_req}, {"wr.bytes", disk.wr_bytes}};
    single_add_rows(s, "block", at, rows, sizeof(rows) / sizeof(rows[0]));
}

/* How many devices of this kind there are. */
static unsigned single_each(struct single *s, virDomainPtr domain, xmlNodePtr devices, const char *kind,
                            void (*add)(struct single *, virDomainPtr, const char *, unsigned))
{
    unsigned count = 0;
    for (xmlNodePtr n = xml_first(devices, kind); n; n = xml_next(n, kind)) {
        char *dev = xml_get(xml_first(n, "target"), "dev");
        if (dev)
            add(s, domain, dev, count);
        free(dev);
        count++;
    }
    return count;
}

static void single_add_devices(struct single *s, virDomainPtr domain)
{
    char *text = virDomainGetXMLDesc(domain, 0);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    xmlNodePtr devices = doc ? xml_first(xmlDocGetRootElement(doc), "devices") : NULL;
    single_add(s, "net.count", single_each(s, domain, devices, "interface", single_add_nic));
    single_add(s, "block.count", single_each(s, domain, devices, "disk", single_add_disk));
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
    if (info.nrVirtCpu == 1) /* of several nobody says which */
        single_add(&s, "vcpu.0.time", info.cpuTime);
    single_add_devices(&s, domain);
    *ret = (virDomainStatsRecord){.dom = domain, .params = s.params, .nparams = s.count};
    return 0;
}
