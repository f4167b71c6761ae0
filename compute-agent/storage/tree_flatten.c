/* The order is: files, each whole; TREE_FLATTEN; files with several names, while nothing runs; the volume written out;
 * the one mark, that the base is none; what hid the image's files (whiteouts: they would show where nothing is below
 * them) taken away; TREE_FLATTEN taken away. An agent that dies amid it, or a host, finds one of these states and goes
 * on.
 *
 * Failure modes: it does not fit, or not any more: the server keeps its image, and what was copied so far stays, for it
 * is the same. It is stopped while the server is off: then it is as if the agent had died, the next start goes on. */
#include "compute-agent/storage/tree_flatten.h"
#include "common/file.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "compute-agent/storage/id_range.h"
#include "compute-agent/storage/tree.h"
#include "compute-agent/storage/tree_walk.h"
#include "compute-agent/storage/volume.h"
#include "compute-agent/xml/domain_xml.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Those under way, for who asks how far they are. */
struct flattening {
    const char *folder;
    _Atomic int64_t total, done;
    struct flattening *next;
};
static pthread_mutex_t flatten_lock = PTHREAD_MUTEX_INITIALIZER;
static struct flattening *flatten_all;

static int flatten_fail(const char *path, struct error *e)
{
    return error_set(e, errno == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s: %s", path, strerror(errno));
}

/* ---- marks ---- */

static int flatten_sync(const char *path, bool whole, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int code = fd < 0 || (whole ? syncfs(fd) : fsync(fd)) ? flatten_fail(path, e) : 0;
    if (fd >= 0)
        close(fd);
    return code;
}

static int flatten_write_link(const char *folder, const char *name, const char *target, struct error *e)
{
    char *link = strbuf_print("%s/%s", folder, name), *part = strbuf_print("%s.part", link);
    unlink(part);
    int code = symlink(target, part) || rename(part, link) ? flatten_fail(link, e) : 0;
    free(link);
    free(part);
    return code ? code : flatten_sync(folder, false, e);
}

static bool flatten_is_wanted(const char *folder)
{
    struct stat st;
    char *link = strbuf_print("%s/" TREE_FLATTEN, folder);
    bool is = lstat(link, &st) == 0;
    free(link);
    return is;
}

static int flatten_forget(const char *folder, struct error *e)
{
    char *link = strbuf_print("%s/" TREE_FLATTEN, folder);
    int code = unlink(link) && errno != ENOENT ? flatten_fail(link, e) : 0;
    free(link);
    return code;
}

static bool flatten_is_flat(const char *folder)
{
    char *base = NULL;
    bool is = tree_base(folder, &base) && strcmp(base, TREE_FLAT) == 0;
    free(base);
    return is;
}

/* ---- copying ---- */

/* With it a copy may be of a file's owner and mode alone. */
static int flatten_check_kernel(struct error *e)
{
    char answer = 'N';
    int fd = open("/sys/module/overlay/parameters/metacopy", O_RDONLY | O_CLOEXEC);
    bool copies = fd < 0 || read(fd, &answer, 1) != 1 || answer != 'Y';
    if (fd >= 0)
        close(fd);
    return copies
               ? 0
               : error_set(e, ERR_NOT_IMPLEMENTED, "The host's overlays do not copy whole files (parameter metacopy)");
}

static int flatten_walk(const char *folder, bool links, const atomic_bool *stop, struct error *e)
{
    struct flattening f = {.folder = folder}, **at = &flatten_all;
    char *root = strbuf_print("%s/" DOMAIN_XML_TREE, folder),
         *upper = strbuf_print("%s/" TREE_LAYER "/" TREE_UPPER, folder);
    struct tree_walk walk = {.root = root,
                             .upper = upper,
                             .first = id_range_of(folder),
                             .links = links,
                             .stop = stop,
                             .total = &f.total,
                             .done = &f.done};
    pthread_mutex_lock(&flatten_lock);
    f.next = flatten_all;
    flatten_all = &f;
    pthread_mutex_unlock(&flatten_lock);
    int code = flatten_check_kernel(e);
    code = code ? code : tree_walk(&walk, e);
    pthread_mutex_lock(&flatten_lock);
    while (*at != &f)
        at = &(*at)->next;
    *at = f.next;
    pthread_mutex_unlock(&flatten_lock);
    free(root);
    free(upper);
    return code;
}

bool tree_flatten_measure(const char *folder, int64_t *ret_done, int64_t *ret_total)
{
    bool found = false;
    pthread_mutex_lock(&flatten_lock);
    for (const struct flattening *f = flatten_all; f && !found; f = f->next) {
        found = strcmp(f->folder, folder) == 0;
        if (found) {
            *ret_total = f->total;
            *ret_done = f->done;
        }
    }
    pthread_mutex_unlock(&flatten_lock);
    return found;
}

/* ---- what hid the image's files ---- */

static int flatten_tidy_in(int fd, struct error *e);

static int flatten_tidy_one(int folder, const char *name, struct error *e)
{
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW))
        return flatten_fail(name, e);
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0))
        return unlinkat(folder, name, 0) ? flatten_fail(name, e) : 0;
    if (!S_ISDIR(st.st_mode))
        return 0;
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? flatten_fail(name, e) : flatten_tidy_in(fd, e);
}

