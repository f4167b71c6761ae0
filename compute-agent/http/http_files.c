/* libmicrohttpd with a thread per connection, so that a checksum of a large disk holds up nobody else. Who may read
 * what is looked up for each request, by the name in the certificate that the connection showed. */
#include "compute-agent/http/http_files.h"
#include "common/child.h"
#include "common/file.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/uuid.h"
#include "compute-agent/identity.h"
#include "compute-agent/storage/console_log.h"
#include "compute-agent/storage/layer.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/pack.h"
#include "compute-agent/storage/tpm_state.h"
#include "compute-agent/tls/digest.h"
#include "compute-agent/tls/pki.h"
#include "compute-agent/xml/domain_xml.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_CONNECTIONS 64u
#define FILES_IDLE_S      120u
#define FILES_PATH_SIZE   4096

static const char *const file_names[] = {
    DOMAIN_XML_ROOT,    DOMAIN_XML_EPHEMERAL, DOMAIN_XML_SWAP,     DOMAIN_XML_CONFIG,        DOMAIN_XML_NVRAM,
    TPM_STATE_FILE_1_2, TPM_STATE_FILE_2_0,   DOMAIN_XML_RAW_ROOT, DOMAIN_XML_RAW_EPHEMERAL, DOMAIN_XML_RAW_SWAP};
#define FILE_COUNT (sizeof(file_names) / sizeof(file_names[0]))

struct permission {
    char server_id[UUID_SIZE], peer_id[UUID_SIZE];
    char share[UUID_SIZE]; /* "" before the first list */
    char *domain;
};
struct http_files {
    struct http_files_setup setup;
    struct MHD_Daemon *daemon; /* NULL: does not listen */
    char *ca, *cert, *key;     /* PEM, of the daemon */
    pthread_mutex_t lock;      /* of the permissions */
    struct permission *allowed;
    size_t count;
};

/* ---- what is there ---- */

static void print_path(const struct http_files *f, const char *server_id, const char *name, char ret[FILES_PATH_SIZE])
{
    snprintf(ret, FILES_PATH_SIZE, "%s/%s/%s", f->setup.instances, server_id, name);
}

/* The files behind its disk, the nearest first; none for a disk that needs none or is no qcow2. In the arena. */
static size_t find_behind(const struct http_files *f, const char *server_id, struct arena *a, const char ***ret)
{
    char root[FILES_PATH_SIZE];
    size_t count = 0;
    print_path(f, server_id, DOMAIN_XML_ROOT, root);
    return layer_chain(f->setup.instances, root, a, ret, &count, NULL) ? 0 : count;
}

/* One of them, by its name; "base": the one that is no layer. */
static bool find_base(const struct http_files *f, const char *server_id, const char *name, char ret[FILES_PATH_SIZE])
{
    const char **files = NULL;
    struct arena arena;
    bool found = false;
    arena_init(&arena);
    size_t count = find_behind(f, server_id, &arena, &files);
    for (size_t i = 0; i < count && !found; i++) {
        bool layer = layer_is(f->setup.instances, files[i]);
        found =
            files[i][0] == '/' && (layer ? strcmp(strrchr(files[i], '/') + 1, name) == 0 : strcmp(name, "base") == 0);
        if (found)
            snprintf(ret, FILES_PATH_SIZE, "%s", files[i]);
    }
    arena_done(&arena);
    return found;
}

/* The size of the disk inside, also of one in use; 0 for what is no qcow2. */
static int64_t measure(const char *path)
{
    const char *argv[] = {"qemu-img", "info", "-U", "--output=json", "-f", "qcow2", "--", path, NULL};
    struct child child = {.argv = argv, .deadline_ms = 30000};
    struct strbuf text;
    struct json_doc doc;
    int64_t bytes = 0;
    strbuf_init(&text, 1 << 20);
    if (child_run(&child, &text, NULL) == 0 && json_in_parse(text.data, text.size, &doc, NULL) == 0) {
        json_in_int(json_in_member(doc.root, "virtual-size"), &bytes);
        json_in_done(&doc);
    }
    strbuf_done(&text);
    return bytes;
}

/* A server's own raw disks go packed; images that are raw do not. */
static bool is_raw(const char *name)
{
    static const char *const names[] = {DOMAIN_XML_RAW_ROOT, DOMAIN_XML_RAW_EPHEMERAL, DOMAIN_XML_RAW_SWAP};
    bool raw = false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        raw = raw || strcmp(name, names[i]) == 0;
    return raw;
}

