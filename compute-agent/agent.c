/* The life of each host in this process: load its identity, join when it has not (again and again while the API is
 * away), start. */
#include "compute-agent/agent.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/cells.h"
#include "compute-agent/driver_mark.h"
#include "compute-agent/fake.h"
#include "compute-agent/fake_rules.h"
#include "compute-agent/identity.h"
#include "compute-agent/libvirt/libvirt_hypervisor.h"
#include "compute-agent/loop.h"
#include "compute-agent/profile/profile.h"
#include "compute-agent/worker.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGENT_DEFAULT_URL    "https://127.0.0.1:8775"
#define AGENT_FILE_THREADS   4
#define AGENT_UPLOAD_THREADS 2
#define AGENT_JOIN_FIRST_MS  500
#define AGENT_JOIN_MOST_MS   15000
#define AGENT_REMOTE_BOOT    "remote" /* this machine's restarts are none of the hypervisor's */
#define MIB                  ((int64_t)1 << 20)
#define GIB                  ((int64_t)1 << 30)

struct agent_host {
    struct agent *agent;
    struct identity identity;
    char *token; /* NULL: none */
    unsigned attempts;
    struct loop_timer *again;
    struct host *host;
    struct hypervisor *fake; /* the host's; NULL: a real one */
};
struct agent {
    const struct settings *settings;
    struct loop *loop;
    struct worker_pool *files, *uploads;
    struct agent_host *hosts;
    struct fake_rules *rules; /* NULL: none */
    char *fake_topology;      /* of each fake host; NULL: not needed yet */
    struct cells_sums fake_sums;
    size_t count, ready;
    void (*done)(void *arg, int code, const struct error *error);
    void *arg;
};

static bool agent_is_fake(const struct settings *s)
{
    return strcmp(s->hypervisor, "fake") == 0;
}

static const char *agent_url(const struct agent_host *h)
{
    const struct settings *s = h->agent->settings;
    if (s->url)
        return s->url;
    if (h->identity.joined)
        return h->identity.url;
    return s->join ? s->join : AGENT_DEFAULT_URL;
}

/* ---- hypervisors ---- */

static enum fake_fault agent_fault(void *arg, const char *call, const char *id)
{
    const struct agent_host *h = arg;
    (void)id;
    return fake_rules_choose(h->agent->rules, (size_t)(h - h->agent->hosts) + 1, call);
}

static void agent_make_fake_cells(struct agent *a)
{
    const struct settings *s = a->settings;
    struct numa_topology *t = memory_new(sizeof(*t));
    struct strbuf text;
    strbuf_init(&text, 0);
    cells_fake(s, s->fake_vcpus, s->fake_memory_bytes / MIB, t);
    cells_divide(t, s, &a->fake_sums);
    numa_topology_print(t, &text);
    a->fake_topology = strbuf_take(&text);
    free(t);
}

/* The part of the list that is this host's; NULL when there is nothing in it. Caller frees. */
static char *agent_fake_cpu(const char *list, size_t index)
{
    const char *next;
    for (; list && index > 0 && (next = strchr(list, '/')); index--)
        list = next + 1;
    char *part = list && *list && *list != '/' ? memory_strdup(list) : NULL;
    if (part)
        part[strcspn(part, "/")] = '\0';
    return part;
}

static int agent_make_fake(struct agent_host *h, struct hypervisor **ret, struct error *e)
{
    const struct settings *s = h->agent->settings;
    if (!h->agent->fake_topology)
        agent_make_fake_cells(h->agent);
    struct fake_setup setup = {.loop = h->agent->loop, .delay_ms = s->fake_delay_ms, .vcpus = s->fake_vcpus};
    struct strbuf file;
    strbuf_init(&file, 0);
    strbuf_appendf(&file, "%s/domains", h->identity.dir);
    setup.memory_mib = s->fake_memory_bytes / MIB;
    setup.disk_gib = s->fake_disk_bytes / GIB;
    setup.reserved_vcpus = s->reserved_vcpus;
    setup.reserved_memory_mib = s->reserved_memory_bytes / MIB + h->agent->fake_sums.huge_mib;
    setup.topology = h->agent->fake_topology;
    if (s->dedicated_cpus || s->shared_cpus)
        setup.vcpus = h->agent->fake_sums.shared;
    setup.reserved_disk_gib = s->reserved_disk_bytes / GIB;
    setup.address = s->address;
    setup.storage = s->fake_storage;
    setup.settings = s;
    setup.cpu = agent_fake_cpu(s->fake_cpus, (size_t)(h - h->agent->hosts));
    setup.file = s->fake_persist ? file.data : NULL;
    int code = fake_new(&setup, ret, e);
    strbuf_done(&file);
    free((char *)(uintptr_t)setup.cpu);
    if (!code) {
        h->fake = *ret;
        fake_set_faults(h->fake, agent_fault, h);
    }
    return code;
}

