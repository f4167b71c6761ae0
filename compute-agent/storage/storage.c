/* Preparing is two jobs: the config drive at once, the disks when the image is there. Both only make what is missing.
 */
#include "compute-agent/storage/storage.h"
#include "common/file.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/identity.h"
#include "compute-agent/profile/profile.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/adopt.h"
#include "compute-agent/storage/block.h"
#include "compute-agent/storage/config_drive.h"
#include "compute-agent/storage/disk.h"
#include "compute-agent/storage/id_range.h"
#include "compute-agent/storage/image_cache.h"
#include "compute-agent/storage/layer.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/tree.h"
#include "compute-agent/storage/tree_snapshot.h"
#include "compute-agent/storage/volume.h"
#include "compute-agent/worker.h"
#include "compute-agent/xml/domain_xml.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORAGE_THREADS 4
#define STORAGE_IMAGE   "image-" /* with the image's id: made of the server, on its way to the API */

struct storage_task;
struct storage {
    struct storage_setup setup;
    struct worker_pool *pool;
    struct image_cache *images;
    bool direct_io;
    struct storage_task *tasks;         /* under way */
    struct storage_adoption *adoptions; /* under way */
};
/* A part of a preparation. */
struct storage_part {
    struct worker_job job; /* first */
    struct storage_task *task;
    int code;
    bool transient;
    struct error error;
};
struct storage_task {
    struct storage *storage; /* NULL: freed meanwhile */
    struct storage_task *next;
    const struct spec *spec; /* the caller's; both jobs read it */
    bool first;
    enum profile_root root;
    char *folder, *base_path; /* base_path: pinned in the cache, NULL for none */
    struct disk_base base;
    struct storage_part disks, drive;
    unsigned parts;
    hypervisor_done_fn done;
    void *arg;
};

struct storage_adoption {
    struct worker_job job;   /* first */
    struct storage *storage; /* NULL: freed meanwhile */
    struct storage_adoption *next;
    struct adopt what;
    struct adopt_found found;
    char *base_path; /* pinned in the cache, NULL for none */
    int code;
    bool transient;
    struct error error;
    hypervisor_text_fn done;
    void *arg;
};

char *storage_folder(const struct settings *settings, const char *server_id)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s", settings->instances_dir, server_id);
    return strbuf_take(&path);
}

char *storage_image_path(const struct settings *settings, const char *server_id, const char *image_id)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s/" STORAGE_IMAGE "%s", settings->instances_dir, server_id, image_id);
    return strbuf_take(&path);
}

int storage_remove(const struct settings *settings, const char *host_id, const char *server_id, struct error *e)
{
    char *folder = storage_folder(settings, server_id);
    bool other = owner_is_other(folder, host_id);
    if (!other)
        tree_discard(folder);
    block_detach(folder, host_id);
    int code = other ? 0 : disk_remove_folder(folder, e);
    free(folder);
    if (!other)
        layer_tidy(settings);
    return code;
}

static bool storage_is_other(const struct settings *settings, const char *host_id, const char *server_id)
{
    char *folder = storage_folder(settings, server_id);
    bool other = owner_is_other(folder, host_id);
    free(folder);
    return other;
}

char **storage_list(const struct settings *settings, const char *host_id, size_t *ret_count)
{
    char **ids = NULL;
    *ret_count = 0;
    DIR *dir = opendir(settings->instances_dir);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (!uuid_valid(d->d_name) || strlen(d->d_name) != UUID_SIZE - 1 ||
            storage_is_other(settings, host_id, d->d_name))
            continue;
        ids = memory_resize(ids, (*ret_count + 1) * sizeof(*ids));
        ids[(*ret_count)++] = memory_strdup(d->d_name);
    }
    if (dir)
        closedir(dir);
    return ids;
}

/* Nobody sends them any more: whoever wants them has them made again. */
static void storage_tidy_images(const struct settings *settings, const char *host_id)
{
    size_t count;
    char **ids = storage_list(settings, host_id, &count);
    for (size_t i = 0; i < count; i++) {
        char *folder = storage_folder(settings, ids[i]);
        tree_snapshot_tidy(folder);
        DIR *dir = opendir(folder);
        for (struct dirent *d; dir && (d = readdir(dir));)
            if (strncmp(d->d_name, STORAGE_IMAGE, strlen(STORAGE_IMAGE)) == 0 && !unlinkat(dirfd(dir), d->d_name, 0))
                log_info("unfinished image of a server removed", "server=%s file=%s", ids[i], d->d_name);
        if (dir)
            closedir(dir);
        free(folder);
        free(ids[i]);
    }
    free(ids);
}

