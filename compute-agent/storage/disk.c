/* qemu-img makes the files; backing file and format are always named, nothing is guessed. */
#include "compute-agent/storage/disk.h"
#include "common/child.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/xml/domain_xml.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DISK_DEADLINE_MS 60000
#define DISK_COPY_MS     1800000
#define DISK_GIB         ((int64_t)1 << 30)
#define DISK_MIB         ((int64_t)1 << 20)
#define DISK_SLACK       (64 * DISK_MIB) /* free space below which nothing new is begun */

static int disk_create(const char *path, const struct disk_base *base, int64_t bytes, struct error *e)
{
    char size[24];
    snprintf(size, sizeof(size), "%lld", (long long)bytes);
    const char *with[] = {"qemu-img", "create",     "-q", "-f", "qcow2", "-b", base->path,
                          "-F",       base->format, "--", path, size,    NULL};
    const char *without[] = {"qemu-img", "create", "-q", "-f", "qcow2", "--", path, size, NULL};
    struct child child = {.argv = base->path ? with : without, .deadline_ms = DISK_DEADLINE_MS};
    return child_run(&child, NULL, e);
}

/* Where the file system can, the copy shares the base's blocks until one of them is written. */
static int disk_copy_raw(const char *path, const struct disk_base *base, struct error *e)
{
    const char *copy[] = {"cp", "--reflink=auto", "--sparse=always", "--", base->path, path, NULL};
    const char *convert[] = {"qemu-img", "convert", "-q",   "-f",       base->format, "-O",
                             "raw",      "-t",      "none", base->path, path,         NULL};
    struct child child = {.argv = strcmp(base->format, "raw") == 0 ? copy : convert, .deadline_ms = DISK_COPY_MS};
    return child_run(&child, NULL, e);
}

static int disk_create_raw(const char *path, const struct disk_base *base, int64_t bytes, struct error *e)
{
    unlink(path);
    int code = base->path ? disk_copy_raw(path, base, e) : 0;
    if (code)
        return code;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, bytes) || fsync(fd))
        code = error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return code;
}

static int disk_check_space(const char *folder, struct error *e)
{
    struct statvfs fs;
    if (statvfs(folder, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < (uint64_t)DISK_SLACK)
        return error_set(e, ERR_NO_SPACE, "There is no space left on the host for the server's disk");
    return 0;
}

/* By its header alone, as every start asks. */
static int disk_read_size(const char *path, int64_t *ret_bytes, struct error *e)
{
    unsigned char header[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : pread(fd, header, sizeof(header), 0);
    int code = size < 0 ? error_set(e, ERR_IO, "%s: %s", path, strerror(errno)) : 0;
    if (fd >= 0)
        close(fd);
    if (!code && (size != (ssize_t)sizeof(header) || memcmp(header, "QFI\xfb", 4) != 0))
        code = error_set(e, ERR_CORRUPT, "%s is no qcow2 file", path);
    uint64_t bytes = 0;
    for (size_t i = 24; i < sizeof(header); i++)
        bytes = bytes << 8 | header[i];
    if (!code)
        *ret_bytes = (int64_t)bytes;
    return code;
}

static int disk_enlarge(const char *path, int64_t bytes, struct error *e)
{
    char size[24];
    int64_t now = 0;
    snprintf(size, sizeof(size), "%lld", (long long)bytes);
    const char *resize[] = {"qemu-img", "resize", "-q", "-f", "qcow2", "--", path, size, NULL};
    struct child child = {.argv = resize, .deadline_ms = DISK_DEADLINE_MS};
    int code = disk_read_size(path, &now, e);
    return code || now >= bytes ? code : child_run(&child, NULL, e);
}

static int disk_enlarge_raw(const char *path, int64_t bytes, struct error *e)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_size >= bytes || truncate(path, bytes) == 0))
        return 0;
    return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
}

/* The two ways to keep disks. */
struct disk_kind {
    const char *root, *ephemeral, *swap; /* files */
    int (*create)(const char *path, const struct disk_base *base, int64_t bytes, struct error *e);
    int (*enlarge)(const char *path, int64_t bytes, struct error *e); /* unless it is as large */
};
static const struct disk_kind disk_overlays = {DOMAIN_XML_ROOT, DOMAIN_XML_EPHEMERAL, DOMAIN_XML_SWAP, disk_create,
                                               disk_enlarge};
static const struct disk_kind disk_raws = {DOMAIN_XML_RAW_ROOT, DOMAIN_XML_RAW_EPHEMERAL, DOMAIN_XML_RAW_SWAP,
                                           disk_create_raw, disk_enlarge_raw};

struct disk_job {
    const struct disk_kind *kind;
    const char *folder;
    bool first;
};

static int disk_make_one(const struct disk_job *j, const char *name, const struct disk_base *base, int64_t bytes,
                         struct error *e)
{
    struct strbuf path, partial;
    strbuf_init(&path, 0);
    strbuf_init(&partial, 0);
    strbuf_appendf(&path, "%s/%s", j->folder, name);
    strbuf_appendf(&partial, "%s.part", path.data);
    int code = 0;
    if (access(path.data, F_OK) == 0)
        code = 0;
    else if (!j->first)
        code = error_set(e, ERR_NOT_FOUND, "The server's disk %s is missing on its host", name);
    else if (!(code = disk_check_space(j->folder, e)) && !(code = j->kind->create(partial.data, base, bytes, e)) &&
             rename(partial.data, path.data))
        code = error_set(e, ERR_IO, "%s: %s", path.data, strerror(errno));
    if (code)
        unlink(partial.data);
    strbuf_done(&path);
    strbuf_done(&partial);
    return code;
}

