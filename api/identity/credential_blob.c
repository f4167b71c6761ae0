/* The secret part of a further credential. */
#include "api/identity/credential_blob.h"
#include "api/identity/token.h"
#include "common/seal.h"
#include <sodium.h>
#include <string.h>

const char *credential_blob_close(struct request *request, const char *blob)
{
    struct seal_key key;
    token_master_key(request->api->tokens, &key);
    const char *text = seal_close(&key, blob, strlen(blob), &request->arena);
    seal_key_wipe(&key);
    return text;
}

int credential_blob_open(struct request *request, const struct credential_row *row, const char **ret)
{
    struct seal_key key;
    void *blob;
    size_t size;
    token_master_key(request->api->tokens, &key);
    int rc = seal_open(&key, row->blob, &request->arena, &blob, &size, &request->error);
    seal_key_wipe(&key);
    if (!rc)
        *ret = blob;
    return rc;
}

const char *credential_blob_id(struct request *request, const char *access)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char *hex = arena_alloc(&request->arena, 2 * sizeof(digest) + 1);
    crypto_hash_sha256(digest, (const unsigned char *)access, strlen(access));
    return sodium_bin2hex(hex, 2 * sizeof(digest) + 1, digest, sizeof(digest));
}
