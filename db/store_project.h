/* Projects and domains: one table, as a domain is a project that acts as one (Keystone). */
#pragma once
#include "db/db.h"
#include "db/page.h"

struct project_row {
    const char *id, *domain_id, *parent_id; /* a domain: "" and NULL */
    bool is_domain, enabled;
    const char *name, *description;
    const char *tags, *options, *extra; /* JSON */
    int64_t created_us;
};
struct project_filter {
    const char *id, *domain_id, *parent_id, *name; /* NULL: any; domain_id "": domains */
    int enabled, is_domain;                        /* -1: any */
};

/* ERR_NOT_FOUND without a sentence when there is none. */
int store_project_get(struct db_conn *c, const char *id, struct arena *a, struct project_row *ret, struct error *e);
/* By name within a domain; domain_id "" finds domains. */
int store_project_find(struct db_conn *c, const char *domain_id, const char *name, struct arena *a,
                       struct project_row *ret, struct error *e);
/* Calls `each` by ascending id until it returns non-zero, which is returned. Texts are borrowed during the call. */
typedef int (*store_project_fn)(void *arg, const struct project_row *row, struct error *e);
int store_project_each(struct db_conn *c, const struct project_filter *filter, const struct page *page,
                       store_project_fn each, void *arg, struct error *e);
/* Projects, no domains, on which the user has some role, directly, through a group or inherited; by ascending id. */
int store_project_each_of_user(struct db_conn *c, const char *user_id, store_project_fn each, void *arg,
                               struct error *e);
/* Domains on which the user has some role. */
int store_project_each_domain_of_user(struct db_conn *c, const char *user_id, store_project_fn each, void *arg,
                                      struct error *e);
/* The project's parents up to its domain, nearest first. / Everything below it, parents before children. */
int store_project_each_above(struct db_conn *c, const char *id, store_project_fn each, void *arg, struct error *e);
int store_project_each_below(struct db_conn *c, const char *id, store_project_fn each, void *arg, struct error *e);
/* ERR_CONFLICT when the name or id is taken. */
int store_project_insert(struct db_conn *c, const struct project_row *row, struct error *e);
/* Name, description, enabled, tags, options, extra by id. */
int store_project_update(struct db_conn *c, const struct project_row *row, struct error *e);
/* The row and what hangs on it alone: role assignments, application credentials, credentials. */
int store_project_delete(struct db_conn *c, const char *id, struct error *e);
/* Whether it, its parents and its domain are all enabled. */
int store_project_usable(struct db_conn *c, const char *id, bool *ret, struct error *e);