static bool disk_has_root(const struct disk_job *j)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s", j->folder, j->kind->root);
    bool there = access(path.data, F_OK) == 0;
    strbuf_done(&path);
    return there;
}

static int disk_make_others(const struct disk_job *j, int64_t ephemeral_gib, int64_t swap_mib, struct error *e)
{
    static const struct disk_base none = {0};
    int code = 0;
    if (ephemeral_gib > 0)
        code = disk_make_one(j, j->kind->ephemeral, &none, ephemeral_gib * DISK_GIB, e);
    if (!code && swap_mib > 0)
        code = disk_make_one(j, j->kind->swap, &none, swap_mib * DISK_MIB, e);
    return code;
}

/* Of a size that the server had between a resize and its way back. */
static int disk_drop(const struct disk_job *j, const char *name, struct error *e)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s", j->folder, name);
    int code = unlink(path.data) && errno != ENOENT ? error_set(e, ERR_IO, "%s: %s", path.data, strerror(errno)) : 0;
    strbuf_append_text(&path, ".part"); /* of a making that did not end */
    unlink(path.data);
    strbuf_done(&path);
    return code;
}

static int disk_drop_others(const struct disk_job *j, int64_t ephemeral_gib, int64_t swap_mib, struct error *e)
{
    int code = ephemeral_gib == 0 ? disk_drop(j, j->kind->ephemeral, e) : 0;
    return code || swap_mib > 0 ? code : disk_drop(j, j->kind->swap, e);
}

int disk_drop_more(const char *folder, int64_t ephemeral_gib, int64_t swap_mib, struct error *e)
{
    return disk_drop_others(&(struct disk_job){&disk_overlays, folder, false}, ephemeral_gib, swap_mib, e);
}

static int disk_make_all(const struct disk_job *j, const struct spec *spec, const struct disk_base *base,
                         struct error *e)
{
    int64_t root = spec->root_gib * DISK_GIB;
    if (j->first && spec->image && spec->image->deleted && !disk_has_root(j))
        return error_set(e, ERR_NOT_FOUND, "The image %s was deleted before the server's first start", spec->image->id);
    if (root == 0)
        root = base->virtual_bytes;
    if (j->first && base->virtual_bytes > root)
        return error_set(e, ERR_INVALID, "The image needs a disk of %lld GiB, the flavor has %lld GiB",
                         (long long)((base->virtual_bytes + DISK_GIB - 1) / DISK_GIB), (long long)spec->root_gib);
    if (root == 0 && !disk_has_root(j))
        return error_set(e, ERR_INVALID, "Neither image nor flavor gives the disk a size");
    int code = disk_make_one(j, j->kind->root, base, root, e);
    return code ? code : disk_make_others(j, spec->ephemeral_gib, spec->swap_mib, e);
}

/* bytes 0: as large as it is. */
static int disk_grow(const struct disk_job *j, const char *name, int64_t bytes, struct error *e)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s", j->folder, name);
    int code = bytes > 0 ? j->kind->enlarge(path.data, bytes, e) : 0;
    strbuf_done(&path);
    return code;
}

static int disk_fit(const struct disk_job *j, const struct spec *spec, const struct disk_base *base, struct error *e)
{
    int code = disk_make_all(j, spec, base, e);
    code = code ? code : disk_grow(j, j->kind->root, spec->root_gib * DISK_GIB, e);
    code = code ? code : disk_grow(j, j->kind->ephemeral, spec->ephemeral_gib * DISK_GIB, e);
    code = code ? code : disk_grow(j, j->kind->swap, spec->swap_mib * DISK_MIB, e);
    return code ? code : disk_drop_others(j, spec->ephemeral_gib, spec->swap_mib, e);
}

int disk_make(const char *folder, const struct spec *spec, const struct disk_base *base, bool first, struct error *e)
{
    return disk_fit(&(struct disk_job){&disk_overlays, folder, first}, spec, base, e);
}

int disk_make_more(const char *folder, int64_t ephemeral_gib, int64_t swap_mib, struct error *e)
{
    return disk_make_others(&(struct disk_job){&disk_overlays, folder, true}, ephemeral_gib, swap_mib, e);
}

int disk_make_raw(const char *folder, const struct spec *spec, const struct disk_base *base, bool first,
                  struct error *e)
{
    return disk_fit(&(struct disk_job){&disk_raws, folder, first}, spec, base, e);
}

static int disk_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path) && errno != ENOENT ? -1 : 0;
}

int disk_remove_folder(const char *folder, struct error *e)
{
    /* Without FTW_MOUNT: on overlayfs a folder and the files in it may differ in their device. */
    if (nftw(folder, disk_remove_one, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
        return error_set(e, ERR_IO, "%s cannot be removed: %s", folder, strerror(errno));
    return 0;
}
