/* Roles and which of them imply others. */
#pragma once
#include "db/db.h"
#include "db/page.h"

struct role_row {
    const char *id, *name, *domain_id; /* domain_id "" for a global one */
    const char *description;           /* NULL for none */
    const char *options, *extra;       /* JSON */
    int64_t created_us;
};

/* ERR_NOT_FOUND without a sentence when there is none. */
int store_role_get(struct db_conn *c, const char *id, struct arena *a, struct role_row *ret, struct error *e);
int store_role_find(struct db_conn *c, const char *domain_id, const char *name, struct arena *a, struct role_row *ret,
                    struct error *e);
/* Calls `each` by ascending id until it returns non-zero, which is returned. Texts are borrowed. domain_id "" for
 * global ones; name NULL for any. */
typedef int (*store_role_fn)(void *arg, const struct role_row *row, struct error *e);
int store_role_each(struct db_conn *c, const char *domain_id, const char *name, const struct page *page,
                    store_role_fn each, void *arg, struct error *e);
/* Roles that `prior_id` implies directly. */
int store_role_each_implied(struct db_conn *c, const char *prior_id, store_role_fn each, void *arg, struct error *e);
/* ERR_CONFLICT when the name or id is taken. */
int store_role_insert(struct db_conn *c, const struct role_row *row, struct error *e);
/* Name, description, options, extra by id. */
int store_role_update(struct db_conn *c, const struct role_row *row, struct error *e);
/* The row, its assignments and implications, and its place in application credentials. */
int store_role_delete(struct db_conn *c, const char *id, struct error *e);

int store_role_imply(struct db_conn *c, const char *prior_id, const char *implied_id, struct error *e);
/* ERR_NOT_FOUND without a sentence when it did not. */
int store_role_unimply(struct db_conn *c, const char *prior_id, const char *implied_id, struct error *e);
int store_role_implies(struct db_conn *c, const char *prior_id, const char *implied_id, bool *ret, struct error *e);
/* Whether it would follow, over any number of steps, that `id` implies `other`. */
int store_role_reaches(struct db_conn *c, const char *id, const char *other, bool *ret, struct error *e);
/* Every implication, by prior then implied role. */
typedef int (*store_role_inference_fn)(void *arg, const struct role_row *prior, const struct role_row *implied,
                                       struct error *e);
int store_role_each_inference(struct db_conn *c, store_role_inference_fn each, void *arg, struct error *e);
