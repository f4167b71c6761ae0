/* A walk over all elements; paths are attributes wherever they stand. Backing images are left out: the other host has
 * its own. */
#include "compute-agent/xml/domain_move.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/xml/xml.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct move {
    const char *from, *to, *host;
};

static void replace(xmlNodePtr node, const char *attribute, const char *text, const char *end)
{
    xmlUnsetProp(node, (const xmlChar *)attribute);
    xml_setf(node, attribute, "%s%s", text, end);
}

static void move_path(xmlNodePtr node, const char *attribute, const struct move *m)
{
    char *path = xml_get(node, attribute);
    size_t size = strlen(m->from);
    if (path && strncmp(path, m->from, size) == 0 && path[size] == '/')
        replace(node, attribute, m->to, path + size);
    free(path);
}

static void move_node(xmlNodePtr node, const struct move *m)
{
    bool mark = node->ns && strcmp((const char *)node->ns->href, XML_NAMESPACE) == 0 &&
                strcmp((const char *)node->name, "server") == 0;
    move_path(node, "file", m);
    move_path(node, "path", m);
    if (mark)
        replace(node, "host", m->host, "");
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

char *domain_move_rewrite(const char *xml, const char *from_folder, const char *to_folder, const char *to_host,
                          const char *to_name)
{
    struct move m = {.from = from_folder, .to = to_folder, .host = to_host};
    xmlDocPtr doc = xml_parse(xml, NULL);
    if (!doc)
        return NULL;
    xmlNodePtr domain = xmlDocGetRootElement(doc), name = xml_first(domain, "name");
    move_node(domain, &m);
    if (name)
        xmlNodeSetContent(name, (const xmlChar *)to_name);
    return xml_print(doc);
}
