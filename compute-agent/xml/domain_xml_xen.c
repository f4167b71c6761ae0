/* A guest of Xen. Without firmware or emulator (PV, PVH) GRUB is its first program and starts what the guest's disk
 * says; a whole machine (HVM) has both, where the image asks for it. Disks are block devices of the host, which its
 * kernel serves (blkback); a machine's firmware sees them as IDE, until the guest's own drivers take them over. */
#include "compute-agent/xml/domain_room.h"
#include "compute-agent/xml/domain_xml_internal.h"
#include <string.h>

/* Of Debian's package grub-xen-host. */
#define DOMAIN_XML_GRUB_PV  "/usr/lib/grub-xen/grub-x86_64-xen.bin"
#define DOMAIN_XML_GRUB_PVH "/usr/lib/grub-xen/grub-i386-xen_pvh.bin"

/* How a kind of guest is written. */
struct domain_xml_xen {
    const char *machine, *os_type, *kernel; /* kernel: NULL with a firmware */
    const char *bus, *root, *ephemeral, *swap, *config;
};
static const struct domain_xml_xen domain_xml_pv = {"xenpv", "linux", DOMAIN_XML_GRUB_PV, "xen", "xvda", "xvdb",
                                                    "xvdc",  "xvdz"};
static const struct domain_xml_xen domain_xml_pvh = {"xenpvh", "xenpvh", DOMAIN_XML_GRUB_PVH, "xen", "xvda", "xvdb",
                                                     "xvdc",   "xvdz"};
static const struct domain_xml_xen domain_xml_fv = {"xenfv", "hvm", NULL, "ide", "hda", "hdb", "hdc", "hdd"};

/* The image's choice, where the machine has it; else the better of those without an emulator. */
static const struct domain_xml_xen *domain_xml_kind(const struct spec *spec, const struct domain_xml_host *host)
{
    const char *asked = domain_xml_property(spec, "hw_machine_type", "xenpvh");
    if (strcmp(asked, "xenfv") == 0)
        return &domain_xml_fv;
    return host->pvh && strcmp(asked, "xenpv") != 0 ? &domain_xml_pvh : &domain_xml_pv;
}

static void domain_xml_boot(xmlNodePtr domain, const struct domain_xml_xen *kind)
{
    xmlNodePtr os = xml_add(domain, "os");
    xmlNodePtr type = xml_add_text(os, "type", kind->os_type);
    xml_set(xml_set(type, "arch", "x86_64"), "machine", kind->machine);
    if (kind->kernel) {
        xml_add_text(os, "kernel", kind->kernel);
        return;
    }
    xml_set(xml_add(os, "boot"), "dev", "hd");
    xmlNodePtr features = xml_add(domain, "features");
    xml_add(features, "acpi");
    xml_add(features, "apic");
    xml_add(features, "pae");
}

struct domain_xml_blocks {
    xmlNodePtr devices;
    const char *folder, *host_id;
    const struct domain_xml_xen *kind;
};

/* An IDE disk cannot be read-only; a CD is. */
static void domain_xml_block(const struct domain_xml_blocks *b, const char *file, const char *target, bool read_only)
{
    const char *device = read_only && !b->kind->kernel ? "cdrom" : "disk";
    xmlNodePtr disk = xml_set(xml_set(xml_add(b->devices, "disk"), "type", "block"), "device", device);
    xml_set(xml_set(xml_add(disk, "driver"), "name", "phy"), "type", "raw");
    xml_setf(xml_add(disk, "source"), "dev", "%s/%s" DOMAIN_XML_BLOCK_SUFFIX "%s", b->folder, file, b->host_id);
    xml_set(xml_set(xml_add(disk, "target"), "dev", target), "bus", b->kind->bus);
    if (read_only)
        xml_add(disk, "readonly");
}

static void domain_xml_all_blocks(const struct domain_xml_blocks *b, const struct spec *spec)
{
    domain_xml_block(b, DOMAIN_XML_RAW_ROOT, b->kind->root, false);
    if (spec->ephemeral_gib > 0)
        domain_xml_block(b, DOMAIN_XML_RAW_EPHEMERAL, b->kind->ephemeral, false);
    if (spec->swap_mib > 0)
        domain_xml_block(b, DOMAIN_XML_RAW_SWAP, b->kind->swap, false);
    domain_xml_block(b, DOMAIN_XML_CONFIG, b->kind->config, true);
}

static void domain_xml_nics(xmlNodePtr devices, const struct spec *spec, const struct names *names)
{
    const struct spec_nic *nics = spec->nics.items;
    for (size_t i = 0; i < spec->nics.count; i++) {
        char network[NAMES_DOMAIN_SIZE];
        xmlNodePtr nic = xml_set(xml_add(devices, "interface"), "type", "network");
        xml_set(xml_add(nic, "mac"), "address", nics[i].mac);
        xml_set(xml_add(nic, "source"), "network", names_domain(names, nics[i].network.id, network));
    }
}

static void domain_xml_console(xmlNodePtr devices, const struct domain_xml_xen *kind)
{
    if (!kind->kernel)
        xml_set(xml_add(xml_set(xml_add(devices, "serial"), "type", "pty"), "target"), "port", "0");
    xmlNodePtr console = xml_set(xml_add(devices, "console"), "type", "pty");
    xml_set(xml_set(xml_add(console, "target"), "type", kind->kernel ? "xen" : "serial"), "port", "0");
}

char *domain_xml_make_xen(const struct spec *spec, const struct names *names, const struct domain_xml_host *host)
{
    xmlDocPtr doc;
    xmlNodePtr domain = xml_root(&doc, "domain");
    const struct domain_xml_xen *kind = domain_xml_kind(spec, host);
    xml_set(domain, "type", "xen");
    struct domain_room room = domain_room_of(spec);
    room.balloon = true;
    domain_xml_head(domain, spec, names, &room);
    domain_xml_boot(domain, kind);
    xmlNodePtr clock = xml_set(xml_add(domain, "clock"), "offset", "utc");
    if (kind == &domain_xml_pvh)
        xml_set(xml_set(xml_add(clock, "timer"), "name", "tsc"), "mode", "native");
    xml_add_text(domain, "on_poweroff", "destroy");
    xml_add_text(domain, "on_reboot", "restart");
    xml_add_text(domain, "on_crash", "destroy");
    xmlNodePtr devices = xml_add(domain, "devices");
    struct domain_xml_blocks blocks = {devices, host->folder, names->host_id, kind};
    domain_xml_all_blocks(&blocks, spec);
    domain_xml_nics(devices, spec, names);
    domain_xml_console(devices, kind);
    return xml_print(doc);
}
