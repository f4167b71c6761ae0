/* Live migration, peer to peer: libvirtd here moves the guest to libvirtd there, and goes on when this agent dies. The
 * domain becomes the other host's on the way: its name, its marks, the places of its files. A domain that is not here
 * any more, or does not run, has arrived (or its host will say that it has not).
 *
 * Failure modes: whoever hears of a failure has the other host's copy removed. So this fails only when the guest runs
 * here and nothing moves it: a migration that an agent before has begun is waited for. */
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/log.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/xml/domain_move.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEND_FLAGS         (VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE)
#define SEND_PARALLEL_MOST 255
#define SEND_LOOK_US       200000
#define SEND_LOOKS         25  /* at what cannot be understood: a domain that is just going away */
#define SEND_BROKEN        150 /* looks at what only QEMU can end */

struct destination {
    const char *uri, *folder, *name, *host, *tuning; /* tuning: NULL from agents of the version before */
    bool shared, tls;
};

static int read_destination(struct libvirt_call *c, struct destination *ret)
{
    struct json_doc doc;
    const char *hint = c->move->hint;
    c->code = json_in_parse(hint, strlen(hint), &doc, &c->error);
    if (c->code)
        return c->code;
    ret->uri = arena_strdup(&c->arena, json_in_text(json_in_member(doc.root, "uri")));
    ret->folder = arena_strdup(&c->arena, json_in_text(json_in_member(doc.root, "folder")));
    ret->name = arena_strdup(&c->arena, json_in_text(json_in_member(doc.root, "name")));
    ret->host = arena_strdup(&c->arena, json_in_text(json_in_member(doc.root, "host")));
    ret->tuning = arena_strdup(&c->arena, json_in_text(json_in_member(doc.root, "tuning")));
    json_in_bool(json_in_member(doc.root, "shared"), &ret->shared);
    json_in_bool(json_in_member(doc.root, "tls"), &ret->tls);
    json_in_done(&doc);
    if (!ret->uri || !ret->folder || !ret->name || strlen(ret->name) >= NAMES_DOMAIN_SIZE || !ret->host)
        c->code = error_set(&c->error, ERR_INVALID, "The other host did not say where the guest may come");
    return c->code;
}

/* Live or persistent definition as it is to be there; NULL after a failure. */
static char *redefine(struct libvirt_call *c, virDomainPtr domain, const struct destination *to, unsigned flags)
{
    char *from = storage_folder(c->settings, c->id);
    char *xml = virDomainGetXMLDesc(domain, flags | VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE);
    char name[NAMES_DOMAIN_SIZE];
    struct domain_move how = {.from_folder = from,
                              .to_folder = to->folder,
                              .from_name = names_domain(&c->names, c->id, name),
                              .to_name = to->name,
                              .tuning = to->tuning,
                              .to_host = to->host};
    char *plain = xml ? libvirt_layer_plain(c, xml) : NULL;
    char *moved = xml ? domain_move_rewrite(plain ? plain : xml, &how) : NULL;
    if (!xml)
        libvirt_call_fail(c, "The domain cannot be read");
    else if (!moved)
        c->code = error_set(&c->error, ERR_CORRUPT, "The domain's definition cannot be read");
    free(plain);
    free(xml);
    free(from);
    return moved;
}

bool libvirt_send_can_encrypt(const struct libvirt_call *c, const char *uri)
{
    const struct settings *settings = c->settings;
    static const char *const usual[] = {"/etc/pki/libvirt-migrate", "/etc/pki/qemu"};
    char path[512];
    bool found = false;
    if (strcmp(settings->move_tls, "off") == 0)
        return false;
    if (c->profile->tunnels)
        return strstr(uri, "+tls:") || strstr(uri, "+ssh:");
    for (size_t i = 0; i < (settings->move_pki ? 1 : 2) && !found; i++) {
        snprintf(path, sizeof(path), "%s/server-cert.pem", settings->move_pki ? settings->move_pki : usual[i]);
        found = access(path, F_OK) == 0;
    }
    return found;
}

