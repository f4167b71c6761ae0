/* Each file is fetched as NAME.move and renamed when it is whole. The image comes first and gets the name that it has
 * on the other host: names in the cache say image, checksum and format. */
#include "compute-agent/storage/receive.h"
#include "common/child.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json_in.h"
#include "common/strbuf.h"
#include "compute-agent/http/http_download.h"
#include "compute-agent/storage/disk.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/storage/layer.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/pack.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/tls/digest.h"
#include "compute-agent/xml/domain_xml.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_LIST_MS      1800000 /* the other side makes checksums of everything */
#define RECEIVE_IMAGE_MS     600000
#define RECEIVE_AGAIN_NS     50000000
#define RECEIVE_CONSOLE_SIZE ((size_t)8 << 20)
#define RECEIVE_SLACK        ((int64_t)64 << 20)

struct fetched {
    const char *name, *format, *sha512;
    int64_t size_bytes, virtual_bytes;
};
struct list {
    struct json_list files, layers; /* layers: between the base and the disk, those next to the base first */
    struct json_seen seen;
    struct fetched base, bottom; /* bottom: the base, where there are layers */
};

static const struct json_field fetched_fields[] = {
    {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct fetched, name), .flags = JSON_REQUIRED},
    {.name = "format", .kind = JSON_TEXT, .offset = offsetof(struct fetched, format)},
    {.name = "sha512", .kind = JSON_TEXT, .offset = offsetof(struct fetched, sha512), .flags = JSON_REQUIRED},
    {.name = "virtual_bytes", .kind = JSON_INT, .offset = offsetof(struct fetched, virtual_bytes)},
    {.name = "size_bytes", .kind = JSON_INT, .offset = offsetof(struct fetched, size_bytes), .flags = JSON_REQUIRED},
};
static const struct json_table fetched_table = {
    .fields = fetched_fields, .count = JSON_COUNT(fetched_fields), .open = true, .seen_offset = JSON_NO_SEEN};
static const struct json_field list_fields[] = {
    {.name = "base",
     .kind = JSON_OBJECT,
     .offset = offsetof(struct list, base),
     .flags = JSON_NULLABLE,
     .sub = &fetched_table},
    {.name = "files",
     .kind = JSON_LIST,
     .offset = offsetof(struct list, files),
     .flags = JSON_REQUIRED,
     .sub = &fetched_table,
     .item_size = sizeof(struct fetched)},
    {.name = "bottom", .kind = JSON_OBJECT, .offset = offsetof(struct list, bottom), .sub = &fetched_table},
    {.name = "layers",
     .kind = JSON_LIST,
     .offset = offsetof(struct list, layers),
     .sub = &fetched_table,
     .item_size = sizeof(struct fetched)},
};
static const struct json_table list_table = {
    .fields = list_fields, .count = JSON_COUNT(list_fields), .open = true, .seen_offset = offsetof(struct list, seen)};

struct job {
    const struct receive *what;
    struct arena arena;
    char *folder;
    struct http_client_identity as;
    struct list list;
    bool has_base;
    const char *base_path, *base_format; /* what the next file is based on */
};

/* A name that becomes a part of a path. */
static bool is_name(const char *name)
{
    return name && name[0] != '.' && name[0] != '\0' && strlen(name) < 200 && strchr(name, '/') == NULL;
}

static int fetch(struct job *j, const char *remote, const struct fetched *file, const char *path, struct error *e)
{
    char digest[DIGEST_SHA512_SIZE];
    const char *partial = arena_printf(&j->arena, "%s.move", path);
    struct http_download d = {.url = j->what->url,
                              .path = arena_printf(&j->arena, "/files/%s/%s", j->what->server_id, remote),
                              .identity = j->as,
                              .file = partial,
                              .size_bytes = file->size_bytes,
                              .stall_ms = j->what->settings->image_deadline_ms,
                              .stop = j->what->stop,
                              .what = remote};
    if (access(path, F_OK) == 0)
        return 0;
    int code = http_download(&d, e);
    code = code ? code : digest_file(partial, j->what->stop, digest, e);
    if (!code && strcmp(digest, file->sha512) != 0) {
        unlink(partial);
        code = error_set(e, ERR_CORRUPT, "What came of %s has another checksum than the original", remote);
    }
    return code;
}

static int image_tool(const char *const *argv, struct error *e)
{
    struct child child = {.argv = argv, .deadline_ms = RECEIVE_IMAGE_MS};
    return child_run(&child, NULL, e);
}

