/* Links, renames and headers. The order is: the overlay that names the layer, the layer's own name, the disk's name for
 * the overlay; each on disk before the next. The lock is a file's, so it ends with its process and holds between hosts.
 */
#include "compute-agent/storage/layer.h"
#include "common/child.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "common/uuid.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/xml/domain_xml.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYER_LOCK        ".lock"
#define LAYER_SUFFIX      ".qcow2"
#define LAYER_NEXT        ".next"
#define LAYER_DEADLINE_MS 60000

/* ---- names ---- */

static char *layer_folder(const struct settings *settings)
{
    return strbuf_print("%s/" LAYER_FOLDER, settings->instances_dir);
}

char *layer_path(const struct settings *settings, const char *clone_id)
{
    return strbuf_print("%s/" LAYER_FOLDER "/%s" LAYER_SUFFIX, settings->instances_dir, clone_id);
}

static bool layer_is_name(const char *name)
{
    char id[UUID_SIZE] = "";
    if (strlen(name) != UUID_SIZE - 1 + strlen(LAYER_SUFFIX) || strcmp(name + UUID_SIZE - 1, LAYER_SUFFIX) != 0)
        return false;
    memcpy(id, name, UUID_SIZE - 1);
    return uuid_valid(id);
}

bool layer_is(const char *instances, const char *path)
{
    char *folder = strbuf_print("%s/" LAYER_FOLDER, instances);
    size_t size = strlen(folder);
    bool is = strncmp(path, folder, size) == 0 && path[size] == '/' && layer_is_name(path + size + 1);
    free(folder);
    return is;
}

int layer_chain(const char *instances, const char *disk, struct arena *a, const char ***ret, size_t *ret_count,
                struct error *e)
{
    char backing[IMAGE_CHECK_NAME_SIZE];
    const char **files = arena_array(a, LAYER_MOST + 2, sizeof(*files)), *at = disk;
    size_t count = 0;
    int code;
    while (!(code = image_check_backing(at, backing, e)) && backing[0]) {
        if (count > LAYER_MOST)
            return error_set(e, ERR_CORRUPT, "%s has too many files behind it", disk);
        at = files[count++] = arena_strdup(a, backing);
        if (!layer_is(instances, at))
            break;
    }
    *ret = files;
    *ret_count = count;
    return code;
}

/* ---- making ---- */

static int layer_sync(const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int code = fd < 0 || fsync(fd) ? error_set(e, ERR_IO, "%s: %s", path, strerror(errno)) : 0;
    if (fd >= 0)
        close(fd);
    return code;
}

static int layer_sync_folder_of(const char *path, struct error *e)
{
    char *folder = memory_strdup(path);
    *strrchr(folder, '/') = '\0';
    int code = layer_sync(folder, e);
    free(folder);
    return code;
}

/* With `size`, without looking at the base: it need not be there yet. */
static int layer_make(const char *base, const char *path, const char *size, struct error *e)
{
    const char *sized[] = {"qemu-img", "create", "-q",    "-u", "-f", "qcow2", "-b",
                           base,       "-F",     "qcow2", "--", path, size,    NULL};
    const char *alike[] = {"qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", "--", path, NULL};
    struct child child = {.argv = size ? sized : alike, .deadline_ms = LAYER_DEADLINE_MS};
    unlink(path);
    int code = child_run(&child, NULL, e);
    return code ? code : layer_sync(path, e);
}

/* The size that the guest sees, from the header (docs/interop/qcow2.txt of QEMU). */
static int layer_measure(const char *path, char ret[24], struct error *e)
{
    unsigned char bytes[8];
    uint64_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && pread(fd, bytes, sizeof(bytes), 24) == (ssize_t)sizeof(bytes);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (!good)
        return error_set(e, ERR_IO, "%s: %s", path, strerror(why));
    for (size_t i = 0; i < sizeof(bytes); i++)
        size = size << 8 | bytes[i];
    snprintf(ret, 24, "%llu", (unsigned long long)size);
    return 0;
}

static bool layer_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool layer_is_split(const char *disk, const char *layer)
{
    return access(layer, F_OK) == 0 && !layer_same_file(disk, layer);
}

static int layer_rename(const char *from, const char *to, struct error *e)
{
    int code = rename(from, to) ? error_set(e, ERR_IO, "%s: %s", to, strerror(errno)) : 0;
    return code ? code : layer_sync_folder_of(to, e);
}

