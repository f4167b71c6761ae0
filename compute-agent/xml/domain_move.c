/* A walk over all elements; paths are attributes wherever they stand. Backing images are left out: the other host has
 * its own. */
#include "compute-agent/xml/domain_move.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/names.h"
#include "compute-agent/xml/domain_xml.h"
#include "compute-agent/xml/xml.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void replace(xmlNodePtr node, const char *attribute, const char *text, const char *end)
{
    xmlUnsetProp(node, (const xmlChar *)attribute);
    xml_setf(node, attribute, "%s%s", text, end);
}

static void move_path(xmlNodePtr node, const char *attribute, const struct domain_move *m)
{
    char *path = xml_get(node, attribute);
    size_t size = strlen(m->from_folder);
    if (path && strncmp(path, m->from_folder, size) == 0 && path[size] == '/')
        replace(node, attribute, m->to_folder, path + size);
    free(path);
}

/* A link of this host's has its id at its end, and the other's that one's. */
static void move_block(xmlNodePtr node, const struct domain_move *m)
{
    move_path(node, "dev", m);
    char *path = xml_get(node, "dev"), *link = path ? strstr(path, DOMAIN_XML_BLOCK_SUFFIX) : NULL;
    if (link && strncmp(path, m->to_folder, strlen(m->to_folder)) == 0) {
        *link = '\0';
        xmlUnsetProp(node, BAD_CAST "dev");
        xml_setf(node, "dev", "%s" DOMAIN_XML_BLOCK_SUFFIX "%s", path, m->to_host);
    }
    free(path);
}

static void move_text(xmlNodePtr node, const struct domain_move *m)
{
    char *path = xml_get_text(node);
    size_t size = strlen(m->from_folder);
    if (path && strncmp(path, m->from_folder, size) == 0 && path[size] == '/') {
        xmlNodeSetContent(node, (const xmlChar *)m->to_folder);
        xmlNodeAddContent(node, (const xmlChar *)path + size);
    }
    free(path);
}

/* Names of ours begin with "virga-TAG-". */
static void move_name(xmlNodePtr node, const char *attribute, const struct domain_move *m)
{
    char *name = xml_get(node, attribute);
    const size_t size = strlen("virga-") + NAMES_TAG_SIZE;
    if (name && strlen(name) > size && strncmp(name, m->from_name, size) == 0) {
        char prefix[NAMES_DOMAIN_SIZE] = "";
        memcpy(prefix, m->to_name, size);
        replace(node, attribute, prefix, name + size);
    }
    free(name);
}

static void move_node(xmlNodePtr node, const struct domain_move *m)
{
    bool mark = node->ns && strcmp((const char *)node->ns->href, XML_NAMESPACE) == 0 &&
                strcmp((const char *)node->name, "server") == 0;
    move_path(node, "file", m);
    move_path(node, "path", m);
    if (strcmp((const char *)node->name, "source") == 0)
        move_block(node, m);
    move_name(node, "network", m);
    move_name(node, "filter", m);
    if (strcmp((const char *)node->name, "nvram") == 0)
        move_text(node, m);
    if (mark)
        replace(node, "host", m->to_host, "");
    for (xmlNodePtr child = node->children, next; child; child = next) {
        next = child->next;
        if (child->type == XML_ELEMENT_NODE && strcmp((const char *)child->name, "backingStore") == 0) {
            xmlUnlinkNode(child);
            xmlFreeNode(child);
        } else if (child->type == XML_ELEMENT_NODE) {
            move_node(child, m);
        }
    }
}

static void drop_all(xmlNodePtr domain, const char *name)
{
    for (xmlNodePtr node; (node = xml_first(domain, name));) {
        xmlUnlinkNode(node);
        xmlFreeNode(node);
    }
}

static bool move_tuning(xmlNodePtr domain, const char *text)
{
    xmlDocPtr doc = xml_parse(text, NULL);
    if (!doc)
        return false;
    xmlNodePtr tuning = xmlDocGetRootElement(doc), vcpu = xml_first(domain, "vcpu"), behind = vcpu;
    char *cpuset = xml_get(tuning, "cpuset");
    drop_all(domain, "cputune");
    drop_all(domain, "numatune");
    xmlUnsetProp(vcpu, BAD_CAST "cpuset");
    xml_set(vcpu, "cpuset", cpuset);
    for (xmlNodePtr node = tuning->children; node && vcpu; node = node->next)
        if (node->type == XML_ELEMENT_NODE)
            behind = xmlAddNextSibling(behind, xmlDocCopyNode(node, domain->doc, 1));
    free(cpuset);
    xmlFreeDoc(doc);
    return true;
}

char *domain_move_rewrite(const char *xml, const struct domain_move *how)
{
    xmlDocPtr doc = xml_parse(xml, NULL);
    if (!doc)
        return NULL;
    move_node(xmlDocGetRootElement(doc), how);
    if (how->tuning && !move_tuning(xmlDocGetRootElement(doc), how->tuning)) {
        xmlFreeDoc(doc);
        return NULL;
    }
    return xml_print(doc);
}

const char *domain_move_tied(xmlNodePtr domain)
{
    static const char *const tied[] = {"hostdev", "filesystem", "shmem", "redirdev"};
    xmlNodePtr devices = xml_first(domain, "devices");
    for (size_t i = 0; i < sizeof(tied) / sizeof(tied[0]); i++) {
        if (xml_first(devices, tied[i]))
            return tied[i];
    }
    for (xmlNodePtr nic = xml_first(devices, "interface"); nic; nic = xml_next(nic, "interface")) {
        char *type = xml_get(nic, "type");
        bool bound = type && strcmp(type, "hostdev") == 0;
        free(type);
        if (bound)
            return "interface of type hostdev";
    }
    return NULL;
}
