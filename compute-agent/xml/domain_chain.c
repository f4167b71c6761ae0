/* <backingStore> elements nest; an empty one is the end. */
#include "compute-agent/xml/domain_chain.h"
#include "compute-agent/xml/xml.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static xmlNodePtr first_disk(xmlDocPtr doc)
{
    return xml_first(xml_first(xmlDocGetRootElement(doc), "devices"), "disk");
}

static bool has_file(xmlNodePtr disk, const char *file)
{
    char *text = xml_get(xml_first(disk, "source"), "file");
    bool same = text && strcmp(text, file) == 0;
    free(text);
    return same;
}

int domain_chain_read(const char *domain, const char *file, size_t *ret_depth, char **ret_device, struct error *e)
{
    xmlDocPtr doc = xml_parse(domain, e);
    if (!doc)
        return ERR_CORRUPT;
    xmlNodePtr disk = first_disk(doc);
    while (disk && !has_file(disk, file))
        disk = xml_next(disk, "disk");
    *ret_depth = 0;
    *ret_device = disk ? xml_get(xml_first(disk, "target"), "dev") : NULL;
    for (xmlNodePtr behind = xml_first(disk, "backingStore"); xml_first(behind, "source");
         behind = xml_first(behind, "backingStore"))
        ++*ret_depth;
    xmlFreeDoc(doc);
    return 0;
}

char *domain_chain_drop(const char *domain)
{
    xmlDocPtr doc = xml_parse(domain, NULL);
    bool dropped = false;
    for (xmlNodePtr disk = doc ? first_disk(doc) : NULL; disk; disk = xml_next(disk, "disk")) {
        xmlNodePtr behind = xml_first(disk, "backingStore");
        if (!behind)
            continue;
        xmlUnlinkNode(behind);
        xmlFreeNode(behind);
        dropped = true;
    }
    if (dropped)
        return xml_print(doc);
    if (doc)
        xmlFreeDoc(doc);
    return NULL;
}

char *domain_chain_snapshot(const char *domain, const char *device, const char *file)
{
    xmlDocPtr doc, from = xml_parse(domain, NULL);
    xmlNodePtr disks = xml_add(xml_root(&doc, "domainsnapshot"), "disks");
    for (xmlNodePtr disk = from ? first_disk(from) : NULL; disk; disk = xml_next(disk, "disk")) {
        char *name = xml_get(xml_first(disk, "target"), "dev");
        bool it = name && strcmp(name, device) == 0;
        xmlNodePtr one = xml_set(xml_set(xml_add(disks, "disk"), "name", name), "snapshot", it ? "external" : "no");
        if (it) {
            xml_set(one, "type", "file");
            xml_set(xml_add(one, "driver"), "type", "qcow2");
            xml_set(xml_add(one, "source"), "file", file);
        }
        free(name);
    }
    if (from)
        xmlFreeDoc(from);
    return xml_print(doc);
}