/* QEMU joins neither post-copy nor its older ways of compressing with several connections: what was asked for first of
 * post-copy, compression, connections is what is done. */
static unsigned flags_of(const struct hypervisor_move *m, const struct destination *to, bool tunnels)
{
    unsigned flags = SEND_FLAGS;
    if (tunnels)
        return flags | VIR_MIGRATE_TUNNELLED;
    if (to->shared) /* both hosts see the same folder: that is proved; QEMU drops what it has cached of it */
        flags |= VIR_MIGRATE_UNSAFE;
    else
        flags |= VIR_MIGRATE_NON_SHARED_INC;
    if (to->tls)
        flags |= VIR_MIGRATE_TLS;
    if (m->auto_converge)
        flags |= VIR_MIGRATE_AUTO_CONVERGE;
    if (m->post_copy)
        flags |= VIR_MIGRATE_POSTCOPY;
    else if (m->compress)
        flags |= VIR_MIGRATE_COMPRESSED;
    else if (m->parallel > 0)
        flags |= VIR_MIGRATE_PARALLEL;
    return flags;
}

struct parameters {
    virTypedParameterPtr list;
    int count, room;
};

static void add_text(struct parameters *p, const char *name, const char *value)
{
    if (virTypedParamsAddString(&p->list, &p->count, &p->room, name, value) < 0)
        abort();
}

static void add_options(struct parameters *p, const struct hypervisor_move *m, unsigned flags)
{
    int rc = 0;
    if (m->bandwidth_mibps > 0)
        rc = virTypedParamsAddULLong(&p->list, &p->count, &p->room, VIR_MIGRATE_PARAM_BANDWIDTH,
                                     (unsigned long long)m->bandwidth_mibps);
    if (rc == 0 && m->bandwidth_mibps > 0 && m->post_copy)
        rc = virTypedParamsAddULLong(&p->list, &p->count, &p->room, VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY,
                                     (unsigned long long)m->bandwidth_mibps);
    if (rc == 0 && flags & VIR_MIGRATE_PARALLEL)
        rc = virTypedParamsAddInt(&p->list, &p->count, &p->room, VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS,
                                  (int)(m->parallel < SEND_PARALLEL_MOST ? m->parallel : SEND_PARALLEL_MOST));
    if (rc < 0)
        abort();
    if (flags & VIR_MIGRATE_COMPRESSED)
        add_text(p, VIR_MIGRATE_PARAM_COMPRESSION, m->compress);
}

static void send(struct libvirt_call *c, virDomainPtr domain, const struct destination *to, const char *live,
                 const char *persistent)
{
    struct parameters p = {.count = 0};
    unsigned flags = flags_of(c->move, to, c->profile->tunnels);
    add_text(&p, VIR_MIGRATE_PARAM_DEST_NAME, to->name);
    add_text(&p, VIR_MIGRATE_PARAM_DEST_XML, live);
    if (!c->profile->tunnels) { /* such drivers take no more: what runs is what is defined */
        add_text(&p, VIR_MIGRATE_PARAM_PERSIST_XML, persistent);
        add_options(&p, c->move, flags);
    }
    log_info("guest is sent", "server=%s shared=%d tls=%d post_copy=%d compress=%s parallel=%lld", c->id, to->shared,
             to->tls, c->move->post_copy, flags & VIR_MIGRATE_COMPRESSED ? c->move->compress : "no",
             flags & VIR_MIGRATE_PARALLEL ? (long long)c->move->parallel : 0LL);
    if (virDomainMigrateToURI3(domain, to->uri, p.list, (unsigned)p.count, flags) < 0) {
        libvirt_call_fail(c, "The guest could not be moved");
        c->transient = false; /* it runs on here; whoever asked decides */
    }
    virTypedParamsFree(p.list, p.count);
}

static int check_encryption(struct libvirt_call *c, struct destination *to)
{
    to->tls = to->tls && libvirt_send_can_encrypt(c, to->uri);
    if (!to->tls && strcmp(c->settings->move_tls, "require") == 0)
        return c->code =
                   error_set(&c->error, ERR_HYPERVISOR,
                             "Guests leave this host encrypted only, and one of the two hosts has no certificates "
                             "for that");
    if (!to->tls && strcmp(c->settings->move_tls, "auto") == 0)
        log_warn(
            "a guest moves unencrypted: QEMU has no certificates on one of the two hosts, or move_uri does not encrypt",
            "server=%s", c->id);
    return 0;
}

