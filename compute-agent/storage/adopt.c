/* Taking over disks: see adopt.h. Whose they are is the file "owner" (owner.h): once it names this host, the dead one
 * leaves them alone when it is back. */
#include "compute-agent/storage/adopt.h"
#include "common/file.h"
#include "common/strbuf.h"
#include "compute-agent/profile/profile.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/storage/layer.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/storage/tpm_state.h"
#include "compute-agent/xml/domain_xml.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORAGE_FILE ".storage"

bool adopt_can(const struct profile *profile)
{
    return profile->root == PROFILE_ROOT_DISK || profile->root == PROFILE_ROOT_BLOCK;
}

static bool read_name(const char *path, char ret[UUID_SIZE])
{
    struct strbuf text;
    strbuf_init(&text, 256);
    bool good = file_read(path, &text, NULL) == 0 && text.size >= UUID_SIZE - 1;
    if (good) {
        memcpy(ret, text.data, UUID_SIZE - 1);
        ret[UUID_SIZE - 1] = '\0';
        good = uuid_valid(ret);
    }
    strbuf_done(&text);
    return good;
}

static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/* A link, so that of two hosts one wins, and nobody finds half a name. */
bool adopt_storage(const struct settings *settings, char ret[UUID_SIZE])
{
    char name[UUID_SIZE];
    struct strbuf path, partial;
    strbuf_init(&path, 0);
    strbuf_init(&partial, 0);
    strbuf_appendf(&path, "%s/" STORAGE_FILE, settings->instances_dir);
    bool good = read_name(path.data, ret);
    if (!good) {
        strbuf_appendf(&partial, "%s.%s", path.data, uuid_random(name));
        if (file_replace(partial.data, name, UUID_SIZE - 1, 0644, NULL) == 0 && link(partial.data, path.data) == 0)
            sync_folder(settings->instances_dir);
        unlink(partial.data);
        good = read_name(path.data, ret);
    }
    strbuf_done(&path);
    strbuf_done(&partial);
    return good;
}

void adopt_storage_forget(const struct settings *settings)
{
    DIR *folder = opendir(settings->instances_dir);
    const struct dirent *entry;
    bool used = false;
    if (!folder)
        return;
    while (!used && (entry = readdir(folder)))
        used = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
               strcmp(entry->d_name, STORAGE_FILE) != 0 && strcmp(entry->d_name, LAYER_FOLDER) != 0;
    if (!used && layer_forget(settings))
        unlinkat(dirfd(folder), STORAGE_FILE, 0);
    closedir(folder);
}

static int check_backing(const struct settings *settings, const char *root, struct error *e)
{
    struct arena arena;
    const char **files = NULL;
    size_t count = 0;
    arena_init(&arena);
    int code = layer_chain(settings->instances_dir, root, &arena, &files, &count, e);
    for (size_t i = 0; i < count && !code; i++)
        if (access(files[i], R_OK) != 0)
            code = error_set(e, ERR_NOT_FOUND,
                             "The server's disk can be reached, but not %s that it is based on: hosts that share disks "
                             "need the same instances_dir and image_dir",
                             files[i]);
    arena_done(&arena);
    return code;
}

static const char *look_up(const struct json_map *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->pairs[i].key, key) == 0)
            return map->pairs[i].value;
    }
    return NULL;
}

static bool has_tpm(const struct spec *spec)
{
    return look_up(&spec->flavor_extra, "hw:tpm_version") ||
           (spec->image && look_up(&spec->image->properties, "hw_tpm_version"));
}

int adopt_disks(const struct adopt *what, struct adopt_found *ret, struct error *e)
{
    const struct settings *s = what->settings;
    char *folder = storage_folder(s, what->spec->id);
    struct strbuf root;
    int code = 0;
    strbuf_init(&root, 0);
    strbuf_appendf(&root, "%s/%s", folder, what->root);
    *ret = (struct adopt_found){.disks = access(root.data, F_OK) == 0};
    if (ret->disks && strcmp(what->root, DOMAIN_XML_ROOT) == 0)
        code = check_backing(s, root.data, e);
    if (ret->disks && !code)
        code = owner_take(folder, what->host_id, e);
    if (ret->disks && !code)
        code = owner_share(folder, e);
    if (ret->disks && !code && strcmp(what->root, DOMAIN_XML_ROOT) == 0)
        code = layer_mend(root.data, e);
    ret->lost_tpm = ret->disks && has_tpm(what->spec) && !tpm_state_is_kept(s->tpm_dir, what->spec->id, folder);
    strbuf_done(&root);
    free(folder);
    return code;
}
