/* Tokens: what comes out is what went in, nothing forged gets through, keys rotate, and a revocation holds on every
 * replica. Two replicas are two token_keys over one database; time is the fake clock. */
#include "api/identity/token_internal.h"
#include "common/seal.h"
#include "db/store_token.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <sys/stat.h>

#define START_US (1700000000 * CLOCK_SECOND_US)

static char folder[64];
static struct db *db;
static struct db_conn *conn;
static struct token_keys *keys;
static struct error err;

static const char *place(const char *name)
{
    static char path[2][128];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static void done(void)
{
    token_keys_free(&keys);
    db_conn_close(&conn);
    db_close(&db);
    clock_real();
    scratch_clear(folder);
}

static void begin(void)
{
    memset(&err, 0, sizeof(err));
    snprintf(folder, sizeof(folder), "/tmp/token_test.XXXXXX");
    CHECK(mkdtemp(folder));
    clock_fake(START_US);
    CHECK_OK(seal_key_create(place("master.key"), &err), &err);
    CHECK_OK(db_open(place("virga.db"), 0, &db, &err), &err);
    CHECK_OK(db_conn_open(db, &conn, &err), &err);
    CHECK_OK(token_keys_open(db, place("master.key"), &keys, &err), &err);
}

static struct credential somebody(void)
{
    struct credential c = {.user_id = "0123456789abcdef0123456789abcdef",
                           .user_domain_id = "default",
                           .project_id = "ffffffffffffffffffffffffffffffff",
                           .project_domain_id = "default",
                           .roles = ROLE_READER | ROLE_MEMBER,
                           .methods = 1,
                           .issued_us = clock_now_us(),
                           .expires_us = clock_now_us() + 3600 * CLOCK_SECOND_US};
    token_audit_id(c.audit_id);
    return c;
}

static int verify(struct token_keys *k, const char *text, struct credential *ret)
{
    struct credential c;
    struct error e = {0};
    int rc = token_verify(k, text, clock_now_us(), ret ? ret : &c, &e);
    if (rc == ERR_UNAUTHORIZED)
        CHECK_TEXT(e.text, error_sentence(ERR_UNAUTHORIZED));
    return rc;
}

struct revoking {
    enum token_revocation_kind kind;
    const char *subject, *target;
    bool fail;
};
static int revoke_row(struct db_conn *c, void *arg, struct error *e)
{
    struct revoking *r = arg;
    int rc = token_revoke(keys, c, r->kind, r->subject, r->target, e);
    return rc || !r->fail ? rc : ERR_CONFLICT;
}
static int revoke_now(enum token_revocation_kind kind, const char *subject, const char *target)
{
    struct revoking r = {kind, subject, target, false};
    return db_transact(conn, revoke_row, &r, &err);
}

TEST("a token says what was put into it and fits into 255 characters")
{
    begin();
    struct credential c = somebody(), got;
    char text[TOKEN_SIZE];
    snprintf(c.app_credential_id, sizeof(c.app_credential_id), "00000000000000000000000000000001");
    snprintf(c.user_domain_id, sizeof(c.user_domain_id), "00000000000000000000000000000002");
    snprintf(c.project_domain_id, sizeof(c.project_domain_id), "00000000000000000000000000000003");
    token_audit_id(c.chain_id);
    c.restricted = true;
    CHECK_OK(token_issue(keys, &c, text, &err), &err);
    CHECK(strlen(text) < 255);
    CHECK_INT(verify(keys, text, &got), 0);
    CHECK(memcmp(&c, &got, sizeof(c)) == 0);
    memset(&c, 0, sizeof(c));
    c.issued_us = clock_now_us();
    c.expires_us = c.issued_us + 1;
    c.system = true;
    c.roles = ROLE_ADMIN | ROLE_BILLING;
    snprintf(c.user_id, sizeof(c.user_id), "%063d", 7);
    snprintf(c.domain_id, sizeof(c.domain_id), "0123456789ABCDEF0123456789ABCDEF");
    token_audit_id(c.audit_id);
    CHECK_OK(token_issue(keys, &c, text, &err), &err);
    CHECK_INT(verify(keys, text, &got), 0);
    CHECK(memcmp(&c, &got, sizeof(c)) == 0);
    done();
}

TEST("no single changed bit, cut or added character gets through")
{
    begin();
    struct credential c = somebody();
    char text[TOKEN_SIZE], bent[TOKEN_SIZE + 2];
    CHECK_OK(token_issue(keys, &c, text, &err), &err);
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bent, text, size + 1);
            bent[i] = (char)(bent[i] ^ (1 << bit));
            CHECK_INT(verify(keys, bent, NULL), ERR_UNAUTHORIZED);
        }
    for (size_t i = 0; i < size; i++) {
        memcpy(bent, text, i);
        bent[i] = 0;
        CHECK_INT(verify(keys, bent, NULL), ERR_UNAUTHORIZED);
    }
    for (int added = 1; added < 256; added++) {
        memcpy(bent, text, size);
        bent[size] = (char)added;
        bent[size + 1] = 0;
        CHECK_INT(verify(keys, bent, NULL), ERR_UNAUTHORIZED);
    }
    char *longest = calloc(1, 1 << 20);
    memset(longest, 'A', (1 << 20) - 1);
    CHECK_INT(verify(keys, longest, NULL), ERR_UNAUTHORIZED);
    free(longest);
    CHECK_INT(verify(keys, text, NULL), 0);
    done();
}

