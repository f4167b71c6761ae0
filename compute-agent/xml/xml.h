/* Building and reading small XML documents. The files of this folder are the only ones that know libxml2. Any thread.
 */
#pragma once
#include "common/error.h"
#include <libxml/tree.h>
#include <stddef.h>
#include <stdint.h>

/* The namespace under which our marks stand in domains. */
#define XML_NAMESPACE "https://virga.dev/xmlns/agent/1"

/* Text is escaped, and what XML cannot carry (control characters) becomes '?'. Nothing fails: out of memory aborts. */
xmlNodePtr xml_root(xmlDocPtr *ret_doc, const char *name);
xmlNodePtr xml_add(xmlNodePtr parent, const char *name);
xmlNodePtr xml_add_text(xmlNodePtr parent, const char *name, const char *text);
xmlNodePtr xml_add_int(xmlNodePtr parent, const char *name, int64_t value);
/* NULL as value: nothing. Returns the node. */
xmlNodePtr xml_set(xmlNodePtr node, const char *name, const char *value);
xmlNodePtr xml_setf(xmlNodePtr node, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The document as text without declaration, indented; frees it. Caller frees. */
char *xml_print(xmlDocPtr doc);

/* NULL and ERR_CORRUPT when it is no XML. No network, no entities. Free with xmlFreeDoc. */
xmlDocPtr xml_parse(const char *text, struct error *e);
/* The first child, and the next sibling behind `node`, with this name; NULL when there is none (also for no parent). */
xmlNodePtr xml_first(xmlNodePtr parent, const char *name);
xmlNodePtr xml_next(xmlNodePtr node, const char *name);
/* Follows names from `node` down, NULL-terminated list; NULL when there is none. */
xmlNodePtr xml_path(xmlNodePtr node, ...) __attribute__((sentinel));
/* Copies (caller frees), NULL when absent. */
char *xml_get(xmlNodePtr node, const char *attribute);
char *xml_get_text(xmlNodePtr node);
