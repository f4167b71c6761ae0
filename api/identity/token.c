/* Tokens: packing, signing, checking.
 *
 *   1 byte   version
 *   4 bytes  key id, big endian
 *   1 byte   flags, 1 byte methods, 2 bytes roles, 8 bytes issued_us, 8 bytes expires_us, big endian
 *   texts    in the order of `texts`: a length byte and so many bytes, or a form byte and 16 bytes (hex and base64url
 * ids) 32 bytes keyed BLAKE2b of everything before
 *
 * Checking looks at the signature before anything that it covers; all refusals are one sentence. */
#include "api/identity/token_internal.h"
#include "common/memory.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define VERSION   1
#define HEAD_SIZE 5
#define TAG_SIZE  32
#define BYTES_MAX ((TOKEN_SIZE - 1) / 4 * 3)

enum flag { FLAG_SYSTEM = 1, FLAG_RESTRICTED = 2, FLAG_RULED = 4 };
enum form { FORM_HEX = 0x80, FORM_BASE64 = 0x81 };

static const struct {
    size_t offset, size;
} texts[] = {
#define TEXT(member)                                                                                                   \
    {                                                                                                                  \
        offsetof(struct credential, member), sizeof(((struct credential *)0)->member)                                  \
    }
    TEXT(user_id),   TEXT(user_domain_id),    TEXT(project_id), TEXT(project_domain_id),
    TEXT(domain_id), TEXT(app_credential_id), TEXT(audit_id),   TEXT(chain_id),
#undef TEXT
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

/* A cursor over bytes; `bad` sticks. */
struct bytes {
    unsigned char *at;
    size_t left;
    bool bad;
};

static void put(struct bytes *b, const void *data, size_t size)
{
    if (b->bad || size > b->left) {
        b->bad = true;
        return;
    }
    memcpy(b->at, data, size);
    b->at += size;
    b->left -= size;
}

static void put_number(struct bytes *b, uint64_t value, size_t size)
{
    unsigned char data[8];
    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)(value >> (8 * (size - 1 - i)));
    put(b, data, size);
}

static void get(struct bytes *b, void *ret, size_t size)
{
    if (b->bad || size > b->left) {
        b->bad = true;
        memset(ret, 0, size);
        return;
    }
    memcpy(ret, b->at, size);
    b->at += size;
    b->left -= size;
}

