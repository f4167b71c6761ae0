/* What the files behind token.h and their tests share. */
#pragma once
#include "api/identity/revocation.h"
#include "api/identity/token.h"
#include "db/wake.h"
#include <pthread.h>
#include <sodium.h>

#define TOKEN_POLL_US       (CLOCK_SECOND_US / 2)  /* revocations are read at least so often */
#define TOKEN_STALE_US      (5 * CLOCK_SECOND_US)  /* revocations older than this are not trusted */
#define TOKEN_KEYS_POLL_US  (5 * CLOCK_SECOND_US)  /* keys are read at least so often */
#define TOKEN_KEY_NOTICE_US (20 * CLOCK_SECOND_US) /* a new key signs only after this, so that all replicas know it */
#define TOKEN_KEY_RELOAD_US (CLOCK_SECOND_US / 5)  /* an unknown key id reads the keys again at most so often */
#define TOKEN_PURGE_US      (600 * CLOCK_SECOND_US)
#define TOKEN_KEY_SIZE      32
#define TOKEN_KEYS_MAX      16

struct token_key {
    uint32_t id;
    int64_t active_us;
    unsigned char secret[TOKEN_KEY_SIZE];
};

struct token_keys {
    struct db *db;
    struct db_conn *conn; /* the keeper's, for writing; opened on first use */
    struct wake *wake;
    unsigned char master[TOKEN_KEY_SIZE];

    pthread_rwlock_t lock; /* held for table look-ups and changes in memory only */
    struct token_key ring[TOKEN_KEYS_MAX];
    size_t ring_count;   /* ascending by id */
    uint64_t generation; /* atomic: another for every state of every ring in this process */
    struct revocations *revocations;
    int64_t last_seq; /* highest revocation in memory */

    /* Atomics. */
    int64_t newest_us;     /* no epoch in memory is later: younger tokens need no look-up */
    int64_t fresh_mono_us; /* when the last successful reading of revocations began */
    int64_t keys_mono_us;  /* when keys were last read */
    int64_t pending_seq;   /* a revocation of ours that may have committed unseen: read rows before trusting memory; 0:
                              none */
    int64_t pending_until_us; /* by the monotonic clock: after it, that transaction failed */
    int64_t purge_mono_us;    /* the keeper's: next purge */

    pthread_t thread;
    bool threaded, stop, woken; /* stop and woken under wait_lock */
    pthread_mutex_t wait_lock;
    pthread_cond_t wait;
};

/* As token_keys_new without the thread and the wake-ups; tests call token_keys_tick themselves. */
int token_keys_open(struct db *db, const char *master_key_path, struct token_keys **ret, struct error *e);
/* What the thread does each time: reads revocations and, when it is time, keys; makes the next key; purges. */
int token_keys_tick(struct token_keys *keys, struct error *e);
/* Reads the revocations that are not in memory yet. */
int token_keys_refresh(struct token_keys *keys, struct error *e);
/* Copies the key `id`, or the one that signs now for id 0. False when there is none. */
bool token_keys_find(struct token_keys *keys, uint32_t id, int64_t now_us, struct token_key *ret);
/* What was opened by the ring is good as long as this stays the same. */
uint64_t token_keys_generation(struct token_keys *keys);
/* False once a needed reading of revocations failed for too long; reads them if that is due. */
int token_keys_current(struct token_keys *keys, struct error *e);
/* Whether some revocation in memory covers the credential. */
bool token_keys_revoked(struct token_keys *keys, const struct credential *c);
