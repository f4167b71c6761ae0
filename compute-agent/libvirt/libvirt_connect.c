/* The connection: made on a worker, watched by keepalive when it goes to another machine, made again after a growing
 * pause. Events come on the loop, from libvirt's event loop that runs there; those of an older connection are
 * recognised by its generation. */
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/kvm_probe.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/loop.h"
#include "compute-agent/settings.h"
#include "compute-agent/xml/xml.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBVIRT_CONNECT_MS      90000 /* the first one makes libvirtd probe its emulators */
#define LIBVIRT_QEMU_CONF       "/etc/libvirt/qemu.conf"
#define LIBVIRT_AGAIN_FIRST_MS  200
#define LIBVIRT_AGAIN_MOST_MS   10000
#define LIBVIRT_KEEPALIVE_S     5
#define LIBVIRT_KEEPALIVE_COUNT 3
#define LIBVIRT_KVM_PROBE_MS    15000
#define LIBVIRT_LOOK_MS         5000 /* how often a hypervisor that tells nothing is looked at */

/* Whose events: one hypervisor in a process, so a plain pointer and a number do. */
static struct libvirt *libvirt_connect_owner;
static pthread_mutex_t libvirt_connect_lock = PTHREAD_MUTEX_INITIALIZER; /* of the next */
static struct loop *libvirt_connect_loop;                                /* NULL: nobody listens any more */

struct libvirt_link {
    unsigned generation;
};
struct libvirt_closed {
    unsigned generation;
    int reason;
};

static struct libvirt *libvirt_connect_of(const struct libvirt_link *link)
{
    struct libvirt *lv = libvirt_connect_owner;
    return lv && lv->conn && lv->generation == link->generation ? lv : NULL;
}

/* ---- what libvirt tells ---- */

static bool libvirt_connect_read_event(int event, int detail, enum hypervisor_domain *ret)
{
    switch (event) {
    case VIR_DOMAIN_EVENT_STARTED:
    case VIR_DOMAIN_EVENT_RESUMED:
        *ret = HYPERVISOR_RUNNING;
        return true;
    case VIR_DOMAIN_EVENT_SUSPENDED:
    case VIR_DOMAIN_EVENT_PMSUSPENDED:
        *ret = HYPERVISOR_PAUSED;
        return true;
    case VIR_DOMAIN_EVENT_STOPPED:
        *ret = detail == VIR_DOMAIN_EVENT_STOPPED_SAVED ? HYPERVISOR_SAVED
               : detail == VIR_DOMAIN_EVENT_STOPPED_CRASHED || detail == VIR_DOMAIN_EVENT_STOPPED_FAILED
                   ? HYPERVISOR_CRASHED
                   : HYPERVISOR_SHUTOFF;
        return true;
    case VIR_DOMAIN_EVENT_CRASHED:
        *ret = HYPERVISOR_CRASHED;
        return true;
    case VIR_DOMAIN_EVENT_UNDEFINED:
        *ret = HYPERVISOR_ABSENT;
        return true;
    default: /* defined, shutting down: nothing has become of it yet */
        return false;
    }
}

static const char *libvirt_connect_reason(int event, int detail)
{
    if (event == VIR_DOMAIN_EVENT_SUSPENDED && detail == VIR_DOMAIN_EVENT_SUSPENDED_IOERROR)
        return "paused by an input/output error";
    if (event == VIR_DOMAIN_EVENT_STOPPED && detail == VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN)
        return "the guest shut down";
    if (event == VIR_DOMAIN_EVENT_STOPPED && detail == VIR_DOMAIN_EVENT_STOPPED_DESTROYED)
        return "switched off";
    if (event == VIR_DOMAIN_EVENT_STOPPED && detail == VIR_DOMAIN_EVENT_STOPPED_FAILED)
        return "the emulator ended";
    return "";
}

static void libvirt_connect_tell(struct libvirt *lv, virDomainPtr domain, struct hypervisor_event *event)
{
    event->at_us = clock_now_us();
    if (libvirt_identify_id(lv->profile, &lv->names, lv->setup.settings, domain, event->server_id))
        lv->listener.on_event(lv->listener.arg, event);
}