/* A disk of a running guest has no checksum: it changes. */
static int print_file(struct json_out *o, const char *key, const char *path, bool runs, struct error *e)
{
    char digest[DIGEST_SHA512_SIZE] = "", sent[FILES_PATH_SIZE + sizeof(PACK_SUFFIX)];
    struct stat st;
    const char *name = strrchr(path, '/') + 1, *format = strrchr(name, '.');
    bool raw = is_raw(name), disk = raw || (format && strcmp(format, ".qcow2") == 0), moves = runs && disk && !key;
    int code = raw && !moves && !key ? pack_make(path, e) : 0;
    snprintf(sent, sizeof(sent), "%s%s", path, raw && !moves && !key ? PACK_SUFFIX : "");
    code = code || moves ? code : digest_file(sent, NULL, digest, e);
    if (code)
        return code;
    if (stat(sent, &st))
        return error_set(e, ERR_IO, "%s cannot be read", path);
    json_out_object(o, key);
    if (moves)
        json_out_int(o, "virtual_bytes", raw ? (int64_t)st.st_size : measure(path));
    json_out_text(o, "name", name);
    json_out_text(o, "format", format ? format + 1 : "");
    json_out_int(o, "size_bytes", st.st_size);
    json_out_text(o, "sha512", digest);
    json_out_object_end(o);
    return 0;
}

/* "base": the image; "layers" between it and the disk, those next to the image first. An agent that knows no layers
 * must not think that it has all: where there are some, the base is called so that it refuses, and comes as "bottom".
 */
static int print_behind(const struct http_files *f, const char *server_id, struct json_out *o, struct error *e)
{
    const char **files = NULL;
    struct arena arena;
    int code = 0;
    arena_init(&arena);
    size_t count = find_behind(f, server_id, &arena, &files);
    size_t layers = count && !layer_is(f->setup.instances, files[count - 1]) ? count - 1 : count;
    if (count == layers && !layers)
        json_out_null(o, "base");
    else if (!layers)
        code = print_file(o, "base", files[0], false, e);
    if (layers) {
        json_out_object(o, "base");
        json_out_text(o, "name", "");
        json_out_text(o, "format", "");
        json_out_int(o, "size_bytes", 0);
        json_out_text(o, "sha512", "");
        json_out_object_end(o);
        json_out_array(o, "layers");
        for (size_t i = layers; i > 0 && !code; i--)
            code = print_file(o, NULL, files[i - 1], false, e);
        if (!code)
            json_out_array_end(o);
    }
    if (!code && layers && count > layers)
        code = print_file(o, "bottom", files[layers], false, e);
    arena_done(&arena);
    return code;
}

static int print_list(const struct http_files *f, const char *server_id, bool runs, struct strbuf *ret, struct error *e)
{
    char path[FILES_PATH_SIZE];
    struct json_out o;
    int code = 0;
    json_out_init(&o, ret);
    json_out_object(&o, NULL);
    json_out_array(&o, "files");
    for (size_t i = 0; !code && i < FILE_COUNT; i++) {
        print_path(f, server_id, file_names[i], path);
        if (access(path, F_OK) == 0)
            code = print_file(&o, NULL, path, runs, e);
    }
    if (code)
        return code;
    json_out_array_end(&o);
    code = print_behind(f, server_id, &o, e);
    if (!code)
        json_out_object_end(&o);
    return code;
}

/* ---- requests ---- */

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, struct MHD_Response *response)
{
    enum MHD_Result result = MHD_queue_response(c, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *why)
{
    return answer(c, status,
                  MHD_create_response_from_buffer(strlen(why), (void *)(uintptr_t)why, MHD_RESPMEM_PERSISTENT));
}

static bool may_read(struct http_files *f, struct MHD_Connection *c, const char *server_id)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    char name[64];
    bool may = false;
    if (!info || !pki_peer_name(info->tls_session, name, sizeof(name)))
        return false;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->count; i++)
        may = may || (strcmp(f->allowed[i].server_id, server_id) == 0 && strcmp(f->allowed[i].peer_id, name) == 0);
    pthread_mutex_unlock(&f->lock);
    return may;
}

static void print_share(const struct http_files *f, const struct permission *p, char ret[FILES_PATH_SIZE])
{
    snprintf(ret, FILES_PATH_SIZE, "%s/%s/share.%s", f->setup.instances, p->server_id, p->share);
}

/* A name that nobody has looked for yet: what is not there may be remembered for a while by network file systems. */
static int make_share(struct http_files *f, const char *server_id, char ret[UUID_SIZE], struct error *e)
{
    char path[FILES_PATH_SIZE];
    int code = 0;
    snprintf(path, sizeof(path), "%s/%s", f->setup.instances, server_id);
    if (!owner_is_other(path, f->setup.identity->host_id))
        code = owner_take(path, f->setup.identity->host_id, e); /* one of an older agent names nobody */
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; !code && i < f->count; i++) {
        struct permission *p = &f->allowed[i];
        if (strcmp(p->server_id, server_id) != 0)
            continue;
        print_share(f, p, path);
        if (p->share[0])
            unlink(path);
        memcpy(ret, uuid_random(p->share), UUID_SIZE);
        print_share(f, p, path);
        code = file_replace(path, "", 0, 0644, e);
    }
    pthread_mutex_unlock(&f->lock);
    return code;
}

