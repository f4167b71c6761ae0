/* A row says what is to be done, so nothing is lost when the process ends at any instruction: the next one finds the
 * row and the staged file, and makes "<id>.part" anew. The staged file is locked (flock) while somebody is at it; the
 * kernel lets go of the lock when he dies. The result gets the image's name before its row says that it is there; one
 * whose row is gone meanwhile is removed. */
#include "api/image/image_queue.h"
#include "api/api.h"
#include "api/config.h"
#include "api/image/image_convert.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/log.h"
#include "db/store_image.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define QUEUE_LOOK_MS 500
#define QUEUE_LIMIT   64

static struct {
    pthread_t thread;
    bool running; /* the timers' thread alone looks at it */
    atomic_bool done, stop;
} worker;

/* ---- the row ---- */

struct outcome {
    const char *id, *fault; /* fault: NULL when it went well */
    const struct image_converted *made;
    struct arena *arena;
};

static int add_pair(void *arg, const char *name, json_value *value)
{
    json_out_text(arg, name, json_in_text(value));
    return 0;
}

/* Adds those that are not there. */
static int add_properties(const char **properties, const struct json_pair *pairs, size_t count, struct arena *a,
                          struct error *e)
{
    struct json_doc doc;
    struct json_out out;
    struct strbuf text;
    int rc = json_in_parse(*properties, strlen(*properties), &doc, e);
    if (rc)
        return rc;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_in_each(doc.root, add_pair, &out);
    for (size_t i = 0; i < count; i++)
        if (!json_in_has(doc.root, pairs[i].key))
            json_out_text(&out, pairs[i].key, pairs[i].value);
    json_out_object_end(&out);
    *properties = arena_strdup(a, text.data);
    strbuf_done(&text);
    json_in_done(&doc);
    return 0;
}

static int describe_machine(struct image_row *row, const struct image_ovf *machine, struct arena *a, struct error *e)
{
    struct json_pair pairs[2];
    size_t count = 0;
    if (row->min_ram_mib == 0)
        row->min_ram_mib = machine->memory_mib;
    if (machine->cpus > 0)
        pairs[count++] = (struct json_pair){IMAGE_MIN_VCPUS, arena_printf(a, "%lld", (long long)machine->cpus)};
    if (machine->uefi)
        pairs[count++] = (struct json_pair){"hw_firmware_type", "uefi"};
    return count ? add_properties(&row->properties, pairs, count, a, e) : 0;
}

/* As Glance's conversion leaves it: formats, size and checksums are of what is served. */
static int describe_result(struct image_row *row, const struct image_converted *made, struct arena *a, struct error *e)
{
    row->status = "active";
    row->disk_format = "qcow2";
    row->container_format = "bare";
    row->has_size = row->has_virtual_size = true;
    row->size_bytes = made->size_bytes;
    row->virtual_size_bytes = made->virtual_bytes;
    row->checksum = made->md5;
    row->hash_algo = "sha512";
    row->hash_value = made->sha512;
    return describe_machine(row, &made->machine, a, e);
}

static bool is_waiting(const struct image_row *row)
{
    return (strcmp(row->status, "saving") == 0 || strcmp(row->status, "importing") == 0) &&
           image_convert_is_needed(row->disk_format, row->container_format);
}

static int write_outcome(struct db_conn *c, void *arg, struct error *e)
{
    const struct outcome *o = arg;
    struct image_row row;
    int rc = store_image_get(c, o->id, NULL, true, o->arena, &row, e);
    if (!rc && !is_waiting(&row))
        rc = error_set(e, ERR_CONFLICT, "Image %s does not wait for its conversion", o->id);
    if (rc)
        return rc;
    row.updated_us = clock_now_us();
    if (o->fault) {
        struct json_pair why = {IMAGE_CONVERSION_ERROR, o->fault};
        row.status = "killed";
        rc = add_properties(&row.properties, &why, 1, o->arena, e);
    } else {
        rc = describe_result(&row, o->made, o->arena, e);
    }
    return rc ? rc : store_image_update(c, &row, e);
}

/* ---- the files ---- */

struct files {
    char staged[PATH_MAX], part[PATH_MAX], whole[PATH_MAX];
};