static uint64_t get_number(struct bytes *b, size_t size)
{
    unsigned char data[8];
    uint64_t value = 0;
    get(b, data, size);
    for (size_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

static bool is_hex_id(const char *text, size_t size)
{
    return size == 32 && strspn(text, "0123456789abcdef") == 32;
}

static void put_text(struct bytes *b, const char *text)
{
    unsigned char raw[16];
    size_t size = strlen(text), got = 0;
    if (is_hex_id(text, size) && sodium_hex2bin(raw, 16, text, size, NULL, &got, NULL) == 0) {
        put_number(b, FORM_HEX, 1);
        put(b, raw, 16);
    } else if (size == 22 && sodium_base642bin(raw, 16, text, size, NULL, &got, NULL,
                                               sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0) {
        put_number(b, FORM_BASE64, 1);
        put(b, raw, 16);
    } else {
        put_number(b, size, 1);
        put(b, text, size);
    }
}

static void get_text(struct bytes *b, char *ret, size_t room)
{
    unsigned char raw[16];
    size_t size = (size_t)get_number(b, 1);
    memset(ret, 0, room);
    if (size == FORM_HEX || size == FORM_BASE64) {
        size_t needed = size == FORM_HEX ? 33 : 23;
        get(b, raw, 16);
        if (needed > room)
            b->bad = true;
        else if (size == FORM_HEX)
            sodium_bin2hex(ret, room, raw, 16);
        else
            sodium_bin2base64(ret, room, raw, 16, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    } else if (size >= room) {
        b->bad = true;
    } else {
        get(b, ret, size);
    }
}

static void pack(const struct credential *c, struct bytes *b)
{
    put_number(
        b, (c->system ? FLAG_SYSTEM : 0u) | (c->restricted ? FLAG_RESTRICTED : 0u) | (c->ruled ? FLAG_RULED : 0u), 1);
    put_number(b, c->methods, 1);
    put_number(b, c->roles, 2);
    put_number(b, (uint64_t)c->issued_us, 8);
    put_number(b, (uint64_t)c->expires_us, 8);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        put_text(b, (const char *)c + texts[i].offset);
}

static bool unpack(struct bytes *b, struct credential *c)
{
    memset(c, 0, sizeof(*c));
    unsigned flags = (unsigned)get_number(b, 1);
    c->system = flags & FLAG_SYSTEM;
    c->restricted = flags & FLAG_RESTRICTED;
    c->ruled = flags & FLAG_RULED;
    c->methods = (unsigned)get_number(b, 1);
    c->roles = (unsigned)get_number(b, 2);
    c->issued_us = (int64_t)get_number(b, 8);
    c->expires_us = (int64_t)get_number(b, 8);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        get_text(b, (char *)c + texts[i].offset, texts[i].size);
    return !b->bad && b->left == 0;
}

static void sign(const struct token_key *key, const unsigned char *data, size_t size, unsigned char ret[TAG_SIZE])
{
    crypto_generichash(ret, TAG_SIZE, data, size, key->secret, sizeof(key->secret));
}

int token_issue(struct token_keys *keys, const struct credential *credential, char ret[TOKEN_SIZE], struct error *e)
{
    unsigned char data[BYTES_MAX];
    struct bytes b = {data, sizeof(data) - TAG_SIZE, false};
    struct token_key key;
    if (credential->expires_us - credential->issued_us > TOKEN_LIFE_MAX_US)
        return error_set(e, ERR_INVALID, "a token may not live longer than %d hours",
                         (int)(TOKEN_LIFE_MAX_US / CLOCK_SECOND_US / 3600));
    if (!token_keys_find(keys, 0, credential->issued_us, &key))
        return error_set(e, ERR_UNAVAILABLE, "there is no key to sign tokens with");
    put_number(&b, VERSION, 1);
    put_number(&b, key.id, 4);
    pack(credential, &b);
    if (!b.bad) {
        sign(&key, data, (size_t)(b.at - data), b.at);
        sodium_bin2base64(ret, TOKEN_SIZE, data, (size_t)(b.at - data) + TAG_SIZE,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    }
    sodium_memzero(&key, sizeof(key));
    return b.bad ? error_set(e, ERR_INVALID, "the ids of this login do not fit into a token") : 0;
}

/* What the text says in base64url without padding; false for any other character, too much text, or bits left over that
 * are not zero (so that no two texts are one token). By table, since each request needs it: which text a client sent is
 * no secret of ours. */
static bool decode(const char *text, unsigned char ret[BYTES_MAX], size_t *ret_size)
{
    static const signed char values[256] = {
        ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
        ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
        ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
        ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
        ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
        ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
        ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
        ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
    };
    unsigned bits = 0;
    size_t size = 0, count = 0, left = 0;
    for (; text[count]; count++) {
        int value = values[(unsigned char)text[count]] - 1;
        if (value < 0 || count == TOKEN_SIZE - 1)
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        left += 6;
        if (left >= 8) {
            left -= 8;
            if (size == BYTES_MAX)
                return false;
            ret[size++] = (unsigned char)(bits >> left);
        }
    }
    *ret_size = size;
    return left < 6 && !(bits & ((1u << left) - 1));
}

/* Decodes the text and checks its signature. */
static bool open_token(struct token_keys *keys, const char *text, int64_t now_us, struct credential *ret)
{
    unsigned char data[BYTES_MAX], tag[TAG_SIZE];
    size_t size = 0;
    struct token_key key;
    if (!decode(text, data, &size) || size < HEAD_SIZE + TAG_SIZE || data[0] != VERSION)
        return false;
    struct bytes head = {data + 1, 4, false};
    uint32_t id = (uint32_t)get_number(&head, 4);
    if (id == 0 || !token_keys_find(keys, id, now_us, &key))
        return false;
    size -= TAG_SIZE;
    sign(&key, data, size, tag);
    sodium_memzero(&key, sizeof(key));
    if (sodium_memcmp(tag, data + size, TAG_SIZE))
        return false;
    struct bytes body = {data + HEAD_SIZE, size - HEAD_SIZE, false};
    return unpack(&body, ret);
}

/* Tokens that this thread has opened before: clients send the same one with every request. What makes a token void
 * (time, revocation) is looked at each time all the same. */
#define OPENED_COUNT 32
struct opened {
    uint64_t generation; /* of the ring that opened it, 0 for none */
    size_t size;
    char text[TOKEN_SIZE];
    struct credential credential;
};
static _Thread_local struct opened *opened_before;

static pthread_key_t opened_key;
static pthread_once_t opened_once = PTHREAD_ONCE_INIT;

static void opened_free(void *table)
{
    sodium_memzero(table, OPENED_COUNT * sizeof(struct opened));
    free(table);
}

static void opened_start(void)
{
    pthread_key_create(&opened_key, opened_free);
}

/* Freed when the thread ends. */
static struct opened *opened_table(void)
{
    struct opened *table = memory_array(OPENED_COUNT, sizeof(*table));
    pthread_once(&opened_once, opened_start);
    pthread_setspecific(opened_key, table);
    return table;
}

/* The place for a text: its last characters are of the signature, as good as random. */
static struct opened *opened_place(const char *text, size_t size)
{
    uint32_t tail;
    if (!opened_before)
        opened_before = opened_table();
    memcpy(&tail, text + size - sizeof(tail), sizeof(tail));
    return &opened_before[(tail * 2654435761u >> 16) % OPENED_COUNT];
}

/* As open_token. */
static bool open_again(struct token_keys *keys, const char *text, int64_t now_us, struct credential *ret)
{
    size_t size = strnlen(text, TOKEN_SIZE);
    uint64_t generation = token_keys_generation(keys);
    if (size <= TAG_SIZE || size >= TOKEN_SIZE)
        return false;
    struct opened *place = opened_place(text, size);
    size_t open = size - TAG_SIZE; /* what is not signature says nothing that helps to forge one */
    if (place->generation == generation && place->size == size && memcmp(place->text, text, open) == 0 &&
        sodium_memcmp(place->text + open, text + open, TAG_SIZE) == 0) {
        *ret = place->credential;
        return true;
    }
    if (!open_token(keys, text, now_us, ret))
        return false;
    place->generation = generation; /* from before: if the ring has changed meanwhile, this is not used */
    place->size = size;
    memcpy(place->text, text, size);
    place->credential = *ret;
    return true;
}

int token_verify_late(struct token_keys *keys, const char *text, int64_t now_us, int64_t grace_us,
                      struct credential *ret, struct error *e)
{
    struct credential c;
    int rc = token_keys_current(keys, e);
    if (rc)
        return rc;
    if (!open_again(keys, text, now_us, &c) || now_us - grace_us >= c.expires_us || token_keys_revoked(keys, &c))
        return error_set(e, ERR_UNAUTHORIZED, "%s", error_sentence(ERR_UNAUTHORIZED));
    *ret = c;
    return 0;
}

int token_verify(struct token_keys *keys, const char *text, int64_t now_us, struct credential *ret, struct error *e)
{
    return token_verify_late(keys, text, now_us, 0, ret, e);
}

void token_audit_id(char ret[32])
{
    unsigned char raw[16];
    randombytes_buf(raw, sizeof(raw));
    memset(ret, 0, 32);
    sodium_bin2base64(ret, 32, raw, sizeof(raw), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}
