/* Counters of domains from libvirt's bulk statistics, on a worker: for samples (all of ours in one call, without
 * waiting for a domain that is busy) and for diagnostics (one domain, in the shape of Nova's). */
#include "common/clock.h"
#include "common/json_out.h"
#include "common/memory.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/xml/xml.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBVIRT_STATS                                                                                                  \
    (VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU |          \
     VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK)

static bool libvirt_stats_find(const virDomainStatsRecord *r, const char *name, uint64_t *ret)
{
    unsigned long long big = 0;
    int number = 0;
    unsigned plain = 0;
    if (virTypedParamsGetULLong(r->params, r->nparams, name, &big) == 1)
        *ret = big;
    else if (virTypedParamsGetUInt(r->params, r->nparams, name, &plain) == 1)
        *ret = plain;
    else if (virTypedParamsGetInt(r->params, r->nparams, name, &number) == 1)
        *ret = (uint64_t)number;
    else
        return false;
    return true;
}

/* A number by its name as printf makes it; 0 when it is not there. */
static uint64_t libvirt_stats_get(const virDomainStatsRecord *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static uint64_t libvirt_stats_get(const virDomainStatsRecord *r, const char *format, ...)
{
    char name[VIR_TYPED_PARAM_FIELD_LENGTH];
    uint64_t value = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    libvirt_stats_find(r, name, &value);
    return value;
}

/* ---- what people look at ---- */

static const char *const libvirt_stats_names[HYPERVISOR_FIGURES] = {
    [HYPERVISOR_MEMORY_MAX_KIB] = "balloon.maximum",  [HYPERVISOR_BALLOON_KIB] = "balloon.current",
    [HYPERVISOR_AVAILABLE_KIB] = "balloon.available", [HYPERVISOR_UNUSED_KIB] = "balloon.unused",
    [HYPERVISOR_USABLE_KIB] = "balloon.usable",       [HYPERVISOR_SWAP_IN_KIB] = "balloon.swap_in",
    [HYPERVISOR_SWAP_OUT_KIB] = "balloon.swap_out",   [HYPERVISOR_MAJOR_FAULTS] = "balloon.major_fault"};

/* Processors' numbers may have gaps where some are unplugged. */
static int64_t libvirt_stats_steal(const virDomainStatsRecord *r)
{
    unsigned count = (unsigned)libvirt_stats_get(r, "vcpu.maximum");
    int64_t sum = HYPERVISOR_UNTOLD;
    for (unsigned i = 0; i < count; i++) {
        char name[VIR_TYPED_PARAM_FIELD_LENGTH];
        uint64_t ns;
        snprintf(name, sizeof(name), "vcpu.%u.delay", i);
        if (libvirt_stats_find(r, name, &ns))
            sum = (sum > 0 ? sum : 0) + (int64_t)ns;
    }
    return sum;
}

static void libvirt_stats_figures(const virDomainStatsRecord *r, int64_t ret[HYPERVISOR_FIGURES])
{
    for (int i = 0; i < HYPERVISOR_FIGURES; i++) {
        uint64_t value;
        bool told = libvirt_stats_names[i] && libvirt_stats_find(r, libvirt_stats_names[i], &value);
        ret[i] = told ? (int64_t)value : HYPERVISOR_UNTOLD;
    }
    ret[HYPERVISOR_STEAL_NS] = libvirt_stats_steal(r);
}

/* ---- samples ---- */

static void libvirt_stats_fill_nic(struct libvirt_call *c, const virDomainStatsRecord *r, unsigned i,
                                   struct hypervisor_sample *s)
{
    struct hypervisor_nic *n = &s->nics[s->nic_count++];
    const char *device = NULL;
    char name[VIR_TYPED_PARAM_FIELD_LENGTH];
    snprintf(name, sizeof(name), "net.%u.name", i);
    if (virTypedParamsGetString(r->params, r->nparams, name, &device) == 1)
        snprintf(n->mac, sizeof(n->mac), "%s", libvirt_nics_mac(c, r->dom, s->server_id, device));
    n->in_bytes = libvirt_stats_get(r, "net.%u.rx.bytes", i);
    n->out_bytes = libvirt_stats_get(r, "net.%u.tx.bytes", i);
    s->net_in_bytes += n->in_bytes;
    s->net_out_bytes += n->out_bytes;
}

static void libvirt_stats_fill(struct libvirt_call *c, const virDomainStatsRecord *r, struct hypervisor_sample *s)
{
    unsigned blocks = (unsigned)libvirt_stats_get(r, "block.count"), nets = (unsigned)libvirt_stats_get(r, "net.count");
    s->at_us = clock_now_us();
    s->cpu_ns = libvirt_stats_get(r, "cpu.time");
    s->memory_rss_kib = libvirt_stats_get(r, "balloon.rss");
    libvirt_stats_figures(r, s->figures);
    for (unsigned i = 0; i < blocks; i++) {
        s->disk_read_bytes += libvirt_stats_get(r, "block.%u.rd.bytes", i);
        s->disk_write_bytes += libvirt_stats_get(r, "block.%u.wr.bytes", i);
        s->disk_read_ops += libvirt_stats_get(r, "block.%u.rd.reqs", i);
        s->disk_write_ops += libvirt_stats_get(r, "block.%u.wr.reqs", i);
    }
    s->nics = arena_array(&c->arena, nets + 1, sizeof(*s->nics));
    for (unsigned i = 0; i < nets; i++)
        libvirt_stats_fill_nic(c, r, i, s);
}

/* Whether all that "block.count" or "net.count" says is there has that number. */
static bool libvirt_stats_has(const virDomainStatsRecord *r, const char *what, const char *number)
{
    char name[VIR_TYPED_PARAM_FIELD_LENGTH];
    snprintf(name, sizeof(name), "%s.count", what);
    unsigned count = (unsigned)libvirt_stats_get(r, "%s", name);
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s.%u.%s", what, i, number);
        if (!virTypedParamsGet(r->params, r->nparams, name))
            return false;
    }
    return true;
}

