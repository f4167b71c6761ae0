/* Files as wholes. A replacement is written beside its target and renamed over it, both it and its folder synced: a
 * crash leaves the old or the new content, at worst beside a stray "<name>.XXXXXX". */
#include "common/file.h"
#include "common/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_CHUNK ((size_t)16384)

static int file_fail(struct error *e, const char *what, const char *path)
{
    int saved = errno;
    int code = saved == ENOENT ? ERR_NOT_FOUND : saved == ENOSPC || saved == EDQUOT ? ERR_NO_SPACE : ERR_IO;
    return error_set(e, code, "%s %s: %s", what, path, strerror(saved));
}

static int file_read_fd(int fd, const char *path, struct strbuf *ret, struct error *e)
{
    char chunk[FILE_CHUNK];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return file_fail(e, "cannot read", path);
        if (got == 0)
            return 0;
        if (strbuf_append(ret, chunk, (size_t)got))
            return error_set(e, ERR_TOO_LARGE, "%s is larger than %zu bytes", path, ret->ceiling);
    }
}

int file_read(const char *path, struct strbuf *ret, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_fail(e, "cannot open", path);
    int rc = file_read_fd(fd, path, ret, e);
    close(fd);
    return rc;
}

static bool file_write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t put = write(fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        data += put;
        size -= (size_t)put;
    }
    return true;
}

/* The folder of `path`, freed by the caller. */
static char *file_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return memory_strdup(".");
    char *folder = memory_strdup(path);
    folder[slash == path ? 1 : slash - path] = 0;
    return folder;
}

static int file_sync_folder(const char *path, struct error *e)
{
    char *folder = file_folder(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) ? file_fail(e, "cannot sync the folder", folder) : 0;
    if (fd >= 0)
        close(fd);
    free(folder);
    return rc;
}

static int file_fill_and_rename(int fd, const char *beside, const char *path, const void *data, size_t size,
                                mode_t mode, bool durable, struct error *e)
{
    bool written = fchmod(fd, mode) == 0 && file_write_all(fd, data, size) && (!durable || fsync(fd) == 0);
    int rc = written ? 0 : file_fail(e, "cannot write", path);
    if (close(fd) && !rc)
        rc = file_fail(e, "cannot write", path);
    if (!rc && rename(beside, path))
        rc = file_fail(e, "cannot replace", path);
    if (rc)
        unlink(beside);
    return rc;
}

static int file_put(const char *path, const void *data, size_t size, mode_t mode, bool durable, struct error *e)
{
    struct strbuf beside;
    strbuf_init(&beside, 0);
    strbuf_appendf(&beside, "%s.XXXXXX", path);
    int fd = mkostemp(beside.data, O_CLOEXEC);
    int rc = fd < 0 ? file_fail(e, "cannot create a file beside", path)
                    : file_fill_and_rename(fd, beside.data, path, data, size, mode, durable, e);
    strbuf_done(&beside);
    return rc || !durable ? rc : file_sync_folder(path, e);
}

int file_replace(const char *path, const void *data, size_t size, mode_t mode, struct error *e)
{
    return file_put(path, data, size, mode, true, e);
}

int file_show(const char *path, const void *data, size_t size, mode_t mode, struct error *e)
{
    return file_put(path, data, size, mode, false, e);
}

static int file_make_dir(const char *path, mode_t mode, struct error *e)
{
    struct stat found;
    if (mkdir(path, mode) == 0)
        return 0;
    if (errno != EEXIST)
        return file_fail(e, "cannot make the folder", path);
    if (stat(path, &found) == 0 && S_ISDIR(found.st_mode))
        return 0;
    return error_set(e, ERR_IO, "cannot make the folder %s: a file is in the way", path);
}

int file_make_dirs(const char *path, mode_t mode, struct error *e)
{
    char *partial = memory_strdup(path);
    int rc = 0;
    for (char *at = partial + 1; !rc && *partial; at++) {
        char c = *at;
        if (c && c != '/')
            continue;
        *at = 0;
        rc = file_make_dir(partial, mode, e);
        *at = c;
        if (!c)
            break;
    }
    free(partial);
    return rc;
}
