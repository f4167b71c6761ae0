/* tar and unsquashfs unpack by themselves. A disk is made raw by qemu-img, its partitions are read by partx, and its
 * file system by fuse2fs, in the confined program's own mount namespace: no code of the kernel trusts what the tenant
 * wrote. */
#include "compute-agent/storage/unpack.h"
#include "common/child.h"
#include "common/strbuf.h"
#include "compute-agent/xml/domain_xml.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNPACK_DEADLINE_MS 300000
#define UNPACK_CPU_S       300
#define UNPACK_MEMORY      ((int64_t)2 << 30)
#define UNPACK_LIST_MOST   ((size_t)256 << 20)
#define UNPACK_RAW         "disk.raw"
#define UNPACK_SECTOR      512
#define UNPACK_EXT_MAGIC   1080 /* little-endian 0xef53, fs/ext4/ext4.h, s_magic */

/* Anything but a lack of programs, space or time is the image's fault. */
static int unpack_run(struct child *child, struct strbuf *output, const char *what, struct error *e)
{
    struct error why = {0};
    child->deadline_ms = UNPACK_DEADLINE_MS;
    child->cpu_seconds = UNPACK_CPU_S;
    child->memory_bytes = UNPACK_MEMORY;
    child->confined_as = DOMAIN_XML_IDS_FIRST;
    int code = child_run(child, output, &why);
    if (code == ERR_IO)
        return error_set(e, ERR_INVALID, "%s: %s", what, error_text(&why));
    return code ? error_set(e, code, "%s", error_text(&why)) : 0;
}

static int unpack_tar(const char *image, const char *folder, const char *scratch, struct error *e)
{
    (void)scratch;
    const char *argv[] = {"tar",        "--extract",  "--numeric-owner",   "--same-owner",    "--same-permissions",
                          "--file",     "/dev/stdin", "--exclude=./dev/*", "--exclude=dev/*", "--exclude=/dev/*",
                          "--anchored", NULL};
    struct child child = {.argv = argv, .directory = folder, .input = image};
    return unpack_run(&child, NULL, "The image cannot be unpacked", e);
}

static int unpack_squashfs(const char *image, const char *folder, const char *scratch, struct error *e)
{
    (void)scratch;
    const char *argv[] = {"unsquashfs", "-no-progress", "-quiet",     "-no-xattrs", "-force", "-dest",
                          ".",          "-excludes",    "/dev/stdin", "dev/*",      NULL};
    struct child child = {.argv = argv, .directory = folder, .input = image};
    return unpack_run(&child, NULL, "The image cannot be unpacked", e);
}

/* ---- a disk ---- */

static int unpack_convert(const char *image, const char *format, const char *scratch, struct error *e)
{
    char from[128];
    snprintf(from, sizeof(from), "driver=%s,file.driver=file,file.filename=/dev/stdin,file.locking=off", format);
    const char *argv[] = {"qemu-img", "convert", "-q", "--image-opts", from, "-O", "raw", UNPACK_RAW, NULL};
    struct child child = {.argv = argv, .directory = scratch, .input = image};
    return unpack_run(&child, NULL, "The image's disk cannot be read", e);
}

