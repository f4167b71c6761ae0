/* cp does what the kernel cannot do in one call: it knows holes. */
#include "compute-agent/storage/file_copy.h"
#include "common/child.h"
#include "common/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FILE_COPY_SLACK ((int64_t)64 << 20)

bool file_copy_share(const char *from, const char *to)
{
    int source = open(from, O_RDONLY | O_CLOEXEC);
    int fd = source < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool shared = fd >= 0 && ioctl(fd, FICLONE, source) == 0;
    if (fd >= 0)
        close(fd);
    if (source >= 0)
        close(source);
    return shared;
}

static int file_copy_check_space(const char *from, const char *to, struct error *e)
{
    struct stat st;
    struct statvfs fs;
    char *path = memory_strdup(to);
    int code = 0;
    if (stat(from, &st) || statvfs(dirname(path), &fs))
        code = error_set(e, ERR_IO, "%s: %s", from, strerror(errno));
    else if ((int64_t)(fs.f_bavail * fs.f_frsize) < (int64_t)st.st_blocks * 512 + FILE_COPY_SLACK)
        code = error_set(e, ERR_NO_SPACE, "There is no space left on the host for a copy of the server's disk");
    free(path);
    return code;
}

int file_copy_bytes(const char *from, const char *to, int64_t deadline_ms, const atomic_bool *stop, struct error *e)
{
    const char *argv[] = {"cp", "--reflink=auto", "--sparse=always", "--", from, to, NULL};
    struct child child = {.argv = argv, .deadline_ms = deadline_ms, .stop = stop};
    int code = file_copy_check_space(from, to, e);
    return code ? code : child_run(&child, NULL, e);
}

int file_copy_sync(const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int code = fd < 0 || fsync(fd) ? error_set(e, ERR_IO, "%s: %s", path, strerror(errno)) : 0;
    if (fd >= 0)
        close(fd);
    return code;
}

int file_copy_publish(const char *part, const char *path, struct error *e)
{
    char *folder = memory_strdup(path);
    int code = file_copy_sync(part, e);
    if (!code && rename(part, path))
        code = error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    code = code ? code : file_copy_sync(dirname(folder), e);
    free(folder);
    return code;
}
