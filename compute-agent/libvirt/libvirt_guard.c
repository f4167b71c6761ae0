/* What the agent keeps containers from sending. A server's rules stand in its folder, too: so it is known which to take
 * away, and what to put back when somebody has emptied the host's packet filter. Whoever reads that file and changes
 * the rules holds the lock, or an older file would come after a newer one. */
#include "common/file.h"
#include "common/log.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/nft/nft.h"
#include "compute-agent/nft/port_guard.h"
#include "compute-agent/settings.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBVIRT_GUARD_FILE "guard"

static pthread_mutex_t libvirt_guard_lock = PTHREAD_MUTEX_INITIALIZER;

static char *libvirt_guard_path(const struct libvirt_call *c, const char *server_id)
{
    return strbuf_print("%s/%s/" LIBVIRT_GUARD_FILE, c->settings->instances_dir, server_id);
}

bool libvirt_guard_ensure(struct libvirt_call *c)
{
    struct strbuf commands;
    struct error e = {0};
    if (strcmp(c->settings->port_security, "off") == 0) {
        log_warn("guests are not kept from sending with others' addresses", "reason=\"it is switched off\"");
        return false;
    }
    strbuf_init(&commands, 0);
    port_guard_table(&commands, &c->names);
    int code = nft_run(commands.data, &e);
    strbuf_done(&commands);
    if (code)
        log_warn("guests are not kept from sending with others' addresses", "reason=\"%s\"", error_text(&e));
    return code == 0;
}

static void libvirt_guard_take(const struct libvirt_call *c, struct strbuf *commands, const char *had)
{
    char port[NAMES_BRIDGE_SIZE];
    for (const char *at = had; port_guard_next(&at, port);)
        port_guard_take(commands, &c->names, port);
}

static int libvirt_guard_run(const struct libvirt_call *c, const char *had, const char *wanted, struct error *e)
{
    struct strbuf commands;
    strbuf_init(&commands, 0);
    port_guard_table(&commands, &c->names);
    libvirt_guard_take(c, &commands, had);
    strbuf_append_text(&commands, wanted);
    int code = nft_run(commands.data, e);
    strbuf_done(&commands);
    return code;
}

/* The file names what may be there: it is written before there is more, and after there is less. */
static int libvirt_guard_change(struct libvirt_call *c, const char *path, const char *had, struct error *e)
{
    struct strbuf both;
    strbuf_init(&both, 0);
    port_guard_join(&both, had, c->guard);
    int code = file_replace(path, both.data, both.size, 0600, e);
    code = code ? code : libvirt_guard_run(c, had, c->guard, e);
    code = code ? code : file_replace(path, c->guard, strlen(c->guard), 0600, e);
    strbuf_done(&both);
    return code;
}

static int libvirt_guard_replace(struct libvirt_call *c, const char *path, const char *had)
{
    if (strcmp(had, c->guard) == 0)
        return *had ? libvirt_guard_run(c, "", c->guard, &c->error) : 0;
    if (*had)
        return libvirt_guard_change(c, path, had, &c->error);
    int code = file_replace(path, c->guard, strlen(c->guard), 0600, &c->error);
    return code ? code : libvirt_guard_run(c, "", c->guard, &c->error);
}

static int libvirt_guard_extend(struct libvirt_call *c, const char *path, const char *had)
{
    struct strbuf both;
    strbuf_init(&both, 0);
    port_guard_join(&both, had, c->guard);
    int code = strcmp(both.data, had) == 0 ? 0 : file_replace(path, both.data, both.size, 0600, &c->error);
    code = code ? code : libvirt_guard_run(c, "", both.data, &c->error);
    strbuf_done(&both);
    return code;
}

