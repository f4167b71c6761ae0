/* One function per part of the domain, in the order of libvirt's own output. */
#include "common/memory.h"
#include "common/model/machine.h"
#include "compute-agent/xml/domain_room.h"
#include "compute-agent/xml/domain_xml_internal.h"
#include "compute-agent/xml/filter_xml.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *domain_xml_property(const struct spec *spec, const char *name, const char *fallback)
{
    for (size_t i = 0; spec->image && i < spec->image->properties.count; i++) {
        if (strcmp(spec->image->properties.pairs[i].key, name) == 0)
            return spec->image->properties.pairs[i].value;
    }
    return fallback;
}

xmlNodePtr domain_xml_mark_server(xmlNodePtr server, const struct spec *spec, const struct names *names)
{
    xmlNsPtr ns = xmlNewNs(server, BAD_CAST XML_NAMESPACE, BAD_CAST "virga");
    xmlSetNs(server, ns);
    xml_set(server, "cloud", names->cloud_id);
    xml_set(server, "host", names->host_id);
    xml_set(server, "id", spec->id);
    xml_setf(server, "revision", "%lld", (long long)spec->revision);
    xml_set(server, "project", spec->project_id);
    xml_set(server, "user", spec->user_id);
    xml_set(server, "flavor", spec->flavor_name);
    return xml_set(server, "name", spec->name);
}

void domain_xml_head(xmlNodePtr domain, const struct spec *spec, const struct names *names,
                     const struct domain_room *room)
{
    char name[NAMES_DOMAIN_SIZE];
    xml_add_text(domain, "name", names_domain(names, spec->id, name));
    xml_add_text(domain, "uuid", spec->id);
    domain_xml_mark_server(xml_add(xml_add(domain, "metadata"), "server"), spec, names);
    if (room && room->memory && !room->balloon) {
        xmlNodePtr most = xml_add_int(domain, "maxMemory", room->max_memory_mib);
        xml_setf(xml_set(most, "unit", "MiB"), "slots", "%d", DOMAIN_ROOM_SLOTS);
    }
    bool balloon = room && room->balloon;
    xml_set(xml_add_int(domain, "memory", balloon ? room->max_memory_mib : spec->memory_mib), "unit", "MiB");
    xml_set(xml_add_int(domain, "currentMemory", spec->memory_mib), "unit", "MiB");
    int64_t most_vcpus = room ? room->max_vcpus : spec->vcpus;
    xmlNodePtr vcpu = xml_set(xml_add_int(domain, "vcpu", most_vcpus), "placement", "static");
    if (most_vcpus > spec->vcpus)
        xml_setf(vcpu, "current", "%lld", (long long)spec->vcpus);
}

static void domain_xml_entry(xmlNodePtr system, const char *name, const char *text)
{
    xml_set(xml_add_text(system, "entry", text), "name", name);
}

/* By manufacturer and product cloud-init knows an OpenStack server without asking around. */
static void domain_xml_sysinfo(xmlNodePtr domain, const struct spec *spec, const char *version)
{
    xmlNodePtr system = xml_add(xml_set(xml_add(domain, "sysinfo"), "type", "smbios"), "system");
    domain_xml_entry(system, "manufacturer", "OpenStack Foundation");
    domain_xml_entry(system, "product", "OpenStack Nova");
    domain_xml_entry(system, "version", version);
    domain_xml_entry(system, "serial", spec->id);
    domain_xml_entry(system, "uuid", spec->id);
    domain_xml_entry(system, "family", "Virtual Machine");
}

static void domain_xml_clock(xmlNodePtr domain, const struct domain_xml_host *host, const struct machine *m)
{
    xmlNodePtr clock = xml_set(xml_add(domain, "clock"), "offset", "utc");
    if (machine_is_arm(m)) /* the others are a PC's */
        return;
    xml_set(xml_set(xml_add(clock, "timer"), "name", "rtc"), "tickpolicy", "catchup");
    if (host->kvm)
        xml_set(xml_set(xml_add(clock, "timer"), "name", "pit"), "tickpolicy", "delay");
    xml_set(xml_set(xml_add(clock, "timer"), "name", "hpet"), "present", m->hpet ? "yes" : "no");
}

static void domain_xml_disk(xmlNodePtr devices, const struct domain_xml_host *host, const char *file,
                            const char *target, const char *bus)
{
    xmlNodePtr disk = xml_set(xml_set(xml_add(devices, "disk"), "type", "file"), "device", "disk");
    xmlNodePtr driver = xml_set(xml_set(xml_add(disk, "driver"), "name", "qemu"), "type", "qcow2");
    xml_set(driver, "cache", host->direct_io ? "none" : "writeback");
    if (host->direct_io)
        xml_set(driver, "io", "native");
    xml_set(driver, "discard", "unmap");
    xml_setf(xml_add(disk, "source"), "file", "%s/%s", host->folder, file);
    xml_set(xml_set(xml_add(disk, "target"), "dev", target), "bus", bus);
}