static enum MHD_Result send_text(struct MHD_Connection *c, struct strbuf *text)
{
    size_t size = text->size;
    return answer(c, 200, MHD_create_response_from_buffer(size, strbuf_take(text), MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result send_list(struct http_files *f, struct MHD_Connection *c, const char *server_id, bool runs)
{
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    if (print_list(f, server_id, runs, &text, &e)) {
        log_warn("files of a server cannot be listed", "server=%s error=\"%s\"", server_id, error_text(&e));
        strbuf_done(&text);
        return refuse(c, 500, "The files cannot be read\n");
    }
    return send_text(c, &text);
}

static enum MHD_Result send_share(struct http_files *f, struct MHD_Connection *c, const char *server_id)
{
    char share[UUID_SIZE] = "";
    struct strbuf text;
    struct json_out o;
    struct error e = {0};
    if (make_share(f, server_id, share, &e)) {
        log_warn("whether a server's folder is shared cannot be found out", "server=%s error=\"%s\"", server_id,
                 error_text(&e));
        return refuse(c, 500, "The server's folder cannot be written\n");
    }
    strbuf_init(&text, 0);
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_text(&o, "share", share);
    json_out_object_end(&o);
    return send_text(c, &text);
}

static enum MHD_Result send_console(struct http_files *f, struct MHD_Connection *c, const char *server_id)
{
    char path[FILES_PATH_SIZE];
    struct strbuf text;
    struct error e = {0};
    print_path(f, server_id, DOMAIN_XML_CONSOLE, path);
    strbuf_init(&text, 0);
    if (console_log_read(path, -1, &text, &e) == 0)
        return send_text(c, &text);
    strbuf_done(&text);
    return refuse(c, 500, "The console's log cannot be read\n");
}

static enum MHD_Result send_domain(struct http_files *f, struct MHD_Connection *c, const char *server_id)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->count; i++) {
        if (f->allowed[i].domain && strcmp(f->allowed[i].server_id, server_id) == 0)
            strbuf_append_text(&text, f->allowed[i].domain);
    }
    pthread_mutex_unlock(&f->lock);
    if (text.size)
        return send_text(c, &text);
    strbuf_done(&text);
    return refuse(c, 404, "The guest does not run\n");
}

/* "bytes=N-" alone: what http_download asks for. */
static uint64_t read_offset(struct MHD_Connection *c, uint64_t size)
{
    const char *range = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_RANGE);
    char *end = NULL;
    if (!range || strncmp(range, "bytes=", 6) != 0)
        return 0;
    uint64_t from = strtoull(range + 6, &end, 10);
    return *end == '-' && end[1] == '\0' && from < size ? from : 0;
}

static enum MHD_Result send_file(struct MHD_Connection *c, const char *path)
{
    struct stat st;
    char text[96];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        if (fd >= 0)
            close(fd);
        return refuse(c, 404, "There is no such file\n");
    }
    uint64_t size = (uint64_t)st.st_size, from = read_offset(c, size);
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(size - from, fd, from);
    if (from > 0) {
        snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)from, (unsigned long long)size - 1,
                 (unsigned long long)size);
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, text);
    }
    return answer(c, from > 0 ? 206 : 200, response);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **context)
{
    struct http_files *f = arg;
    char server_id[UUID_SIZE] = "", path[FILES_PATH_SIZE];
    static const char prefix[] = "/files/";
    (void)version;
    (void)data;
    (void)context;
    *size = 0;
    if (strcmp(method, "GET") != 0 || strncmp(url, prefix, strlen(prefix)) != 0 ||
        strlen(url) < strlen(prefix) + UUID_SIZE - 1)
        return refuse(c, 404, "There is nothing of that name\n");
    memcpy(server_id, url + strlen(prefix), UUID_SIZE - 1);
    const char *name = url + strlen(prefix) + UUID_SIZE - 1;
    if (!uuid_valid(server_id) || !may_read(f, c, server_id))
        return refuse(c, 403, "These files are not for you\n");
    if (*name == '\0' || strcmp(name, "/running") == 0)
        return send_list(f, c, server_id, *name != '\0');
    if (strcmp(name, "/share") == 0)
        return send_share(f, c, server_id);
    if (strcmp(name, "/console") == 0)
        return send_console(f, c, server_id);
    if (strcmp(name, "/domain") == 0)
        return send_domain(f, c, server_id);
    if (*name == '/' && find_base(f, server_id, name + 1, path))
        return send_file(c, path);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        if (*name == '/' && strcmp(name + 1, file_names[i]) == 0) {
            char sent[FILES_PATH_SIZE + sizeof(PACK_SUFFIX)];
            print_path(f, server_id, file_names[i], path);
            snprintf(sent, sizeof(sent), "%s%s", path, is_raw(file_names[i]) ? PACK_SUFFIX : "");
            return send_file(c, sent);
        }
    }
    return refuse(c, 404, "There is no such file\n");
}

