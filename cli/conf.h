/* A setting in the configuration files of the daemons (common/config.h says how these look), changed as an operator
 * would do it with an editor: comments and all else stay. */
#pragma once
#include "common/arena.h"
#include "common/error.h"

/* What the file says of `key`: *ret NULL, and 0, when it does not or there is no file; *ret_line its number. In the
 * arena. */
int conf_get(const char *path, const char *key, struct arena *a, const char **ret, int *ret_line, struct error *e);
/* Adds "key = value" when the file says nothing of it; makes the file (mode 0640, for the group `virga` if there is
 * one) when it is not there. Owner, group and mode of one that is there stay. ERR_INVALID for a value of several lines;
 * ERR_CONFLICT when the file says something else, without telling what: it may be a secret. */
int conf_ensure(const char *path, const char *key, const char *value, struct error *e);
