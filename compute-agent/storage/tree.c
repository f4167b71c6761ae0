/* An image is unpacked into a volume of its own, which gets its name when it is whole, and is mounted read-only where
 * the first container of it starts. Two servers that want the same image at once may both unpack it; one of them wins.
 * Mounts do not outlive the host: whatever is missing is mounted again with the next start. */
#include "compute-agent/storage/tree.h"
#include "common/child.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/storage/id_mount.h"
#include "compute-agent/storage/id_range.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/storage/tree_flatten.h"
#include "compute-agent/storage/tree_snapshot.h"
#include "compute-agent/storage/unpack.h"
#include "compute-agent/storage/volume.h"
#include "compute-agent/xml/domain_xml.h"
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TREE_VOLUME     ".img"  /* behind TREE_SUFFIX */
#define TREE_LOWER      "lower" /* the image, or a clone's volume, for a moment */
#define TREE_MOUNT      "at"    /* while it is unpacked */
#define TREE_PATH_MOST  1024
#define TREE_GIB        ((int64_t)1 << 30)
#define TREE_SLACK      ((int64_t)64 << 20) /* free space below which nothing new is begun */
#define TREE_TRIES      250
#define TREE_WAIT_MS    20
#define TREE_FILE_BYTES 8192 /* room for so many files: one for so many bytes */

static pthread_mutex_t tree_lock = PTHREAD_MUTEX_INITIALIZER; /* who mounts an image */

static int tree_fail(const char *path, struct error *e)
{
    return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
}

/* ---- owners ---- */

static _Thread_local uid_t tree_first;

static uid_t tree_shift(uid_t id)
{
    return id < DOMAIN_XML_IDS_COUNT ? tree_first + id : id;
}

/* A change of owner takes set-user-id bits away: the mode comes after it. */
static int tree_own_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)kind;
    (void)ftw;
    if (lchown(path, tree_shift(st->st_uid), tree_shift(st->st_gid)))
        return -1;
    return S_ISLNK(st->st_mode) ? 0 : chmod(path, st->st_mode & 07777);
}

int tree_own(const char *folder, uid_t first, struct error *e)
{
    tree_first = first;
    return nftw(folder, tree_own_one, 16, FTW_DEPTH | FTW_PHYS)
               ? error_set(e, ERR_IO, "%s cannot be given to the container's users: %s", folder, strerror(errno))
               : 0;
}

static int tree_make_folder(const char *path, uid_t uid, gid_t gid, mode_t mode, struct error *e)
{
    int code = file_make_dirs(path, mode, e);
    return !code && (chown(path, uid, gid) || chmod(path, mode)) ? tree_fail(path, e) : code;
}

/* ---- the image ---- */

/* Images' names end with their format. */
static const char *tree_format(const char *image)
{
    const char *dot = strrchr(image, '.');
    return dot ? dot + 1 : "";
}

static int tree_check_space(const char *image, int64_t bytes, struct error *e)
{
    struct statvfs fs;
    char *folder = strbuf_print("%.*s", (int)(strrchr(image, '/') - image), image);
    bool full = statvfs(folder, &fs) == 0 && (int64_t)(fs.f_bavail * fs.f_frsize) < bytes + TREE_SLACK;
    free(folder);
    return full ? error_set(e, ERR_NO_SPACE, "There is no space left on the host to unpack the image") : 0;
}

/* Twice what it holds, and more: file systems differ in what a file takes. The volume is sparse. */
static int tree_make_volume(const char *image, const char *path, struct error *e)
{
    int64_t bytes = 0;
    int code = image_check(image, tree_format(image), &bytes, e);
    code = code ? code : tree_check_space(image, bytes, e);
    struct volume v = {.bytes = 2 * bytes + TREE_GIB};
    v.files = v.bytes / TREE_FILE_BYTES;
    return code ? code : volume_make(path, &v, e);
}

static int tree_unpack_at(const char *image, const char *at, const char *scratch, struct error *e)
{
    char *lost = strbuf_print("%s/lost+found", at);
    rmdir(lost);
    free(lost);
    int code = tree_make_folder(at, DOMAIN_XML_IDS_FIRST, DOMAIN_XML_IDS_FIRST, 0755, e);
    code = code ? code : tree_make_folder(scratch, DOMAIN_XML_IDS_FIRST, DOMAIN_XML_IDS_FIRST, 0700, e);
    return code ? code : unpack_files(image, tree_format(image), at, scratch, e);
}

