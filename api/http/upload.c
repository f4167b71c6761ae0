/* Spooling. The file is named "upload-<uuid>" and locked (flock) as long as its process lives, so that a starting
 * process knows which ones nobody will finish; one that it takes before it is locked is made again. Write-back is
 * started every few MiB, so that the fsync at the end is short. */
#include "api/http/upload.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/uuid.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define UPLOAD_PREFIX     "upload-"
#define UPLOAD_FLUSH_STEP ((int64_t)8 << 20)

struct upload {
    int fd;
    char *path;
    int64_t size, limit, flushed;
    gnutls_hash_hd_t sha512, md5;
    char sha512_hex[129], md5_hex[33];
};

static int upload_failed(const struct upload *u, struct error *e)
{
    int code = errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
    return error_set(e, code, "%s: %s", u->path, strerror(errno));
}

/* Another process may sweep between the making and the lock. */
static int upload_make_file(struct upload *u, struct error *e)
{
    struct stat file;
    for (;;) {
        u->fd = open(u->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (u->fd < 0 || flock(u->fd, LOCK_EX) || fstat(u->fd, &file))
            return upload_failed(u, e);
        if (file.st_nlink > 0)
            return 0;
        close(u->fd);
    }
}

int upload_new(const char *dir, int64_t limit, struct upload **ret, struct error *e)
{
    char id[UUID_SIZE];
    size_t size = strlen(dir) + sizeof("/" UPLOAD_PREFIX) + UUID_SIZE;
    struct upload *u = memory_new(sizeof(*u));
    u->path = memory_new(size);
    snprintf(u->path, size, "%s/" UPLOAD_PREFIX "%s", dir, uuid_random(id));
    u->limit = limit;
    int rc = upload_make_file(u, e);
    if (!rc && (gnutls_hash_init(&u->sha512, GNUTLS_DIG_SHA512) || gnutls_hash_init(&u->md5, GNUTLS_DIG_MD5)))
        rc = error_set(e, ERR_INTERNAL, "SHA-512 or MD5 is not available");
    if (rc) {
        upload_free(&u);
        return rc;
    }
    *ret = u;
    return 0;
}

void upload_free(struct upload **u)
{
    struct upload *old = *u;
    if (!old)
        return;
    if (old->sha512)
        gnutls_hash_deinit(old->sha512, NULL);
    if (old->md5)
        gnutls_hash_deinit(old->md5, NULL);
    if (old->fd >= 0) {
        unlink(old->path);
        close(old->fd);
    }
    free(old->path);
    free(old);
    *u = NULL;
}

int upload_write(struct upload *u, const void *data, size_t size, struct error *e)
{
    if ((int64_t)size > u->limit - u->size)
        return error_set(e, ERR_TOO_LARGE, "The upload is larger than %lld bytes", (long long)u->limit);
    for (size_t at = 0; at < size;) {
        ssize_t wrote = write(u->fd, (const char *)data + at, size - at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return upload_failed(u, e);
        at += (size_t)wrote;
    }
    gnutls_hash(u->sha512, data, size);
    gnutls_hash(u->md5, data, size);
    u->size += (int64_t)size;
    if (u->size - u->flushed >= UPLOAD_FLUSH_STEP) {
        sync_file_range(u->fd, u->flushed, u->size - u->flushed, SYNC_FILE_RANGE_WRITE);
        u->flushed = u->size;
    }
    return 0;
}

static void upload_hex(gnutls_hash_hd_t *hash, size_t size, char *ret)
{
    unsigned char digest[64];
    gnutls_hash_deinit(*hash, digest);
    *hash = NULL;
    for (size_t i = 0; i < size; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

int upload_finish(struct upload *u, struct error *e)
{
    if (fsync(u->fd))
        return upload_failed(u, e);
    upload_hex(&u->sha512, 64, u->sha512_hex);
    upload_hex(&u->md5, 16, u->md5_hex);
    return 0;
}

const char *upload_path(const struct upload *u)
{
    assert(u);
    return u->path;
}

int64_t upload_size(const struct upload *u)
{
    assert(u);
    return u->size;
}

const char *upload_sha512(const struct upload *u)
{
    assert(u);
    return u->sha512_hex;
}

const char *upload_md5(const struct upload *u)
{
    assert(u);
    return u->md5_hex;
}

/* Removes one leftover unless a living process holds it. */
static void upload_sweep_file(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (!flock(fd, LOCK_EX | LOCK_NB))
        unlinkat(dir, name, 0);
    close(fd);
}

int upload_sweep(const char *dir, struct error *e)
{
    int rc = file_make_dirs(dir, 0700, e);
    if (rc)
        return rc;
    DIR *list = opendir(dir);
    if (!list)
        return error_set(e, ERR_IO, "%s: %s", dir, strerror(errno));
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list))
        if (!strncmp(entry->d_name, UPLOAD_PREFIX, strlen(UPLOAD_PREFIX)))
            upload_sweep_file(dirfd(list), entry->d_name);
    closedir(list);
    return 0;
}
