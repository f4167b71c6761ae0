/* ext4 on a sparse file behind a loop device that the kernel releases with the last mount. Nobody but the kernel ever
 * writes the file's blocks, so that mounting it is no risk. */
#include "compute-agent/storage/volume.h"
#include "common/child.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define VOLUME_DEADLINE_MS 60000
#define VOLUME_BLOCK       4096
#define VOLUME_TRIES       64 /* others take free devices, too */

static int volume_fail(const char *path, const char *what, struct error *e)
{
    return error_set(e, errno == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

static int volume_create(const char *path, int64_t bytes, struct error *e)
{
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return volume_fail(path, "it cannot be made", e);
    int code = ftruncate(fd, bytes) ? volume_fail(path, "it cannot be made", e) : 0;
    close(fd);
    return code;
}

int volume_make(const char *path, const struct volume *v, struct error *e)
{
    char files[24];
    snprintf(files, sizeof(files), "%lld", (long long)v->files);
    const char *argv[] = {"mke2fs",
                          "-q",
                          "-F",
                          "-t",
                          "ext4",
                          "-m",
                          "0",
                          "-b",
                          "4096",
                          "-E",
                          "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
                          "-O",
                          v->journal ? "has_journal" : "^has_journal",
                          v->files ? "-N" : "--",
                          v->files ? files : path,
                          v->files ? "--" : NULL,
                          path,
                          NULL};
    struct child child = {.argv = argv, .deadline_ms = VOLUME_DEADLINE_MS};
    int code = volume_create(path, v->bytes, e);
    return code ? code : child_run(&child, NULL, e);
}

/* ---- mounting ---- */

/* A device's descriptor, its name in `ret_name`; -1 with errno. */
static int volume_attach_to(int control, int file, bool read_only, char ret_name[32])
{
    struct loop_config config = {.fd = (unsigned)file};
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0);
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0)
        return -1;
    snprintf(ret_name, 32, "/dev/loop%d", number);
    int device = open(ret_name, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (device < 0 || ioctl(device, LOOP_CONFIGURE, &config) == 0)
        return device;
    int why = errno;
    close(device);
    errno = why;
    return -1;
}

static int volume_attach(int file, bool read_only, char ret_name[32])
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), device = -1;
    for (int i = 0; control >= 0 && device < 0 && i < VOLUME_TRIES; i++) {
        device = volume_attach_to(control, file, read_only, ret_name);
        if (device < 0 && errno != EBUSY)
            break;
    }
    int why = errno;
    if (control >= 0)
        close(control);
    errno = why;
    return device;
}

int volume_mount(const char *path, const char *at, bool read_only, struct error *e)
{
    char name[32];
    int file = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (file < 0)
        return volume_fail(path, "it cannot be opened", e);
    int device = volume_attach(file, read_only, name);
    int code = device < 0 ? volume_fail(path, "it gets no loop device", e) : 0;
    close(file);
    if (!code && mount(name, at, "ext4", MS_NODEV | MS_NOATIME | (read_only ? MS_RDONLY : 0),
                       read_only ? "errors=continue" : "discard,errors=remount-ro"))
        code = volume_fail(path, "it cannot be mounted", e);
    if (device >= 0)
        close(device); /* the mount keeps it; without one it is given back */
    return code;
}

/* What the file system says of itself: fs/ext4/ext4.h, s_blocks_count_lo and _hi. */
int64_t volume_bytes(const char *path)
{
    unsigned char low[4], high[4];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && pread(fd, low, 4, 1024 + 0x4) == 4 && pread(fd, high, 4, 1024 + 0x150) == 4;
    uint64_t blocks = 0;
    for (int i = 3; good && i >= 0; i--)
        blocks = blocks << 8 | high[i];
    for (int i = 3; good && i >= 0; i--)
        blocks = blocks << 8 | low[i];
    if (fd >= 0)
        close(fd);
    return good ? (int64_t)blocks * VOLUME_BLOCK : -1;
}

int volume_grow(const char *path, int64_t bytes, struct error *e)
{
    int64_t now = volume_bytes(path);
    if (now < 0)
        return volume_fail(path, "it cannot be looked at", e);
    if (now >= bytes)
        return 0;
    char size[32];
    snprintf(size, sizeof(size), "%lldK", (long long)(bytes / 1024));
    const char *argv[] = {"sh", "-c", "e2fsck -fy \"$0\" || [ $? = 1 ]; resize2fs \"$0\" \"$1\"", path, size, NULL};
    struct child child = {.argv = argv, .deadline_ms = VOLUME_DEADLINE_MS};
    return child_run(&child, NULL, e);
}

/* Its parent is on another file system, or is the same folder: "..", which the kernel leads out of the mount. */
bool volume_is_mounted(const char *at)
{
    struct strbuf up;
    struct stat inner, outer;
    strbuf_init(&up, 0);
    strbuf_appendf(&up, "%s/..", at);
    bool mounted = stat(at, &inner) == 0 && stat(up.data, &outer) == 0 && inner.st_dev != outer.st_dev;
    strbuf_done(&up);
    return mounted;
}

/* /sys/block/loopN/loop/backing_file */
static bool volume_is_behind(const char *device, const char *path)
{
    struct strbuf text;
    char *name = strbuf_print("/sys/block/%s/loop/backing_file", device);
    strbuf_init(&text, 0);
    bool is = file_read(name, &text, NULL) == 0 && strncmp(text.data, path, strlen(path)) == 0 &&
              strcmp(text.data + strlen(path), "\n") == 0;
    strbuf_done(&text);
    free(name);
    return is;
}

bool volume_is_attached(const char *path)
{
    bool is = false;
    char *whole = realpath(path, NULL);
    DIR *dir = whole ? opendir("/sys/block") : NULL;
    for (struct dirent *d; !is && dir && (d = readdir(dir));)
        is = strncmp(d->d_name, "loop", 4) == 0 && volume_is_behind(d->d_name, whole);
    if (dir)
        closedir(dir);
    free(whole);
    return is;
}

/* It is never there without being sealed. Who has a copy of the mount in a user namespace of its own cannot change it.
 */
int volume_seal(const char *folder, struct error *e)
{
    struct mount_attr sealed = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    int tree = open_tree(AT_FDCWD, folder, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int code = tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &sealed, sizeof(sealed)) ||
                       move_mount(tree, "", AT_FDCWD, folder, MOVE_MOUNT_F_EMPTY_PATH)
                   ? volume_fail(folder, "it cannot be sealed", e)
                   : 0;
    if (tree >= 0)
        close(tree);
    return code;
}

void volume_unmount(const char *at)
{
    while (umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        continue;
}