static int agent_make_libvirt(struct agent_host *h, struct hypervisor **ret, struct error *e)
{
    struct libvirt_setup setup = {.settings = h->agent->settings, .loop = h->agent->loop, .files = h->agent->files};
    setup.identity = &h->identity;
    setup.url = agent_url(h);
    const struct profile *profile = profile_find(setup.settings->hypervisor_uri);
    int code = profile ? driver_mark_check(h->identity.dir, profile->driver, e) : 0;
    return code ? code : libvirt_hypervisor_new(&setup, ret, e);
}

/* ---- starting and joining ---- */

static void agent_host_ready(struct agent_host *h)
{
    struct agent *a = h->agent;
    if (++a->ready == a->count)
        a->done(a->arg, 0, NULL);
}

static void agent_host_start(struct agent_host *h)
{
    struct agent *a = h->agent;
    struct error e = {0};
    bool fake = agent_is_fake(a->settings);
    struct host_setup setup = {.settings = a->settings, .loop = a->loop, .files = a->files, .identity = &h->identity};
    setup.uploads = a->uploads;
    setup.url = agent_url(h);
    const struct profile *profile = profile_find(a->settings->hypervisor_uri);
    setup.durable = !fake;
    if (!fake && profile && profile->remote)
        setup.boot_id = AGENT_REMOTE_BOOT;
    int code = a->settings->join_only ? 0
               : fake                 ? agent_make_fake(h, &setup.hypervisor, &e)
                                      : agent_make_libvirt(h, &setup.hypervisor, &e);
    if (!code && !a->settings->join_only)
        code = host_new(&setup, &h->host, &e);
    if (code) {
        a->done(a->arg, code, &e);
        return;
    }
    if (h->host)
        host_start(h->host);
    agent_host_ready(h);
}

static void agent_host_joined(void *arg, int code, const struct error *error)
{
    struct agent_host *h = arg;
    if (!code) {
        log_info("joined", "host=%s name=%s cloud=%s", h->identity.host_id, h->identity.name, h->identity.cloud_id);
        agent_host_start(h);
    } else if (code == ERR_UNAVAILABLE || code == ERR_TIMEOUT) {
        unsigned shift = h->attempts < 5 ? h->attempts : 5;
        int64_t pause = (int64_t)AGENT_JOIN_FIRST_MS << shift;
        log_warn("joining is tried again", "host=%s error=\"%s\"", h->identity.host_id, error_text(error));
        h->attempts++;
        loop_timer_start(h->again, pause < AGENT_JOIN_MOST_MS ? pause : AGENT_JOIN_MOST_MS, 0);
    } else {
        h->agent->done(h->agent->arg, code, error);
    }
}

static void agent_host_join(void *arg)
{
    struct agent_host *h = arg;
    identity_join(&h->identity, h->agent->loop, h->agent->files, agent_url(h), h->token, agent_host_joined, h);
}

static void agent_host_begin(struct agent_host *h)
{
    if (h->identity.joined) {
        if (h->token)
            log_info("joined already, the token is not used", "host=%s name=%s", h->identity.host_id, h->identity.name);
        agent_host_start(h);
    } else {
        agent_host_join(h);
    }
}

/* ---- life ---- */

static void agent_place(const struct settings *settings, size_t index, struct strbuf *ret)
{
    strbuf_init(ret, 0);
    strbuf_append_text(ret, settings->state_dir);
    if (index > 0)
        strbuf_appendf(ret, "/fake/%zu", index + 1);
}

static int agent_load_host(struct agent *a, size_t index, const char *token, struct error *e)
{
    struct agent_host *h = &a->hosts[index];
    struct strbuf dir;
    agent_place(a->settings, index, &dir);
    h->agent = a;
    int code = identity_load(dir.data, &h->identity, e);
    if (!code && !h->identity.joined && !token)
        code = error_set(e, ERR_INVALID,
                         "The host in %s has not joined a cloud yet: give --join URL and --token TOKEN (`virga host "
                         "add NAME` prints it)",
                         dir.data);
    strbuf_done(&dir);
    if (code)
        return code;
    h->token = memory_strdup(token);
    h->again = loop_timer_new(a->loop, agent_host_join, h);
    a->count++;
    return 0;
}

/* Tokens come one a line; the option --token is the first host's. */
static size_t agent_host_count(const struct settings *settings)
{
    return agent_is_fake(settings) ? (size_t)settings->fake_hosts : 1;
}