/* ---- life ---- */

static char *read_pem(const char *path, struct error *e)
{
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    if (file_read(path, &text, e)) {
        strbuf_done(&text);
        return NULL;
    }
    return strbuf_take(&text);
}

static void stop(struct http_files *f)
{
    if (f->daemon)
        MHD_stop_daemon(f->daemon);
    f->daemon = NULL;
    free(f->ca);
    free(f->cert);
    free(f->key);
    f->ca = f->cert = f->key = NULL;
}

static bool read_address(const char *listen, struct sockaddr_in *ret)
{
    char host[INET_ADDRSTRLEN];
    const char *colon = strrchr(listen, ':');
    size_t size = colon ? (size_t)(colon - listen) : sizeof(host);
    if (size >= sizeof(host))
        return false;
    memcpy(host, listen, size);
    host[size] = '\0';
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
    return inet_pton(AF_INET, host, &ret->sin_addr) == 1 && ret->sin_port != 0;
}

static int start(struct http_files *f, struct error *e)
{
    const struct identity *i = f->setup.identity;
    struct sockaddr_in address;
    if (!read_address(f->setup.listen, &address))
        return error_set(e, ERR_INVALID, "move_listen: \"%s\" is not an IPv4 address and port", f->setup.listen);
    f->ca = read_pem(i->ca_file, e);
    f->cert = f->ca ? read_pem(i->cert_file, e) : NULL;
    f->key = f->cert ? read_pem(i->key_file, e) : NULL;
    if (!f->key) {
        stop(f);
        return e->code;
    }
    f->daemon = MHD_start_daemon(
        MHD_USE_TLS | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL,
        on_request, f, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_HTTPS_MEM_CERT, f->cert, MHD_OPTION_HTTPS_MEM_KEY,
        f->key, MHD_OPTION_HTTPS_MEM_TRUST, f->ca, MHD_OPTION_CONNECTION_LIMIT, FILES_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, FILES_IDLE_S, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (f->daemon)
        return 0;
    stop(f);
    return error_set(e, ERR_IO, "Nothing can listen at %s for hosts that fetch servers' files", f->setup.listen);
}

struct http_files *http_files_new(const struct http_files_setup *setup)
{
    struct http_files *f = memory_new(sizeof(*f));
    f->setup = *setup;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

static void drop(const struct http_files *f, struct permission *p)
{
    char path[FILES_PATH_SIZE];
    print_share(f, p, path);
    if (p->share[0])
        unlink(path);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        print_path(f, p->server_id, file_names[i], path);
        if (is_raw(file_names[i]))
            pack_remove(path);
    }
    free(p->domain);
}

static void forget(struct http_files *f, const char *server_id)
{
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->allowed[i].server_id, server_id) != 0)
            continue;
        drop(f, &f->allowed[i]);
        f->allowed[i--] = f->allowed[--f->count];
    }
    pthread_mutex_unlock(&f->lock);
}

void http_files_free(struct http_files **files)
{
    struct http_files *f = *files;
    *files = NULL;
    if (!f)
        return;
    stop(f);
    while (f->count)
        forget(f, f->allowed[0].server_id);
    pthread_mutex_destroy(&f->lock);
    free(f->allowed);
    free(f);
}

int http_files_allow(struct http_files *f, const char *server_id, const char *peer_id, const char *domain,
                     struct error *e)
{
    int code = f->daemon ? 0 : start(f, e);
    if (code)
        return code;
    forget(f, server_id);
    pthread_mutex_lock(&f->lock);
    f->allowed = memory_resize(f->allowed, (f->count + 1) * sizeof(*f->allowed));
    struct permission *p = &f->allowed[f->count++];
    *p = (struct permission){.domain = domain ? memory_strdup(domain) : NULL};
    snprintf(p->server_id, sizeof(p->server_id), "%s", server_id);
    snprintf(p->peer_id, sizeof(p->peer_id), "%s", peer_id);
    pthread_mutex_unlock(&f->lock);
    return 0;
}

void http_files_deny(struct http_files *f, const char *server_id)
{
    if (f->count == 0)
        return;
    forget(f, server_id);
    if (f->count == 0)
        stop(f);
}