/* Raw disks come packed. */
static int unpack(struct job *j, const char *path, struct error *e)
{
    const char *partial = arena_printf(&j->arena, "%s.move", path);
    if (access(partial, F_OK) != 0)
        return 0; /* there before */
    int code = pack_open(partial, path, e);
    if (!code)
        unlink(partial);
    return code;
}

static int keep(struct job *j, const char *path, struct error *e)
{
    const char *partial = arena_printf(&j->arena, "%s.move", path);
    if (access(partial, F_OK) != 0)
        return 0; /* there before */
    return rename(partial, path) ? error_set(e, ERR_IO, "%s: %s", path, strerror(errno)) : 0;
}

/* The other host may hear a moment later than this one that it is to be served. */
static int fetch_text(struct job *j, const char *name, struct strbuf *ret, struct error *e)
{
    struct http_download d = {.url = j->what->url,
                              .path = arena_printf(&j->arena, "/files/%s%s", j->what->server_id, name),
                              .identity = j->as,
                              .stall_ms = RECEIVE_LIST_MS,
                              .what = "list of files"};
    int64_t until = clock_mono_us() + j->what->patience_ms * 1000;
    for (;;) {
        struct error failure = {0};
        int code = http_download_text(&d, ret, &failure);
        bool early = code == ERR_FORBIDDEN || code == ERR_UNAVAILABLE;
        if (!early || clock_mono_us() >= until || (j->what->stop && atomic_load(j->what->stop)))
            return code ? error_set(e, code, "%s", error_text(&failure)) : 0;
        strbuf_reset(ret);
        nanosleep(&(struct timespec){.tv_nsec = RECEIVE_AGAIN_NS}, NULL);
    }
}

static int read_list(struct job *j, bool running, struct error *e)
{
    struct strbuf text;
    struct json_doc doc;
    strbuf_init(&text, 1 << 20);
    int code = fetch_text(j, running ? "/running" : "", &text, e);
    code = code ? code : json_in_parse(text.data, text.size, &doc, e);
    if (!code) {
        code = json_in_read(doc.root, &list_table, &j->list, &j->arena, e);
        j->has_base = (j->list.seen.present & ~j->list.seen.null & 1) != 0;
        if (j->list.layers.count) {
            j->has_base = (j->list.seen.present & ~j->list.seen.null & 4) != 0;
            j->list.base = j->list.bottom;
        }
        json_in_done(&doc);
    }
    strbuf_done(&text);
    return code;
}

/* What is still to come, with what the host keeps free besides. */
static int check_room(struct job *j, struct error *e)
{
    const struct fetched *files = j->list.files.items;
    const char *base = j->has_base && is_name(j->list.base.name)
                           ? arena_printf(&j->arena, "%s/%s", j->what->settings->image_dir, j->list.base.name)
                           : NULL;
    const struct fetched *layers = j->list.layers.items;
    int64_t need = base && access(base, F_OK) != 0 ? j->list.base.size_bytes : 0;
    for (size_t i = 0; i < j->list.layers.count; i++)
        need += layers[i].size_bytes;
    struct statvfs fs;
    for (size_t i = 0; i < j->list.files.count; i++) {
        struct stat st = {.st_size = 0};
        const char *path = is_name(files[i].name) ? arena_printf(&j->arena, "%s/%s", j->folder, files[i].name) : "";
        if (stat(path, &st) && stat(arena_printf(&j->arena, "%s.move", path), &st))
            st.st_size = 0;
        need += files[i].size_bytes > st.st_size ? files[i].size_bytes - st.st_size : 0;
    }
    if (statvfs(j->what->settings->instances_dir, &fs))
        return error_set(e, ERR_IO, "%s: %s", j->what->settings->instances_dir, strerror(errno));
    int64_t free_bytes = (int64_t)((uint64_t)fs.f_bavail * fs.f_frsize);
    if (need + RECEIVE_SLACK <= free_bytes)
        return 0;
    return error_set(e, ERR_NO_SPACE,
                     "There is no room for the server's disks on this host: %lld MiB come, %lld MiB are free",
                     (long long)(need >> 20), (long long)(free_bytes >> 20));
}

static int fetch_image(struct job *j, struct error *e)
{
    const struct fetched *base = &j->list.base;
    if (!j->has_base)
        return 0;
    if (!is_name(base->name) || (strcmp(base->format, "qcow2") != 0 && strcmp(base->format, "raw") != 0))
        return error_set(e, ERR_INVALID, "The other host's image has a name that is none: %.80s", base->name);
    j->base_path = arena_printf(&j->arena, "%s/%s", j->what->settings->image_dir, base->name);
    j->base_format = base->format;
    int code = fetch(j, "base", base, j->base_path, e);
    return code ? code : keep(j, j->base_path, e);
}

