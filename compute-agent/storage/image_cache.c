/* One entry per image that is in use or on its way; requests for the same image share its one job. The job copies all
 * that it needs: the cache may be freed while it runs. */
#include "compute-agent/storage/image_cache.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/http/http_download.h"
#include "compute-agent/identity.h"
#include "compute-agent/idmap.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/storage/image_files.h"
#include "compute-agent/tls/digest.h"
#include "compute-agent/worker.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct image_waiter {
    struct image_waiter *next;
    image_cache_fn done;
    void *arg;
};
struct image_job;
struct image_entry {
    char *path; /* key */
    unsigned pins;
    int64_t virtual_bytes; /* 0: not known since the start: checked once more */
    const char *format;
    struct image_job *job;
    struct image_waiter *waiting;
};
struct image_cache {
    struct image_cache_setup setup;
    char *folder, *instances, *url;
    struct idmap entries;
};
struct image_job {
    struct worker_job job;     /* first */
    struct image_cache *cache; /* NULL: freed meanwhile */
    struct image_entry *entry;
    atomic_bool stop;
    char *folder, *instances, *url, *path, *part, *api_path, *ca_file, *cert_file, *key_file;
    const char *format;
    char sha512[DIGEST_SHA512_SIZE];
    int64_t size_bytes, limit_bytes, stall_ms, virtual_bytes; /* virtual_bytes: 0 until the image has been checked */
    char **pinned;
    size_t pinned_count;
    int code;
    bool transient;
    struct error error;
};

/* ---- on the worker ---- */

static int image_job_download(struct image_job *j)
{
    struct http_download d = {.url = j->url, .path = j->api_path, .file = j->part, .size_bytes = j->size_bytes};
    d.identity =
        (struct http_client_identity){.ca_file = j->ca_file, .cert_file = j->cert_file, .key_file = j->key_file};
    d.stall_ms = j->stall_ms;
    d.stop = &j->stop;
    image_files_evict(j->folder, j->instances, (const char *const *)j->pinned, j->pinned_count, j->limit_bytes,
                      j->size_bytes);
    int code = http_download(&d, &j->error);
    if (code == ERR_NO_SPACE && unlink(j->part) == 0) /* do not sit on the rest of it */
        log_warn("unfinished image removed: the disk is full", "file=%s", j->part);
    j->transient = code == ERR_UNAVAILABLE || code == ERR_NO_SPACE;
    return code;
}

static int image_job_verify(struct image_job *j)
{
    char sum[DIGEST_SHA512_SIZE];
    int code = digest_file(j->part, &j->stop, sum, &j->error);
    if (!code && strcasecmp(sum, j->sha512) != 0) {
        unlink(j->part);
        j->transient = true;
        code = error_set(&j->error, ERR_CORRUPT, "The image arrived with another checksum than it should have");
    }
    if (!code && chmod(j->part, 0644)) /* programs that may read nothing else check it */
        code = error_set(&j->error, ERR_IO, "%s: %s", j->part, strerror(errno));
    if (!code && (code = image_check(j->part, j->format, &j->virtual_bytes, &j->error)) == ERR_INVALID)
        unlink(j->part);
    return code;
}

