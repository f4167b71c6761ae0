/* Reading, writing and checking the files of an identity. Joining and renewing are in identity_join.c. */
#include "compute-agent/identity.h"
#include "common/file.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/memory.h"
#include "compute-agent/identity_internal.h"
#include "compute-agent/tls/pki.h"
#include <stdlib.h>
#include <string.h>

char *identity_path(const char *dir, const char *name)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    strbuf_appendf(&text, "%s/%s", dir, name);
    return strbuf_take(&text);
}

static int identity_read_host_id(const char *path, char ret[UUID_SIZE], struct error *e)
{
    struct strbuf text;
    strbuf_init(&text, 4096);
    int code = file_read(path, &text, e);
    size_t size = code ? 0 : strcspn(text.data, "\r\n ");
    if (!code && size != UUID_SIZE - 1)
        code = error_set(e, ERR_CORRUPT, "%s: not a UUID", path);
    if (!code) {
        memcpy(ret, text.data, size);
        ret[size] = '\0';
        if (!uuid_valid(ret))
            code = error_set(e, ERR_CORRUPT, "%s: not a UUID", path);
    }
    strbuf_done(&text);
    return code;
}

static int identity_make_host_id(const char *path, char ret[UUID_SIZE], struct error *e)
{
    char line[UUID_SIZE + 1];
    uuid_random(ret);
    memcpy(line, ret, UUID_SIZE - 1);
    line[UUID_SIZE - 1] = '\n';
    return file_replace(path, line, UUID_SIZE, 0644, e);
}

static int identity_load_host_id(struct identity *i, struct error *e)
{
    char *path = identity_path(i->dir, "host_id");
    struct error why = {0};
    int code = identity_read_host_id(path, i->host_id, &why);
    if (code == ERR_NOT_FOUND)
        code = identity_make_host_id(path, i->host_id, e);
    else if (code)
        error_set(e, code, "%s", error_text(&why));
    free(path);
    return code;
}

struct identity_cloud {
    const char *cloud_id, *name, *url;
};
static const struct json_field cloud_fields[] = {
    {.name = "cloud_id",
     .kind = JSON_TEXT,
     .offset = offsetof(struct identity_cloud, cloud_id),
     .flags = JSON_REQUIRED},
    {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct identity_cloud, name), .flags = JSON_REQUIRED},
    {.name = "url", .kind = JSON_TEXT, .offset = offsetof(struct identity_cloud, url), .flags = JSON_REQUIRED},
};
static const struct json_table cloud_table = {
    .fields = cloud_fields, .count = JSON_COUNT(cloud_fields), .open = true, .seen_offset = JSON_NO_SEEN};

static int identity_take_cloud(struct identity *i, const struct strbuf *text, struct error *e)
{
    struct json_doc doc;
    struct identity_cloud cloud = {0};
    struct arena arena;
    arena_init(&arena);
    int code = json_in_parse(text->data, text->size, &doc, e);
    if (!code) {
        code = json_in_read(doc.root, &cloud_table, &cloud, &arena, e);
        json_in_done(&doc);
    }
    if (!code)
        identity_set_cloud(i, cloud.cloud_id, cloud.name, cloud.url);
    arena_done(&arena);
    return code;
}

void identity_set_cloud(struct identity *i, const char *cloud_id, const char *name, const char *url)
{
    free(i->cloud_id);
    free(i->name);
    free(i->url);
    i->cloud_id = memory_strdup(cloud_id);
    i->name = memory_strdup(name);
    i->url = memory_strdup(url);
}

int identity_save_cloud(const struct identity *i, struct error *e)
{
    struct strbuf text;
    struct json_out o;
    strbuf_init(&text, 0);
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_text(&o, "cloud_id", i->cloud_id);
    json_out_text(&o, "name", i->name);
    json_out_text(&o, "url", i->url);
    json_out_object_end(&o);
    char *path = identity_path(i->dir, "cloud");
    int code = file_replace(path, text.data, text.size, 0644, e);
    free(path);
    strbuf_done(&text);
    return code;
}

int identity_read_certificate(struct identity *i, struct error *e)
{
    struct strbuf pem;
    strbuf_init(&pem, 65536);
    int code = file_read(i->cert_file, &pem, e);
    if (!code)
        code = pki_read_validity(pem.data, &i->not_before_us, &i->not_after_us, e);
    i->serves = code == 0 && pki_can_serve(pem.data);
    i->joined = code == 0;
    strbuf_done(&pem);
    return code;
}

static int identity_load_joined(struct identity *i, struct error *e)
{
    struct strbuf text;
    struct error why = {0};
    strbuf_init(&text, 65536);
    char *path = identity_path(i->dir, "cloud");
    int code = identity_read_certificate(i, &why);
    if (!code) {
        code = file_read(path, &text, &why);
        i->joined = code == 0;
    }
    if (!code)
        code = identity_take_cloud(i, &text, e);
    else if (code == ERR_NOT_FOUND)
        code = 0; /* has not joined yet */
    else
        error_set(e, code, "%s", error_text(&why));
    free(path);
    strbuf_done(&text);
    return code;
}

int identity_load(const char *dir, struct identity *ret, struct error *e)
{
    struct identity i = {.dir = memory_strdup(dir)};
    i.key_file = identity_path(dir, "key.pem");
    i.cert_file = identity_path(dir, "cert.pem");
    i.ca_file = identity_path(dir, "ca.pem");
    int code = file_make_dirs(dir, 0700, e);
    if (!code)
        code = identity_load_host_id(&i, e);
    if (!code)
        code = identity_load_joined(&i, e);
    if (code)
        identity_done(&i);
    else
        *ret = i;
    return code;
}

void identity_done(struct identity *i)
{
    free(i->dir);
    free(i->key_file);
    free(i->cert_file);
    free(i->ca_file);
    free(i->cloud_id);
    free(i->name);
    free(i->url);
    *i = (struct identity){0};
}

struct http_client_identity identity_http(const struct identity *i)
{
    return (struct http_client_identity){.ca_file = i->ca_file, .cert_file = i->cert_file, .key_file = i->key_file};
}

bool identity_wants_renewal(const struct identity *i, int64_t now_us)
{
    return i->joined &&
           (i->not_after_us - now_us <= (i->not_after_us - i->not_before_us) / 3 || (!i->serves && !i->renewed));
}