/* ---- what was there before ---- */

static char *storage_imported_file(const struct settings *settings, const char *server_id)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s/imported", settings->instances_dir, server_id);
    return strbuf_take(&path);
}

int storage_import(const struct settings *settings, const char *host_id, const char *server_id, const char *definition,
                   struct error *e)
{
    char *folder = storage_folder(settings, server_id), *file = storage_imported_file(settings, server_id);
    int code = owner_take(folder, host_id, e);
    code = code ? code : file_replace(file, definition, strlen(definition), 0600, e);
    free(folder);
    free(file);
    return code;
}

int storage_import_read(const struct settings *settings, const char *server_id, struct strbuf *ret)
{
    char *file = storage_imported_file(settings, server_id);
    int code = file_read(file, ret, NULL);
    free(file);
    return code;
}

bool storage_is_imported(const struct settings *settings, const char *server_id)
{
    char *file = storage_imported_file(settings, server_id);
    bool imported = access(file, F_OK) == 0;
    free(file);
    return imported;
}

/* ---- preparing ---- */

static bool storage_is_transient(int code)
{
    return code == ERR_NO_SPACE || code == ERR_IO || code == ERR_TIMEOUT || code == ERR_BUSY;
}

static void storage_task_free(struct storage_task *t)
{
    free(t->folder);
    free(t->base_path);
    free(t);
}

static void storage_task_end(struct storage_task *t)
{
    struct storage *s = t->storage;
    const struct storage_part *bad = t->disks.code ? &t->disks : &t->drive;
    struct hypervisor_result result = {.code = bad->code, .transient = bad->transient, .error = &bad->error};
    if (!s) {
        storage_task_free(t);
        return;
    }
    struct storage_task **at = &s->tasks;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (t->base_path)
        image_cache_release(s->images, t->base_path);
    t->done(t->arg, &result);
    storage_task_free(t);
}

static void storage_part_done(struct worker_job *job, enum worker_outcome outcome)
{
    struct storage_part *p = (struct storage_part *)job;
    if (outcome != WORKER_DONE)
        p->code = error_set(&p->error, ERR_BUSY, "No worker was free for the server's files");
    p->transient = p->transient || storage_is_transient(p->code);
    if (--p->task->parts == 0)
        storage_task_end(p->task);
}

static int storage_make_root(const struct storage_task *t, struct error *e)
{
    switch (t->root) {
    case PROFILE_ROOT_DISK:
        return disk_make(t->folder, t->spec, &t->base, t->first, e);
    case PROFILE_ROOT_BLOCK:
        return disk_make_raw(t->folder, t->spec, &t->base, t->first, e);
    case PROFILE_ROOT_TREE:
        return tree_make(t->storage->setup.settings->instances_dir, t->folder, t->spec, &t->base, t->first, e);
    default:
        return 0;
    }
}

static void storage_disks_run(struct worker_job *job)
{
    struct storage_part *p = (struct storage_part *)job;
    const struct storage_task *t = p->task;
    p->code = p->code ? p->code : owner_take(t->folder, t->storage->setup.identity->host_id, &p->error);
    if (!p->code)
        p->code = storage_make_root(t, &p->error);
}

/* The container's root reads it. */
static int storage_give(const struct storage_task *t, const char *path, struct error *e)
{
    uid_t first;
    int code = id_range_take(t->storage->setup.settings->instances_dir, t->folder, &first, e);
    return code ? code : tree_own(path, first, e);
}

/* A start has sealed the last one. */
static int storage_make_seed(const struct storage_task *t, const char *path, struct error *e)
{
    volume_unmount(path);
    int code = config_drive_write_folder(path, t->spec, e);
    return code ? code : storage_give(t, path, e);
}

