/* Application credentials: logins for programs, with a secret of their own and some of their user's roles on one
 * project. */
#pragma once
#include "db/db.h"
#include "db/page.h"
#include "db/store_access_rule.h"
#include "db/store_role.h"

struct application_credential_row {
    const char *id, *user_id, *project_id, *name, *secret_hash;
    const char *description; /* NULL for none */
    int64_t expires_us;      /* 0: never */
    bool unrestricted;
    int64_t created_us;
};

/* ERR_NOT_FOUND without a sentence when there is none. */
int store_application_credential_get(struct db_conn *c, const char *id, struct arena *a,
                                     struct application_credential_row *ret, struct error *e);
int store_application_credential_find(struct db_conn *c, const char *user_id, const char *name, struct arena *a,
                                      struct application_credential_row *ret, struct error *e);
/* A user's, by ascending id, in the arena. */
int store_application_credential_list(struct db_conn *c, const char *user_id, struct arena *a,
                                      struct application_credential_row **ret, size_t *ret_count, struct error *e);
/* Calls `each` until it returns non-zero, which is returned; texts are borrowed. Those of one project or, with NULL, of
 * all. */
typedef int (*store_application_credential_fn)(void *arg, const struct application_credential_row *row,
                                               struct error *e);
int store_application_credential_each_of(struct db_conn *c, const char *user_id, const char *project_id,
                                         store_application_credential_fn each, void *arg, struct error *e);
/* ERR_CONFLICT when the name is taken. Roles and rules are added one by one. */
int store_application_credential_insert(struct db_conn *c, const struct application_credential_row *row,
                                        struct error *e);
/* Another hash of the same secret. Nothing when the hash is `old` no longer. */
int store_application_credential_renew_hash(struct db_conn *c, const char *id, const char *old, const char *fresh,
                                            struct error *e);
int store_application_credential_add_role(struct db_conn *c, const char *id, const char *role_id, struct error *e);
int store_application_credential_add_rule(struct db_conn *c, const char *id, const char *rule_id, struct error *e);
/* With its roles and its hold on rules (which stay). */
int store_application_credential_delete(struct db_conn *c, const char *id, struct error *e);

/* Its roles as given. / With what they imply. */
int store_application_credential_each_role(struct db_conn *c, const char *id, store_role_fn each, void *arg,
                                           struct error *e);
int store_application_credential_each_implied(struct db_conn *c, const char *id, store_role_fn each, void *arg,
                                              struct error *e);
int store_application_credential_each_rule(struct db_conn *c, const char *id, store_access_rule_fn each, void *arg,
                                           struct error *e);