static void begin(struct libvirt_call *c, virDomainPtr domain)
{
    struct destination to;
    if (read_destination(c, &to) || check_encryption(c, &to))
        return;
    char *live = redefine(c, domain, &to, 0);
    char *persistent = live ? redefine(c, domain, &to, VIR_DOMAIN_XML_INACTIVE) : NULL;
    if (persistent)
        send(c, domain, &to, live, persistent);
    free(live);
    free(persistent);
}

/* ---- where it is ---- */

enum place {
    PLACE_HERE, /* nothing moves it */
    PLACE_GOING,
    PLACE_BROKEN, /* its memory is on both sides and libvirtd has lost the other one; QEMU may end it alone */
    PLACE_GONE,   /* or it stands still without a word of whether it has arrived: that is the other host's to say */
    PLACE_UNKNOWN /* c->code says why */
};

static enum place place_of(struct libvirt_call *c, virDomainPtr domain)
{
    virDomainJobInfo info;
    int state = VIR_DOMAIN_NOSTATE, reason = 0, active = virDomainIsActive(domain);
    if (active == 0)
        return PLACE_GONE;
    if (active < 0 || virDomainGetState(domain, &state, &reason, 0) < 0 || virDomainGetJobInfo(domain, &info) < 0) {
        libvirt_call_fail(c, "Whether the guest is on its way cannot be seen");
        return PLACE_UNKNOWN;
    }
    bool paused = state == VIR_DOMAIN_PAUSED;
    if (paused && reason == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED)
        return PLACE_BROKEN;
    if (info.type != VIR_DOMAIN_JOB_NONE)
        return PLACE_GOING;
    return paused && reason == VIR_DOMAIN_PAUSED_MIGRATION ? PLACE_GONE : PLACE_HERE;
}

/* What its task asks of one that is under way. */
static void hurry(struct libvirt_call *c, virDomainPtr domain, bool *forced)
{
    if (c->move->cancelled && virDomainAbortJob(domain) < 0) {
        log_debug("a migration that has ended meanwhile is not aborted", "server=%s", c->id);
    } else if (c->move->force && !*forced) {
        libvirt_send_force(c);
        *forced = true;
    }
}

/* *ret only with PLACE_HERE and PLACE_BROKEN. */
static enum place look(struct libvirt_call *c, virDomainPtr *ret, bool *forced)
{
    virDomainPtr domain = NULL;
    *ret = NULL;
    if (libvirt_domain_find(c, &domain))
        return PLACE_UNKNOWN;
    if (!domain)
        return PLACE_GONE;
    enum place place = place_of(c, domain);
    if (place == PLACE_GONE)
        libvirt_domain_state(c, domain, &c->domain);
    else if (place == PLACE_GOING)
        hurry(c, domain, forced);
    if (place == PLACE_HERE || place == PLACE_BROKEN)
        *ret = domain;
    else
        virDomainFree(domain);
    return place;
}

/* Waits until no migration is under way: the domain, or NULL when it has gone or c->code says why nobody knows. */
static virDomainPtr settle(struct libvirt_call *c)
{
    bool forced = false;
    for (int unknown = 0, broken = 0;;) {
        virDomainPtr domain;
        enum place place = look(c, &domain, &forced);
        if (place != PLACE_UNKNOWN) {
            c->code = 0;
            error_clear(&c->error);
        }
        unknown = place == PLACE_UNKNOWN ? unknown + 1 : 0;
        broken = place == PLACE_BROKEN ? broken + 1 : 0;
        if (place == PLACE_HERE || place == PLACE_GONE || broken > SEND_BROKEN || c->code == ERR_UNAVAILABLE)
            return domain;
        if (domain)
            virDomainFree(domain);
        if (unknown > SEND_LOOKS || atomic_load(&c->stop)) {
            c->code = ERR_UNAVAILABLE; /* it is asked again later */
            return NULL;
        }
        usleep(SEND_LOOK_US);
    }
}

