/* Further credentials of users (EC2 keys, one-time password seeds, certificates); the blob is sealed (common/seal.h).
 */
#pragma once
#include "db/db.h"
#include "db/page.h"

struct credential_row {
    const char *id, *user_id;
    const char *project_id; /* NULL for none */
    const char *type, *blob;
    const char *extra; /* JSON */
};

/* ERR_NOT_FOUND without a sentence when there is none. */
int store_credential_get(struct db_conn *c, const char *id, struct arena *a, struct credential_row *ret,
                         struct error *e);
/* By ascending id until `each` returns non-zero, which is returned; texts are borrowed; NULL filters match all. */
typedef int (*store_credential_fn)(void *arg, const struct credential_row *row, struct error *e);
int store_credential_each(struct db_conn *c, const char *user_id, const char *type, const struct page *page,
                          store_credential_fn each, void *arg, struct error *e);
/* ERR_CONFLICT when the id is taken. */
int store_credential_insert(struct db_conn *c, const struct credential_row *row, struct error *e);
/* Everything but the id. */
int store_credential_update(struct db_conn *c, const struct credential_row *row, struct error *e);
int store_credential_delete(struct db_conn *c, const char *id, struct error *e);
