/* The volume is frozen (its file system is written out and takes nothing more), copied, and thawed, all under a lock of
 * its file, so that nobody thaws it under another's copy.
 *
 * Failure modes: an agent that dies with the volume frozen leaves the container waiting; the lock ends with it, and the
 * next one thaws all when it starts. */
#include "compute-agent/storage/tree_copy.h"
#include "common/strbuf.h"
#include "compute-agent/storage/file_copy.h"
#include "compute-agent/storage/tree.h"
#include "compute-agent/storage/volume.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TREE_COPY_MS 600000

static int tree_copy_fail(const char *path, struct error *e)
{
    return error_set(e, errno == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s: %s", path, strerror(errno));
}

/* A descriptor of the volume's file; -1 with errno. */
static int tree_copy_lock(const char *volume, int how)
{
    int fd = open(volume, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, how)) {
        int why = errno;
        if (why == EINTR)
            continue;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* FIFREEZE or FITHAW: errno when it cannot. */
static int tree_copy_set(const char *layer, unsigned long request)
{
    int fd = volume_is_mounted(layer) ? open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, why = 0;
    if (fd < 0)
        return ENOENT;
    if (ioctl(fd, request, 0))
        why = errno;
    close(fd);
    return why;
}

/* EBUSY: it is frozen, of one that was interrupted. */
static int tree_copy_frozen(const char *volume, const char *layer, const char *to, const atomic_bool *stop,
                            struct error *e)
{
    bool mounted = volume_is_mounted(layer);
    int why = mounted ? tree_copy_set(layer, FIFREEZE) : 0, code = 0;
    if (why && why != EBUSY)
        return error_set(e, ERR_IO, "%s cannot be frozen: %s", layer, strerror(why));
    if (!file_copy_share(volume, to))
        code = file_copy_bytes(volume, to, TREE_COPY_MS, stop, e);
    if (mounted)
        tree_copy_set(layer, FITHAW);
    return code;
}

int tree_copy(const char *folder, const char *to, const atomic_bool *stop, struct error *e)
{
    char *volume = strbuf_print("%s/" TREE_LAYER_FILE, folder), *layer = strbuf_print("%s/" TREE_LAYER, folder);
    int lock = tree_copy_lock(volume, LOCK_EX);
    int code = lock < 0 ? tree_copy_fail(volume, e) : tree_copy_frozen(volume, layer, to, stop, e);
    if (lock >= 0)
        close(lock);
    free(volume);
    free(layer);
    return code;
}

void tree_copy_thaw(const char *folder)
{
    char *volume = strbuf_print("%s/" TREE_LAYER_FILE, folder), *layer = strbuf_print("%s/" TREE_LAYER, folder);
    int lock = tree_copy_lock(volume, LOCK_EX | LOCK_NB);
    if (lock >= 0) {
        tree_copy_set(layer, FITHAW);
        close(lock);
    }
    free(volume);
    free(layer);
}
