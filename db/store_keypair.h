/* Users' keypairs. */
#pragma once
#include "db/db.h"

struct keypair_row {
    const char *user_id, *name, *type, *public_key, *fingerprint;
    int64_t created_us;
};

/* Text is in the arena. ERR_NOT_FOUND "Keypair <name> not found for user <user>". */
int store_keypair_get(struct db_conn *c, const char *user_id, const char *name, struct arena *a,
                      struct keypair_row *ret, struct error *e);
/* ERR_CONFLICT when the user has one of that name. */
int store_keypair_insert(struct db_conn *c, const struct keypair_row *row, struct error *e);
/* ERR_NOT_FOUND. */
int store_keypair_delete(struct db_conn *c, const char *user_id, const char *name, struct error *e);
/* The user's keypairs by name after `marker` (NULL: from the first); texts are borrowed. */
typedef int (*store_keypair_fn)(void *arg, const struct keypair_row *row, struct error *e);
int store_keypair_list(struct db_conn *c, const char *user_id, const char *marker, int64_t limit, store_keypair_fn each,
                       void *arg, struct error *e);
int store_keypair_count(struct db_conn *c, const char *user_id, int64_t *ret, struct error *e);