/* On disk before it gets its name: a name means that it is whole. */
static int image_job_publish(struct image_job *j)
{
    int fd = open(j->part, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fdatasync(fd) == 0 && rename(j->part, j->path) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    return good ? 0 : error_set(&j->error, why == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s: %s", j->path, strerror(why));
}

static void image_job_run(struct worker_job *job)
{
    struct image_job *j = (struct image_job *)job;
    if (access(j->path, F_OK) == 0) {
        if (!j->virtual_bytes)
            j->code = image_check(j->path, j->format, &j->virtual_bytes, &j->error);
        utimensat(AT_FDCWD, j->path, NULL, 0);
        return;
    }
    j->virtual_bytes = 0;
    j->code = image_job_download(j);
    if (!j->code)
        j->code = image_job_verify(j);
    if (!j->code)
        j->code = image_job_publish(j);
}

/* ---- on the loop ---- */

static void image_job_free(struct image_job *j)
{
    for (size_t i = 0; i < j->pinned_count; i++)
        free(j->pinned[i]);
    free(j->pinned);
    free(j->folder);
    free(j->instances);
    free(j->url);
    free(j->path);
    free(j->part);
    free(j->api_path);
    free(j->ca_file);
    free(j->cert_file);
    free(j->key_file);
    free(j);
}

static void image_entry_drop(struct image_cache *c, struct image_entry *entry)
{
    if (entry->pins || entry->job || entry->waiting)
        return;
    if (entry->virtual_bytes && access(entry->path, F_OK) == 0) /* remembered: the check needs no repeat */
        return;
    idmap_remove(&c->entries, entry->path);
    free(entry->path);
    free(entry);
}

static void image_entry_tell(struct image_entry *entry, const struct image_cache_result *result)
{
    struct image_waiter *waiting = entry->waiting;
    entry->waiting = NULL;
    while (waiting) {
        struct image_waiter *next = waiting->next;
        entry->pins += result->code ? 0 : 1u;
        waiting->done(waiting->arg, result);
        free(waiting);
        waiting = next;
    }
}

static void image_job_done(struct worker_job *job, enum worker_outcome outcome)
{
    struct image_job *j = (struct image_job *)job;
    if (!j->cache) {
        image_job_free(j);
        return;
    }
    if (outcome != WORKER_DONE) {
        j->code = error_set(&j->error, ERR_BUSY, "No worker was free to fetch the image");
        j->transient = true;
    }
    struct image_cache *c = j->cache;
    struct image_entry *entry = j->entry;
    struct image_cache_result result = {.code = j->code, .transient = j->transient, .error = &j->error};
    entry->job = NULL;
    entry->virtual_bytes = j->code ? 0 : j->virtual_bytes;
    result.base = (struct disk_base){entry->path, entry->format, entry->virtual_bytes};
    if (j->code)
        log_warn("image not ready", "file=%s error=\"%s\"", entry->path, error_text(&j->error));
    entry->pins++; /* while the callers are told */
    image_entry_tell(entry, &result);
    entry->pins--;
    image_job_free(j);
    image_entry_drop(c, entry);
}

static void image_job_pins(struct image_job *j)
{
    size_t at = 0;
    j->pinned = memory_array(j->cache->entries.count, sizeof(*j->pinned));
    for (struct image_entry *entry; (entry = idmap_next(&j->cache->entries, &at));) {
        if (entry->pins || entry->job)
            j->pinned[j->pinned_count++] = memory_strdup(entry->path);
    }
}

static void image_cache_submit(struct image_cache *c, struct image_entry *entry, const struct spec_image *image)
{
    static const struct worker_class class = {.run = image_job_run, .done = image_job_done};
    struct image_job *j = memory_new(sizeof(*j));
    j->cache = c;
    j->entry = entry;
    j->folder = memory_strdup(c->folder);
    j->instances = memory_strdup(c->instances);
    j->url = memory_strdup(c->url);
    j->path = memory_strdup(entry->path);
    j->part = strbuf_print("%s.part", entry->path);
    j->api_path = strbuf_print("/agent/v1/images/%s", image->id);
    j->ca_file = memory_strdup(c->setup.identity->ca_file);
    j->cert_file = memory_strdup(c->setup.identity->cert_file);
    j->key_file = memory_strdup(c->setup.identity->key_file);
    j->format = entry->format;
    memcpy(j->sha512, image->sha512, DIGEST_SHA512_SIZE);
    j->size_bytes = image->size_bytes;
    j->virtual_bytes = entry->virtual_bytes;
    j->limit_bytes = *c->setup.limit_bytes;
    j->stall_ms = c->setup.stall_ms;
    entry->job = j;
    image_job_pins(j);
    worker_submit(c->setup.pool, &j->job, &class, 0);
}

/* Static. */
static const char *image_cache_format(const char *disk_format)
{
    static const char *const formats[] = {"root-tar", "squashfs", "raw"};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(disk_format, formats[i]) == 0)
            return formats[i];
    }
    return "qcow2";
}

static struct image_entry *image_cache_entry(struct image_cache *c, const struct spec_image *image)
{
    const char *format = image_cache_format(image->disk_format);
    char *path = strbuf_print("%s/%s-%.16s.%s", c->folder, image->id, image->sha512, format);
    struct image_entry *entry = idmap_get(&c->entries, path);
    if (entry) {
        free(path);
        return entry;
    }
    entry = memory_new(sizeof(*entry));
    entry->path = path;
    entry->format = format;
    idmap_put(&c->entries, entry->path, entry);
    return entry;
}

/* Every answer comes through a job, so that it never comes from inside the call. For an image that is there the job
 * only looks at its header. */
bool image_cache_get(struct image_cache *c, const struct spec_image *image, image_cache_fn done, void *arg)
{
    struct image_entry *entry = image_cache_entry(c, image);
    struct image_waiter *w = memory_new(sizeof(*w));
    w->done = done;
    w->arg = arg;
    w->next = entry->waiting;
    entry->waiting = w;
    bool there = access(entry->path, F_OK) == 0;
    if (!entry->job)
        image_cache_submit(c, entry, image);
    return !there;
}

void image_cache_release(struct image_cache *c, const char *path)
{
    struct image_entry *entry = idmap_get(&c->entries, path);
    assert(entry && entry->pins > 0);
    entry->pins--;
    image_entry_drop(c, entry);
}

int image_cache_new(const struct image_cache_setup *setup, struct image_cache **ret, struct error *e)
{
    int code = file_make_dirs(setup->folder, 0711, e);
    if (code)
        return code;
    struct image_cache *c = memory_new(sizeof(*c));
    c->setup = *setup;
    c->folder = memory_strdup(setup->folder);
    c->instances = memory_strdup(setup->instances);
    c->url = memory_strdup(setup->url);
    *ret = c;
    return 0;
}

void image_cache_free(struct image_cache **cache)
{
    struct image_cache *c = *cache;
    *cache = NULL;
    if (!c)
        return;
    size_t at = 0;
    for (struct image_entry *entry; (entry = idmap_next(&c->entries, &at));) {
        if (entry->job) {
            atomic_store(&entry->job->stop, true);
            entry->job->cache = NULL;
        }
        for (struct image_waiter *w = entry->waiting, *next; w; w = next) {
            next = w->next;
            free(w);
        }
        free(entry->path);
        free(entry);
    }
    idmap_done(&c->entries);
    free(c->folder);
    free(c->instances);
    free(c->url);
    free(c);
}
