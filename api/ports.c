/* Each port remembers its files and how they were when it read them. A pair of files is replaced one after the other:
 * what does not fit together is left alone until it does. */
#include "api/ports.h"
#include "api/config.h"
#include "api/http/http_server.h"
#include "api/services.h"
#include "common/daemon.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RENEW_MS 5000

enum file { CERTIFICATE, KEY, TRUST, FILE_COUNT };
/* A file as it was: another one has another stamp. */
struct stamp {
    ino_t inode;
    off_t size;
    struct timespec changed;
};
struct port {
    struct http_server *server; /* borrowed from the api; NULL: not open */
    const char *name;
    char *paths[FILE_COUNT]; /* NULL: none */
    struct stamp stamps[FILE_COUNT];
};
static struct port tenants = {.name = "tenants"}, agents = {.name = "agents"};
static pthread_mutex_t renewing = PTHREAD_MUTEX_INITIALIZER;

/* The file's text, for the caller to free; NULL for no path. */
static int read_pem(const char *path, char **ret, struct error *e)
{
    struct strbuf text;
    if (!path)
        return 0;
    strbuf_init(&text, (size_t)1 << 20);
    int rc = file_read(path, &text, e);
    if (!rc)
        *ret = strbuf_take(&text);
    strbuf_done(&text);
    return rc;
}

static void fill_options(const struct api_config *c, struct http_options *o)
{
    *o = (struct http_options){
        .services = services_all,
        .threads = (unsigned)c->http_threads,
        .workers = (unsigned)c->http_workers,
        .hashers = (unsigned)c->password_threads,
        .hash_queue = (unsigned)c->password_queue,
        .connection_limit = (unsigned)c->http_connections,
        .header_timeout_ms = c->header_timeout_ms,
        .body_timeout_ms = c->body_timeout_ms,
        .upload_timeout_ms = c->upload_timeout_ms,
        .idle_timeout_ms = c->idle_timeout_ms,
        .body_limit = c->body_limit,
        .upload_limit = c->image_limit,
        .upload_dir = c->upload_dir,
        .endpoint = c->endpoint,
        .proxies = c->proxies,
    };
}

/* Appends the CA to the port's own certificate: who joins looks for it in the handshake (docs/agent-protocol.md). */
static void add_chain(char **certificate, const char *trust)
{
    struct strbuf chain;
    strbuf_init(&chain, 0);
    strbuf_append_text(&chain, *certificate);
    strbuf_append_text(&chain, trust);
    free(*certificate);
    *certificate = strbuf_take(&chain);
    strbuf_done(&chain);
}

/* What a port's files say; texts[i] NULL for no path. */
struct material {
    char *texts[FILE_COUNT];
};

static void forget_material(struct material *m)
{
    if (m->texts[KEY])
        explicit_bzero(m->texts[KEY], strlen(m->texts[KEY]));
    for (size_t i = 0; i < FILE_COUNT; i++)
        free(m->texts[i]);
}

static int read_material(const struct port *port, struct material *ret, struct error *e)
{
    int rc = 0;
    *ret = (struct material){0};
    for (size_t i = 0; i < FILE_COUNT && !rc; i++)
        rc = read_pem(port->paths[i], &ret->texts[i], e);
    if (!rc && ret->texts[CERTIFICATE] && ret->texts[TRUST])
        add_chain(&ret->texts[CERTIFICATE], ret->texts[TRUST]);
    return rc;
}

/* Whether a file is another one than it was. */
static bool take_stamps(struct port *port)
{
    bool changed = false;
    for (size_t i = 0; i < FILE_COUNT; i++) {
        struct stat now;
        struct stamp stamp = {0};
        if (!port->paths[i] || stat(port->paths[i], &now))
            continue;
        stamp.inode = now.st_ino;
        stamp.size = now.st_size;
        stamp.changed = now.st_mtim;
        changed = changed || memcmp(&stamp, &port->stamps[i], sizeof(stamp)) != 0;
        port->stamps[i] = stamp;
    }
    return changed;
}

