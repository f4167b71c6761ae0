/* A job that owns all that it touches, for whoever waits for it may be gone before it ends. */
#include "compute-agent/host_upload.h"
#include "common/json_in.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/host_internal.h"
#include "compute-agent/http/http_upload.h"
#include "compute-agent/identity.h"
#include "compute-agent/settings.h"
#include "compute-agent/worker.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct host_upload {
    struct worker_job job; /* first */
    host_upload_fn done;   /* NULL: nobody waits */
    void *arg;
    atomic_bool stop;
    char *url, *path, *file, *data, *format, *template, *ca_file, *cert_file, *key_file;
    int64_t stall_ms;
    int code;
    bool transient;
    struct error error;
};

static void host_upload_free(struct host_upload *u)
{
    free(u->url);
    free(u->path);
    free(u->file);
    free(u->data);
    free(u->format);
    free(u->template);
    free(u->ca_file);
    free(u->cert_file);
    free(u->key_file);
    free(u);
}

static void host_upload_run(struct worker_job *job)
{
    struct host_upload *u = (struct host_upload *)job;
    struct http_upload what = {.url = u->url,
                               .path = u->path,
                               .identity = {.ca_file = u->ca_file, .cert_file = u->cert_file, .key_file = u->key_file},
                               .file = u->file,
                               .data = u->data,
                               .format = u->format,
                               .template = u->template,
                               .stall_ms = u->stall_ms,
                               .stop = &u->stop};
    if (!u->code && !atomic_load(&u->stop))
        u->code = http_upload(&what, &u->error);
    if (atomic_load(&u->stop)) {
        error_clear(&u->error);
        u->code = error_set(&u->error, ERR_CONFLICT, "It was cancelled");
    }
    u->transient = u->code == ERR_UNAVAILABLE || u->code == ERR_TIMEOUT;
    if (!u->transient && u->file && unlink(u->file) && errno != ENOENT)
        log_warn("an image of a server is left on the host", "file=%s error=\"%s\"", u->file, strerror(errno));
}

static void host_upload_done(struct worker_job *job, enum worker_outcome outcome)
{
    struct host_upload *u = (struct host_upload *)job;
    if (outcome != WORKER_DONE) {
        u->code = error_set(&u->error, ERR_BUSY, "No worker was free to send the image");
        u->transient = true;
    }
    struct host_upload_result result = {.code = u->code, .transient = u->transient, .error = &u->error};
    if (u->done)
        u->done(u->arg, &result);
    host_upload_free(u);
}

static void host_upload_read(struct host_upload *u, const char *made)
{
    struct json_doc doc;
    u->code = json_in_parse(made, strlen(made), &doc, &u->error);
    if (u->code)
        return;
    u->file = memory_strdup(json_in_text(json_in_member(doc.root, "file")));
    u->data = memory_strdup(json_in_text(json_in_member(doc.root, "data")));
    u->format = memory_strdup(json_in_text(json_in_member(doc.root, "format")));
    u->template = memory_strdup(json_in_text(json_in_member(doc.root, "template")));
    json_in_done(&doc);
    if ((!u->file && !u->data) || !u->format)
        u->code = error_set(&u->error, ERR_INTERNAL, "The hypervisor has made no image");
}

struct host_upload *host_upload_new(struct host *h, const char *image_id, const char *made, bool stopped,
                                    host_upload_fn done, void *arg)
{
    static const struct worker_class class = {.run = host_upload_run, .done = host_upload_done};
    struct host_upload *u = memory_new(sizeof(*u));
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "/agent/v1/images/%s", image_id);
    u->done = done;
    u->arg = arg;
    atomic_store(&u->stop, stopped);
    u->url = memory_strdup(h->url);
    u->path = strbuf_take(&path);
    u->ca_file = memory_strdup(h->identity->ca_file);
    u->cert_file = memory_strdup(h->identity->cert_file);
    u->key_file = memory_strdup(h->identity->key_file);
    u->stall_ms = h->settings->image_deadline_ms;
    host_upload_read(u, made);
    worker_submit(h->uploads, &u->job, &class, 0);
    return u;
}

void host_upload_stop(struct host_upload *u)
{
    atomic_store(&u->stop, true);
}

void host_upload_forget(struct host_upload *u)
{
    if (!u)
        return;
    u->done = NULL;
    atomic_store(&u->stop, true);
}