static int libvirt_guard_do(struct libvirt_call *c, int (*change)(struct libvirt_call *, const char *, const char *))
{
    struct strbuf had;
    if (!c->guard)
        return 0;
    char *path = libvirt_guard_path(c, c->id);
    strbuf_init(&had, 0);
    pthread_mutex_lock(&libvirt_guard_lock);
    file_read(path, &had, NULL);
    int code = change(c, path, had.data);
    pthread_mutex_unlock(&libvirt_guard_lock);
    strbuf_done(&had);
    free(path);
    c->transient = c->transient || code;
    return c->code = code;
}

int libvirt_guard_put(struct libvirt_call *c)
{
    return libvirt_guard_do(c, libvirt_guard_replace);
}

int libvirt_guard_add(struct libvirt_call *c)
{
    return libvirt_guard_do(c, libvirt_guard_extend);
}

/* What cannot be taken away guards a port that is not there any more: no harm. */
void libvirt_guard_forget(const struct libvirt_call *c, const char *server_id)
{
    struct strbuf had;
    struct error e = {0};
    if (c->profile->filter != PROFILE_FILTER_AGENT)
        return;
    char *path = libvirt_guard_path(c, server_id);
    strbuf_init(&had, 0);
    pthread_mutex_lock(&libvirt_guard_lock);
    if (file_read(path, &had, NULL) == 0 && had.size && libvirt_guard_run(c, had.data, "", &e))
        log_warn("rules of a server's ports are left over", "server=%s error=\"%s\"", server_id, error_text(&e));
    unlink(path);
    pthread_mutex_unlock(&libvirt_guard_lock);
    strbuf_done(&had);
    free(path);
}

/* ---- what somebody else has taken away ---- */

void libvirt_guard_look(const struct libvirt_call *c, struct strbuf *ports)
{
    struct strbuf command;
    if (c->profile->filter != PROFILE_FILTER_AGENT)
        return;
    strbuf_init(&command, 0);
    port_guard_ask(&command, &c->names);
    nft_ask(command.data, ports, NULL);
    strbuf_done(&command);
}

static bool libvirt_guard_misses(const char *had, const char *ports)
{
    char port[NAMES_BRIDGE_SIZE];
    for (const char *at = had; port_guard_next(&at, port);) {
        if (!port_guard_has(ports, port))
            return true;
    }
    return false;
}

/* Looked at again: one that has just started was not there yet. */
static bool libvirt_guard_misses_now(const struct libvirt_call *c, const char *had)
{
    struct strbuf ports;
    strbuf_init(&ports, 0);
    libvirt_guard_look(c, &ports);
    bool misses = libvirt_guard_misses(had, ports.data);
    strbuf_done(&ports);
    return misses;
}

void libvirt_guard_heal(const struct libvirt_call *c, const char *server_id, const struct strbuf *ports)
{
    struct strbuf had;
    struct error e = {0};
    if (c->profile->filter != PROFILE_FILTER_AGENT)
        return;
    char *path = libvirt_guard_path(c, server_id);
    strbuf_init(&had, 0);
    pthread_mutex_lock(&libvirt_guard_lock);
    if (file_read(path, &had, NULL) == 0 && libvirt_guard_misses(had.data, ports->data) &&
        libvirt_guard_misses_now(c, had.data)) {
        int code = libvirt_guard_run(c, "", had.data, &e);
        log_warn("rules of a server's ports were gone", "server=%s error=\"%s\"", server_id,
                 code ? error_text(&e) : "");
    }
    pthread_mutex_unlock(&libvirt_guard_lock);
    strbuf_done(&had);
    free(path);
}

void libvirt_guard_end(const struct libvirt_call *c)
{
    struct strbuf commands;
    struct error e = {0};
    if (c->profile->filter != PROFILE_FILTER_AGENT)
        return;
    strbuf_init(&commands, 0);
    port_guard_end(&commands, &c->names);
    if (nft_run(commands.data, &e))
        log_warn("the rules of ports are left over", "error=\"%s\"", error_text(&e));
    strbuf_done(&commands);
}
