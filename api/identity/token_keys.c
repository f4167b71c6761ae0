/* The keys and revocations behind tokens, and the keeper: a thread that reads both again, makes the next key in time,
 * and purges.
 *
 * Revocations are read by number, which grows in the order of commits, so that a reading takes only what is new. A
 * process that revokes remembers the number that it wrote (`pending`) and reads rows before the next checks until that
 * number was seen; so its own clients never see a token work after the answer that revoked it. If the transaction
 * failed, that ends after 5 s. */
#include "api/identity/token_internal.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/seal.h"
#include "db/store_token.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SUBJECT_MAX 64
#define TARGET_MAX  80

static int64_t load(int64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

static void store(int64_t *value, int64_t to)
{
    __atomic_store_n(value, to, __ATOMIC_RELEASE);
}

static void raise_to(int64_t *value, int64_t to)
{
    int64_t now = load(value);
    while (now < to && !__atomic_compare_exchange_n(value, &now, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
}

/* ---- keys ---- */

struct reading {
    struct token_keys *keys;
    struct token_key ring[TOKEN_KEYS_MAX];
    size_t count;
    struct arena arena;
};

static int read_key(void *arg, const struct token_key_row *row, struct error *e)
{
    struct reading *r = arg;
    struct seal_key master;
    void *secret;
    size_t size;
    memcpy(master.bytes, r->keys->master, sizeof(master.bytes));
    int rc = seal_open(&master, row->secret, &r->arena, &secret, &size, e);
    seal_key_wipe(&master);
    if (rc)
        return error_prefix(e, "token key %lld", (long long)row->id);
    if (size != TOKEN_KEY_SIZE || row->id <= 0 || row->id > UINT32_MAX)
        return error_set(e, ERR_CORRUPT, "token key %lld is damaged", (long long)row->id);
    if (r->count == TOKEN_KEYS_MAX) {
        memmove(r->ring, r->ring + 1, (TOKEN_KEYS_MAX - 1) * sizeof(r->ring[0]));
        r->count--;
    }
    struct token_key *key = &r->ring[r->count++];
    key->id = (uint32_t)row->id;
    key->active_us = row->active_us;
    memcpy(key->secret, secret, TOKEN_KEY_SIZE);
    sodium_memzero(secret, size);
    return 0;
}

/* Reading again usually finds the same. */
static void take_ring(struct token_keys *keys, const struct reading *r)
{
    static uint64_t generations;
    pthread_rwlock_wrlock(&keys->lock);
    if (!keys->generation || keys->ring_count != r->count || memcmp(keys->ring, r->ring, sizeof(r->ring)) != 0) {
        memcpy(keys->ring, r->ring, sizeof(r->ring));
        keys->ring_count = r->count;
        uint64_t next = __atomic_add_fetch(&generations, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&keys->generation, next, __ATOMIC_RELEASE);
    }
    pthread_rwlock_unlock(&keys->lock);
}

uint64_t token_keys_generation(struct token_keys *keys)
{
    return __atomic_load_n(&keys->generation, __ATOMIC_ACQUIRE);
}

static int read_keys(struct token_keys *keys, struct error *e)
{
    struct reading r = {.keys = keys};
    store(&keys->keys_mono_us, clock_mono_us());
    arena_init(&r.arena);
    int rc = store_token_keys(db_reader(keys->db), read_key, &r, e);
    arena_done(&r.arena);
    if (!rc)
        take_ring(keys, &r);
    sodium_memzero(r.ring, sizeof(r.ring));
    return rc;
}

static bool find(struct token_keys *keys, uint32_t id, int64_t now_us, struct token_key *ret)
{
    const struct token_key *found = NULL;
    pthread_rwlock_rdlock(&keys->lock);
    for (size_t i = keys->ring_count; i-- > 0 && !found;) {
        const struct token_key *key = &keys->ring[i];
        if (id ? key->id == id : key->active_us <= now_us || i == 0)
            found = key;
    }
    if (found)
        *ret = *found;
    pthread_rwlock_unlock(&keys->lock);
    return found;
}

bool token_keys_find(struct token_keys *keys, uint32_t id, int64_t now_us, struct token_key *ret)
{
    if (find(keys, id, now_us, ret))
        return true;
    if (clock_mono_us() - load(&keys->keys_mono_us) < TOKEN_KEY_RELOAD_US)
        return false;
    struct error err = {0};
    if (read_keys(keys, &err)) {
        log_warn("token keys not read", "error=%s", error_text(&err));
        return false;
    }
    return find(keys, id, now_us, ret);
}

static int ensure_conn(struct token_keys *keys, struct error *e)
{
    return keys->conn ? 0 : db_conn_open(keys->db, &keys->conn, e);
}

struct making {
    struct token_key_row row;
    int64_t now_us;
};

static int insert_key(struct db_conn *c, void *arg, struct error *e)
{
    struct making *m = arg;
    int rc = m->row.id == 1 ? store_token_gate_make(c, e) : 0;
    return rc ? rc : store_token_key_insert(c, &m->row, m->now_us, e);
}

static int make_key(struct token_keys *keys, int64_t id, int64_t now_us, int64_t active_us, struct error *e)
{
    unsigned char secret[TOKEN_KEY_SIZE];
    struct seal_key master;
    struct arena arena;
    struct error err = {0};
    int rc = ensure_conn(keys, e);
    if (rc)
        return rc;
    arena_init(&arena);
    randombytes_buf(secret, sizeof(secret));
    memcpy(master.bytes, keys->master, sizeof(master.bytes));
    struct making m = {
        {.id = id, .secret = seal_close(&master, secret, sizeof(secret), &arena), .active_us = active_us}, now_us};
    sodium_memzero(secret, sizeof(secret));
    seal_key_wipe(&master);
    rc = db_transact(keys->conn, insert_key, &m, &err);
    arena_done(&arena);
    if (rc == ERR_CONFLICT)
        rc = 0; /* another replica made it */
    else if (rc)
        return error_set(e, rc, "%s", error_text(&err));
    else
        log_info("token key made", "id=%lld", (long long)id);
    return read_keys(keys, e);
}

/* Makes the next key when the newest is old, or the first one. */
static int rotate(struct token_keys *keys, int64_t now_us, struct error *e)
{
    pthread_rwlock_rdlock(&keys->lock);
    struct token_key newest = {0};
    if (keys->ring_count)
        newest = keys->ring[keys->ring_count - 1];
    pthread_rwlock_unlock(&keys->lock);
    sodium_memzero(newest.secret, sizeof(newest.secret));
    if (!newest.id)
        return make_key(keys, 1, now_us, now_us, e);
    if (now_us - newest.active_us < TOKEN_KEY_ROTATE_US)
        return 0;
    return make_key(keys, (int64_t)newest.id + 1, now_us, now_us + TOKEN_KEY_NOTICE_US, e);
}

void token_master_key(const struct token_keys *keys, struct seal_key *ret)
{
    memcpy(ret->bytes, keys->master, sizeof(ret->bytes));
}

/* ---- revocations ---- */

static int kind_parse(const char *name)
{
    for (int kind = 0; kind < TOKEN_REVOKE_COUNT; kind++)
        if (strcmp(name, token_revocation_kind_name((enum token_revocation_kind)kind)) == 0)
            return kind;
    return -1;
}

static int take_revocation(void *arg, const struct token_revocation_row *row, struct error *e)
{
    struct token_keys *keys = arg;
    int kind = kind_parse(row->kind);
    if (kind < 0 || strlen(row->subject) > SUBJECT_MAX || strlen(row->target) > TARGET_MAX)
        return error_set(e, ERR_CORRUPT, "token revocation %lld is damaged", (long long)row->seq);
    pthread_rwlock_wrlock(&keys->lock);
    revocations_add(keys->revocations, (enum token_revocation_kind)kind, row->subject, row->target, row->before_us,
                    row->expires_us);
    pthread_rwlock_unlock(&keys->lock);
    raise_to(&keys->newest_us, row->before_us);
    raise_to(&keys->last_seq, row->seq);
    return 0;
}

/* Unless a later one was noted meanwhile. */
static void forget_pending(struct token_keys *keys, int64_t seq)
{
    __atomic_compare_exchange_n(&keys->pending_seq, &seq, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

int token_keys_refresh(struct token_keys *keys, struct error *e)
{
    int64_t began = clock_mono_us();
    int rc = store_token_revocations(db_reader(keys->db), load(&keys->last_seq), take_revocation, keys, e);
    if (rc)
        return rc;
    raise_to(&keys->fresh_mono_us, began);
    int64_t pending = load(&keys->pending_seq);
    if (pending && pending <= load(&keys->last_seq))
        forget_pending(keys, pending);
    return 0;
}

int token_keys_current(struct token_keys *keys, struct error *e)
{
    int64_t now = clock_mono_us(), pending = load(&keys->pending_seq);
    struct error err = {0};
    int rc = 0;
    if (pending && now >= load(&keys->pending_until_us))
        forget_pending(keys, pending);
    if (pending || now - load(&keys->fresh_mono_us) > TOKEN_POLL_US * 2)
        rc = token_keys_refresh(keys, &err);
    if (rc && now - load(&keys->fresh_mono_us) > TOKEN_STALE_US)
        return error_set(e, ERR_UNAVAILABLE, "it cannot be told whether the token was revoked: %s", error_text(&err));
    return 0;
}

bool token_keys_revoked(struct token_keys *keys, const struct credential *c)
{
    if (c->issued_us > load(&keys->newest_us))
        return false;
    pthread_rwlock_rdlock(&keys->lock);
    bool revoked = revocations_cover(keys->revocations, c);
    pthread_rwlock_unlock(&keys->lock);
    return revoked;
}

int token_revoke(struct token_keys *keys, struct db_conn *c, enum token_revocation_kind kind, const char *subject,
                 const char *target, struct error *e)
{
    struct token_revocation_row row = {.kind = token_revocation_kind_name(kind), .subject = subject, .target = target};
    assert(*subject && strlen(subject) <= SUBJECT_MAX && strlen(target) <= TARGET_MAX);
    int64_t seq;
    int rc = store_token_revocation_insert(c, &row, TOKEN_LIFE_MAX_US, &seq, e);
    if (rc)
        return rc;
    db_wake(c, "revocation");
    store(&keys->pending_until_us, clock_mono_us() + TOKEN_STALE_US);
    raise_to(&keys->pending_seq, seq);
    return 0;
}

/* ---- the keeper ---- */

struct purge {
    int64_t now_us, below_key;
};

static int purge_rows(struct db_conn *c, void *arg, struct error *e)
{
    struct purge *p = arg;
    int rc = store_token_revocations_purge(c, p->now_us, e);
    if (!rc && p->below_key)
        rc = store_token_keys_delete_below(c, p->below_key, e);
    return rc;
}

static int purge(struct token_keys *keys, int64_t now_us, struct error *e)
{
    struct purge p = {.now_us = now_us};
    int rc = ensure_conn(keys, e);
    if (rc)
        return rc;
    pthread_rwlock_wrlock(&keys->lock);
    revocations_drop(keys->revocations, now_us);
    for (size_t i = 1; i < keys->ring_count; i++) /* the one before signed its last token when this one began */
        if (keys->ring[i].active_us + TOKEN_LIFE_MAX_US < now_us)
            p.below_key = keys->ring[i].id;
    pthread_rwlock_unlock(&keys->lock);
    rc = db_transact(keys->conn, purge_rows, &p, e);
    return rc ? rc : read_keys(keys, e);
}

int token_keys_tick(struct token_keys *keys, struct error *e)
{
    int64_t mono = clock_mono_us(), now_us = clock_now_us();
    int rc = token_keys_refresh(keys, e);
    if (!rc && mono - load(&keys->keys_mono_us) >= TOKEN_KEYS_POLL_US)
        rc = read_keys(keys, e);
    if (!rc)
        rc = rotate(keys, now_us, e);
    if (!rc && mono >= keys->purge_mono_us) {
        keys->purge_mono_us = mono + TOKEN_PURGE_US;
        rc = purge(keys, now_us, e);
    }
    return rc;
}

static void on_wake(void *arg, const char *topic)
{
    struct token_keys *keys = arg;
    if (strcmp(topic, "revocation") != 0 && strcmp(topic, "*") != 0)
        return;
    pthread_mutex_lock(&keys->wait_lock);
    keys->woken = true;
    pthread_cond_signal(&keys->wait);
    pthread_mutex_unlock(&keys->wait_lock);
}

/* Until woken, told to stop, or the poll is due. False to stop. */
static bool wait_turn(struct token_keys *keys)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TOKEN_POLL_US * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&keys->wait_lock);
    while (!keys->stop && !keys->woken && pthread_cond_timedwait(&keys->wait, &keys->wait_lock, &until) == 0)
        ;
    keys->woken = false;
    bool go = !keys->stop;
    pthread_mutex_unlock(&keys->wait_lock);
    return go;
}

static void *keep(void *arg)
{
    struct token_keys *keys = arg;
    while (wait_turn(keys)) {
        struct error err = {0};
        if (token_keys_tick(keys, &err))
            log_warn("token keys and revocations not kept", "error=%s", error_text(&err));
    }
    return NULL;
}

int token_keys_open(struct db *db, const char *master_key_path, struct token_keys **ret, struct error *e)
{
    if (sodium_init() < 0)
        return error_set(e, ERR_INTERNAL, "libsodium does not start");
    struct seal_key master;
    int rc = seal_key_read(master_key_path, &master, e);
    if (rc)
        return error_prefix(e, "master key (virga init makes it)");
    struct token_keys *keys = memory_new(sizeof(*keys));
    keys->db = db;
    memcpy(keys->master, master.bytes, sizeof(keys->master));
    seal_key_wipe(&master);
    keys->revocations = revocations_new();
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&keys->wait, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&keys->wait_lock, NULL);
    pthread_rwlock_init(&keys->lock, NULL);
    keys->purge_mono_us = clock_mono_us() + TOKEN_PURGE_US;
    rc = read_keys(keys, e);
    if (!rc)
        rc = token_keys_tick(keys, e);
    if (rc)
        token_keys_free(&keys);
    else
        *ret = keys;
    return rc;
}

int token_keys_new(struct db *db, const char *master_key_path, struct token_keys **ret, struct error *e)
{
    struct token_keys *keys;
    int rc = token_keys_open(db, master_key_path, &keys, e);
    if (rc)
        return rc;
    rc = wake_listen(db, on_wake, keys, &keys->wake, e);
    if (!rc && pthread_create(&keys->thread, NULL, keep, keys))
        rc = error_set(e, ERR_INTERNAL, "no thread for the token keys");
    if (rc) {
        token_keys_free(&keys);
        return rc;
    }
    keys->threaded = true;
    *ret = keys;
    return 0;
}

void token_keys_free(struct token_keys **ref)
{
    struct token_keys *keys = *ref;
    if (!keys)
        return;
    *ref = NULL;
    if (keys->wake)
        wake_close(&keys->wake);
    pthread_mutex_lock(&keys->wait_lock);
    keys->stop = true;
    pthread_cond_signal(&keys->wait);
    pthread_mutex_unlock(&keys->wait_lock);
    if (keys->threaded)
        pthread_join(keys->thread, NULL);
    if (keys->conn)
        db_conn_close(&keys->conn);
    revocations_free(&keys->revocations);
    pthread_cond_destroy(&keys->wait);
    pthread_mutex_destroy(&keys->wait_lock);
    pthread_rwlock_destroy(&keys->lock);
    sodium_memzero(keys, sizeof(*keys));
    free(keys);
}
