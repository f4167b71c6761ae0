/* Guests of VMware ESX and of Hyper-V: hypervisors that keep their own files and networks. Their domains are known by
 * name, and have our marks as text in their description (a .vmx file's annotation), with a checksum of all the rest. */
#include "common/memory.h"
#include "compute-agent/xml/domain_xml_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *domain_xml_snapshot(const char *name)
{
    xmlDocPtr doc;
    xml_add_text(xml_root(&doc, "domainsnapshot"), "name", name);
    return xml_print(doc);
}

char *domain_xml_volume(const char *name)
{
    xmlDocPtr doc;
    xmlNodePtr volume = xml_root(&doc, "volume");
    xml_add_text(volume, "name", name);
    xml_add_int(volume, "capacity", 0); /* the template's */
    xml_set(xml_add(xml_add(volume, "target"), "format"), "type", "vmdk");
    return xml_print(doc);
}

/* FNV-1a. */
static void domain_xml_checksum(xmlDocPtr doc, char ret[20])
{
    xmlDocPtr copy = xmlCopyDoc(doc, 1);
    char *text = xml_print(copy);
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *at = text; *at; at++)
        h = (h ^ (unsigned char)*at) * 0x100000001b3u;
    free(text);
    snprintf(ret, 20, "%016llx", (unsigned long long)h);
}

/* On one line: what carries it further has lines of its own. */
static void domain_xml_describe(xmlDocPtr doc, const struct spec *spec, const struct names *names)
{
    char shape[20];
    xmlDocPtr marks;
    xmlNodePtr domain = xmlDocGetRootElement(doc), server = xml_root(&marks, "server");
    domain_xml_checksum(doc, shape);
    domain_xml_mark_server(server, spec, names);
    xml_set(server, "shape", shape);
    char *text = xml_print(marks);
    text[strcspn(text, "\n")] = '\0';
    xmlNodePtr description = xmlNewTextChild(domain, NULL, BAD_CAST "description", BAD_CAST text);
    xmlAddPrevSibling(xml_first(domain, "memory"), description);
    free(text);
}

bool domain_xml_read_described(const char *text, struct domain_xml_marks *ret)
{
    xmlDocPtr doc = xml_parse(text, NULL);
    char *marks = doc ? xml_get_text(xml_first(xmlDocGetRootElement(doc), "description")) : NULL;
    bool good = marks && domain_xml_read_marks(marks, ret);
    free(marks);
    if (doc)
        xmlFreeDoc(doc);
    return good;
}

static xmlNodePtr domain_xml_start(xmlDocPtr *doc, const char *type, const struct spec *spec, const char *name)
{
    xmlNodePtr domain = xml_root(doc, "domain");
    xml_set(domain, "type", type);
    xml_add_text(domain, "name", name);
    xml_add_text(domain, "uuid", spec->id);
    xml_set(xml_add_int(domain, "memory", spec->memory_mib), "unit", "MiB");
    xml_set(xml_add_int(domain, "currentMemory", spec->memory_mib), "unit", "MiB");
    xml_add_int(domain, "vcpu", spec->vcpus);
    xml_set(xml_add_text(xml_add(domain, "os"), "type", "hvm"), "arch", "x86_64");
    return domain;
}

/* `%s` in the pattern stands for the network's name. */
static void domain_xml_bridge(xmlNodePtr nic, const char *pattern, const char *network)
{
    const char *gap = strstr(pattern, "%s");
    int before = gap ? (int)(gap - pattern) : (int)strlen(pattern);
    xml_setf(xml_add(nic, "source"), "bridge", "%.*s%s%s", before, pattern, gap ? network : "", gap ? gap + 2 : "");
}

static void domain_xml_port(xmlNodePtr devices, const struct spec_nic *from, const struct domain_xml_host *host,
                            const char *model)
{
    xmlNodePtr nic = xml_set(xml_add(devices, "interface"), "type", "bridge");
    xml_set(xml_add(nic, "mac"), "address", from->mac);
    domain_xml_bridge(nic, host->port_group, from->network.name ? from->network.name : "");
    if (model)
        xml_set(xml_add(nic, "model"), "type", model);
}

/* Nova's words for the adapter, libvirt's for the same. */
static const char *domain_xml_adapter(const struct spec *spec)
{
    static const struct {
        const char *word, *model;
    } rows[] = {
        {"lsiLogic", "lsilogic"}, {"busLogic", "buslogic"}, {"lsiLogicsas", "lsisas1068"}, {"paraVirtual", "vmpvscsi"}};
    const char *asked = domain_xml_property(spec, "vmware_adaptertype", "lsiLogic");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].word, asked) == 0)
            return rows[i].model;
    }
    return rows[0].model;
}

static xmlNodePtr domain_xml_file(xmlNodePtr devices, const char *device, const char *target, const char *bus)
{
    xmlNodePtr disk = xml_set(xml_set(xml_add(devices, "disk"), "type", "file"), "device", device);
    xmlNodePtr source = xml_add(disk, "source");
    xml_set(xml_set(xml_add(disk, "target"), "dev", target), "bus", bus);
    return source;
}

char *domain_xml_make_esx(const struct spec *spec, const struct names *names, const struct domain_xml_host *host)
{
    xmlDocPtr doc;
    char name[NAMES_SERVER_SIZE];
    names_server(names, spec->id, name);
    xmlNodePtr devices = xml_add(domain_xml_start(&doc, "vmware", spec, name), "devices");
    bool ide = strcmp(domain_xml_property(spec, "hw_disk_bus", "scsi"), "ide") == 0;
    xml_setf(domain_xml_file(devices, "disk", ide ? "hda" : "sda", ide ? "ide" : "scsi"), "file",
             "[%s] %s/%s" DOMAIN_XML_VOLUME_SUFFIX, host->datastore, name, name);
    xml_setf(domain_xml_file(devices, "cdrom", "hdc", "ide"), "file", "[%s] %s/" DOMAIN_XML_CONFIG, host->datastore,
             name);
    if (!ide)
        xml_set(xml_set(xml_set(xml_add(devices, "controller"), "type", "scsi"), "index", "0"), "model",
                domain_xml_adapter(spec));
    const char *asked = domain_xml_property(spec, "hw_vif_model", "vmxnet3");
    const char *model = strncmp(asked, "e1000", 5) == 0 ? asked : "vmxnet3";
    for (size_t i = 0; i < spec->nics.count; i++)
        domain_xml_port(devices, (const struct spec_nic *)spec->nics.items + i, host, model);
    domain_xml_describe(doc, spec, names);
    return xml_print(doc);
}

/* The disk is a file on the Windows host, C:\virga\NAME\NAME.vhdx. */
char *domain_xml_make_hyperv(const struct spec *spec, const struct names *names, const struct domain_xml_host *host)
{
    xmlDocPtr doc;
    char name[NAMES_SERVER_SIZE];
    names_server(names, spec->id, name);
    xmlNodePtr devices = xml_add(domain_xml_start(&doc, "hyperv", spec, name), "devices");
    xml_setf(domain_xml_file(devices, "disk", "hda", "ide"), "file", "%s\\%s\\%s.vhdx", host->datastore, name, name);
    for (size_t i = 0; i < spec->nics.count; i++)
        domain_xml_port(devices, (const struct spec_nic *)spec->nics.items + i, host, NULL);
    return xml_print(doc);
}