static void storage_drive_run(struct worker_job *job)
{
    struct storage_part *p = (struct storage_part *)job;
    const struct storage_task *t = p->task;
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s", t->folder, t->root == PROFILE_ROOT_TREE ? DOMAIN_XML_SEED : DOMAIN_XML_CONFIG);
    p->code = owner_take(t->folder, t->storage->setup.identity->host_id, &p->error);
    if (!p->code && (t->root == PROFILE_ROOT_DISK || t->root == PROFILE_ROOT_BLOCK || t->root == PROFILE_ROOT_VOLUME))
        p->code = config_drive_make(t->folder, path.data, t->spec, &p->error);
    else if (!p->code && t->root == PROFILE_ROOT_TREE)
        p->code = storage_make_seed(t, path.data, &p->error);
    strbuf_done(&path);
}

static void storage_submit_disks(struct storage_task *t)
{
    static const struct worker_class class = {.run = storage_disks_run, .done = storage_part_done};
    worker_submit(t->storage->pool, &t->disks.job, &class, 0);
}

static void storage_image_ready(void *arg, const struct image_cache_result *result)
{
    struct storage_task *t = arg;
    if (result->code) {
        t->disks.code = result->code;
        t->disks.transient = result->transient;
        t->disks.error = *result->error;
        if (--t->parts == 0)
            storage_task_end(t);
        return;
    }
    t->base = result->base;
    t->base.path = t->base_path = memory_strdup(result->base.path);
    storage_submit_disks(t);
}

/* What is there when the image is not needed any more. */
static const char *storage_root_name(enum profile_root root)
{
    static const char *const names[] = {[PROFILE_ROOT_DISK] = DOMAIN_XML_ROOT,
                                        [PROFILE_ROOT_TREE] = TREE_BASE,
                                        [PROFILE_ROOT_BLOCK] = DOMAIN_XML_RAW_ROOT,
                                        [PROFILE_ROOT_VOLUME] = "",
                                        [PROFILE_ROOT_NONE] = ""};
    return names[root];
}

static bool storage_has_root(const struct storage_task *t)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s", t->folder, storage_root_name(t->root));
    struct stat st;
    bool there = lstat(path.data, &st) == 0;
    strbuf_done(&path);
    return there;
}

/* A disk that is there needs no image any more; nor does a server that may not get a new disk. One that is deleted
 * cannot be fetched: disk_make says so. */
static bool storage_needs_image(const struct storage_task *t)
{
    return t->root < PROFILE_ROOT_VOLUME && t->spec->image && !t->spec->image->deleted && t->first &&
           !storage_has_root(t);
}

/* Refused before anything is fetched. */
static int storage_check_image(const struct storage_task *t, struct error *e)
{
    const struct profile *p = t->storage->setup.profile;
    const struct spec_image *image = t->spec->image;
    if (t->first && t->spec->clone_of && !storage_has_root(t))
        return error_set(e, ERR_NOT_FOUND, "The server %s, of which it was to be a clone, is not on this host any more",
                         t->spec->clone_of);
    if (!image || image->deleted || t->root == PROFILE_ROOT_VOLUME || profile_boots(p, image->disk_format))
        return 0;
    return error_set(e, ERR_INVALID, "The hypervisor %s does not boot %s images", p->driver, image->disk_format);
}

void storage_prepare(struct storage *s, const struct hypervisor_prepare *what, hypervisor_done_fn done, void *arg)
{
    static const struct worker_class drive_class = {.run = storage_drive_run, .done = storage_part_done};
    struct storage_task *t = memory_new(sizeof(*t));
    t->storage = s;
    t->next = s->tasks;
    s->tasks = t;
    t->spec = what->spec;
    t->root = s->setup.profile->root;
    t->first = what->first;
    t->folder = storage_folder(s->setup.settings, what->spec->id);
    t->done = done;
    t->arg = arg;
    t->disks.task = t->drive.task = t;
    t->parts = 2;
    worker_submit(s->pool, &t->drive.job, &drive_class, 0);
    t->disks.code = storage_check_image(t, &t->disks.error);
    if (t->disks.code || !storage_needs_image(t))
        storage_submit_disks(t);
    else if (image_cache_get(s->images, what->spec->image, storage_image_ready, t) && what->on_progress)
        what->on_progress(arg);
}

/* ---- adopting ---- */

static void storage_adoption_end(struct storage_adoption *a)
{
    struct storage *s = a->storage;
    struct hypervisor_result result = {
        .code = a->code, .transient = a->transient, .error = &a->error, .domain = HYPERVISOR_ABSENT};
    struct strbuf text;
    struct json_out o;
    struct storage_adoption **at = &s->adoptions;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    if (a->base_path)
        image_cache_release(s->images, a->base_path);
    strbuf_init(&text, 0);
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_bool(&o, "disks", a->found.disks);
    json_out_bool(&o, "lost_tpm", a->found.lost_tpm);
    json_out_object_end(&o);
    a->done(a->arg, &result, a->code ? "" : text.data, a->code ? 0 : text.size);
    strbuf_done(&text);
    free(a->base_path);
    free(a);
}

