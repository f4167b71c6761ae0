/* tar unpacks into a folder of its own, which then is given to the container's users and gets its name: a name means
 * that it is whole. Two servers that want the same image at once may both unpack it; one of them wins. */
#include "compute-agent/storage/tree.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/child.h"
#include "compute-agent/xml/domain_xml.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_DEADLINE_MS 300000
#define TREE_CPU_S       300
#define TREE_LIST_MOST   ((size_t)256 << 20)
#define TREE_PATH_MOST   1024
#define TREE_GIB         ((int64_t)1 << 30)
#define TREE_NOBODY      65534

static char *tree_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *tree_path(const char *format, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text, 0);
    va_start(args, format);
    strbuf_appendv(&text, format, args);
    va_end(args);
    return strbuf_take(&text);
}

/* ---- the archive ---- */

/* The third word of a line of tar's listing: a file's size; a device's numbers do not count. */
static int64_t tree_line_bytes(const char *line)
{
    if (*line != '-')
        return 0;
    for (int word = 0; word < 2; word++) {
        line += strcspn(line, " \n");
        line += strspn(line, " ");
    }
    return strtoll(line, NULL, 10);
}

static int64_t tree_list_bytes(const char *list)
{
    int64_t bytes = 0;
    for (const char *line = list; *line;) {
        bytes += tree_line_bytes(line);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return bytes;
}

int tree_check(const char *path, int64_t *ret_bytes, struct error *e)
{
    const char *argv[] = {"tar", "--list", "--verbose", "--numeric-owner", "--file", path, NULL};
    struct child child = {.argv = argv, .deadline_ms = TREE_DEADLINE_MS, .cpu_seconds = TREE_CPU_S};
    struct error why = {0};
    struct strbuf list;
    strbuf_init(&list, TREE_LIST_MOST);
    int code = child_run(&child, &list, &why);
    if (code == ERR_IO)
        code = error_set(e, ERR_INVALID, "The image is declared as root-tar, but is no archive: %s", error_text(&why));
    else if (code)
        error_set(e, code, "%s", error_text(&why));
    else
        *ret_bytes = tree_list_bytes(list.data);
    strbuf_done(&list);
    return code;
}

static uid_t tree_shift(uid_t id)
{
    return DOMAIN_XML_IDS_FIRST + (id < DOMAIN_XML_IDS_COUNT ? id : TREE_NOBODY);
}

/* A change of owner takes set-user-id bits away: the mode comes after it. */
static int tree_own_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)kind;
    (void)ftw;
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        return unlink(path);
    if (st->st_nlink > 1 && !S_ISDIR(st->st_mode) && st->st_uid >= DOMAIN_XML_IDS_FIRST)
        return 0; /* by another of its names */
    if (lchown(path, tree_shift(st->st_uid), tree_shift(st->st_gid)))
        return -1;
    return S_ISLNK(st->st_mode) ? 0 : chmod(path, st->st_mode & 07777);
}

int tree_own(const char *folder, struct error *e)
{
    return nftw(folder, tree_own_one, 16, FTW_DEPTH | FTW_PHYS)
               ? error_set(e, ERR_IO, "%s cannot be given to the container's users: %s", folder, strerror(errno))
               : 0;
}

static int tree_unpack_into(const char *image, const char *folder, struct error *e)
{
    const char *argv[] = {"tar",    "--extract", "--numeric-owner", "--same-owner", "--same-permissions",
                          "--file", image,       "--directory",     folder,         NULL};
    struct child child = {.argv = argv, .deadline_ms = TREE_DEADLINE_MS, .cpu_seconds = TREE_CPU_S};
    int code =
        chmod(folder, 0755) ? error_set(e, ERR_IO, "%s: %s", folder, strerror(errno)) : child_run(&child, NULL, e);
    return code ? code : tree_own(folder, e);
}

static int tree_unpack(const char *image, struct error *e)
{
    char *whole = tree_path("%s" TREE_SUFFIX, image), *partial = tree_path("%s" TREE_SUFFIX ".XXXXXX", image);
    int code = 0;
    if (access(whole, F_OK) != 0) {
        code = mkdtemp(partial) ? tree_unpack_into(image, partial, e)
                                : error_set(e, ERR_IO, "%s: %s", partial, strerror(errno));
        if (!code && rename(partial, whole) && access(whole, F_OK) != 0)
            code = error_set(e, ERR_IO, "%s: %s", whole, strerror(errno));
        disk_remove_folder(partial, NULL); /* gone, unless somebody was quicker */
    }
    free(whole);
    free(partial);
    return code;
}

void tree_forget(const char *image)
{
    char *whole = tree_path("%s" TREE_SUFFIX, image), *old = tree_path("%s" TREE_SUFFIX ".old", image);
    if (rename(whole, old) == 0 || errno != ENOENT)
        disk_remove_folder(old, NULL);
    free(whole);
    free(old);
}

