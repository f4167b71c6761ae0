/* Reads in large steps and hands them to GnuTLS. */
#include "compute-agent/tls/digest.h"
#include "common/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIGEST_STEP ((size_t)1 << 20)

static int digest_read(int fd, const char *path, gnutls_hash_hd_t hash, const atomic_bool *stop, struct error *e)
{
    unsigned char *buffer = memory_new(DIGEST_STEP);
    int code = 0;
    ssize_t got;
    while (!code && (got = read(fd, buffer, DIGEST_STEP)) != 0) {
        if (stop && atomic_load(stop))
            code = error_set(e, ERR_TIMEOUT, "Checking %s was stopped", path);
        else if (got > 0)
            gnutls_hash(hash, buffer, (size_t)got);
        else if (errno != EINTR)
            code = error_set(e, ERR_IO, "%s cannot be read: %s", path, strerror(errno));
    }
    free(buffer);
    return code;
}

static void digest_print(const unsigned char sum[64], char ret[DIGEST_SHA512_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 64; i++) {
        ret[2 * i] = digits[sum[i] >> 4];
        ret[2 * i + 1] = digits[sum[i] & 15];
    }
    ret[DIGEST_SHA512_SIZE - 1] = '\0';
}

int digest_text(const char *text, char ret[DIGEST_SHA512_SIZE], struct error *e)
{
    unsigned char sum[64];
    if (gnutls_hash_fast(GNUTLS_DIG_SHA512, text, strlen(text), sum) < 0)
        return error_set(e, ERR_INTERNAL, "No memory for a checksum");
    digest_print(sum, ret);
    return 0;
}

int digest_file(const char *path, const atomic_bool *stop, char ret[DIGEST_SHA512_SIZE], struct error *e)
{
    unsigned char sum[64];
    gnutls_hash_hd_t hash;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
    if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA512) < 0) {
        close(fd);
        return error_set(e, ERR_INTERNAL, "No memory for a checksum");
    }
    int code = digest_read(fd, path, hash, stop, e);
    gnutls_hash_deinit(hash, sum);
    close(fd);
    if (!code)
        digest_print(sum, ret);
    return code;
}
