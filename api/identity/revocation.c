/* Void tokens in memory. Keys are 128-bit SipHashes under a key of this process, so that an entry has 32 bytes whatever
 * it names, and nobody outside can make collisions. Open addressing; the table doubles at half full. */
#include "api/identity/revocation.h"
#include "common/memory.h"
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    unsigned char key[16]; /* all zero: free */
    int64_t before_us, expires_us;
};
struct revocations {
    unsigned char hash_key[crypto_shorthash_siphashx24_KEYBYTES];
    struct entry *entries;
    size_t size, count; /* size is a power of two */
};

static const char *const kind_names[TOKEN_REVOKE_COUNT] = {
    [TOKEN_REVOKE_AUDIT] = "audit",     [TOKEN_REVOKE_USER] = "user",
    [TOKEN_REVOKE_PROJECT] = "project", [TOKEN_REVOKE_DOMAIN] = "domain",
    [TOKEN_REVOKE_GRANT] = "grant",     [TOKEN_REVOKE_APPLICATION] = "application-credential",
};

const char *token_revocation_kind_name(enum token_revocation_kind kind)
{
    assert(kind < TOKEN_REVOKE_COUNT);
    return kind_names[kind];
}

struct revocations *revocations_new(void)
{
    struct revocations *set = memory_new(sizeof(*set));
    randombytes_buf(set->hash_key, sizeof(set->hash_key));
    set->size = 64;
    set->entries = memory_array(set->size, sizeof(*set->entries));
    return set;
}

void revocations_free(struct revocations **set)
{
    if (!*set)
        return;
    free((*set)->entries);
    free(*set);
    *set = NULL;
}

static void hash(const struct revocations *set, enum token_revocation_kind kind, const char *subject,
                 const char *target, unsigned char ret[16])
{
    char text[256];
    size_t subject_size = strlen(subject), target_size = strlen(target);
    assert(subject_size + target_size + 2 <= sizeof(text));
    text[0] = (char)('A' + (int)kind);
    memcpy(text + 1, subject, subject_size);
    text[1 + subject_size] = '\n';
    memcpy(text + 2 + subject_size, target, target_size);
    crypto_shorthash_siphashx24(ret, (const unsigned char *)text, subject_size + target_size + 2, set->hash_key);
}

/* The entry with this key, or the free one where it belongs. */
static struct entry *slot(const struct revocations *set, const unsigned char key[16])
{
    uint64_t at;
    memcpy(&at, key, sizeof(at));
    for (;; at++) {
        struct entry *entry = &set->entries[at & (set->size - 1)];
        if (sodium_is_zero(entry->key, 16) || memcmp(entry->key, key, 16) == 0)
            return entry;
    }
}

static void resize(struct revocations *set, size_t size, int64_t keep_after_us)
{
    struct entry *old = set->entries;
    size_t old_size = set->size;
    set->entries = memory_array(size, sizeof(*set->entries));
    set->size = size;
    set->count = 0;
    for (size_t i = 0; i < old_size; i++) {
        if (sodium_is_zero(old[i].key, 16) || old[i].expires_us <= keep_after_us)
            continue;
        *slot(set, old[i].key) = old[i];
        set->count++;
    }
    free(old);
}

void revocations_add(struct revocations *set, enum token_revocation_kind kind, const char *subject, const char *target,
                     int64_t before_us, int64_t expires_us)
{
    unsigned char key[16];
    hash(set, kind, subject, target, key);
    if (set->count * 2 >= set->size)
        resize(set, set->size * 2, INT64_MIN);
    struct entry *entry = slot(set, key);
    if (sodium_is_zero(entry->key, 16)) {
        memcpy(entry->key, key, 16);
        entry->before_us = before_us;
        entry->expires_us = expires_us;
        set->count++;
        return;
    }
    if (before_us > entry->before_us)
        entry->before_us = before_us;
    if (expires_us > entry->expires_us)
        entry->expires_us = expires_us;
}

static bool covers(const struct revocations *set, const struct credential *c, enum token_revocation_kind kind,
                   const char *subject, const char *target)
{
    unsigned char key[16];
    if (!*subject)
        return false;
    hash(set, kind, subject, target, key);
    const struct entry *entry = slot(set, key);
    return !sodium_is_zero(entry->key, 16) && c->issued_us <= entry->before_us;
}

static bool covers_grant(const struct revocations *set, const struct credential *c, const char *kind, const char *id)
{
    char target[96] = {0};
    size_t size = strlen(kind), id_size = strlen(id);
    assert(size + id_size < sizeof(target));
    memcpy(target, kind, size);
    memcpy(target + size, id, id_size);
    return covers(set, c, TOKEN_REVOKE_GRANT, c->user_id, target);
}

bool revocations_cover(const struct revocations *set, const struct credential *c)
{
    if (set->count == 0)
        return false;
    return covers(set, c, TOKEN_REVOKE_AUDIT, c->audit_id, "") || covers(set, c, TOKEN_REVOKE_USER, c->user_id, "") ||
           covers(set, c, TOKEN_REVOKE_PROJECT, c->project_id, "") ||
           covers(set, c, TOKEN_REVOKE_DOMAIN, c->user_domain_id, "") ||
           covers(set, c, TOKEN_REVOKE_DOMAIN, c->project_domain_id, "") ||
           covers(set, c, TOKEN_REVOKE_DOMAIN, c->domain_id, "") ||
           covers(set, c, TOKEN_REVOKE_APPLICATION, c->app_credential_id, "") ||
           (*c->project_id && covers_grant(set, c, "project/", c->project_id)) ||
           (*c->domain_id && covers_grant(set, c, "domain/", c->domain_id)) ||
           (c->system && covers_grant(set, c, "system", ""));
}

void revocations_drop(struct revocations *set, int64_t now_us)
{
    size_t alive = 0;
    for (size_t i = 0; i < set->size; i++)
        alive += !sodium_is_zero(set->entries[i].key, 16) && set->entries[i].expires_us > now_us;
    size_t size = 64;
    while (size < alive * 4)
        size *= 2;
    resize(set, size, now_us);
}

size_t revocations_count(const struct revocations *set)
{
    return set->count;
}