/* `folder` holds the volume until it is whole. */
static int tree_unpack_into(const char *image, const char *folder, const char *volume, struct error *e)
{
    char *at = strbuf_print("%s/" TREE_MOUNT, folder), *scratch = strbuf_print("%s/scratch", folder);
    int code = chmod(folder, 0711) ? tree_fail(folder, e) : tree_make_volume(image, volume, e);
    code = code ? code : file_make_dirs(at, 0755, e);
    code = code ? code : volume_mount(volume, at, false, e);
    code = code ? code : tree_unpack_at(image, at, scratch, e);
    if (umount2(at, UMOUNT_NOFOLLOW) && !code) /* not lazily: what it holds is to be on disk */
        code = tree_fail(at, e);
    volume_unmount(at);
    free(at);
    free(scratch);
    return code;
}

static int tree_unpack(const char *image, struct error *e)
{
    char *whole = strbuf_print("%s" TREE_SUFFIX TREE_VOLUME, image),
         *partial = strbuf_print("%s" TREE_SUFFIX ".XXXXXX", image);
    int code = 0;
    if (access(whole, F_OK) != 0) {
        bool made = mkdtemp(partial) != NULL;
        char *volume = strbuf_print("%s/volume", partial);
        code = made ? tree_unpack_into(image, partial, volume, e) : tree_fail(partial, e);
        if (!code && rename(volume, whole))
            code = tree_fail(whole, e);
        free(volume);
        if (made)
            disk_remove_folder(partial, NULL);
    }
    free(whole);
    free(partial);
    return code;
}

/* With users from DOMAIN_XML_IDS_FIRST on. */
int tree_show(const char *image, struct error *e)
{
    char *at = strbuf_print("%s" TREE_SUFFIX, image), *volume = strbuf_print("%s" TREE_SUFFIX TREE_VOLUME, image);
    int code = tree_unpack(image, e);
    pthread_mutex_lock(&tree_lock);
    if (!code && !volume_is_mounted(at)) {
        code = file_make_dirs(at, 0700, e);
        code = code ? code : volume_mount(volume, at, true, e);
    }
    pthread_mutex_unlock(&tree_lock);
    free(at);
    free(volume);
    return code;
}

void tree_forget(const char *image)
{
    char *at = strbuf_print("%s" TREE_SUFFIX, image), *volume = strbuf_print("%s" TREE_SUFFIX TREE_VOLUME, image);
    pthread_mutex_lock(&tree_lock);
    volume_unmount(at);
    unlink(volume);
    rmdir(at);
    pthread_mutex_unlock(&tree_lock);
    free(at);
    free(volume);
}

static void tree_tidy_one(const char *path)
{
    struct stat st;
    if (lstat(path, &st) || !S_ISDIR(st.st_mode))
        return;
    char *at = strbuf_print("%s/" TREE_MOUNT, path);
    volume_unmount(at);
    disk_remove_folder(path, NULL);
    free(at);
}

