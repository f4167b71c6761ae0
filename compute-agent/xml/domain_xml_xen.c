/* A guest of Xen without firmware or emulator: GRUB is its first program and starts what the guest's disk says. Disks
 * are block devices of the host, which its kernel serves (blkback). */
#include "compute-agent/xml/domain_room.h"
#include "compute-agent/xml/domain_xml_internal.h"
#include <string.h>

/* Of Debian's package grub-xen-host. */
#define DOMAIN_XML_GRUB_PV  "/usr/lib/grub-xen/grub-x86_64-xen.bin"
#define DOMAIN_XML_GRUB_PVH "/usr/lib/grub-xen/grub-i386-xen_pvh.bin"

/* The image's choice, where the machine has it; else the better one that it has. */
static bool domain_xml_wants_pvh(const struct spec *spec, const struct domain_xml_host *host)
{
    return host->pvh && strcmp(domain_xml_property(spec, "hw_machine_type", "xenpvh"), "xenpv") != 0;
}

static void domain_xml_kernel(xmlNodePtr domain, bool pvh)
{
    xmlNodePtr os = xml_add(domain, "os");
    xmlNodePtr type = xml_add_text(os, "type", pvh ? "xenpvh" : "linux");
    xml_set(xml_set(type, "arch", "x86_64"), "machine", pvh ? "xenpvh" : "xenpv");
    xml_add_text(os, "kernel", pvh ? DOMAIN_XML_GRUB_PVH : DOMAIN_XML_GRUB_PV);
}

static void domain_xml_block(xmlNodePtr devices, const struct domain_xml_host *host, const char *file,
                             const char *target, bool read_only)
{
    xmlNodePtr disk = xml_set(xml_set(xml_add(devices, "disk"), "type", "block"), "device", "disk");
    xml_set(xml_set(xml_add(disk, "driver"), "name", "phy"), "type", "raw");
    xml_setf(xml_add(disk, "source"), "dev", "%s/%s" DOMAIN_XML_BLOCK_SUFFIX, host->folder, file);
    xml_set(xml_set(xml_add(disk, "target"), "dev", target), "bus", "xen");
    if (read_only)
        xml_add(disk, "readonly");
}

static void domain_xml_blocks(xmlNodePtr devices, const struct spec *spec, const struct domain_xml_host *host)
{
    domain_xml_block(devices, host, DOMAIN_XML_RAW_ROOT, "xvda", false);
    if (spec->ephemeral_gib > 0)
        domain_xml_block(devices, host, DOMAIN_XML_RAW_EPHEMERAL, "xvdb", false);
    if (spec->swap_mib > 0)
        domain_xml_block(devices, host, DOMAIN_XML_RAW_SWAP, "xvdc", false);
    domain_xml_block(devices, host, DOMAIN_XML_CONFIG, "xvdz", true);
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

char *domain_xml_make_xen(const struct spec *spec, const struct names *names, const struct domain_xml_host *host)
{
    xmlDocPtr doc;
    xmlNodePtr domain = xml_root(&doc, "domain");
    bool pvh = domain_xml_wants_pvh(spec, host);
    xml_set(domain, "type", "xen");
    struct domain_room room = domain_room_of(spec);
    room.balloon = true;
    domain_xml_head(domain, spec, names, &room);
    domain_xml_kernel(domain, pvh);
    xmlNodePtr clock = xml_set(xml_add(domain, "clock"), "offset", "utc");
    if (pvh)
        xml_set(xml_set(xml_add(clock, "timer"), "name", "tsc"), "mode", "native");
    xml_add_text(domain, "on_poweroff", "destroy");
    xml_add_text(domain, "on_reboot", "restart");
    xml_add_text(domain, "on_crash", "destroy");
    xmlNodePtr devices = xml_add(domain, "devices");
    domain_xml_blocks(devices, spec, host);
    domain_xml_nics(devices, spec, names);
    xmlNodePtr console = xml_set(xml_add(devices, "console"), "type", "pty");
    xml_set(xml_set(xml_add(console, "target"), "type", "xen"), "port", "0");
    return xml_print(doc);
}