static void name_files(const struct api *api, const char *id, struct files *ret)
{
    snprintf(ret->staged, sizeof(ret->staged), "%s/%s.stage", api->config->image_dir, id);
    snprintf(ret->part, sizeof(ret->part), "%s/%s.part", api->config->image_dir, id);
    snprintf(ret->whole, sizeof(ret->whole), "%s/%s", api->config->image_dir, id);
}

static void publish(struct api *api, const struct files *f, struct outcome *o)
{
    struct error e = {0};
    bool made = !o->fault && rename(f->part, f->whole) == 0;
    int rc = made || o->fault ? writer_run(api->writer, write_outcome, o, &e)
                              : error_set(&e, ERR_IO, "%s: %s", f->whole, strerror(errno));
    if (rc && made && (rc == ERR_NOT_FOUND || rc == ERR_CONFLICT))
        unlink(f->whole);
    if (rc) {
        log_warn("converted image not kept", "image=%s error=\"%s\"", o->id, error_text(&e));
        return;
    }
    unlink(f->staged);
    if (o->fault)
        log_warn("image refused", "image=%s error=\"%s\"", o->id, o->fault);
    else
        log_info("image converted", "image=%s bytes=%lld", o->id, (long long)o->made->size_bytes);
}

static void convert_locked(struct api *api, const struct image_row *row, const struct files *f, struct arena *a)
{
    struct image_converted made;
    struct error e = {0};
    const struct image_convert what = {.source = f->staged,
                                       .target = f->part,
                                       .disk_format = row->disk_format,
                                       .container_format = row->container_format,
                                       .virtual_limit_bytes = api->config->image_virtual_limit,
                                       .deadline_ms = api->config->image_convert_timeout_ms,
                                       .stop = &worker.stop};
    int rc = image_convert(&what, &made, &e);
    if (rc == ERR_UNAVAILABLE)
        return;
    struct outcome o = {.id = row->id, .made = &made, .fault = rc ? error_text(&e) : NULL, .arena = a};
    publish(api, f, &o);
}

static void convert_one(struct api *api, const char *id, struct arena *a)
{
    struct files f;
    struct image_row row;
    name_files(api, id, &f);
    int fd = open(f.staged, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        log_warn("image waits for a file that is missing", "file=%s", f.staged);
    if (fd < 0)
        return;
    /* With the lock in hand the row is looked at again: another may have just finished it. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && store_image_get(db_reader(api->db), id, NULL, true, a, &row, NULL) == 0 &&
        is_waiting(&row))
        convert_locked(api, &row, &f, a);
    close(fd);
}

void image_queue_work(struct api *api)
{
    struct arena arena;
    const char **ids = NULL;
    size_t count = 0;
    struct error e = {0};
    arena_init(&arena);
    if (store_image_unfinished(db_reader(api->db), QUEUE_LIMIT, &arena, &ids, &count, &e))
        log_warn("images cannot be looked at", "error=\"%s\"", error_text(&e));
    for (size_t i = 0; i < count && !atomic_load(&worker.stop); i++)
        convert_one(api, ids[i], &arena);
    arena_done(&arena);
}

/* ---- the thread ---- */

static void *worker_main(void *arg)
{
    image_queue_work(arg);
    atomic_store(&worker.done, true);
    return NULL;
}

static bool has_work(struct api *api)
{
    struct arena arena;
    const char **ids = NULL;
    size_t count = 0;
    arena_init(&arena);
    int rc = store_image_unfinished(db_reader(api->db), 1, &arena, &ids, &count, NULL);
    arena_done(&arena);
    return !rc && count > 0;
}

static void look(struct api *api, void *arg)
{
    (void)arg;
    if (worker.running && !atomic_load(&worker.done))
        return;
    image_queue_stop();
    if (!has_work(api))
        return;
    atomic_store(&worker.done, false);
    worker.running = pthread_create(&worker.thread, NULL, worker_main, api) == 0;
}

void image_queue_start(struct api *api)
{
    api_timer(api, QUEUE_LOOK_MS, look, NULL);
}

void image_queue_stop(void)
{
    if (!worker.running)
        return;
    atomic_store(&worker.stop, true);
    pthread_join(worker.thread, NULL);
    worker.running = false;
    atomic_store(&worker.stop, false);
}