int layer_begin(const char *disk, const char *layer, const char *next, struct error *e)
{
    char size[24];
    if (layer_is_split(disk, layer))
        return 0;
    int code = layer_measure(disk, size, e);
    code = code ? code : layer_make(layer, next, size, e);
    code = code ? code : layer_sync_folder_of(next, e);
    if (!code && link(disk, layer) && errno != EEXIST)
        code = error_set(e, ERR_IO, "%s: %s", layer, strerror(errno));
    return code ? code : layer_sync_folder_of(layer, e);
}

int layer_publish(const char *next, const char *disk, struct error *e)
{
    char *again = strbuf_print("%s" LAYER_NEXT, disk);
    unlink(again);
    int code = link(next, again) ? error_set(e, ERR_IO, "%s: %s", again, strerror(errno)) : 0;
    code = code ? code : layer_rename(again, disk, e);
    free(again);
    return code;
}

int layer_split(const char *disk, const char *layer, struct error *e)
{
    char *next = strbuf_print("%s" LAYER_NEXT, disk);
    int code = layer_begin(disk, layer, next, e);
    if (!code && !layer_is_split(disk, layer))
        code = layer_rename(next, disk, e);
    free(next);
    return code;
}

/* "root." of "root.qcow2". */
static size_t layer_stem_size(const char *disk)
{
    return (size_t)(strrchr(disk, '.') - disk) + 1;
}

char *layer_next(const char *disk, const char *clone_id)
{
    return strbuf_print("%.*s%s" LAYER_SUFFIX, (int)layer_stem_size(disk), disk, clone_id);
}

bool layer_is_disk(const char *disk, const char *file)
{
    size_t size = layer_stem_size(disk);
    return strcmp(disk, file) == 0 || (strncmp(disk, file, size) == 0 && layer_is_name(file + size));
}

static int layer_drop_name(const char *disk, const char *name, struct error *e)
{
    (void)disk;
    return unlink(name) && errno != ENOENT ? error_set(e, ERR_IO, "%s: %s", name, strerror(errno)) : 0;
}

static int layer_mend_one(const char *disk, const char *next, struct error *e)
{
    char backing[IMAGE_CHECK_NAME_SIZE] = "";
    bool pending = !layer_same_file(disk, next) && image_check_backing(next, backing, NULL) == 0 && backing[0] &&
                   layer_same_file(backing, disk);
    return pending ? layer_rename(next, disk, e) : layer_drop_name(disk, next, e);
}

static int layer_each_name(const char *disk, const char *keep,
                           int (*each)(const char *disk, const char *name, struct error *e), struct error *e)
{
    char *folder = memory_strdup(disk);
    int code = 0;
    *strrchr(folder, '/') = '\0';
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir && !code && (d = readdir(dir));) {
        char *name = strbuf_print("%s/%s", folder, d->d_name);
        if (strcmp(name, disk) != 0 && strcmp(name, keep) != 0 && layer_is_disk(disk, name))
            code = each(disk, name, e);
        free(name);
    }
    if (dir)
        closedir(dir);
    free(folder);
    return code;
}

int layer_mend(const char *disk, struct error *e)
{
    char *next = strbuf_print("%s" LAYER_NEXT, disk);
    unlink(next); /* of a split that was not finished: it would be made anew */
    free(next);
    return layer_each_name(disk, disk, layer_mend_one, e);
}

int layer_drop_names(const char *disk, const char *keep, struct error *e)
{
    return layer_each_name(disk, keep, layer_drop_name, e);
}

int layer_overlay(const char *layer, const char *disk, struct error *e)
{
    if (access(disk, F_OK) == 0)
        return 0;
    char *part = strbuf_print("%s.part", disk);
    int code = layer_make(layer, part, NULL, e);
    if (!code && rename(part, disk))
        code = error_set(e, ERR_IO, "%s: %s", disk, strerror(errno));
    code = code ? code : layer_sync_folder_of(disk, e);
    free(part);
    return code;
}

/* ---- holding ---- */

