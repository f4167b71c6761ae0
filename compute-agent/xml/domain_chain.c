/* A walk over the disks; what is behind one is its <backingStore>. */
#include "compute-agent/xml/domain_chain.h"
#include "compute-agent/xml/xml.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static xmlNodePtr first_disk(xmlDocPtr doc)
{
    return xml_first(xml_first(xmlDocGetRootElement(doc), "devices"), "disk");
}

/* The file's name when it is that disk; caller frees. */
static char *file_of(xmlNodePtr node, const char *disk, domain_chain_fn is)
{
    char *file = xml_get(xml_first(node, "source"), "file");
    if (file && is(disk, file))
        return file;
    free(file);
    return NULL;
}

int domain_chain_read(const char *domain, const char *disk, domain_chain_fn is, char **ret_file, char **ret_device,
                      struct error *e)
{
    xmlDocPtr doc = xml_parse(domain, e);
    if (!doc)
        return ERR_CORRUPT;
    *ret_file = *ret_device = NULL;
    for (xmlNodePtr node = first_disk(doc); node && !*ret_file; node = xml_next(node, "disk")) {
        *ret_file = file_of(node, disk, is);
        *ret_device = *ret_file ? xml_get(xml_first(node, "target"), "dev") : NULL;
    }
    xmlFreeDoc(doc);
    return 0;
}

static bool make_plain(xmlNodePtr node, const char *disk, domain_chain_fn is)
{
    xmlNodePtr behind = xml_first(node, "backingStore"), source = xml_first(node, "source");
    char *file = file_of(node, disk, is);
    bool renamed = file && strcmp(file, disk) != 0;
    if (renamed) {
        xmlUnsetProp(source, BAD_CAST "file");
        xml_set(source, "file", disk);
    }
    if (behind) {
        xmlUnlinkNode(behind);
        xmlFreeNode(behind);
    }
    free(file);
    return renamed || behind;
}

char *domain_chain_plain(const char *domain, const char *disk, domain_chain_fn is)
{
    xmlDocPtr doc = xml_parse(domain, NULL);
    bool changed = false;
    for (xmlNodePtr node = doc ? first_disk(doc) : NULL; node; node = xml_next(node, "disk"))
        changed = make_plain(node, disk, is) || changed;
    if (changed)
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