TEST("a token of another installation is refused, and so is another master key")
{
    begin();
    struct credential c = somebody();
    struct db *other_db = NULL;
    struct token_keys *other = NULL;
    char text[TOKEN_SIZE];
    CHECK_OK(seal_key_create(place("other.key"), &err), &err);
    CHECK_OK(db_open(place("other.db"), 0, &other_db, &err), &err);
    CHECK_OK(token_keys_open(other_db, place("other.key"), &other, &err), &err);
    CHECK_OK(token_issue(other, &c, text, &err), &err);
    CHECK_INT(verify(keys, text, NULL), ERR_UNAUTHORIZED);
    token_keys_free(&other);
    CHECK_INT(token_keys_open(db, place("other.key"), &other, &err), ERR_CORRUPT);
    memset(&err, 0, sizeof(err));
    CHECK_INT(chmod(place("master.key"), 0644), 0);
    CHECK_INT(token_keys_open(db, place("master.key"), &other, &err), ERR_INVALID);
    db_close(&other_db);
    done();
}

TEST("a token ends at its microsecond, later with grace")
{
    begin();
    struct credential c = somebody(), got;
    char text[TOKEN_SIZE];
    c.expires_us = c.issued_us + 10;
    CHECK_OK(token_issue(keys, &c, text, &err), &err);
    clock_advance(9);
    CHECK_INT(verify(keys, text, NULL), 0);
    clock_advance(1);
    CHECK_INT(verify(keys, text, NULL), ERR_UNAUTHORIZED);
    CHECK_INT(token_verify_late(keys, text, clock_now_us(), 1, &got, &err), 0);
    c.expires_us = c.issued_us + TOKEN_LIFE_MAX_US + 1;
    CHECK_INT(token_issue(keys, &c, text, &err), ERR_INVALID);
    done();
}

