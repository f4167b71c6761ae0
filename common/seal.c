/* Secrets at rest. The sealed form is base64 of nonce and box; a nonce is random, of 24 bytes, so that it never repeats
 * in practice. */
#include "common/seal.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_TEXT_SIZE (SEAL_KEY_SIZE * 2)

static int parse(const char *path, const char *text, size_t size, struct seal_key *ret, struct error *e)
{
    size_t got = 0;
    while (size && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    if (size != KEY_TEXT_SIZE || sodium_hex2bin(ret->bytes, SEAL_KEY_SIZE, text, size, NULL, &got, NULL) ||
        got != SEAL_KEY_SIZE)
        return error_set(e, ERR_INVALID, "%s is not a master key: it should hold %d hex digits", path, KEY_TEXT_SIZE);
    return 0;
}

int seal_key_read(const char *path, struct seal_key *ret, struct error *e)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & 077))
        return error_set(e, ERR_INVALID,
                         "the master key %s may be read by others than its owner (mode %04o): chmod 600 it", path,
                         (unsigned)(st.st_mode & 07777));
    struct strbuf text;
    struct seal_key key;
    strbuf_init(&text, 4096);
    int rc = file_read(path, &text, e);
    if (!rc)
        rc = parse(path, text.data, text.size, &key, e);
    if (text.size)
        sodium_memzero(text.data, text.size);
    strbuf_done(&text);
    if (!rc)
        *ret = key;
    sodium_memzero(&key, sizeof(key));
    return rc;
}

int seal_key_create(const char *path, struct error *e)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return 0;
    if (errno != ENOENT)
        return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    if (sodium_init() < 0)
        return error_set(e, ERR_INTERNAL, "libsodium does not start");
    struct seal_key key;
    char text[KEY_TEXT_SIZE + 2];
    randombytes_buf(key.bytes, sizeof(key.bytes));
    sodium_bin2hex(text, sizeof(text), key.bytes, sizeof(key.bytes));
    text[KEY_TEXT_SIZE] = '\n';
    int rc = file_replace(path, text, KEY_TEXT_SIZE + 1, 0600, e);
    sodium_memzero(text, sizeof(text));
    seal_key_wipe(&key);
    return rc;
}

void seal_key_wipe(struct seal_key *key)
{
    sodium_memzero(key->bytes, sizeof(key->bytes));
}

char *seal_close(const struct seal_key *key, const void *secret, size_t size, struct arena *arena)
{
    size_t box_size = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + size;
    unsigned char *box = arena_alloc(arena, box_size);
    randombytes_buf(box, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, secret, size, box, key->bytes);
    size_t text_size = sodium_base64_encoded_len(box_size, sodium_base64_VARIANT_ORIGINAL);
    char *text = arena_alloc(arena, text_size);
    return sodium_bin2base64(text, text_size, box, box_size, sodium_base64_VARIANT_ORIGINAL);
}

int seal_open(const struct seal_key *key, const char *text, struct arena *arena, void **ret, size_t *ret_size,
              struct error *e)
{
    const size_t head = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    size_t text_size = strlen(text), size = 0;
    unsigned char *box = arena_alloc(arena, text_size + 1);
    if (sodium_base642bin(box, text_size + 1, text, text_size, NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) ||
        size < head)
        return error_set(e, ERR_CORRUPT, "a sealed secret is damaged");
    unsigned char *secret = arena_alloc(arena, size - head + 1);
    if (crypto_secretbox_open_easy(secret, box + crypto_secretbox_NONCEBYTES, size - crypto_secretbox_NONCEBYTES, box,
                                   key->bytes))
        return error_set(e, ERR_CORRUPT,
                         "a sealed secret does not open: it is damaged, or the master key is another one");
    *ret = secret;
    *ret_size = size - head;
    return 0;
}