static void domain_xml_config_drive(xmlNodePtr devices, const struct domain_xml_host *host)
{
    xmlNodePtr disk = xml_set(xml_set(xml_add(devices, "disk"), "type", "file"), "device", "disk");
    xml_set(xml_set(xml_add(disk, "driver"), "name", "qemu"), "type", "raw");
    xml_setf(xml_add(disk, "source"), "file", "%s/" DOMAIN_XML_CONFIG, host->folder);
    xml_set(xml_set(xml_add(disk, "target"), "dev", "vdz"), "bus", "virtio");
    xml_add(disk, "readonly");
    xml_add_text(disk, "serial", "config-2");
}

static void domain_xml_disks(xmlNodePtr devices, const struct spec *spec, const struct domain_xml_host *host,
                             const struct machine *m)
{
    const char *bus = m->disk_bus ? m->disk_bus : "virtio", *first = "sda";
    if (strcmp(bus, "ide") == 0 && !machine_is(m, "pc", host->machine))
        bus = "sata";
    if (strcmp(bus, "virtio") == 0)
        first = "vda";
    else if (strcmp(bus, "ide") == 0)
        first = "hda";
    domain_xml_disk(devices, host, DOMAIN_XML_ROOT, first, bus);
    char target[] = "vdb";
    if (spec->ephemeral_gib > 0) {
        domain_xml_disk(devices, host, DOMAIN_XML_EPHEMERAL, target, "virtio");
        target[2]++;
    }
    if (spec->swap_mib > 0)
        domain_xml_disk(devices, host, DOMAIN_XML_SWAP, target, "virtio");
    domain_xml_config_drive(devices, host);
    if (strcmp(bus, "scsi") == 0)
        xml_set(xml_set(xml_add(devices, "controller"), "type", "scsi"), "model", "virtio-scsi");
}

static void domain_xml_nics(xmlNodePtr devices, const struct spec *spec, const struct names *names,
                            const struct machine *m, bool filters)
{
    const struct spec_nic *nics = spec->nics.items;
    for (size_t i = 0; i < spec->nics.count; i++) {
        char network[NAMES_DOMAIN_SIZE];
        xmlNodePtr nic = xml_set(xml_add(devices, "interface"), "type", "network");
        xml_set(xml_add(nic, "mac"), "address", nics[i].mac);
        xml_set(xml_add(nic, "source"), "network", names_domain(names, nics[i].network.id, network));
        xml_set(xml_add(nic, "model"), "type", m->vif_model ? m->vif_model : "virtio");
        if (nics[i].network.mtu > 0)
            xml_setf(xml_add(nic, "mtu"), "size", "%lld", (long long)nics[i].network.mtu);
        if (filters && nics[i].port_security)
            filter_xml_refer(nic, &nics[i]);
    }
}

/* On q35 only a port that is there from the start takes a device under the running guest: one for each device that
 * wants one (disks, nics, virtio-serial, tablet, balloon, random numbers), and some to spare. */
#define DOMAIN_XML_FIXED_DEVICES 4
static void domain_xml_ports(xmlNodePtr devices, const struct spec *spec, bool express)
{
    size_t disks = 2 + (spec->ephemeral_gib > 0 ? 1u : 0u) + (spec->swap_mib > 0 ? 1u : 0u);
    size_t count = express ? disks + spec->nics.count + DOMAIN_XML_FIXED_DEVICES + DOMAIN_XML_SPARE_PORTS : 0;
    if (count)
        xml_set(xml_set(xml_set(xml_add(devices, "controller"), "type", "pci"), "index", "0"), "model", "pcie-root");
    for (size_t i = 1; i <= count; i++) {
        xmlNodePtr port = xml_setf(xml_set(xml_add(devices, "controller"), "type", "pci"), "index", "%zu", i);
        xml_set(port, "model", "pcie-root-port");
    }
}

static void domain_xml_console(xmlNodePtr devices, const struct domain_xml_host *host)
{
    xmlNodePtr serial = xml_set(xml_add(devices, "serial"), "type", "pty");
    xmlNodePtr log = xml_add(serial, "log");
    xml_setf(log, "file", "%s/" DOMAIN_XML_CONSOLE, host->folder);
    xml_set(log, "append", "on");
    xml_set(xml_add(serial, "target"), "port", "0");
    xmlNodePtr console = xml_set(xml_add(devices, "console"), "type", "pty");
    xml_set(xml_set(xml_add(console, "target"), "type", "serial"), "port", "0");
}