static void storage_adoption_run(struct worker_job *job)
{
    struct storage_adoption *a = (struct storage_adoption *)job;
    a->code = adopt_disks(&a->what, &a->found, &a->error);
}

static void storage_adoption_done(struct worker_job *job, enum worker_outcome outcome)
{
    struct storage_adoption *a = (struct storage_adoption *)job;
    if (outcome != WORKER_DONE)
        a->code = error_set(&a->error, ERR_BUSY, "No worker was free for the server's files");
    a->transient = storage_is_transient(a->code);
    if (a->storage) {
        storage_adoption_end(a);
        return;
    }
    free(a->base_path);
    free(a);
}

static void storage_adoption_submit(struct storage_adoption *a)
{
    static const struct worker_class class = {.run = storage_adoption_run, .done = storage_adoption_done};
    worker_submit(a->storage->pool, &a->job, &class, 0);
}

/* Without the image it may go on as well: it may be on the storage that the hosts share. */
static void storage_adoption_has_image(void *arg, const struct image_cache_result *result)
{
    struct storage_adoption *a = arg;
    if (result->code && result->transient) {
        a->code = result->code;
        a->transient = true;
        a->error = *result->error;
        storage_adoption_end(a);
        return;
    }
    if (!result->code)
        a->base_path = memory_strdup(result->base.path);
    storage_adoption_submit(a);
}

void storage_adopt(struct storage *s, const struct spec *spec, hypervisor_text_fn done, void *arg)
{
    struct storage_adoption *a = memory_new(sizeof(*a));
    a->storage = s;
    a->what = (struct adopt){.settings = s->setup.settings,
                             .host_id = s->setup.identity->host_id,
                             .spec = spec,
                             .root = storage_root_name(s->setup.profile->root)};
    a->done = done;
    a->arg = arg;
    a->next = s->adoptions;
    s->adoptions = a;
    if (spec->image && !spec->image->deleted)
        image_cache_get(s->images, spec->image, storage_adoption_has_image, a);
    else
        storage_adoption_submit(a);
}

/* ---- life ---- */

static bool storage_try_direct(const char *folder)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/.direct", folder);
    int fd = open(path.data, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    unlink(path.data);
    strbuf_done(&path);
    return fd >= 0;
}

int storage_new(const struct storage_setup *setup, struct storage **ret, struct error *e)
{
    const struct settings *settings = setup->settings;
    int code = file_make_dirs(settings->instances_dir, 0711, e);
    if (code)
        return code;
    struct storage *s = memory_new(sizeof(*s));
    s->setup = *setup;
    s->direct_io = storage_try_direct(settings->instances_dir);
    struct image_cache_setup images = {
        .folder = settings->image_dir, .instances = settings->instances_dir, .url = setup->url};
    images.limit_bytes = &settings->image_cache_bytes;
    images.stall_ms = settings->image_deadline_ms;
    images.identity = setup->identity;
    images.pool = s->pool = worker_pool_new(setup->loop, "storage", STORAGE_THREADS, 0);
    owner_tidy(settings->instances_dir, setup->identity->host_id);
    if (setup->profile->root == PROFILE_ROOT_TREE)
        tree_tidy(settings->image_dir);
    if (setup->profile->snapshots)
        storage_tidy_images(settings, setup->identity->host_id);
    code = image_cache_new(&images, &s->images, e);
    if (code)
        storage_free(&s);
    else
        *ret = s;
    return code;
}

/* Jobs that run read their callers' specifications, hence the wait. */
void storage_free(struct storage **storage)
{
    struct storage *s = *storage;
    *storage = NULL;
    if (!s)
        return;
    for (struct storage_task *t = s->tasks; t; t = t->next)
        t->storage = NULL;
    for (struct storage_adoption *a = s->adoptions; a; a = a->next)
        a->storage = NULL;
    image_cache_free(&s->images);
    worker_pool_free(&s->pool);
    free(s);
}

bool storage_direct_io(const struct storage *s)
{
    return s->direct_io;
}