void tree_tidy(const char *image_folder)
{
    DIR *dir = opendir(image_folder);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (strstr(d->d_name, TREE_SUFFIX ".")) {
            char *path = strbuf_print("%s/%s", image_folder, d->d_name);
            tree_tidy_one(path);
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
    char *link = strbuf_print("%s/" TREE_BASE, folder);
    ssize_t size = readlink(link, target, sizeof(target) - 1);
    free(link);
    if (size <= 0)
        return false;
    target[size] = '\0';
    *ret = memory_strdup(target);
    return true;
}

static int tree_make_layer(const char *folder, int64_t bytes, struct error *e)
{
    struct volume v = {.bytes = bytes, .journal = true};
    char *path = strbuf_print("%s/" TREE_LAYER_FILE, folder), *partial = strbuf_print("%s.part", path);
    int code = access(path, F_OK) == 0 ? 0 : volume_make(partial, &v, e);
    if (!code && access(path, F_OK) != 0 && rename(partial, path))
        code = tree_fail(path, e);
    free(path);
    free(partial);
    return code;
}

int tree_link(const char *folder, const char *base, struct error *e)
{
    char *link = strbuf_print("%s/" TREE_BASE, folder);
    int code = symlink(base, link) && errno != EEXIST ? tree_fail(link, e) : 0;
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

/* A flavor without a disk: as much as the image, and not less than one GiB. */
static int64_t tree_layer_bytes(const struct spec *spec, const struct disk_base *base)
{
    if (spec->root_gib > 0)
        return spec->root_gib * TREE_GIB;
    return base->virtual_bytes > TREE_GIB ? base->virtual_bytes : TREE_GIB;
}

/* ---- unmounting ---- */

void tree_unmount(const char *folder)
{
    static const char *const names[] = {DOMAIN_XML_SEED, DOMAIN_XML_TREE, TREE_LOWER, TREE_LAYER};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *at = strbuf_print("%s/%s", folder, names[i]);
        volume_unmount(at);
        free(at);
    }
}

/* The volume's device is there for as long as any process has its mounts. */
int tree_unmount_all(const char *folder, struct error *e)
{
    char *volume = strbuf_print("%s/" TREE_LAYER_FILE, folder);
    bool used = true;
    tree_unmount(folder);
    for (int i = 0; used && i < TREE_TRIES; i++) {
        used = volume_is_attached(volume);
        if (used)
            poll(NULL, 0, TREE_WAIT_MS);
    }
    free(volume);
    return used ? error_set(e, ERR_BUSY, "The server's files are still in use by its last run") : 0;
}

/* The server was given a larger disk: it is off, and mounted anew with its next start. */
static int tree_grow_layer(const char *folder, const struct spec *spec, struct error *e)
{
    int64_t bytes = spec->root_gib * TREE_GIB;
    char *path = strbuf_print("%s/" TREE_LAYER_FILE, folder);
    int code = 0;
    if (volume_bytes(path) < bytes) {
        code = tree_unmount_all(folder, e);
        code = code ? code : volume_grow(path, bytes, e);
    }
    free(path);
    return code;
}

int tree_make(const char *instances, const char *folder, const struct spec *spec, const struct disk_base *base,
              bool first, struct error *e)
{
    char *had;
    uid_t root;
    if (tree_base(folder, &had)) {
        free(had);
        return tree_grow_layer(folder, spec, e);
    }
    int code = tree_check_wish(spec, base, first, e);
    code = code ? code : id_range_take(instances, folder, &root, e);
    code = code ? code : tree_unpack(base->path, e);
    code = code ? code : tree_make_layer(folder, tree_layer_bytes(spec, base), e);
    return code ? code : tree_link(folder, base->path, e);
}

/* ---- mounting ---- */

/* What a start mounts, from the image to the root. */
struct tree_mounts {
    bool flat; /* the image is not there, and `shown` is empty */
    char *shown, *volume, *layer, *upper, *work, *lower, *root;
};

static void tree_mounts_init(struct tree_mounts *m, const char *folder, const char *base)
{
    m->flat = strcmp(base, TREE_FLAT) == 0;
    m->shown = m->flat ? strbuf_print("%s/" TREE_LAYER "/" TREE_FLAT, folder) : strbuf_print("%s" TREE_SUFFIX, base);
    m->volume = strbuf_print("%s/" TREE_LAYER_FILE, folder);
    m->layer = strbuf_print("%s/" TREE_LAYER, folder);
    m->upper = strbuf_print("%s/" TREE_LAYER "/" TREE_UPPER, folder);
    m->work = strbuf_print("%s/" TREE_LAYER "/work", folder);
    m->lower = strbuf_print("%s/" TREE_LOWER, folder);
    m->root = strbuf_print("%s/" DOMAIN_XML_TREE, folder);
}

static void tree_mounts_done(struct tree_mounts *m)
{
    char *all[] = {m->shown, m->volume, m->layer, m->upper, m->work, m->lower, m->root};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free(all[i]);
}

uid_t tree_owners(const char *folder)
{
    uid_t noted = id_range_read(folder, TREE_OWNERS);
    return noted ? noted : id_range_of(folder);
}

/* `at` never has other users than its own, also when the agent dies amid this. */
int tree_mount_volume(const char *folder, const char *volume, const char *by, const char *at, struct error *e)
{
    uid_t first = id_range_of(folder), owners = tree_owners(folder);
    if (owners == first)
        return volume_mount(volume, at, false, e);
    volume_unmount(by);
    int code = file_make_dirs(by, 0700, e);
    code = code ? code : volume_mount(volume, by, false, e);
    code = code ? code : id_mount(by, at, owners, first, e);
    volume_unmount(by);
    return code;
}

static int tree_mount_changes(const char *folder, const struct tree_mounts *m, struct error *e)
{
    int code = file_make_dirs(m->layer, 0700, e);
    if (!code && !volume_is_mounted(m->layer))
        code = tree_mount_volume(folder, m->volume, m->lower, m->layer, e);
    return code;
}

/* The upper layer's root is what the container sees as its root's owner and mode. */
static int tree_mount_layer(const char *folder, const struct tree_mounts *m, uid_t first, struct error *e)
{
    struct stat st;
    int code = tree_mount_changes(folder, m, e);
    if (!code && m->flat)
        code = file_make_dirs(m->shown, 0755, e);
    if (!code && stat(m->shown, &st))
        code = tree_fail(m->shown, e);
    if (!code && access(m->upper, F_OK) != 0)
        code = tree_make_folder(m->upper, st.st_uid - DOMAIN_XML_IDS_FIRST + first,
                                st.st_gid - DOMAIN_XML_IDS_FIRST + first, st.st_mode & 07777, e);
    code = code ? code : file_make_dirs(m->work, 0700, e);
    return code ? code : file_make_dirs(m->root, 0755, e);
}

/* The overlay keeps the image as it saw it when it was mounted: the way there is not needed any more. */
static int tree_mount_root(const struct tree_mounts *m, uid_t first, struct error *e)
{
    volume_unmount(m->lower); /* of a start that was interrupted */
    int code = m->flat ? 0 : file_make_dirs(m->lower, 0700, e);
    if (!code && !m->flat)
        code = id_mount(m->shown, m->lower, DOMAIN_XML_IDS_FIRST, first, e);
    if (code)
        return code;
    char *layers = m->flat ? strbuf_print("lowerdir=%s,upperdir=%s,workdir=%s,index=off", m->shown, m->upper, m->work)
                           : strbuf_print("lowerdir=%s,upperdir=%s,workdir=%s", m->lower, m->upper, m->work);
    if (mount("overlay", m->root, "overlay", MS_NODEV, layers))
        code = error_set(e, ERR_IO, "The server's files cannot be mounted at %s: %s", m->root, strerror(errno));
    volume_unmount(m->lower);
    free(layers);
    return code;
}

/* Options are separated by commas, layers by colons. */
static int tree_check_name(const char *path, struct error *e)
{
    return strpbrk(path, ",:\\")
               ? error_set(e, ERR_INVALID, "%s: an overlay's path has no comma, colon or backslash", path)
               : 0;
}

static int tree_mount_all(const char *folder, const char *base, uid_t first, struct error *e)
{
    struct tree_mounts m;
    tree_mounts_init(&m, folder, base);
    int code = 0;
    if (!volume_is_mounted(m.root)) {
        code = tree_check_name(folder, e);
        if (!code && !m.flat)
            code = tree_show(base, e);
        code = code ? code : tree_mount_layer(folder, &m, first, e);
        code = code ? code : tree_mount_root(&m, first, e);
    }
    tree_mounts_done(&m);
    return code;
}

int tree_mount_own(const char *folder, struct error *e)
{
    struct tree_mounts m;
    tree_mounts_init(&m, folder, TREE_FLAT);
    int code = tree_mount_changes(folder, &m, e);
    tree_mounts_done(&m);
    return code;
}

int tree_mount_layers(const char *folder, struct error *e)
{
    char *base = NULL;
    uid_t first = id_range_of(folder);
    int code = !first || !tree_base(folder, &base)
                   ? error_set(e, ERR_NOT_FOUND, "The server's files are missing on its host")
                   : tree_mount_all(folder, base, first, e);
    free(base);
    return code;
}

/* It is on the host's disk, which nothing that runs inside may fill. */
static int tree_seal_seed(const char *folder, struct error *e)
{
    char *seed = strbuf_print("%s/" DOMAIN_XML_SEED, folder);
    volume_unmount(seed);
    int code = access(seed, F_OK) == 0 ? volume_seal(seed, e) : 0;
    free(seed);
    return code;
}

int tree_mount(const char *folder, struct error *e)
{
    int code = tree_flatten_end(folder, e);
    code = code ? code : tree_mount_layers(folder, e);
    return code ? code : tree_seal_seed(folder, e);
}

/* What belongs to its users goes before the note of who they are. */
void tree_discard(const char *folder)
{
    tree_snapshot_tidy(folder);
    char *layer = strbuf_print("%s/" TREE_LAYER_FILE, folder), *seed = strbuf_print("%s/" DOMAIN_XML_SEED, folder);
    tree_unmount(folder);
    unlink(layer);
    disk_remove_folder(seed, NULL);
    free(layer);
    free(seed);
}
