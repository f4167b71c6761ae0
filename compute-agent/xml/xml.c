/* Thin words over libxml2's tree. */
#include "compute-agent/xml/xml.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <libxml/parser.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static xmlNodePtr xml_checked(xmlNodePtr node)
{
    if (!node)
        abort();
    return node;
}

/* A copy without what XML 1.0 cannot carry. */
static char *xml_clean(const char *text)
{
    char *copy = memory_strdup(text);
    for (unsigned char *c = (unsigned char *)copy; *c; c++) {
        if (*c < 0x20 && *c != '\t' && *c != '\n')
            *c = '?';
    }
    return copy;
}

xmlNodePtr xml_root(xmlDocPtr *ret_doc, const char *name)
{
    *ret_doc = xmlNewDoc(BAD_CAST "1.0");
    xmlNodePtr root = xml_checked(*ret_doc ? xmlNewNode(NULL, BAD_CAST name) : NULL);
    xmlDocSetRootElement(*ret_doc, root);
    return root;
}

xmlNodePtr xml_add(xmlNodePtr parent, const char *name)
{
    return xml_checked(xmlNewChild(parent, NULL, BAD_CAST name, NULL));
}

xmlNodePtr xml_add_text(xmlNodePtr parent, const char *name, const char *text)
{
    char *clean = xml_clean(text);
    xmlNodePtr node = xml_checked(xmlNewTextChild(parent, NULL, BAD_CAST name, BAD_CAST clean));
    free(clean);
    return node;
}

xmlNodePtr xml_add_int(xmlNodePtr parent, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    return xml_add_text(parent, name, text);
}

xmlNodePtr xml_set(xmlNodePtr node, const char *name, const char *value)
{
    if (!value)
        return node;
    char *clean = xml_clean(value);
    if (!xmlNewProp(node, BAD_CAST name, BAD_CAST clean))
        abort();
    free(clean);
    return node;
}

xmlNodePtr xml_setf(xmlNodePtr node, const char *name, const char *format, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text, 0);
    va_start(args, format);
    strbuf_appendv(&text, format, args);
    va_end(args);
    xml_set(node, name, text.data);
    strbuf_done(&text);
    return node;
}

char *xml_print(xmlDocPtr doc)
{
    xmlChar *text = NULL;
    int size = 0;
    xmlDocDumpFormatMemory(doc, &text, &size, 1);
    xmlFreeDoc(doc);
    if (!text)
        abort();
    const char *start = strchr((const char *)text, '\n'); /* behind the declaration */
    char *copy = memory_strdup(start ? start + 1 : (const char *)text);
    xmlFree(text);
    return copy;
}

xmlDocPtr xml_parse(const char *text, struct error *e)
{
    int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS;
    xmlDocPtr doc = xmlReadMemory(text, (int)strlen(text), NULL, NULL, options);
    if (doc && xmlDocGetRootElement(doc))
        return doc;
    if (doc)
        xmlFreeDoc(doc);
    error_set(e, ERR_CORRUPT, "That is no XML document");
    return NULL;
}

static xmlNodePtr xml_seek(xmlNodePtr from, const char *name)
{
    while (from && (from->type != XML_ELEMENT_NODE || strcmp((const char *)from->name, name) != 0))
        from = from->next;
    return from;
}

xmlNodePtr xml_first(xmlNodePtr parent, const char *name)
{
    return parent ? xml_seek(parent->children, name) : NULL;
}

xmlNodePtr xml_next(xmlNodePtr node, const char *name)
{
    return xml_seek(node->next, name);
}

xmlNodePtr xml_path(xmlNodePtr node, ...)
{
    va_list args;
    va_start(args, node);
    for (const char *name; node && (name = va_arg(args, const char *));)
        node = xml_first(node, name);
    va_end(args);
    return node;
}

static char *xml_own(xmlChar *text)
{
    char *copy = memory_strdup((const char *)text);
    xmlFree(text);
    return copy;
}

char *xml_get(xmlNodePtr node, const char *attribute)
{
    return node ? xml_own(xmlGetProp(node, BAD_CAST attribute)) : NULL;
}

char *xml_get_text(xmlNodePtr node)
{
    return node ? xml_own(xmlNodeGetContent(node)) : NULL;
}