TEST("keys rotate, tokens of the old one live on, and replicas learn the new one by themselves")
{
    begin();
    struct token_keys *replica = NULL;
    struct credential c = somebody();
    struct token_key before, after;
    char old[TOKEN_SIZE], young[TOKEN_SIZE];
    CHECK_OK(token_keys_open(db, place("master.key"), &replica, &err), &err);
    clock_advance(TOKEN_KEY_ROTATE_US - CLOCK_SECOND_US);
    c.issued_us = clock_now_us();
    c.expires_us = c.issued_us + TOKEN_LIFE_MAX_US;
    CHECK_OK(token_issue(keys, &c, old, &err), &err);
    CHECK(token_keys_find(keys, 0, clock_now_us(), &before));
    clock_advance(2 * CLOCK_SECOND_US);
    CHECK_OK(token_keys_tick(keys, &err), &err);
    CHECK(token_keys_find(keys, 0, clock_now_us(), &after));
    CHECK_INT(after.id, before.id); /* the new one is only announced */
    clock_advance(TOKEN_KEY_NOTICE_US);
    CHECK(token_keys_find(keys, 0, clock_now_us(), &after));
    CHECK_INT(after.id, before.id + 1);
    c.issued_us = clock_now_us();
    CHECK_OK(token_issue(keys, &c, young, &err), &err);
    CHECK_INT(verify(replica, young, NULL), 0);
    CHECK_INT(verify(replica, old, NULL), 0);
    CHECK_INT(verify(keys, old, NULL), 0);
    for (int64_t passed = 0; passed < TOKEN_LIFE_MAX_US + TOKEN_KEY_ROTATE_US; passed += TOKEN_PURGE_US) {
        clock_advance(TOKEN_PURGE_US);
        CHECK_OK(token_keys_tick(keys, &err), &err);
    }
    CHECK(!token_keys_find(keys, before.id, clock_now_us(), &after));
    CHECK_INT(verify(keys, old, NULL), ERR_UNAUTHORIZED);
    CHECK(token_keys_find(keys, 0, clock_now_us(), &after));
    CHECK(after.id > before.id + 2);
    token_keys_free(&replica);
    done();
}