static int layer_lock(const struct settings *settings, int how)
{
    char *path = strbuf_print("%s/" LAYER_FOLDER "/" LAYER_LOCK, settings->instances_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (fd >= 0 && flock(fd, how)) {
        close(fd);
        return -1;
    }
    return fd;
}

int layer_hold(const struct settings *settings, int *ret_hold, struct error *e)
{
    char *folder = layer_folder(settings);
    int code = file_make_dirs(folder, 0711, e);
    *ret_hold = code ? -1 : layer_lock(settings, LOCK_SH);
    if (!code && *ret_hold < 0)
        code = error_set(e, ERR_IO, "%s cannot be locked: %s", folder, strerror(errno));
    free(folder);
    return code;
}

void layer_release(const struct settings *settings, int hold)
{
    if (hold < 0)
        return;
    close(hold);
    layer_tidy(settings);
}

/* ---- tidying ---- */

struct layer_found {
    char *path;
    bool needed;
};
struct layer_list {
    struct layer_found *items;
    size_t count;
};

/* False: there is something that cannot be read. */
static bool layer_note(struct layer_list *list, const char *file)
{
    char backing[IMAGE_CHECK_NAME_SIZE];
    int code = image_check_backing(file, backing, NULL);
    for (size_t i = 0; !code && i < list->count; i++)
        list->items[i].needed = list->items[i].needed || strcmp(list->items[i].path, backing) == 0;
    return !code || code == ERR_INVALID || access(file, F_OK) != 0;
}

static void layer_list_all(const char *folder, struct layer_list *ret)
{
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (!layer_is_name(d->d_name))
            continue;
        ret->items = memory_resize(ret->items, (ret->count + 1) * sizeof(*ret->items));
        ret->items[ret->count++] = (struct layer_found){.path = strbuf_print("%s/%s", folder, d->d_name)};
    }
    if (dir)
        closedir(dir);
}

/* Also what is half made or half moved, and what a guest is to go over to. False: something could not be looked at, so
 * nothing may be removed. */
static bool layer_note_disks(const char *folder, struct layer_list *list)
{
    static const char stem[] = "root.";
    DIR *dir = opendir(folder);
    bool known = dir || errno == ENOENT || errno == ENOTDIR;
    for (struct dirent *d; dir && (d = readdir(dir));) {
        char *file = strbuf_print("%s/%s", folder, d->d_name);
        if (strncmp(d->d_name, stem, strlen(stem)) == 0)
            known = layer_note(list, file) && known;
        free(file);
    }
    if (dir)
        closedir(dir);
    return known;
}

static bool layer_note_servers(const char *instances, struct layer_list *list)
{
    DIR *dir = opendir(instances);
    bool known = dir != NULL;
    for (struct dirent *d; dir && (d = readdir(dir));) {
        char *folder = strbuf_print("%s/%s", instances, d->d_name);
        if (d->d_name[0] != '.')
            known = layer_note_disks(folder, list) && known;
        free(folder);
    }
    if (dir)
        closedir(dir);
    return known;
}

/* One that goes may have been the last to need another. */
static bool layer_remove_unneeded(const char *instances, const char *folder)
{
    struct layer_list list = {0};
    bool removed = false;
    layer_list_all(folder, &list);
    bool known = list.count && layer_note_servers(instances, &list);
    for (size_t i = 0; i < list.count; i++)
        known = layer_note(&list, list.items[i].path) && known;
    for (size_t i = 0; i < list.count; i++) {
        if (known && !list.items[i].needed && unlink(list.items[i].path) == 0) {
            log_info("layer removed", "file=%s", list.items[i].path);
            removed = true;
        }
        free(list.items[i].path);
    }
    free(list.items);
    return removed;
}

void layer_tidy(const struct settings *settings)
{
    char *folder = layer_folder(settings);
    int lock = access(folder, F_OK) == 0 ? layer_lock(settings, LOCK_EX | LOCK_NB) : -1;
    while (lock >= 0 && layer_remove_unneeded(settings->instances_dir, folder))
        ;
    if (lock >= 0)
        close(lock);
    free(folder);
}

bool layer_forget(const struct settings *settings)
{
    char *folder = layer_folder(settings);
    char *lock = strbuf_print("%s/" LAYER_LOCK, folder);
    layer_tidy(settings);
    bool gone = access(folder, F_OK) != 0 || ((unlink(lock) == 0 || errno == ENOENT) && rmdir(folder) == 0);
    free(lock);
    free(folder);
    return gone;
}
