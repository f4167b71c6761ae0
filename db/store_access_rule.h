/* Access rules: what tokens of some application credential may do, each a service, a method and a path pattern. */
#pragma once
#include "db/db.h"

struct access_rule_row {
    const char *id, *user_id, *service, *method, *path;
};

/* ERR_NOT_FOUND without a sentence when there is none. */
int store_access_rule_get(struct db_conn *c, const char *id, struct arena *a, struct access_rule_row *ret,
                          struct error *e);
/* The user's rule of just this service, method and path. */
int store_access_rule_find(struct db_conn *c, const struct access_rule_row *like, struct arena *a,
                           struct access_rule_row *ret, struct error *e);
/* A user's, by ascending id until `each` returns non-zero, which is returned; texts are borrowed. */
typedef int (*store_access_rule_fn)(void *arg, const struct access_rule_row *row, struct error *e);
int store_access_rule_each(struct db_conn *c, const char *user_id, store_access_rule_fn each, void *arg,
                           struct error *e);
int store_access_rule_insert(struct db_conn *c, const struct access_rule_row *row, struct error *e);
int store_access_rule_delete(struct db_conn *c, const char *id, struct error *e);
/* Whether an application credential uses it. */
int store_access_rule_is_used(struct db_conn *c, const char *id, bool *ret, struct error *e);
