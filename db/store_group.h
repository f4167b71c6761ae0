/* Groups of users. */
#pragma once
#include "db/db.h"
#include "db/page.h"

struct group_row {
    const char *id, *domain_id, *name, *description;
    const char *extra; /* JSON */
    int64_t created_us;
};

/* ERR_NOT_FOUND without a sentence when there is none. */
int store_group_get(struct db_conn *c, const char *id, struct arena *a, struct group_row *ret, struct error *e);
int store_group_find(struct db_conn *c, const char *domain_id, const char *name, struct arena *a, struct group_row *ret,
                     struct error *e);
/* By ascending id until `each` returns non-zero, which is returned; texts are borrowed; NULL filters match all. */
typedef int (*store_group_fn)(void *arg, const struct group_row *row, struct error *e);
int store_group_each(struct db_conn *c, const char *domain_id, const char *name, const struct page *page,
                     store_group_fn each, void *arg, struct error *e);
int store_group_each_of_user(struct db_conn *c, const char *user_id, store_group_fn each, void *arg, struct error *e);
/* ERR_CONFLICT when the name or id is taken. */
int store_group_insert(struct db_conn *c, const struct group_row *row, struct error *e);
/* Name, description and extra by id. */
int store_group_update(struct db_conn *c, const struct group_row *row, struct error *e);
/* With its memberships and role assignments. */
int store_group_delete(struct db_conn *c, const char *id, struct error *e);

/* Nothing when he is a member already. / ERR_NOT_FOUND without a sentence when he is not. */
int store_group_add_user(struct db_conn *c, const char *id, const char *user_id, struct error *e);
int store_group_remove_user(struct db_conn *c, const char *id, const char *user_id, struct error *e);
int store_group_has_user(struct db_conn *c, const char *id, const char *user_id, bool *ret, struct error *e);