static int libvirt_connect_on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    struct libvirt *lv = libvirt_connect_of(opaque);
    struct hypervisor_event told = {.kind = HYPERVISOR_EVENT_DOMAIN};
    (void)conn;
    told.reason = libvirt_connect_reason(event, detail);
    if (lv && libvirt_connect_read_event(event, detail, &told.domain))
        libvirt_connect_tell(lv, domain, &told);
    return 0;
}

static void libvirt_connect_limited(struct libvirt_call *c, const struct hypervisor_result *result)
{
    if (result->code)
        log_warn("a guest that has started could not be looked at", "server=%s error=\"%s\"", c->id,
                 error_text(result->error));
}

/* A container that reboots is another group of processes, which are to be limited, too. */
void libvirt_connect_limit(struct libvirt *lv, const char *id)
{
    struct libvirt_call *c = libvirt_call_new(lv, "look", id, libvirt_domain_act, libvirt_connect_limited, NULL);
    c->action = HYPERVISOR_LOOK;
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

static void libvirt_connect_on_reboot(virConnectPtr conn, virDomainPtr domain, void *opaque)
{
    struct libvirt *lv = libvirt_connect_of(opaque);
    struct hypervisor_event told = {
        .kind = HYPERVISOR_EVENT_REBOOT, .domain = HYPERVISOR_RUNNING, .reason = "the guest rebooted"};
    (void)conn;
    if (lv)
        libvirt_connect_tell(lv, domain, &told);
    if (lv && lv->profile->processes && told.server_id[0])
        libvirt_connect_limit(lv, told.server_id);
}

static void libvirt_connect_take_close(void *arg)
{
    struct libvirt_closed *closed = arg;
    struct libvirt_link link = {.generation = closed->generation};
    struct libvirt *lv = libvirt_connect_of(&link);
    if (lv)
        libvirt_connect_drop(lv, link.generation,
                             closed->reason == VIR_CONNECT_CLOSE_REASON_KEEPALIVE ? "the hypervisor does not answer"
                                                                                  : "the hypervisor closed it");
    free(closed);
}

/* Events come on the loop, this from whoever finds the connection closed: a worker amid its call, too. */
static void libvirt_connect_on_close(virConnectPtr conn, int reason, void *opaque)
{
    const struct libvirt_link *link = opaque;
    struct libvirt_closed *closed = memory_new(sizeof(*closed));
    (void)conn;
    *closed = (struct libvirt_closed){.generation = link->generation, .reason = reason};
    pthread_mutex_lock(&libvirt_connect_lock);
    if (libvirt_connect_loop)
        loop_post(libvirt_connect_loop, libvirt_connect_take_close, closed);
    else
        free(closed);
    pthread_mutex_unlock(&libvirt_connect_lock);
}

/* ---- on the worker ---- */

/* On this machine the end of libvirtd closes its socket, and one that hangs is known by the calls' deadlines. Keepalive
 * would only do harm there: libvirt 9's client may crash when it closes a socket that a call waits on. */
static bool libvirt_connect_leaves_machine(const char *uri)
{
    const char *host = strstr(uri, "://");
    return host && host[3] != '/' && host[3] != '\0';
}

static void libvirt_connect_listen(struct libvirt_call *c)
{
    struct libvirt_link *links[3];
    for (int i = 0; i < 3; i++) {
        links[i] = memory_new(sizeof(*links[i]));
        links[i]->generation = c->generation;
    }
    if (libvirt_connect_leaves_machine(c->settings->hypervisor_uri) &&
        virConnectSetKeepAlive(c->made, LIBVIRT_KEEPALIVE_S, LIBVIRT_KEEPALIVE_COUNT) < 0)
        log_warn("hypervisor connection without keepalive", "uri=%s", c->settings->hypervisor_uri);
    if (virConnectRegisterCloseCallback(c->made, libvirt_connect_on_close, links[0], free) < 0)
        libvirt_call_fail(c, "Cannot watch the hypervisor's connection");
    if (virConnectDomainEventRegisterAny(c->made, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(libvirt_connect_on_lifecycle), links[1], free) < 0 ||
        virConnectDomainEventRegisterAny(c->made, NULL, VIR_DOMAIN_EVENT_ID_REBOOT,
                                         VIR_DOMAIN_EVENT_CALLBACK(libvirt_connect_on_reboot), links[2], free) < 0)
        libvirt_call_fail(c, "Cannot listen to the hypervisor's events");
}

/* What libvirt says of domains of this type on q35, where it can do most; NULL when it can make none. */
static xmlDocPtr libvirt_connect_capabilities(virConnectPtr conn, const char *virt_type)
{
    char *text = virConnectGetDomainCapabilities(conn, NULL, NULL, "q35", virt_type, 0);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    free(text);
    return doc;
}

/* The emulator that libvirt would use with KVM; NULL when it has none for it. */
static char *libvirt_connect_kvm_emulator(const struct libvirt_call *c)
{
    xmlDocPtr doc = libvirt_connect_capabilities(c->made, c->profile->accelerated_type);
    char *path = doc ? xml_get_text(xml_first(xmlDocGetRootElement(doc), "path")) : NULL;
    if (doc)
        xmlFreeDoc(doc);
    return path;
}

/* Whether the <enum name=""> of a part of the capabilities has the value. */
static bool libvirt_connect_offers(xmlNodePtr part, const char *name, const char *value)
{
    bool found = false;
    for (xmlNodePtr list = xml_first(part, "enum"); list && !found; list = xml_next(list, "enum")) {
        char *its = xml_get(list, "name");
        bool fits = its && strcmp(its, name) == 0;
        free(its);
        for (xmlNodePtr v = fits ? xml_first(list, "value") : NULL; v && !found; v = xml_next(v, "value")) {
            char *text = xml_get_text(v);
            found = text && strcmp(text, value) == 0;
            free(text);
        }
    }
    return found;
}

static void libvirt_connect_find_firmware(struct libvirt_call *c)
{
    xmlDocPtr doc = libvirt_connect_capabilities(c->made, c->profile->virt_type);
    if (!doc)
        return;
    xmlNodePtr root = xmlDocGetRootElement(doc), os = xml_first(root, "os");
    xmlNodePtr tpm = xml_path(root, "devices", "tpm", NULL);
    bool emulator = libvirt_connect_offers(tpm, "backendModel", "emulator");
    c->facts.uefi = libvirt_connect_offers(os, "firmware", "efi");
    c->facts.secure = c->facts.uefi && libvirt_connect_offers(xml_first(os, "loader"), "secure", "yes");
    c->facts.tpm_1_2 = emulator && libvirt_connect_offers(tpm, "backendVersion", "1.2");
    c->facts.tpm_2_0 = emulator && libvirt_connect_offers(tpm, "backendVersion", "2.0");
    c->facts.tpm_tis = emulator && libvirt_connect_offers(tpm, "model", "tpm-tis");
    c->facts.tpm_crb = emulator && libvirt_connect_offers(tpm, "model", "tpm-crb");
    xmlFreeDoc(doc);
}

static void libvirt_connect_find_arm(struct libvirt_call *c)
{
    char *text = virConnectGetDomainCapabilities(c->made, NULL, "aarch64", "virt", c->profile->virt_type, 0);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    c->facts.aarch64 = doc && libvirt_connect_offers(xml_first(xmlDocGetRootElement(doc), "os"), "firmware", "efi");
    if (doc)
        xmlFreeDoc(doc);
    free(text);
}

static void libvirt_connect_find_kvm(struct libvirt_call *c)
{
    const char *type = c->settings->virt_type;
    char reason[256] = "libvirt has no KVM here";
    if (strcmp(type, "auto") != 0) {
        c->facts.kvm = strcmp(type, c->profile->accelerated_type) == 0;
        return;
    }
    c->facts.emulator = libvirt_connect_kvm_emulator(c);
    c->facts.kvm =
        c->facts.emulator && kvm_probe_run(c->facts.emulator, LIBVIRT_KVM_PROBE_MS, reason, sizeof(reason)) == 1;
    if (c->facts.kvm)
        log_info("guests run under KVM", "emulator=%s", c->facts.emulator);
    else
        log_info("guests are emulated", "reason=\"%s\"", reason);
}

/* An emulator that the capabilities name may not be installed. */
static bool libvirt_connect_has_emulator(xmlNodePtr guest)
{
    char *path = xml_get_text(xml_path(guest, "arch", "emulator", NULL));
    bool has = path && access(path, X_OK) == 0;
    free(path);
    return has;
}

static bool libvirt_connect_has_os_type(virConnectPtr conn, const char *os_type, bool emulated)
{
    char *text = virConnectGetCapabilities(conn);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    bool found = false;
    for (xmlNodePtr n = doc ? xml_first(xmlDocGetRootElement(doc), "guest") : NULL; n && !found;
         n = xml_next(n, "guest")) {
        char *type = xml_get_text(xml_first(n, "os_type"));
        found = type && strcmp(type, os_type) == 0 && (!emulated || libvirt_connect_has_emulator(n));
        free(type);
    }
    if (doc)
        xmlFreeDoc(doc);
    free(text);
    return found;
}

static void libvirt_connect_find_security(struct libvirt_call *c)
{
    bool qemu = c->profile->virt_type && !c->profile->remote;
    char *text = virConnectGetCapabilities(c->made);
    struct strbuf conf;
    strbuf_init(&conf, 0);
    bool there = qemu && file_read(LIBVIRT_QEMU_CONF, &conf, NULL) == 0;
    security_xml_read(text, qemu, there ? conf.data : NULL, &c->facts.security);
    if (qemu && !c->facts.security.apparmor && !c->facts.security.selinux)
        log_warn("guests are not confined by AppArmor or SELinux", "user=%s seccomp=%s",
                 c->facts.security.user ? "unprivileged" : "root", c->facts.security.seccomp ? "on" : "off");
    strbuf_done(&conf);
    free(text);
}

/* Guests that must be filtered are not started where they cannot be. */
static bool libvirt_connect_filters(struct libvirt_call *c)
{
    if (c->profile->filter == PROFILE_FILTER_LIBVIRT)
        return libvirt_filter_ensure(c->made, c->settings);
    if (c->profile->filter == PROFILE_FILTER_AGENT)
        return libvirt_guard_ensure(c);
    if (strcmp(c->settings->port_security, "require") == 0)
        c->code = error_set(&c->error, ERR_INVALID, "port_security is require, and the hypervisor %s filters nothing",
                            c->profile->driver);
    else if (strcmp(c->settings->port_security, "off") != 0)
        log_warn("guests are not kept from sending with others' addresses", "hypervisor=%s", c->profile->driver);
    return false;
}

static void libvirt_connect_find_facts(struct libvirt_call *c)
{
    c->facts.filters = libvirt_connect_filters(c);
    if (!c->facts.known && c->profile->accelerated)
        libvirt_connect_find_kvm(c);
    libvirt_cpu_read(c, c->made);
    if (c->facts.known)
        return;
    if (c->profile->cells)
        libvirt_inventory_divide(c, c->made);
    if (c->profile->root == PROFILE_ROOT_VOLUME)
        c->facts.datastore = libvirt_volume_datastore(c, c->made);
    c->facts.pvh = libvirt_connect_has_os_type(c->made, "xenpvh", false);
    c->facts.fv = c->profile->root == PROFILE_ROOT_BLOCK && libvirt_connect_has_os_type(c->made, "hvm", true);
    if (c->profile->virt_type) {
        libvirt_connect_find_firmware(c);
        libvirt_connect_find_arm(c);
    }
    libvirt_connect_find_security(c);
    c->facts.known = c->code == 0;
}

static void libvirt_connect_work(struct libvirt_call *c)
{
    c->made = libvirt_open(c->settings, &c->error);
    if (!c->made) {
        c->code = c->error.code;
        return;
    }
    if (!c->profile->silent)
        libvirt_connect_listen(c);
    libvirt_connect_find_facts(c);
    if (c->code) {
        virConnectClose(c->made);
        c->made = NULL;
    }
}

/* ---- on the loop ---- */

static void libvirt_connect_later(struct libvirt *lv)
{
    unsigned shift = lv->failures < 6 ? lv->failures : 6;
    int64_t pause = (int64_t)LIBVIRT_AGAIN_FIRST_MS << shift;
    lv->failures++;
    loop_timer_start(lv->again, pause < LIBVIRT_AGAIN_MOST_MS ? pause : LIBVIRT_AGAIN_MOST_MS, 0);
}

static void libvirt_connect_done(struct libvirt_call *c, const struct hypervisor_result *result)
{
    struct libvirt *lv = c->owner;
    lv->connecting = false;
    if (result->code) {
        if (lv->failures == 0)
            log_warn("hypervisor is away", "uri=%s error=\"%s\"", c->settings->hypervisor_uri,
                     error_text(result->error));
        libvirt_connect_later(lv);
        return;
    }
    lv->conn = c->made;
    if (c->profile->solo) {
        virConnectRef(lv->conn);
        libvirt_lend_begin(lv->conn, c->generation);
    }
    lv->facts = c->facts;
    libvirt_cpu_keep(lv, c);
    if (!c->profile->silent &&
        virConnectIsAlive(lv->conn) != 1) { /* its end was told before anybody could know whose */
        libvirt_connect_drop(lv, c->generation, "the hypervisor closed it while it was made");
        return;
    }
    lv->failures = 0;
    if (lv->look)
        loop_timer_start(lv->look, LIBVIRT_LOOK_MS, LIBVIRT_LOOK_MS);
    lv->listener.on_up(lv->listener.arg);
}

void libvirt_connect(struct libvirt *lv)
{
    if (lv->connecting || lv->conn)
        return;
    libvirt_connect_owner = lv;
    pthread_mutex_lock(&libvirt_connect_lock);
    libvirt_connect_loop = lv->setup.loop;
    pthread_mutex_unlock(&libvirt_connect_lock);
    lv->connecting = true;
    struct libvirt_call *c = libvirt_call_new(lv, "connect", NULL, libvirt_connect_work, libvirt_connect_done, NULL);
    c->generation = ++lv->generation;
    libvirt_call_submit_unconnected(c, LIBVIRT_CONNECT_MS);
}

static void libvirt_connect_close_work(struct libvirt_call *c)
{
    if (c->profile->solo)
        libvirt_lend_close();
    /* running a call ends with giving its reference back: this one has the loop's */
}

static void libvirt_connect_closed(struct libvirt_call *c, const struct hypervisor_result *result)
{
    (void)c;
    (void)result;
}

void libvirt_connect_drop(struct libvirt *lv, unsigned generation, const char *why)
{
    if (!lv->conn || lv->generation != generation)
        return;
    struct libvirt_call *c =
        libvirt_call_new(lv, "close", NULL, libvirt_connect_close_work, libvirt_connect_closed, NULL);
    c->conn = lv->conn;
    c->generation = lv->generation;
    lv->conn = NULL;
    libvirt_lend_end();
    if (lv->look)
        loop_timer_stop(lv->look);
    libvirt_call_submit_unconnected(c, LIBVIRT_CONNECT_MS);
    lv->listener.on_down(lv->listener.arg, why);
    libvirt_connect_later(lv);
}

void libvirt_connect_look(void *arg)
{
    struct libvirt *lv = arg;
    struct hypervisor_event event = {.kind = HYPERVISOR_EVENT_UNSURE,
                                     .reason = "the hypervisor tells nothing by itself"};
    if (!lv->conn)
        return;
    lv->listener.on_event(lv->listener.arg, &event);
    if (lv->profile->root == PROFILE_ROOT_VOLUME)
        libvirt_image_tidy(lv);
}

void libvirt_connect_forget(void)
{
    libvirt_connect_owner = NULL;
    pthread_mutex_lock(&libvirt_connect_lock);
    libvirt_connect_loop = NULL;
    pthread_mutex_unlock(&libvirt_connect_lock);
}