/* What begins at that offset; NULL when it is nothing that is known. */
static const char *unpack_know(int fd, int64_t offset)
{
    static const struct {
        const char *name;
        off_t offset;
        size_t size;
        const char *bytes;
    } rows[] = {{"ext", UNPACK_EXT_MAGIC, 2, "\x53\xef"},
                {"xfs", 0, 4, "XFSB"},
                {"btrfs", 65600, 8, "_BHRfS_M"},
                {"LVM", 536, 8, "LVM2 001"},
                {"LUKS", 0, 6, "LUKS\xba\xbe"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char found[8];
        if (pread(fd, found, rows[i].size, (off_t)offset + rows[i].offset) == (ssize_t)rows[i].size &&
            memcmp(found, rows[i].bytes, rows[i].size) == 0)
            return rows[i].name;
    }
    return NULL;
}

struct unpack_choice {
    int64_t offset, sectors; /* sectors < 0: none yet */
    const char *other;       /* something that cannot be read */
};

static void unpack_consider(int fd, int64_t first, int64_t sectors, struct unpack_choice *choice)
{
    const char *name = unpack_know(fd, first * UNPACK_SECTOR);
    if (name && strcmp(name, "ext") != 0) {
        choice->other = name;
    } else if (name && sectors > choice->sectors) {
        choice->sectors = sectors;
        choice->offset = first * UNPACK_SECTOR;
    }
}

/* Lines of two numbers; a disk without a table of partitions has none. */
static int unpack_partitions(const char *scratch, struct strbuf *ret, struct error *e)
{
    const char *argv[] = {"partx", "--raw", "--noheadings", "--output", "START,SECTORS", UNPACK_RAW, NULL};
    struct child child = {.argv = argv, .directory = scratch};
    int code = unpack_run(&child, ret, "partitions", NULL);
    return code && code != ERR_INVALID ? error_set(e, code, "The partitions of the image's disk cannot be read") : 0;
}

static int unpack_choose(const char *scratch, int64_t *ret_offset, struct error *e)
{
    struct unpack_choice choice = {.sectors = -1};
    struct strbuf raw, table;
    strbuf_init(&raw, 0);
    strbuf_init(&table, 1 << 20);
    strbuf_appendf(&raw, "%s/" UNPACK_RAW, scratch);
    int code = unpack_partitions(scratch, &table, e);
    int fd = code ? -1 : open(raw.data, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (!code && fd < 0)
        code = error_set(e, ERR_IO, "%s: %s", raw.data, strerror(errno));
    if (!code) {
        unpack_consider(fd, 0, 0, &choice);
        for (char *at = table.data, *end; *at; at = end + strcspn(end, "0123456789")) {
            int64_t first = strtoll(at, &end, 10), sectors = end > at ? strtoll(end, &end, 10) : 0;
            if (end == at)
                break;
            if (first > 0 && first < INT64_MAX / UNPACK_SECTOR)
                unpack_consider(fd, first, sectors, &choice);
        }
        close(fd);
    }
    if (!code && choice.sectors < 0)
        code = error_set(e, ERR_INVALID,
                         "A container's root is taken from disks with an ext2, ext3 or ext4 file system; the image's "
                         "has %s",
                         choice.other ? choice.other : "none that is known");
    *ret_offset = choice.offset;
    strbuf_done(&raw);
    strbuf_done(&table);
    return code;
}

static int unpack_mount(const char *scratch, const char *folder, int64_t offset, struct error *e)
{
    static const char script[] = "set -eo pipefail; mkdir .disk; fuse2fs -o ro,norecovery,offset=$0 /dev/stdin .disk; "
                                 "exec </dev/null; tar --directory .disk --create --numeric-owner --exclude=./dev/* "
                                 "--exclude=./lost+found --anchored . | "
                                 "tar --extract --numeric-owner --same-owner --same-permissions; umount .disk; "
                                 "rmdir .disk";
    char number[24];
    struct strbuf raw;
    snprintf(number, sizeof(number), "%lld", (long long)offset);
    strbuf_init(&raw, 0);
    strbuf_appendf(&raw, "%s/" UNPACK_RAW, scratch);
    const char *argv[] = {"unshare", "--mount", "--propagation=unchanged", "bash", "-c", script, number, NULL};
    struct child child = {.argv = argv, .directory = folder, .input = raw.data};
    int code = unpack_run(&child, NULL, "The file system of the image's disk cannot be read", e);
    strbuf_done(&raw);
    return code;
}

static int unpack_disk(const char *image, const char *format, const char *folder, const char *scratch, struct error *e)
{
    int64_t offset = 0;
    int code = unpack_convert(image, format, scratch, e);
    code = code ? code : unpack_choose(scratch, &offset, e);
    return code ? code : unpack_mount(scratch, folder, offset, e);
}

static int unpack_qcow2(const char *image, const char *folder, const char *scratch, struct error *e)
{
    return unpack_disk(image, "qcow2", folder, scratch, e);
}

static int unpack_raw(const char *image, const char *folder, const char *scratch, struct error *e)
{
    return unpack_disk(image, "raw", folder, scratch, e);
}

/* ---- all of them ---- */

static const char *const unpack_tar_list[] = {"tar",    "--list",     "--verbose", "--numeric-owner",
                                              "--file", "/dev/stdin", NULL};
static const char *const unpack_squashfs_list[] = {"unsquashfs", "-quiet", "-lln", "/dev/stdin", NULL};
static const struct unpack_kind {
    const char *format;
    const char *const *list; /* NULL: a disk, whose size says it all */
    int (*files)(const char *image, const char *folder, const char *scratch, struct error *e);
} unpack_kinds[] = {{"root-tar", unpack_tar_list, unpack_tar},
                    {"squashfs", unpack_squashfs_list, unpack_squashfs},
                    {"qcow2", NULL, unpack_qcow2},
                    {"raw", NULL, unpack_raw}};

static const struct unpack_kind *unpack_find(const char *format)
{
    for (size_t i = 0; i < sizeof(unpack_kinds) / sizeof(unpack_kinds[0]); i++) {
        if (strcmp(unpack_kinds[i].format, format) == 0)
            return &unpack_kinds[i];
    }
    return NULL;
}

/* Clients that do not know the word squashfs can only say "an archive" (container format docker): which one shows in
 * its first bytes, as tar's compression does. */
static const struct unpack_kind *unpack_look(const char *image, const char *format)
{
    const struct unpack_kind *kind = unpack_find(format);
    char magic[4] = "";
    int fd = kind && kind->files == unpack_tar ? open(image, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return kind;
    bool squashed = pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) && memcmp(magic, "hsqs", 4) == 0;
    close(fd);
    return squashed ? unpack_find("squashfs") : kind;
}

bool unpack_takes(const char *format)
{
    return unpack_find(format) != NULL;
}

/* The third word of a line of a listing: a file's size; a device's numbers do not count. */
static int64_t unpack_line_bytes(const char *line)
{
    if (*line != '-')
        return 0;
    for (int word = 0; word < 2; word++) {
        line += strcspn(line, " \n");
        line += strspn(line, " ");
    }
    return strtoll(line, NULL, 10);
}

int unpack_list(const char *image, const char *format, int64_t *ret_bytes, int64_t *ret_files, struct error *e)
{
    const struct unpack_kind *kind = unpack_look(image, format);
    if (!kind || !kind->list)
        return error_set(e, ERR_INVALID, "%s is no archive of a container's root", format);
    struct child child = {.argv = kind->list, .input = image};
    struct strbuf list, what;
    strbuf_init(&list, UNPACK_LIST_MOST);
    strbuf_init(&what, 0);
    strbuf_appendf(&what, "The image is declared as %s, but is none", format);
    int code = unpack_run(&child, &list, what.data, e);
    int64_t bytes = 0, files = 0;
    for (const char *line = list.data; !code && *line; files++) {
        if (__builtin_add_overflow(bytes, unpack_line_bytes(line), &bytes))
            code = error_set(e, ERR_INVALID, "The image's files are larger than any disk");
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    if (!code) {
        *ret_bytes = bytes;
        *ret_files = files;
    }
    strbuf_done(&list);
    strbuf_done(&what);
    return code;
}

int unpack_files(const char *image, const char *format, const char *folder, const char *scratch, struct error *e)
{
    const struct unpack_kind *kind = unpack_look(image, format);
    return kind ? kind->files(image, folder, scratch, e)
                : error_set(e, ERR_INVALID, "A container cannot be made from a %s image", format);
}