/* The overlay names its image by the path on the other host. */
static int rebase(struct job *j, const char *path, struct error *e)
{
    char backing[IMAGE_CHECK_NAME_SIZE];
    const char *partial = arena_printf(&j->arena, "%s.move", path);
    const char *rebase[] = {"qemu-img",   "rebase", "-q",           "-u", "-f",    "qcow2", "-b",
                            j->base_path, "-F",     j->base_format, "--", partial, NULL};
    if (!j->has_base || access(partial, F_OK) != 0)
        return 0;
    int code = image_tool(rebase, e);
    code = code ? code : image_check_backing(partial, backing, e);
    if (!code && (strcmp(backing, j->base_path) != 0 || access(j->base_path, R_OK) != 0))
        code = error_set(e, ERR_IO, "The image of the server's disk went away meanwhile");
    return code;
}

/* A layer that a clone of the server has brought here before is the same. */
static int fetch_layer(struct job *j, const struct fetched *layer, struct error *e)
{
    const char *path = arena_printf(&j->arena, "%s/" LAYER_FOLDER "/%s", j->what->settings->instances_dir, layer->name);
    if (!is_name(layer->name) || !layer_is(j->what->settings->instances_dir, path))
        return error_set(e, ERR_INVALID, "The other host's layer has a name that is none: %.80s", layer->name);
    int code = fetch(j, layer->name, layer, path, e);
    code = code ? code : rebase(j, path, e);
    code = code ? code : keep(j, path, e);
    j->has_base = true;
    j->base_path = path;
    j->base_format = "qcow2";
    return code;
}

/* All that the disk is based on. */
static int fetch_base(struct job *j, struct error *e)
{
    const struct fetched *layers = j->list.layers.items;
    int code = fetch_image(j, e);
    for (size_t i = 0; i < j->list.layers.count && !code; i++)
        code = fetch_layer(j, &layers[i], e);
    return code;
}

/* An overlay of the same image, empty. */
static int make_empty(struct job *j, const struct fetched *file, const char *path, struct error *e)
{
    bool root = strcmp(file->name, DOMAIN_XML_ROOT) == 0 && j->has_base;
    const char *size = arena_printf(&j->arena, "%lld", (long long)file->virtual_bytes);
    const char *partial = arena_printf(&j->arena, "%s.move", path);
    const char *over[] = {"qemu-img", "create",       "-q", "-f",    "qcow2", "-b", j->base_path,
                          "-F",       j->base_format, "--", partial, size,    NULL};
    const char *plain[] = {"qemu-img", "create", "-q", "-f", "qcow2", "--", partial, size, NULL};
    if (file->virtual_bytes <= 0)
        return error_set(e, ERR_PEER, "The other host does not say how large %s is", file->name);
    return access(path, F_OK) == 0 ? 0 : image_tool(root ? over : plain, e);
}

static int fetch_all(struct job *j, struct error *e)
{
    const struct fetched *files = j->list.files.items;
    int code = fetch_base(j, e);
    for (size_t i = 0; !code && i < j->list.files.count; i++) {
        if (!is_name(files[i].name))
            return error_set(e, ERR_INVALID, "The other host's file has a name that is none: %.80s", files[i].name);
        const char *path = arena_printf(&j->arena, "%s/%s", j->folder, files[i].name);
        bool disk = j->what->running && files[i].sha512[0] == '\0';
        code = disk ? make_empty(j, &files[i], path, e) : fetch(j, files[i].name, &files[i], path, e);
        if (!code && !disk && strcmp(files[i].name, DOMAIN_XML_ROOT) == 0)
            code = rebase(j, path, e);
        if (!code && !disk && strcmp(files[i].format ? files[i].format : "", "raw") == 0)
            code = unpack(j, path, e);
        code = code ? code : keep(j, path, e);
    }
    return code;
}

/* ---- what the flavor wants ---- */

static int fit(struct job *j, struct error *e)
{
    static const struct disk_base none = {0};
    if (access(arena_printf(&j->arena, "%s/" DOMAIN_XML_RAW_ROOT, j->folder), F_OK) == 0)
        return disk_make_raw(j->folder, j->what->spec, &none, true, e);
    if (access(arena_printf(&j->arena, "%s/" DOMAIN_XML_ROOT, j->folder), F_OK) != 0)
        return error_set(e, ERR_NOT_FOUND, "The server's disk is missing on its host");
    return disk_make(j->folder, j->what->spec, &none, true, e);
}

