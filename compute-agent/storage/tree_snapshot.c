/* The volume with the server's changes is copied (tree_copy.h). The copy is mounted and laid over the image, read-only,
 * and tar reads that as the container's own root, of the container's own range of users: what it writes down are the
 * container's numbers, and it has no more rights on the host than the container.
 *
 * Failure modes: an agent that dies with the volume frozen leaves the container waiting; the next one thaws all when it
 * starts. Mounts that were left go then, too. */
#include "compute-agent/storage/tree_snapshot.h"
#include "common/child.h"
#include "common/file.h"
#include "common/memory.h"
#include "compute-agent/storage/disk.h"
#include "compute-agent/storage/id_mount.h"
#include "compute-agent/storage/id_range.h"
#include "compute-agent/storage/tree.h"
#include "compute-agent/storage/tree_copy.h"
#include "compute-agent/storage/tree_flatten.h"
#include "compute-agent/storage/volume.h"
#include "compute-agent/xml/domain_xml.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define TREE_SNAPSHOT         "snapshot" /* in a server's folder */
#define TREE_SNAPSHOT_PACK_MS ((int64_t)6 * 3600 * 1000)
#define TREE_SNAPSHOT_MEMORY  ((int64_t)2 << 30)

struct tree_snapshot {
    const char *folder;
    const atomic_bool *stop;
    uid_t first;
    char *base, *shown, *home, *copy, *at, *upper, *lower, *root;
};

static void tree_snapshot_init(struct tree_snapshot *s, const char *folder, const char *base)
{
    s->folder = folder;
    s->base = memory_strdup(base);
    s->shown = strbuf_print("%s" TREE_SUFFIX, base);
    s->home = strbuf_print("%s/" TREE_SNAPSHOT, folder);
    s->copy = strbuf_print("%s/" TREE_SNAPSHOT "/" TREE_LAYER_FILE, folder);
    s->at = strbuf_print("%s/" TREE_SNAPSHOT "/" TREE_LAYER, folder);
    s->upper = strbuf_print("%s/" TREE_SNAPSHOT "/" TREE_LAYER "/" TREE_UPPER, folder);
    s->lower = strbuf_print("%s/" TREE_SNAPSHOT "/lower", folder);
    s->root = strbuf_print("%s/" TREE_SNAPSHOT "/root", folder);
}

static void tree_snapshot_done(struct tree_snapshot *s)
{
    char *all[] = {s->base, s->shown, s->home, s->copy, s->at, s->upper, s->lower, s->root};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free(all[i]);
}

/* ---- the archive ---- */

static int tree_snapshot_mount_lower(const struct tree_snapshot *s, struct error *e)
{
    int code = tree_show(s->base, e);
    return code ? code : id_mount(s->shown, s->lower, DOMAIN_XML_IDS_FIRST, s->first, e);
}

/* Without an image: the folder for the lower layer, with nothing mounted on it, is as empty as that is to be. */
static int tree_snapshot_mount(const struct tree_snapshot *s, struct error *e)
{
    int code = tree_mount_volume(s->folder, s->copy, s->lower, s->at, e);
    if (!code && access(s->upper, F_OK) != 0)
        code = error_set(e, ERR_NOT_FOUND, "The server has never run: it has no files of its own");
    code = code ? code : tree_flatten_tidy(s->folder, s->upper, e);
    if (!code && strcmp(s->base, TREE_FLAT) != 0)
        code = tree_snapshot_mount_lower(s, e);
    if (code)
        return code;
    char *layers = strbuf_print("lowerdir=%s:%s", s->upper, s->lower);
    if (mount("overlay", s->root, "overlay", MS_RDONLY | MS_NODEV, layers))
        code = error_set(e, ERR_IO, "The server's files cannot be laid together: %s", strerror(errno));
    free(layers);
    return code;
}

static int tree_snapshot_pack(const struct tree_snapshot *s, const char *to, struct error *e)
{
    const char *argv[] = {"tar",
                          "--create",
                          "--numeric-owner",
                          "--one-file-system",
                          "--sparse",
                          "--use-compress-program=gzip -1",
                          "--file=-",
                          ".",
                          NULL};
    struct child child = {.argv = argv,
                          .directory = s->root,
                          .output = to,
                          .deadline_ms = TREE_SNAPSHOT_PACK_MS,
                          .memory_bytes = TREE_SNAPSHOT_MEMORY,
                          .confined_as = s->first,
                          .stop = s->stop};
    return child_run(&child, NULL, e);
}

static int tree_snapshot_take(const struct tree_snapshot *s, const char *to, struct error *e)
{
    char *const folders[] = {s->home, s->at, s->lower, s->root};
    int code = 0;
    for (size_t i = 0; !code && i < sizeof(folders) / sizeof(folders[0]); i++)
        code = file_make_dirs(folders[i], 0711, e);
    code = code ? code : tree_copy(s->folder, s->copy, s->stop, e);
    code = code ? code : tree_snapshot_mount(s, e);
    return code ? code : tree_snapshot_pack(s, to, e);
}

int tree_snapshot(const char *folder, const char *to, const atomic_bool *stop, struct error *e)
{
    struct tree_snapshot s = {.first = id_range_of(folder), .stop = stop};
    char *base = NULL;
    if (!s.first || !tree_base(folder, &base))
        return error_set(e, ERR_NOT_FOUND, "The server's files are missing on its host");
    tree_snapshot_init(&s, folder, base);
    free(base);
    tree_snapshot_tidy(folder);
    int code = tree_snapshot_take(&s, to, e);
    tree_snapshot_tidy(folder);
    tree_snapshot_done(&s);
    return code;
}

void tree_snapshot_tidy(const char *folder)
{
    struct tree_snapshot s = {0};
    tree_snapshot_init(&s, folder, "");
    tree_copy_thaw(folder);
    if (access(s.home, F_OK) == 0) {
        volume_unmount(s.root);
        volume_unmount(s.lower);
        volume_unmount(s.at);
        disk_remove_folder(s.home, NULL);
    }
    tree_snapshot_done(&s);
}
