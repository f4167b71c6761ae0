/* Rows of token_key and token_revocation; see api/identity/token.h for what they mean. */
#pragma once
#include "db/db.h"

struct token_key_row {
    int64_t id;
    const char *secret; /* sealed */
    int64_t active_us;
};
struct token_revocation_row {
    int64_t seq;
    const char *kind, *subject, *target;
    int64_t before_us, expires_us;
};

/* Calls `each` for every key, ascending by id, until it returns non-zero, which is returned. Texts are borrowed during
 * the call. */
typedef int (*store_token_key_fn)(void *arg, const struct token_key_row *row, struct error *e);
int store_token_keys(struct db_conn *c, store_token_key_fn each, void *arg, struct error *e);
/* ERR_CONFLICT when the id is taken. */
int store_token_key_insert(struct db_conn *c, const struct token_key_row *row, int64_t now_us, struct error *e);
/* Keys below `id`. */
int store_token_keys_delete_below(struct db_conn *c, int64_t id, struct error *e);

/* Revocations above `seq`, ascending. */
typedef int (*store_token_revocation_fn)(void *arg, const struct token_revocation_row *row, struct error *e);
int store_token_revocations(struct db_conn *c, int64_t seq, store_token_revocation_fn each, void *arg, struct error *e);
/* Writes a revocation of everything issued up to now (before_us and expires_us of `row` are ignored), and gives it the
 * next number, in *ret_seq. It waits for transactions that are issuing tokens (store_token_gate), and "now" is after
 * them. */
int store_token_revocation_insert(struct db_conn *c, const struct token_revocation_row *row, int64_t life_us,
                                  int64_t *ret_seq, struct error *e);
/* First in a transaction that issues a token by what it reads: either it sees what a revocation's transaction changed,
 * or its token is older than the revocation. (On SQLite write transactions follow each other anyway; on PostgreSQL this
 * shares a lock on the row that store_token_revocation_insert changes.) */
int store_token_gate(struct db_conn *c, struct error *e);
/* Makes the row behind the gate; once, before the first token. */
int store_token_gate_make(struct db_conn *c, struct error *e);
int store_token_revocations_purge(struct db_conn *c, int64_t now_us, struct error *e);
