/* Access rules: what the tokens of an application credential may do, and nothing else. */
#pragma once
#include "api/identity/identity.h"
#include "db/store_access_rule.h"

/* For the server, once a token that is `ruled` has been read: whether some rule of its application credential allows
 * this request. 0 or ERR_FORBIDDEN. `conn` reads. */
int access_rules_check(struct request *request, struct db_conn *conn);
/* Whether a rule's pattern fits a path: * and {name} stand for one segment, ** for any number. */
bool access_rules_match(const char *pattern, const char *path);
/* {"id", "service", "method", "path"} under `key`. */
void access_rules_put(struct request *request, struct reply *reply, const char *key, const struct access_rule_row *row,
                      bool with_link);