static int agent_load_hosts(struct agent *a, char *tokens, struct error *e)
{
    char *save = NULL;
    size_t count = agent_host_count(a->settings);
    a->hosts = memory_array(count, sizeof(*a->hosts));
    char *line = tokens ? strtok_r(tokens, " \t\r\n", &save) : NULL;
    for (size_t i = 0; i < count; i++) {
        const char *token = line ? line : i == 0 ? a->settings->token : NULL;
        int code = agent_load_host(a, i, token, e);
        if (code)
            return code;
        line = line ? strtok_r(NULL, " \t\r\n", &save) : NULL;
    }
    return 0;
}

int agent_new(const struct settings *settings, struct loop *loop, struct agent **ret, struct error *e)
{
    struct agent *a = memory_new(sizeof(*a));
    struct strbuf tokens;
    a->settings = settings;
    a->loop = loop;
    a->files = worker_pool_new(loop, "files", AGENT_FILE_THREADS, 0);
    a->uploads = worker_pool_new(loop, "uploads", AGENT_UPLOAD_THREADS, 0);
    strbuf_init(&tokens, 0);
    int code = settings->token_file ? file_read(settings->token_file, &tokens, e) : 0;
    if (!code && settings->fake_faults)
        code = fake_rules_load(settings->fake_faults, &a->rules, e);
    if (!code)
        code = agent_load_hosts(a, tokens.size ? tokens.data : NULL, e);
    strbuf_done(&tokens);
    if (code)
        agent_free(&a);
    else
        *ret = a;
    return code;
}

void agent_start(struct agent *a, void (*done)(void *arg, int code, const struct error *error), void *arg)
{
    a->done = done;
    a->arg = arg;
    for (size_t i = 0; i < a->count; i++)
        agent_host_begin(&a->hosts[i]);
}

void agent_free(struct agent **agent)
{
    struct agent *a = *agent;
    *agent = NULL;
    if (!a)
        return;
    for (size_t i = 0; i < a->count; i++)
        host_free(&a->hosts[i].host);
    worker_pool_free(&a->uploads);
    worker_pool_free(&a->files);
    for (size_t i = 0; i < a->count; i++) {
        loop_timer_free(&a->hosts[i].again);
        identity_done(&a->hosts[i].identity);
        free(a->hosts[i].token);
    }
    free(a->hosts);
    free(a->fake_topology);
    fake_rules_free(&a->rules);
    free(a);
}

/* A fake host's domains are a file. */
static int agent_purge_fake(const struct identity *identity, struct error *e)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/domains", identity->dir);
    int code = unlink(path.data) && errno != ENOENT ? error_set(e, ERR_IO, "%s: %s", path.data, strerror(errno)) : 0;
    strbuf_done(&path);
    return code;
}

static int agent_purge_host(const struct settings *settings, const char *dir, struct error *e)
{
    struct identity identity;
    int code = identity_load(dir, &identity, e);
    if (code)
        return code;
    if (identity.joined)
        code = agent_is_fake(settings) ? agent_purge_fake(&identity, e) : libvirt_purge(settings, &identity, e);
    if (!code)
        driver_mark_forget(identity.dir);
    identity_done(&identity);
    return code;
}

int agent_purge(const struct settings *settings, struct error *e)
{
    int code = 0;
    for (size_t i = 0; i < agent_host_count(settings) && !code; i++) {
        struct strbuf dir;
        agent_place(settings, i, &dir);
        if (access(dir.data, F_OK) == 0)
            code = agent_purge_host(settings, dir.data, e);
        strbuf_done(&dir);
    }
    return code;
}

int agent_reload(struct agent *a, struct error *e)
{
    struct fake_rules *rules = NULL;
    int code = a->settings->fake_faults ? fake_rules_load(a->settings->fake_faults, &rules, e) : 0;
    if (code)
        return code;
    fake_rules_free(&a->rules);
    a->rules = rules;
    for (size_t i = 0; i < a->count; i++) {
        if (a->hosts[i].fake && a->hosts[i].host)
            fake_release(a->hosts[i].fake);
    }
    return 0;
}

struct host_figures agent_figures(const struct agent *a)
{
    struct host_figures sum = {.connected = true, .listed = true};
    for (size_t i = 0; i < a->count; i++) {
        struct host_figures f = a->hosts[i].host ? host_figures(a->hosts[i].host) : (struct host_figures){0};
        sum.servers += f.servers;
        sum.working += f.working;
        sum.unreported += f.unreported;
        sum.connected = sum.connected && f.connected;
        sum.listed = sum.listed && f.listed;
    }
    return sum;
}