/* ---- storage that both hosts reach ---- */

/* An agent of the version before does not know the question: what it has is copied. */
static int find_shared(struct job *j, bool *ret, struct error *e)
{
    struct strbuf text;
    struct json_doc doc;
    struct error failure = {0};
    strbuf_init(&text, 4096);
    int code = fetch_text(j, "/share", &text, &failure);
    *ret = false;
    if (code == 0 && json_in_parse(text.data, text.size, &doc, NULL) == 0) {
        const char *share = json_in_text(json_in_member(doc.root, "share"));
        *ret = is_name(share) && access(arena_printf(&j->arena, "%s/share.%s", j->folder, share), F_OK) == 0;
        json_in_done(&doc);
    }
    strbuf_done(&text);
    return code == 0 || code == ERR_NOT_FOUND ? 0 : error_set(e, code, "%s", error_text(&failure));
}

/* The disk names its image by a path that must be good on both hosts. */
static int check_backing(struct job *j, struct error *e)
{
    char backing[IMAGE_CHECK_NAME_SIZE];
    const char *root = arena_printf(&j->arena, "%s/%s", j->folder, DOMAIN_XML_ROOT), **files;
    size_t count = 0;
    int code = layer_chain(j->what->settings->instances_dir, root, &j->arena, &files, &count, e);
    snprintf(backing, sizeof(backing), "%s", count ? files[count - 1] : "");
    if (code || !backing[0] || (j->base_path && strcmp(backing, j->base_path) == 0 && access(backing, R_OK) == 0))
        return code;
    return error_set(e, ERR_INVALID,
                     "The hosts share the servers' disks, but the image is at %s there and at %s here: both need the "
                     "same image_dir",
                     backing, j->base_path ? j->base_path : "no place");
}

static int use_shared(struct job *j, struct error *e)
{
    int code = owner_share(j->folder, e);
    code = code ? code : read_list(j, true, e); /* no checksums of disks */
    code = code ? code : fetch_image(j, e);     /* layers are shared, too */
    if (access(arena_printf(&j->arena, "%s/" DOMAIN_XML_RAW_ROOT, j->folder), F_OK) == 0)
        return code;
    return code ? code : check_backing(j, e);
}

static int copy(struct job *j, struct error *e)
{
    int hold = -1;
    int code = read_list(j, j->what->running, e);
    code = code ? code : check_room(j, e);
    code = code ? code : owner_make(j->folder, j->what->identity->host_id, e);
    code = code || !j->list.layers.count ? code : layer_hold(j->what->settings, &hold, e);
    code = code ? code : fetch_all(j, e);
    layer_release(j->what->settings, hold);
    return code;
}

/* ---- all together ---- */

static void begin(struct job *j, const struct receive *r)
{
    *j = (struct job){.what = r, .as = identity_http(r->identity)};
    arena_init(&j->arena);
    j->folder = storage_folder(r->settings, r->server_id);
    if (r->url)
        j->as.server_name = arena_printf(&j->arena, "%s.host.virga", r->peer_id);
}

static int end(struct job *j, int code)
{
    free(j->folder);
    arena_done(&j->arena);
    return code;
}

int receive_files(const struct receive *r, bool *ret_shared, struct error *e)
{
    struct job j;
    bool shared = false;
    begin(&j, r);
    int code = r->url ? find_shared(&j, &shared, e) : 0;
    if (!code && r->running && r->shared_only && !shared)
        code = error_set(e, ERR_HYPERVISOR,
                         "The two hosts do not share the server's disks, and its hypervisor copies none of a guest "
                         "that runs; a server that is off can be migrated");
    if (!code && r->url)
        code = shared ? use_shared(&j, e) : copy(&j, e);
    code = code || r->running ? code : fit(&j, e);
    *ret_shared = shared;
    return end(&j, code);
}

int receive_domain(const struct receive *r, struct strbuf *ret, struct error *e)
{
    struct job j;
    begin(&j, r);
    return end(&j, fetch_text(&j, "/domain", ret, e));
}

int receive_console(const struct receive *r, struct error *e)
{
    struct job j;
    struct strbuf text;
    begin(&j, r);
    if (owner_is_shared(j.folder))
        return end(&j, 0);
    strbuf_init(&text, RECEIVE_CONSOLE_SIZE);
    int code = fetch_text(&j, "/console", &text, e);
    if (!code && text.size)
        code = file_replace(arena_printf(&j.arena, "%s/" DOMAIN_XML_CONSOLE ".0", j.folder), text.data, text.size, 0600,
                            e);
    strbuf_done(&text);
    return end(&j, code);
}
