/* Users. */
#pragma once
#include "db/db.h"
#include "db/page.h"

struct user_row {
    const char *id, *domain_id, *name;
    bool enabled;
    const char *default_project_id; /* NULL for none */
    const char *password_hash;      /* NULL for none */
    int64_t password_changed_us;    /* 0: never set */
    int64_t password_expires_us;    /* 0: never */
    const char *options, *extra;    /* JSON */
    int64_t created_us;
};
struct user_filter {
    const char *domain_id, *name; /* NULL: any */
    int enabled;                  /* -1: any */
};

/* ERR_NOT_FOUND without a sentence when there is none. */
int store_user_get(struct db_conn *c, const char *id, struct arena *a, struct user_row *ret, struct error *e);
int store_user_find(struct db_conn *c, const char *domain_id, const char *name, struct arena *a, struct user_row *ret,
                    struct error *e);
/* Calls `each` by ascending id until it returns non-zero, which is returned. Texts are borrowed during the call. */
typedef int (*store_user_fn)(void *arg, const struct user_row *row, struct error *e);
int store_user_each(struct db_conn *c, const struct user_filter *filter, const struct page *page, store_user_fn each,
                    void *arg, struct error *e);
int store_user_each_of_group(struct db_conn *c, const char *group_id, store_user_fn each, void *arg, struct error *e);
/* ERR_CONFLICT when the name or id is taken. */
int store_user_insert(struct db_conn *c, const struct user_row *row, struct error *e);
/* Everything but id, domain_id and created_us. */
int store_user_update(struct db_conn *c, const struct user_row *row, struct error *e);
/* Another hash of the same password: it counts as unchanged. Nothing when the hash is `old` no longer. */
int store_user_renew_hash(struct db_conn *c, const char *id, const char *old, const char *fresh, struct error *e);
/* The row and what hangs on it alone: memberships, role assignments, application credentials, access rules,
 * credentials. */
int store_user_delete(struct db_conn *c, const char *id, struct error *e);
int store_user_count(struct db_conn *c, int64_t *ret, struct error *e);