TEST("a revocation covers what was issued up to its instant, of that kind and no other")
{
    static const struct {
        enum token_revocation_kind kind;
        const char *subject, *target;
        bool hit;
    } cases[] = {
        {TOKEN_REVOKE_USER, "0123456789abcdef0123456789abcdef", "", true},
        {TOKEN_REVOKE_USER, "ffffffffffffffffffffffffffffffff", "", false},
        {TOKEN_REVOKE_PROJECT, "ffffffffffffffffffffffffffffffff", "", true},
        {TOKEN_REVOKE_PROJECT, "0123456789abcdef0123456789abcdef", "", false},
        {TOKEN_REVOKE_DOMAIN, "default", "", true},
        {TOKEN_REVOKE_DOMAIN, "other", "", false},
        {TOKEN_REVOKE_GRANT, "0123456789abcdef0123456789abcdef", "project/ffffffffffffffffffffffffffffffff", true},
        {TOKEN_REVOKE_GRANT, "0123456789abcdef0123456789abcdef", "project/0123456789abcdef0123456789abcdef", false},
        {TOKEN_REVOKE_GRANT, "0123456789abcdef0123456789abcdef", "system", false},
        {TOKEN_REVOKE_GRANT, "0123456789abcdef0123456789abcdef", "domain/default", false},
        {TOKEN_REVOKE_APPLICATION, "00000000000000000000000000000001", "", true},
        {TOKEN_REVOKE_AUDIT, "0123456789012345678901", "", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        struct credential c = somebody();
        char text[TOKEN_SIZE], later[TOKEN_SIZE];
        snprintf(c.app_credential_id, sizeof(c.app_credential_id), "00000000000000000000000000000001");
        CHECK_OK(token_issue(keys, &c, text, &err), &err);
        CHECK_INT(verify(keys, text, NULL), 0);
        CHECK_OK(revoke_now(cases[i].kind, cases[i].subject, cases[i].target), &err);
        CHECK_INT(verify(keys, text, NULL), cases[i].hit ? ERR_UNAUTHORIZED : 0);
        c.issued_us++;
        CHECK_OK(token_issue(keys, &c, later, &err), &err);
        CHECK_INT(verify(keys, later, NULL), 0);
        done();
    }
}

TEST("a revoked token is void here at once and on another replica at its next poll")
{
    begin();
    struct token_keys *replica = NULL;
    struct credential c = somebody(), twin = somebody();
    char text[TOKEN_SIZE], other[TOKEN_SIZE];
    CHECK_OK(token_keys_open(db, place("master.key"), &replica, &err), &err);
    CHECK_OK(token_issue(keys, &c, text, &err), &err);
    CHECK_OK(token_issue(keys, &twin, other, &err), &err);
    CHECK_OK(revoke_now(TOKEN_REVOKE_AUDIT, c.audit_id, ""), &err);
    CHECK_INT(verify(keys, text, NULL), ERR_UNAUTHORIZED);
    CHECK_INT(verify(keys, other, NULL), 0);
    CHECK_OK(token_keys_tick(replica, &err), &err);
    CHECK_INT(verify(replica, text, NULL), ERR_UNAUTHORIZED);
    CHECK_INT(verify(replica, other, NULL), 0);
    token_keys_free(&replica);
    CHECK_OK(token_keys_open(db, place("master.key"), &replica, &err), &err); /* also one that starts afterwards */
    CHECK_INT(verify(replica, text, NULL), ERR_UNAUTHORIZED);
    token_keys_free(&replica);
    done();
}

TEST("even a replica whose keeper hangs sees a revocation within a second")
{
    begin();
    struct token_keys *replica = NULL;
    struct credential c = somebody();
    char text[TOKEN_SIZE];
    CHECK_OK(token_keys_open(db, place("master.key"), &replica, &err), &err);
    CHECK_OK(token_issue(keys, &c, text, &err), &err);
    CHECK_OK(revoke_now(TOKEN_REVOKE_USER, c.user_id, ""), &err);
    clock_advance(CLOCK_SECOND_US + 1);
    CHECK_INT(verify(replica, text, NULL), ERR_UNAUTHORIZED);
    token_keys_free(&replica);
    done();
}

TEST("a revocation that was rolled back voids nothing")
{
    begin();
    struct credential c = somebody();
    struct revoking r = {TOKEN_REVOKE_USER, c.user_id, "", true};
    char text[TOKEN_SIZE];
    CHECK_OK(token_issue(keys, &c, text, &err), &err);
    CHECK_INT(db_transact(conn, revoke_row, &r, &err), ERR_CONFLICT);
    CHECK_INT(verify(keys, text, NULL), 0);
    CHECK(keys->pending_seq != 0);
    clock_advance(TOKEN_STALE_US);
    CHECK_INT(verify(keys, text, NULL), 0);
    CHECK_INT(keys->pending_seq, 0);
    done();
}

TEST("without a readable database tokens are refused as unavailable after five seconds, not before")
{
    begin();
    struct credential c = somebody();
    char text[TOKEN_SIZE];
    CHECK_OK(token_issue(keys, &c, text, &err), &err);
    db_fail_at(db_reader(db), 1, ERR_UNAVAILABLE, true);
    clock_advance(TOKEN_STALE_US - 1);
    CHECK_INT(verify(keys, text, NULL), 0);
    clock_advance(2);
    CHECK_INT(verify(keys, text, NULL), ERR_UNAVAILABLE);
    db_fail_at(db_reader(db), 0, 0, false);
    CHECK_INT(verify(keys, text, NULL), 0);
    done();
}

TEST("expired revocations leave the table and memory")
{
    begin();
    CHECK_OK(revoke_now(TOKEN_REVOKE_USER, "u", ""), &err);
    CHECK_OK(token_keys_tick(keys, &err), &err);
    CHECK_INT(revocations_count(keys->revocations), 1);
    clock_advance(TOKEN_LIFE_MAX_US + TOKEN_PURGE_US);
    CHECK_OK(token_keys_tick(keys, &err), &err);
    CHECK_INT(revocations_count(keys->revocations), 0);
    struct token_keys *replica = NULL;
    CHECK_OK(token_keys_open(db, place("master.key"), &replica, &err), &err);
    CHECK_INT(revocations_count(replica->revocations), 0);
    token_keys_free(&replica);
    done();
}

TEST("thousands of revocations are all remembered")
{
    struct revocations *set = revocations_new();
    struct credential c = {.issued_us = 5};
    for (int i = 0; i < 5000; i++) {
        snprintf(c.user_id, sizeof(c.user_id), "user-%d", i);
        revocations_add(set, TOKEN_REVOKE_USER, c.user_id, "", 5 + i % 3, 100 + i);
    }
    CHECK_INT(revocations_count(set), 5000);
    for (int i = 0; i < 5000; i++) {
        snprintf(c.user_id, sizeof(c.user_id), "user-%d", i);
        c.issued_us = 5 + i % 3;
        CHECK(revocations_cover(set, &c));
        c.issued_us++;
        CHECK(!revocations_cover(set, &c));
    }
    revocations_drop(set, 100 + 2499);
    CHECK_INT(revocations_count(set), 2500);
    revocations_free(&set);
}
