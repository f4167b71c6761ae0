/* A container: its own users (root inside is nobody outside), few capabilities, the flavor's share of memory and
 * processors as hard limits, its folder as the root, and a terminal. */
#include "compute-agent/xml/domain_xml_internal.h"
#include <stddef.h>

#define DOMAIN_XML_PERIOD_US 100000

/* All that is left to root inside; all but sys_admin, net_admin and their like concern its own namespaces' processes
 * and files only. */
static const char *const domain_xml_kept[] = {
    "audit_write", "chown",     "dac_override",     "dac_read_search", "fowner",   "fsetid",     "ipc_owner",
    "kill",        "net_admin", "net_bind_service", "net_raw",         "setfcap",  "setgid",     "setpcap",
    "setuid",      "sys_admin", "sys_boot",         "sys_chroot",      "sys_nice", "sys_ptrace", "sys_resource",
    NULL};

static void domain_xml_map(xmlNodePtr idmap, const char *kind, int64_t first)
{
    xmlNodePtr map = xml_set(xml_add(idmap, kind), "start", "0");
    xml_setf(map, "target", "%lld", (long long)first);
    xml_setf(map, "count", "%d", DOMAIN_XML_IDS_COUNT);
}

static void domain_xml_limits(xmlNodePtr domain, const struct spec *spec)
{
    xmlNodePtr memory = xml_add(domain, "memtune");
    xml_set(xml_add_int(memory, "hard_limit", spec->memory_mib), "unit", "MiB");
    xmlNodePtr cpu = xml_add(domain, "cputune");
    xml_add_int(cpu, "shares", 1024 * spec->vcpus);
    xml_add_int(cpu, "period", DOMAIN_XML_PERIOD_US);
    xml_add_int(cpu, "quota", DOMAIN_XML_PERIOD_US * spec->vcpus);
}

static void domain_xml_capabilities(xmlNodePtr domain)
{
    xmlNodePtr list = xml_set(xml_add(xml_add(domain, "features"), "capabilities"), "policy", "deny");
    for (size_t i = 0; domain_xml_kept[i]; i++)
        xml_set(xml_add(list, domain_xml_kept[i]), "state", "on");
}

static void domain_xml_folder(xmlNodePtr devices, const char *folder, const char *name, const char *target)
{
    xmlNodePtr files = xml_set(xml_set(xml_add(devices, "filesystem"), "type", "mount"), "accessmode", "passthrough");
    xml_setf(xml_add(files, "source"), "dir", "%s/%s", folder, name);
    xml_set(xml_add(files, "target"), "dir", target);
}

static void domain_xml_nics(xmlNodePtr devices, const struct spec *spec, const struct names *names)
{
    const struct spec_nic *nics = spec->nics.items;
    for (size_t i = 0; i < spec->nics.count; i++) {
        char network[NAMES_DOMAIN_SIZE], outside[NAMES_BRIDGE_SIZE];
        xmlNodePtr nic = xml_set(xml_add(devices, "interface"), "type", "network");
        xml_set(xml_add(nic, "mac"), "address", nics[i].mac);
        xml_set(xml_add(nic, "source"), "network", names_domain(names, nics[i].network.id, network));
        xml_set(xml_add(nic, "target"), "dev",
                names_nic(nics[i].port_id, outside)); /* the guard goes by it (port_guard.h) */
        xml_setf(xml_add(nic, "guest"), "dev", "eth%zu", i);
        if (nics[i].network.mtu > 0)
            xml_setf(xml_add(nic, "mtu"), "size", "%lld", (long long)nics[i].network.mtu);
    }
}

char *domain_xml_make_lxc(const struct spec *spec, const struct names *names, const struct domain_xml_host *host)
{
    xmlDocPtr doc;
    xmlNodePtr domain = xml_root(&doc, "domain");
    xml_set(domain, "type", "lxc");
    domain_xml_head(domain, spec, names, NULL);
    domain_xml_limits(domain, spec);
    xmlNodePtr os = xml_add(domain, "os");
    xml_add_text(os, "type", "exe");
    xml_add_text(os, "init", domain_xml_property(spec, "container_init", "/sbin/init"));
    xmlNodePtr idmap = xml_add(domain, "idmap");
    int64_t first = host->ids_first ? host->ids_first : DOMAIN_XML_IDS_FIRST; /* never the host's root */
    domain_xml_map(idmap, "uid", first);
    domain_xml_map(idmap, "gid", first);
    domain_xml_capabilities(domain);
    xml_set(xml_add(domain, "clock"), "offset", "utc");
    xml_add_text(domain, "on_poweroff", "destroy");
    xml_add_text(domain, "on_reboot", "restart");
    xml_add_text(domain, "on_crash", "destroy");
    xmlNodePtr devices = xml_add(domain, "devices");
    domain_xml_folder(devices, host->folder, DOMAIN_XML_TREE, "/");
    domain_xml_folder(devices, host->folder, DOMAIN_XML_SEED, DOMAIN_XML_SEED_AT);
    domain_xml_nics(devices, spec, names);
    xmlNodePtr console = xml_set(xml_add(devices, "console"), "type", "pty");
    xml_set(xml_set(xml_add(console, "target"), "type", "lxc"), "port", "0");
    return xml_print(doc);
}
