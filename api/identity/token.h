/* Tokens: signed, self-contained, checked without a row read. What one says is a struct credential; nobody but these
 * functions looks inside.
 *
 * A token is base64url of: version, key id, the credential packed, and a keyed BLAKE2b (RFC 7693) of all that. Keys
 * live in the table `token_key`, encrypted under the master key file (crypto_secretbox), are made anew every
 * TOKEN_KEY_ROTATE_US and verify until no token of theirs can be alive. What is void before its time is in the table
 * `token_revocation`, held in memory, read again when its wake-up comes and at least every half second, so that it
 * holds on every replica within a second. */
#pragma once
#include "api/http/handler.h"
#include "common/clock.h"
#include "common/error.h"
#include "db/db.h"
#include <stdbool.h>
#include <stdint.h>

#define TOKEN_SIZE          512 /* room for the text with its terminator; usual ones have 180 to 230 characters */
#define TOKEN_LIFE_MAX_US   (48 * 3600 * CLOCK_SECOND_US) /* no token is issued for longer */
#define TOKEN_KEY_ROTATE_US (12 * 3600 * CLOCK_SECOND_US) /* age at which the signing key is replaced */

struct token_keys; /* any thread may use it */

/* Loads the keys (makes the first one when there is none) and the revocations, and starts the thread that keeps both
 * fresh. `master_key_path`: see common/seal.h. 0; ERR_NOT_FOUND without that file; ERR_CORRUPT when it is not the one
 * that the keys were encrypted with; the database's errors. */
int token_keys_new(struct db *db, const char *master_key_path, struct token_keys **ret, struct error *e);
/* Stops the thread and wipes the keys. NULL is fine. */
void token_keys_free(struct token_keys **keys);

/* Signs `credential`, whose issued_us, expires_us and audit_id the caller has set (token_audit_id). ERR_INVALID when it
 * cannot be packed (an id that is too long, a life above TOKEN_LIFE_MAX_US). */
int token_issue(struct token_keys *keys, const struct credential *credential, char ret[TOKEN_SIZE], struct error *e);
/* Fills `ret` from the text. ERR_UNAUTHORIZED with one and the same sentence for whatever is wrong with it: malformed,
 * forged, expired, revoked. ERR_UNAVAILABLE when the revocations could not be read for 5 s: better no answer than a
 * wrong one. `ret` is untouched on failure. */
int token_verify(struct token_keys *keys, const char *text, int64_t now_us, struct credential *ret, struct error *e);
/* As token_verify, but a token that expired less than `grace_us` ago is still good. */
int token_verify_late(struct token_keys *keys, const char *text, int64_t now_us, int64_t grace_us,
                      struct credential *ret, struct error *e);

/* The master key, for further secrets in rows (common/seal.h). Wipe it afterwards. */
struct seal_key;
void token_master_key(const struct token_keys *keys, struct seal_key *ret);

/* A new audit id: 22 characters of base64url. */
void token_audit_id(char ret[32]);

enum token_revocation_kind {
    TOKEN_REVOKE_AUDIT,       /* the one token with this audit id */
    TOKEN_REVOKE_USER,        /* the user's, whatever their scope */
    TOKEN_REVOKE_PROJECT,     /* scoped to this project */
    TOKEN_REVOKE_DOMAIN,      /* scoped to this domain or to a project in it, or of a user of it */
    TOKEN_REVOKE_GRANT,       /* of the user `subject` with the scope `target` */
    TOKEN_REVOKE_APPLICATION, /* that were had by this application credential */
    TOKEN_REVOKE_COUNT
};
/* Voids what was issued until now, once the transaction of `c` commits. Call it when the rows that are the reason have
 * been written. Requests that come to this process after the commit see it at once, others within a second. `target` is
 * for TOKEN_REVOKE_GRANT ("project/<id>", "domain/<id>", "system"), else "". */
int token_revoke(struct token_keys *keys, struct db_conn *c, enum token_revocation_kind kind, const char *subject,
                 const char *target, struct error *e);
const char *token_revocation_kind_name(enum token_revocation_kind kind);