/* Of a domain that is busy libvirt tells a part: it counts its disks and nics without what they counted. That is no
 * counter that went back to 0: the next round tells the rest of all. */
static bool libvirt_stats_whole(const virDomainStatsRecord *r)
{
    return libvirt_stats_has(r, "block", "rd.bytes") && libvirt_stats_has(r, "net", "rx.bytes");
}

static void libvirt_stats_take(struct libvirt_call *c, const virDomainStatsRecord *r)
{
    struct hypervisor_sample *s = &c->samples[c->sample_count];
    if (!libvirt_stats_get(r, "cpu.time") || !libvirt_stats_whole(r) ||
        !libvirt_identify_id(c->profile, &c->names, c->settings, r->dom, s->server_id))
        return;
    libvirt_stats_fill(c, r, s);
    c->sample_count++;
}

/* Whoever asked one that is on its way for its counters would wait until it has left. */
static bool libvirt_stats_leaves(const struct libvirt_call *c, virDomainPtr domain)
{
    virDomainJobInfo job;
    return c->profile->tunnels && virDomainGetJobInfo(domain, &job) == 0 && job.type != VIR_DOMAIN_JOB_NONE;
}

static void libvirt_stats_sample_each(struct libvirt_call *c)
{
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(c->conn, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (count < 0) {
        libvirt_call_fail(c, "The domains cannot be listed");
        return;
    }
    c->samples = memory_array((size_t)count + 1, sizeof(*c->samples));
    for (int i = 0; i < count; i++) {
        virDomainStatsRecord record;
        char id[UUID_SIZE];
        if (libvirt_identify_id(c->profile, &c->names, c->settings, domains[i], id) &&
            !libvirt_stats_leaves(c, domains[i]) && libvirt_stats_single(domains[i], &record) == 0) {
            libvirt_stats_take(c, &record);
            virTypedParamsFree(record.params, record.nparams);
        }
        virDomainFree(domains[i]);
    }
    free(domains);
}

static void libvirt_stats_sample_all(struct libvirt_call *c)
{
    virDomainStatsRecordPtr *records = NULL;
    unsigned flags = VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;
    int count = virConnectGetAllDomainStats(c->conn, LIBVIRT_STATS, &records, flags);
    if (count < 0) {
        libvirt_call_fail(c, "The counters cannot be read");
        return;
    }
    c->samples = memory_array((size_t)count + 1, sizeof(*c->samples));
    for (int i = 0; i < count; i++) {
        libvirt_stats_take(c, records[i]);
    }
    virDomainStatsRecordListFree(records);
}

void libvirt_stats_sample(struct libvirt_call *c)
{
    if (c->profile->stats == PROFILE_STATS_SINGLE)
        libvirt_stats_sample_each(c);
    else if (c->profile->stats == PROFILE_STATS_BULK)
        libvirt_stats_sample_all(c);
}

/* ---- diagnostics ---- */

static void libvirt_stats_print_disks(struct json_out *o, const virDomainStatsRecord *r)
{
    unsigned count = (unsigned)libvirt_stats_get(r, "block.count");
    json_out_uint(o, "num_disks", count);
    json_out_array(o, "disk_details");
    for (unsigned i = 0; i < count; i++) {
        json_out_object(o, NULL);
        json_out_uint(o, "read_bytes", libvirt_stats_get(r, "block.%u.rd.bytes", i));
        json_out_uint(o, "read_requests", libvirt_stats_get(r, "block.%u.rd.reqs", i));
        json_out_uint(o, "write_bytes", libvirt_stats_get(r, "block.%u.wr.bytes", i));
        json_out_uint(o, "write_requests", libvirt_stats_get(r, "block.%u.wr.reqs", i));
        json_out_int(o, "errors_count", (int64_t)libvirt_stats_get(r, "block.%u.errors", i));
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

static void libvirt_stats_print_nics(struct json_out *o, const virDomainStatsRecord *r, xmlNodePtr devices)
{
    unsigned count = (unsigned)libvirt_stats_get(r, "net.count");
    xmlNodePtr nic = xml_first(devices, "interface");
    json_out_uint(o, "num_nics", count);
    json_out_array(o, "nic_details");
    for (unsigned i = 0; i < count; i++) {
        char *mac = xml_get(xml_first(nic, "mac"), "address");
        json_out_object(o, NULL);
        json_out_text(o, "mac_address", mac);
        static const char *const ways[] = {"rx", "tx"};
        for (int w = 0; w < 2; w++) {
            char name[24];
            snprintf(name, sizeof(name), "%s_octets", ways[w]);
            json_out_uint(o, name, libvirt_stats_get(r, "net.%u.%s.bytes", i, ways[w]));
            snprintf(name, sizeof(name), "%s_packets", ways[w]);
            json_out_uint(o, name, libvirt_stats_get(r, "net.%u.%s.pkts", i, ways[w]));
            snprintf(name, sizeof(name), "%s_errors", ways[w]);
            json_out_uint(o, name, libvirt_stats_get(r, "net.%u.%s.errs", i, ways[w]));
            snprintf(name, sizeof(name), "%s_drop", ways[w]);
            json_out_uint(o, name, libvirt_stats_get(r, "net.%u.%s.drop", i, ways[w]));
            snprintf(name, sizeof(name), "%s_rate", ways[w]);
            json_out_null(o, name);
        }
        json_out_object_end(o);
        free(mac);
        nic = nic ? xml_next(nic, "interface") : NULL;
    }
    json_out_array_end(o);
}

static void libvirt_stats_print_cpus(struct json_out *o, const virDomainStatsRecord *r)
{
    unsigned count = (unsigned)libvirt_stats_get(r, "vcpu.current");
    json_out_uint(o, "num_cpus", count);
    json_out_array(o, "cpu_details");
    for (unsigned i = 0; i < count; i++) {
        char name[VIR_TYPED_PARAM_FIELD_LENGTH];
        uint64_t delay;
        snprintf(name, sizeof(name), "vcpu.%u.delay", i);
        json_out_object(o, NULL);
        json_out_uint(o, "id", i);
        json_out_uint(o, "time", libvirt_stats_get(r, "vcpu.%u.time", i));
        json_out_null(o, "utilisation");
        if (libvirt_stats_find(r, name, &delay))
            json_out_uint(o, "delay", delay);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

/* What follows "used" is not Nova's: before 2.48 clients see it as libvirt's driver of Nova names it, in KiB. */
static void libvirt_stats_print_memory(struct json_out *o, const virDomainStatsRecord *r)
{
    static const char *const names[] = {"available", "unused", "usable", "swap_in", "swap_out", "major_fault"};
    uint64_t value;
    json_out_object(o, "memory_details");
    json_out_uint(o, "maximum", libvirt_stats_get(r, "balloon.maximum") / 1024);
    json_out_uint(o, "used", libvirt_stats_get(r, "balloon.rss") / 1024);
    if (libvirt_stats_find(r, "balloon.current", &value))
        json_out_uint(o, "actual", value);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[VIR_TYPED_PARAM_FIELD_LENGTH];
        snprintf(name, sizeof(name), "balloon.%s", names[i]);
        if (libvirt_stats_find(r, name, &value))
            json_out_uint(o, names[i], value);
    }
    json_out_object_end(o);
}

/* As Nova spells it: in small letters. */
static void libvirt_stats_print_type(struct json_out *o, const struct libvirt_call *c)
{
    char type[16];
    snprintf(type, sizeof(type), "%s", profile_type(c->profile, c->facts.kvm));
    for (char *at = type; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    json_out_text(o, "hypervisor", type);
}

static void libvirt_stats_print(struct libvirt_call *c, const virDomainStatsRecord *r, enum hypervisor_domain state,
                                xmlNodePtr devices)
{
    static const char *const words[HYPERVISOR_DOMAIN_COUNT] = {"shutdown", "shutdown",  "running",
                                                               "paused",   "suspended", "crashed"};
    struct json_out o;
    json_out_init(&o, &c->text);
    json_out_object(&o, NULL);
    json_out_text(&o, "state", words[state]);
    json_out_text(&o, "driver", "libvirt");
    libvirt_stats_print_type(&o, c);
    json_out_text(&o, "hypervisor_os", "linux");
    json_out_bool(&o, "config_drive", true);
    libvirt_stats_print_cpus(&o, r);
    libvirt_stats_print_nics(&o, r, devices);
    libvirt_stats_print_disks(&o, r);
    libvirt_stats_print_memory(&o, r);
    json_out_object_end(&o);
}

static void libvirt_stats_diagnose_domain(struct libvirt_call *c, virDomainPtr domain)
{
    virDomainPtr list[] = {domain, NULL};
    virDomainStatsRecordPtr *records = NULL;
    virDomainStatsRecord single = {0};
    bool alone = c->profile->stats != PROFILE_STATS_BULK;
    enum hypervisor_domain state;
    if (libvirt_domain_state(c, domain, &state))
        return;
    char *text = virDomainGetXMLDesc(domain, 0);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    int count = alone ? (libvirt_stats_single(domain, &single) == 0 ? 1 : -1)
                      : virDomainListGetStats(list, LIBVIRT_STATS, &records, 0);
    if (count < 1)
        libvirt_call_fail(c, "The counters cannot be read");
    else
        libvirt_stats_print(c, alone ? &single : records[0], state,
                            doc ? xml_first(xmlDocGetRootElement(doc), "devices") : NULL);
    virTypedParamsFree(single.params, single.nparams);
    if (records)
        virDomainStatsRecordListFree(records);
    if (doc)
        xmlFreeDoc(doc);
    free(text);
}

void libvirt_stats_diagnose(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    if (libvirt_domain_find(c, &domain))
        return;
    if (!domain) {
        c->code = error_set(&c->error, ERR_NOT_FOUND, "The server's domain is not there");
        return;
    }
    libvirt_stats_diagnose_domain(c, domain);
    virDomainFree(domain);
}