/* Opens a port with the files that it names; a trusted CA makes it the agents'. */
static int open_port(struct api *api, struct port *port, const struct http_options *options,
                     struct http_server *_Atomic *ret, struct error *e)
{
    struct http_options o = *options;
    struct material m;
    take_stamps(port);
    int rc = read_material(port, &m, e);
    o.certificate = m.texts[CERTIFICATE];
    o.key = m.texts[KEY];
    o.trust = m.texts[TRUST];
    if (!rc)
        rc = http_server_start(api, &o, ret, e);
    if (!rc)
        port->server = *ret;
    forget_material(&m);
    return rc;
}

static int start_agents(struct api *api, const struct api_config *c, const struct http_options *options,
                        struct error *e)
{
    struct http_options o = *options;
    int fd = daemon_listen_fd("agents");
    o.port = ROUTER_AGENTS;
    o.listen = c->agent_listen;
    o.listen_fd = fd < 0 ? 0 : fd;
    o.endpoint = o.proxies = NULL;
    if (!c->agent_listen || !*c->agent_listen)
        return 0;
    agents.paths[TRUST] = config_place(c->pki_dir, "/ca.pem");
    agents.paths[CERTIFICATE] = config_place(c->pki_dir, "/agents.pem");
    agents.paths[KEY] = config_place(c->pki_dir, "/agents.key");
    if (!access(agents.paths[TRUST], F_OK) || errno != ENOENT)
        return open_port(api, &agents, &o, &api->agents, e);
    log_warn("no hosts can connect: the cloud has no certificates yet", "folder=%s", c->pki_dir);
    return 0;
}

static int start_tenants(struct api *api, const struct api_config *c, const struct http_options *options,
                         struct error *e)
{
    struct http_options o = *options;
    int fd = daemon_listen_fd("tenants");
    if (!c->tls_certificate != !c->tls_key)
        return error_set(e, ERR_INVALID, "tls_certificate and tls_key go together");
    o.listen = c->listen;
    o.listen_fd = fd < 0 ? 0 : fd;
    tenants.paths[CERTIFICATE] = memory_strdup(c->tls_certificate);
    tenants.paths[KEY] = memory_strdup(c->tls_key);
    return open_port(api, &tenants, &o, &api->http, e);
}

/* ---- renewal ---- */

static void renew_port(struct port *port, bool always)
{
    struct error e = {0};
    struct material m;
    if (!port->server || !port->paths[CERTIFICATE] || (!take_stamps(port) && !always))
        return;
    int rc = read_material(port, &m, &e);
    if (!rc)
        rc = http_server_renew(port->server, m.texts[CERTIFICATE], m.texts[KEY], &e);
    forget_material(&m);
    if (rc)
        log_error("certificate not renewed: the old one is still shown", "port=%s error=%s", port->name,
                  error_text(&e));
    else
        log_info("certificate renewed", "port=%s", port->name);
}

void ports_renew(bool always)
{
    pthread_mutex_lock(&renewing);
    renew_port(&tenants, always);
    renew_port(&agents, always);
    pthread_mutex_unlock(&renewing);
}

static void look(struct api *api, void *arg)
{
    (void)api;
    (void)arg;
    ports_renew(false);
}

int ports_start(struct api *api, const struct api_config *c, struct error *e)
{
    struct http_options options;
    fill_options(c, &options);
    int rc = start_agents(api, c, &options, e);
    if (!rc)
        rc = start_tenants(api, c, &options, e);
    if (!rc)
        api_timer(api, RENEW_MS, look, NULL);
    return rc;
}

static void close_port(struct port *port, struct http_server *_Atomic *server, int64_t deadline_ms)
{
    port->server = NULL;
    http_server_stop(server, deadline_ms);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        free(port->paths[i]);
        port->paths[i] = NULL;
    }
}

void ports_stop(struct api *api, const struct api_config *c)
{
    close_port(&agents, &api->agents, c->shutdown_timeout_ms);
    close_port(&tenants, &api->http, c->shutdown_timeout_ms);
}