void tree_tidy(const char *image_folder)
{
    DIR *dir = opendir(image_folder);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (strstr(d->d_name, TREE_SUFFIX ".")) {
            char *path = tree_path("%s/%s", image_folder, d->d_name);
            disk_remove_folder(path, NULL);
            free(path);
        }
    }
    if (dir)
        closedir(dir);
}

/* ---- a server's ---- */

bool tree_base(const char *folder, char **ret)
{
    char target[TREE_PATH_MOST];
    char *link = tree_path("%s/" TREE_BASE, folder);
    ssize_t size = readlink(link, target, sizeof(target) - 1);
    free(link);
    if (size <= 0)
        return false;
    target[size] = '\0';
    *ret = memory_strdup(target);
    return true;
}

/* The upper layer's root is what the container sees as its root's owner and mode. */
static int tree_make_folders(const char *folder, const char *base, struct error *e)
{
    static const char *const names[] = {"upper", "work", DOMAIN_XML_TREE};
    char *lower = tree_path("%s" TREE_SUFFIX, base);
    struct stat st = {.st_mode = 0755, .st_uid = DOMAIN_XML_IDS_FIRST, .st_gid = DOMAIN_XML_IDS_FIRST};
    int code = stat(lower, &st) ? error_set(e, ERR_IO, "%s: %s", lower, strerror(errno)) : 0;
    for (size_t i = 0; !code && i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = tree_path("%s/%s", folder, names[i]);
        code = file_make_dirs(path, 0755, e);
        if (!code && (chown(path, st.st_uid, st.st_gid) || chmod(path, st.st_mode & 07777)))
            code = error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
        free(path);
    }
    free(lower);
    return code;
}

static int tree_link(const char *folder, const char *base, struct error *e)
{
    char *link = tree_path("%s/" TREE_BASE, folder);
    int code = symlink(base, link) && errno != EEXIST ? error_set(e, ERR_IO, "%s: %s", link, strerror(errno)) : 0;
    free(link);
    return code;
}

static int tree_check_wish(const struct spec *spec, const struct disk_base *base, bool first, struct error *e)
{
    if (!first)
        return error_set(e, ERR_NOT_FOUND, "The server's files are missing on its host");
    if (spec->image && spec->image->deleted)
        return error_set(e, ERR_NOT_FOUND, "The image %s was deleted before the server's first start", spec->image->id);
    if (!base->path)
        return error_set(e, ERR_INVALID, "A container cannot be made without an image");
    if (spec->root_gib > 0 && base->virtual_bytes > spec->root_gib * TREE_GIB)
        return error_set(e, ERR_INVALID, "The image needs a disk of %lld GiB, the flavor has %lld GiB",
                         (long long)((base->virtual_bytes + TREE_GIB - 1) / TREE_GIB), (long long)spec->root_gib);
    return 0;
}

int tree_make(const char *folder, const struct spec *spec, const struct disk_base *base, bool first, struct error *e)
{
    char *had;
    if (tree_base(folder, &had)) {
        free(had);
        return 0;
    }
    int code = tree_check_wish(spec, base, first, e);
    code = code ? code : tree_unpack(base->path, e);
    code = code ? code : tree_make_folders(folder, base->path, e);
    return code ? code : tree_link(folder, base->path, e);
}

/* ---- mounting ---- */

static bool tree_is_mounted(const char *folder, const char *root)
{
    struct stat outer, inner;
    return stat(folder, &outer) == 0 && stat(root, &inner) == 0 && outer.st_dev != inner.st_dev;
}

/* Options are separated by commas, layers by colons. */
static int tree_check_name(const char *path, struct error *e)
{
    return strpbrk(path, ",:\\")
               ? error_set(e, ERR_INVALID, "%s: an overlay's path has no comma, colon or backslash", path)
               : 0;
}

static int tree_mount_on(const char *folder, const char *base, const char *root, struct error *e)
{
    int code = tree_check_name(folder, e);
    code = code ? code : tree_check_name(base, e);
    code = code ? code : tree_unpack(base, e);
    if (code)
        return code;
    char *layers = tree_path("lowerdir=%s" TREE_SUFFIX ",upperdir=%s/upper,workdir=%s/work", base, folder, folder);
    if (mount("overlay", root, "overlay", MS_NODEV, layers))
        code = error_set(e, ERR_IO, "The server's files cannot be mounted at %s: %s", root, strerror(errno));
    free(layers);
    return code;
}

int tree_mount(const char *folder, struct error *e)
{
    char *base = NULL, *root = tree_path("%s/" DOMAIN_XML_TREE, folder);
    int code = 0;
    if (!tree_base(folder, &base))
        code = error_set(e, ERR_NOT_FOUND, "The server's files are missing on its host");
    else if (!tree_is_mounted(folder, root))
        code = tree_mount_on(folder, base, root, e);
    free(base);
    free(root);
    return code;
}

void tree_unmount(const char *folder)
{
    char *root = tree_path("%s/" DOMAIN_XML_TREE, folder);
    while (umount2(root, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        continue;
    free(root);
}
