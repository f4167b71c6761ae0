/* YAML in, as far as our files need it: mappings, lists and scalars become JSON values; every scalar is text. The only
 * file with libyaml. */
#pragma once
#include "common/json_in.h"

/* One document without anchors, aliases and tags. 0 or ERR_INVALID with the line. On success call json_in_done. */
int yaml_parse(const char *text, size_t size, struct json_doc *ret_doc, struct error *e);