static void domain_xml_others(xmlNodePtr devices, const struct domain_xml_host *host, const struct machine *m)
{
    xmlNodePtr channel = xml_set(xml_add(devices, "channel"), "type", "unix");
    xml_set(xml_set(xml_add(channel, "target"), "type", "virtio"), "name", "org.qemu.guest_agent.0");
    xml_set(xml_set(xml_add(devices, "input"), "type", "tablet"), "bus", "virtio");
    xmlNodePtr graphics = xml_set(xml_set(xml_add(devices, "graphics"), "type", "vnc"), "port", "-1");
    xml_set(xml_set(graphics, "autoport", "yes"), "listen", host->vnc_listen);
    domain_xml_tpm(devices, m);
    domain_xml_video(devices, m);
    xmlNodePtr balloon = xml_set(xml_add(devices, "memballoon"), "model", "virtio");
    xml_set(xml_add(balloon, "stats"), "period", "10");
    xmlNodePtr rng = xml_set(xml_add(devices, "rng"), "model", "virtio");
    xml_set(xml_add_text(rng, "backend", "/dev/urandom"), "model", "random");
    domain_xml_watchdog(devices, m);
}

static void domain_xml_devices(xmlNodePtr domain, const struct spec *spec, const struct names *names,
                               const struct domain_xml_host *host, const struct machine *m)
{
    xmlNodePtr devices = xml_add(domain, "devices");
    if (host->emulator)
        xml_add_text(devices, "emulator", host->emulator);
    domain_xml_disks(devices, spec, host, m);
    xml_set(xml_set(xml_add(devices, "controller"), "type", "usb"), "model", "none");
    domain_xml_ports(devices, spec, (machine_is_arm(m) || machine_is(m, "q35", host->machine)));
    domain_xml_nics(devices, spec, names, m, host->filters);
    domain_xml_console(devices, host);
    domain_xml_others(devices, host, m);
}

char *domain_xml_make(const struct spec *spec, const struct names *names, const struct domain_xml_host *host)
{
    xmlDocPtr doc;
    xmlNodePtr domain = xml_root(&doc, "domain");
    struct domain_room room = domain_room_of(spec);
    struct domain_xml_host other = *host;
    struct machine machine;
    domain_xml_read_machine(spec, &machine);
    if (machine_is_arm(&machine)) { /* emulated, whatever this host's own processor is, and as it starts */
        other.kvm = false;
        other.emulator = other.cpu_mode = other.cpu_model = other.cpu_vendor = other.cpu_flags = NULL;
        other.cpu_more = other.cpu_without = (struct cpu_set){0};
        room = (struct domain_room){.max_vcpus = spec->vcpus, .max_memory_mib = spec->memory_mib};
        host = &other;
    }
    xml_set(domain, "type", host->kvm ? "kvm" : "qemu");
    domain_xml_head(domain, spec, names, &room);
    if (host->shared_cpus && !spec->cells)
        xml_set(xml_first(domain, "vcpu"), "cpuset", host->shared_cpus);
    domain_xml_back_memory(domain, spec);
    domain_xml_tune_cpus(domain, spec);
    domain_xml_tune_memory(domain, spec);
    domain_xml_sysinfo(domain, spec, host->version);
    domain_xml_os(domain, host, &machine);
    domain_xml_features(domain, host, &machine);
    domain_xml_cpu(domain, spec, host, &room, &machine);
    domain_xml_clock(domain, host, &machine);
    xml_add_text(domain, "on_poweroff", "destroy");
    xml_add_text(domain, "on_reboot", "restart");
    xml_add_text(domain, "on_crash", "destroy");
    domain_xml_devices(domain, spec, names, host, &machine);
    return xml_print(doc);
}

static bool domain_xml_mark(xmlNodePtr node, const char *name, char *ret, size_t size)
{
    char *text = xml_get(node, name);
    bool fits = text && strlen(text) < size;
    if (fits)
        memcpy(ret, text, strlen(text) + 1);
    free(text);
    return fits;
}

bool domain_xml_read_marks(const char *metadata, struct domain_xml_marks *ret)
{
    xmlDocPtr doc = xml_parse(metadata, NULL);
    char revision[24];
    if (!doc)
        return false;
    xmlNodePtr server = xmlDocGetRootElement(doc);
    bool good = strcmp((const char *)server->name, "server") == 0 &&
                domain_xml_mark(server, "cloud", ret->cloud_id, sizeof(ret->cloud_id)) &&
                domain_xml_mark(server, "host", ret->host_id, sizeof(ret->host_id)) &&
                domain_xml_mark(server, "id", ret->server_id, sizeof(ret->server_id)) &&
                domain_xml_mark(server, "revision", revision, sizeof(revision));
    if (good)
        ret->revision = strtoll(revision, NULL, 10);
    if (good && !domain_xml_mark(server, "shape", ret->shape, sizeof(ret->shape)))
        ret->shape[0] = '\0';
    xmlFreeDoc(doc);
    return good;
}