/* Closes it; its time stays what it is. Nothing is deeper than the walk was. */
static int flatten_tidy_in(int fd, struct error *e)
{
    struct stat st;
    DIR *dir = fstat(fd, &st) ? NULL : fdopendir(fd);
    int code = dir ? 0 : flatten_fail("a folder", e);
    if (!dir)
        close(fd);
    for (struct dirent *d; !code && dir && (d = readdir(dir));) {
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            code = flatten_tidy_one(dirfd(dir), d->d_name, e);
    }
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    if (!code && futimens(fd, times))
        code = flatten_fail("a folder", e);
    if (dir)
        closedir(dir);
    return code;
}

int tree_flatten_tidy(const char *folder, const char *upper, struct error *e)
{
    if (!flatten_is_wanted(folder) || !flatten_is_flat(folder))
        return 0;
    int fd = open(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? flatten_fail(upper, e) : flatten_tidy_in(fd, e);
}

/* ---- the change ---- */

/* The volume stays mounted: some process on the host may have it in a mount namespace of its own, and it must not be
 * mounted twice. The container's own processes are gone, so nobody uses the overlay that was. */
static void flatten_unmount(const char *folder)
{
    char *root = strbuf_print("%s/" DOMAIN_XML_TREE, folder);
    volume_unmount(root);
    free(root);
}

static int flatten_change(const char *folder, struct error *e)
{
    char *layer = strbuf_print("%s/" TREE_LAYER, folder);
    int code = flatten_sync(layer, true, e);
    code = code ? code : flatten_write_link(folder, TREE_FLATTEN, "next-start", e);
    code = code ? code : flatten_write_link(folder, TREE_BASE, TREE_FLAT, e);
    free(layer);
    return code;
}

static int flatten_tidy_volume(const char *folder, struct error *e)
{
    char *layer = strbuf_print("%s/" TREE_LAYER, folder), *upper = strbuf_print("%s/" TREE_UPPER, layer);
    flatten_unmount(folder);
    int code = tree_mount_own(folder, e);
    code = code ? code : tree_flatten_tidy(folder, upper, e);
    code = code ? code : flatten_sync(layer, true, e);
    free(layer);
    free(upper);
    return code ? code : flatten_forget(folder, e);
}

static int flatten_walk_off(const char *folder, const atomic_bool *stop, struct error *e)
{
    int code = flatten_write_link(folder, TREE_FLATTEN, "next-start", e);
    code = code ? code : tree_mount_layers(folder, e);
    code = code ? code : flatten_walk(folder, true, stop, e);
    if (code && code != ERR_CONFLICT)
        flatten_forget(folder, NULL);
    return code;
}

/* *ret_kept: it failed, and keeps its image. */
static int flatten_off(const char *folder, const atomic_bool *stop, bool *ret_kept, struct error *e)
{
    *ret_kept = !flatten_is_flat(folder) && flatten_walk_off(folder, stop, e);
    if (*ret_kept)
        return e->code;
    int code = flatten_is_flat(folder) ? 0 : flatten_change(folder, e);
    return code ? code : flatten_tidy_volume(folder, e);
}

/* One at a time; who copies the volume waits, too (tree_copy.h). The descriptor is closed by the caller. */
static int flatten_hold(const char *folder, int *ret, struct error *e)
{
    char *volume = strbuf_print("%s/" TREE_LAYER_FILE, folder);
    int code = 0, rc = 0;
    *ret = open(volume, O_RDONLY | O_CLOEXEC);
    while (*ret >= 0 && (rc = flock(*ret, LOCK_EX)) && errno == EINTR)
        continue;
    if (*ret < 0 || rc)
        code = error_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "The server's files are missing on its host: %s",
                         strerror(errno));
    free(volume);
    return code;
}

static void flatten_release(int lock)
{
    if (lock >= 0)
        close(lock);
}

static int flatten_held(const char *folder, bool on, const atomic_bool *stop, struct error *e)
{
    bool kept;
    if (flatten_is_flat(folder) && !flatten_is_wanted(folder))
        return 0;
    if (!on) {
        int code = flatten_off(folder, stop, &kept, e);
        if (!code)
            log_info("a container's files are all its own", "folder=%s", folder);
        return code;
    }
    if (flatten_is_flat(folder))
        return 0; /* it was tidied up before it started */
    int code = flatten_walk(folder, false, stop, e);
    return code ? code : flatten_write_link(folder, TREE_FLATTEN, "next-start", e);
}

int tree_flatten(const char *folder, bool on, const atomic_bool *stop, struct error *e)
{
    int lock, code = flatten_hold(folder, &lock, e);
    code = code ? code : flatten_held(folder, on, stop, e);
    flatten_release(lock);
    return code;
}

static int flatten_end_held(const char *folder, struct error *e)
{
    bool kept = false;
    int code = flatten_is_wanted(folder) ? flatten_off(folder, NULL, &kept, e) : 0;
    if (kept) {
        log_warn("a container keeps its image as its lower layer", "folder=%s error=\"%s\"", folder, error_text(e));
        error_clear(e);
        code = 0;
    }
    return code;
}

int tree_flatten_end(const char *folder, struct error *e)
{
    if (!flatten_is_wanted(folder))
        return 0;
    int lock, code = flatten_hold(folder, &lock, e);
    code = code ? code : flatten_end_held(folder, e);
    flatten_release(lock);
    return code;
}

int tree_flatten_inherit(const char *from, const char *to, struct error *e)
{
    return flatten_is_wanted(from) ? flatten_write_link(to, TREE_FLATTEN, "next-start", e) : 0;
}