/* What was said of a failure holds if the guest is here in spite of all. */
static void settle_failed(struct libvirt_call *c)
{
    int code = c->code;
    struct error said = c->error;
    virDomainPtr domain = settle(c);
    if (!domain)
        return;
    c->code = code;
    c->error = said;
    virDomainFree(domain);
}

void libvirt_send_guest(struct libvirt_call *c)
{
    c->domain = HYPERVISOR_ABSENT;
    if (libvirt_call_open(c))
        return;
    virDomainPtr domain = settle(c);
    if (!domain)
        return;
    if (c->move->cancelled)
        c->code = error_set(&c->error, ERR_CONFLICT, "It was cancelled");
    else
        begin(c, domain);
    virDomainFree(domain);
    if (c->code && c->code != ERR_UNAVAILABLE)
        settle_failed(c);
}

/* ---- while it goes ---- */

void libvirt_send_abort(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    if (libvirt_domain_find(c, &domain) || !domain)
        return;
    if (virDomainAbortJob(domain) < 0)
        libvirt_call_fail(c, "The migration cannot be aborted");
    virDomainFree(domain);
}

static bool is_going(virDomainPtr domain)
{
    virDomainJobInfo info;
    return virDomainGetJobInfo(domain, &info) == 0 && info.type != VIR_DOMAIN_JOB_NONE;
}

/* libvirt lets it go on when the migration fails, but only if it fails after this. One that has gone off meanwhile has
 * arrived on the other host. */
static void stand_still(struct libvirt_call *c, virDomainPtr domain)
{
    int state = VIR_DOMAIN_NOSTATE;
    if (virDomainGetState(domain, &state, NULL, 0) == 0 && state == VIR_DOMAIN_PAUSED)
        return; /* as its owner wants it */
    if (virDomainSuspend(domain) < 0)
        libvirt_call_fail(c, "The migration cannot be forced");
    else if (!is_going(domain) && virDomainResume(domain) < 0)
        log_debug("a guest whose migration ended before it was forced is not there", "server=%s", c->id);
}

/* After this its memory does not change any more, or is fetched by need. */
void libvirt_send_force(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    if (libvirt_domain_find(c, &domain) || !domain)
        return;
    if (is_going(domain) && virDomainMigrateStartPostCopy(domain, 0) < 0)
        stand_still(c, domain);
    virDomainFree(domain);
}

void libvirt_send_measure(struct libvirt_call *c)
{
    static const struct {
        const char *name, *param;
    } figures[] = {
        {"memory_total_bytes", VIR_DOMAIN_JOB_MEMORY_TOTAL},
        {"memory_processed_bytes", VIR_DOMAIN_JOB_MEMORY_PROCESSED},
        {"memory_remaining_bytes", VIR_DOMAIN_JOB_MEMORY_REMAINING},
        {"disk_total_bytes", VIR_DOMAIN_JOB_DISK_TOTAL},
        {"disk_processed_bytes", VIR_DOMAIN_JOB_DISK_PROCESSED},
        {"disk_remaining_bytes", VIR_DOMAIN_JOB_DISK_REMAINING},
    };
    virTypedParameterPtr params = NULL;
    virDomainPtr domain = NULL;
    struct json_out o;
    int type = VIR_DOMAIN_JOB_NONE, count = 0;
    if (libvirt_domain_find(c, &domain) || !domain)
        return;
    if (virDomainGetJobStats(domain, &type, &params, &count, 0) == 0 && type != VIR_DOMAIN_JOB_NONE) {
        json_out_init(&o, &c->text);
        json_out_object(&o, NULL);
        for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
            unsigned long long value = 0;
            virTypedParamsGetULLong(params, count, figures[i].param, &value);
            json_out_uint(&o, figures[i].name, value);
        }
        json_out_object_end(&o);
    }
    virTypedParamsFree(params, count);
    virDomainFree(domain);
}
