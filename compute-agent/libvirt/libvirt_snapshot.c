/* A copy of a server's root disk; of a container, its files as an archive (tree_snapshot.h). Of a guest that is on,
 * QEMU makes it while the guest goes on writing (a full backup job: the copy is the disk as it was when the job began;
 * file systems are frozen for that moment when the image says that the guest has QEMU's agent); of one that is off,
 * qemu-img. Under Xen a guest that is on gets a copy that shares the disk's blocks or, where the file system cannot, is
 * paused while its disk is copied. The copy has no base and lies in the server's folder.
 *
 * Failure modes: the job is libvirt's and outlives this agent: the next try ends it first. A guest that goes off
 * meanwhile ends the job; the next try copies its disk as it lies there. */
#include "common/child.h"
#include "common/clock.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/spec.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/storage/tree_snapshot.h"
#include "compute-agent/xml/xml.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SNAPSHOT_LOOK_MS    200
#define SNAPSHOT_CONVERT_MS ((int64_t)6 * 3600 * 1000)
#define SNAPSHOT_ABORT_MS   30000
#define SNAPSHOT_AGENT_S    10

static const char *property(const struct spec *spec, const char *name)
{
    const struct spec_image *image = spec ? spec->image : NULL;
    for (size_t i = 0; image && i < image->properties.count; i++)
        if (strcmp(image->properties.pairs[i].key, name) == 0)
            return image->properties.pairs[i].value;
    return "";
}

static bool says_yes(const struct spec *spec, const char *name)
{
    const char *value = property(spec, name);
    return strcmp(value, "yes") == 0 || strcmp(value, "true") == 0 || strcmp(value, "True") == 0;
}

void libvirt_snapshot_ask(struct libvirt_call *c, const struct spec *spec)
{
    c->freezes = says_yes(spec, "hw_qemu_guest_agent");
    c->must_freeze = says_yes(spec, "os_require_quiesce");
    c->goes_on = spec && spec->power == SERVER_POWER_RUNNING;
}

/* ---- a guest that is on ---- */

static char *print_backup(const char *device, const char *to)
{
    xmlDocPtr doc;
    xmlNodePtr backup = xml_root(&doc, "domainbackup");
    xml_set(backup, "mode", "push");
    xmlNodePtr disk = xml_add(xml_add(backup, "disks"), "disk");
    xml_set(xml_set(xml_set(disk, "name", device), "backup", "yes"), "type", "file");
    xml_set(xml_add(disk, "driver"), "type", "qcow2");
    xml_set(xml_add(disk, "target"), "file", to);
    return xml_print(doc);
}

/* Which job is under way; VIR_DOMAIN_JOB_NONE also when that cannot be said: then the domain is off or gone. */
static int job_of(virDomainPtr domain, bool completed, bool *ret_good, char **ret_why)
{
    virTypedParameterPtr params = NULL;
    const char *why = NULL;
    int type = VIR_DOMAIN_JOB_NONE, count = 0, good = 0;
    if (virDomainGetJobStats(domain, &type, &params, &count, completed ? VIR_DOMAIN_JOB_STATS_COMPLETED : 0) < 0)
        return VIR_DOMAIN_JOB_NONE;
    virTypedParamsGetBoolean(params, count, VIR_DOMAIN_JOB_SUCCESS, &good);
    virTypedParamsGetString(params, count, VIR_DOMAIN_JOB_ERRMSG, &why);
    if (ret_good)
        *ret_good = good || type == VIR_DOMAIN_JOB_COMPLETED;
    if (ret_why)
        *ret_why = why ? memory_strdup(why) : NULL;
    virTypedParamsFree(params, count);
    return type;
}

/* Until no job is under way. False: it still is after `most_ms` (0: as long as it takes). */
static bool wait_for_job(const struct libvirt_call *c, virDomainPtr domain, int64_t most_ms)
{
    int64_t since = clock_mono_us();
    bool aborted = false;
    while (job_of(domain, false, NULL, NULL) != VIR_DOMAIN_JOB_NONE) {
        if (most_ms && clock_mono_us() - since > most_ms * 1000)
            return false;
        if (atomic_load(&c->stop) && !aborted)
            aborted = virDomainAbortJob(domain) == 0;
        poll(NULL, 0, SNAPSHOT_LOOK_MS);
    }
    return true;
}

/* One that an agent before this one has begun is in the way. */
static int end_older_job(struct libvirt_call *c, virDomainPtr domain)
{
    if (job_of(domain, false, NULL, NULL) == VIR_DOMAIN_JOB_NONE)
        return 0;
    virDomainAbortJob(domain);
    if (wait_for_job(c, domain, SNAPSHOT_ABORT_MS))
        return 0;
    c->transient = true;
    return c->code = error_set(&c->error, ERR_BUSY, "Another job of the guest does not end");
}

bool libvirt_snapshot_freeze(struct libvirt_call *c, virDomainPtr domain)
{
    if (!c->freezes && c->must_freeze) {
        c->code =
            error_set(&c->error, ERR_INVALID,
                      "The image says os_require_quiesce, but not with hw_qemu_guest_agent that there is an agent");
        return false;
    }
    if (!c->freezes)
        return false;
    virDomainAgentSetResponseTimeout(domain, SNAPSHOT_AGENT_S, 0);
    int count = virDomainFSFreeze(domain, NULL, 0, 0);
    if (count >= 0) {
        log_info("the guest's file systems are frozen", "server=%s count=%d", c->id, count);
        return true;
    }
    if (c->must_freeze)
        libvirt_call_fail(c, "The guest's file systems cannot be frozen");
    else
        log_warn("the guest's file systems cannot be frozen", "server=%s", c->id);
    c->transient = false;
    return false;
}

static void judge(struct libvirt_call *c, virDomainPtr domain)
{
    bool good = false;
    char *why = NULL;
    job_of(domain, true, &good, &why);
    if (atomic_load(&c->stop)) {
        c->code = error_set(&c->error, ERR_CONFLICT, "It was cancelled");
    } else if (!good) {
        c->transient = virDomainIsActive(domain) != 1; /* then its disk can be copied as it is */
        c->code = error_set(&c->error, ERR_HYPERVISOR, "The guest's disk could not be copied: %s",
                            why ? why : "the guest went off");
    }
    free(why);
}

static void copy_running(struct libvirt_call *c, virDomainPtr domain, const char *to)
{
    if (end_older_job(c, domain))
        return;
    char *device = libvirt_layer_device(c, domain);
    char *xml = device ? print_backup(device, to) : NULL;
    bool frozen = xml && libvirt_snapshot_freeze(c, domain);
    if (xml && !c->code && virDomainBackupBegin(domain, xml, NULL, 0) < 0) {
        libvirt_call_fail(c, "The guest's disk cannot be copied");
        c->transient = c->transient && virDomainIsActive(domain) != 1;
    }
    if (frozen && virDomainFSThaw(domain, NULL, 0, 0) < 0)
        log_warn("the guest's file systems do not thaw", "server=%s", c->id);
    if (xml && !c->code) {
        wait_for_job(c, domain, 0);
        judge(c, domain);
    }
    free(xml);
    free(device);
}

/* ---- a guest that is off ---- */

static void copy_stopped(struct libvirt_call *c, const char *root, const char *format, const char *to)
{
    const char *argv[] = {"qemu-img", "convert",   "-q", "-f", format, "-O", "qcow2",
                          "-t",       "writeback", "--", root, to,     NULL};
    struct child child = {.argv = argv, .deadline_ms = SNAPSHOT_CONVERT_MS, .stop = &c->stop};
    c->code = access(root, R_OK) ? error_set(&c->error, ERR_NOT_FOUND, "The server's disk is missing on its host")
                                 : child_run(&child, NULL, &c->error);
}

/* ---- a raw disk, which this machine's kernel writes ---- */

static void copy_raw(struct libvirt_call *c, virDomainPtr domain, const char *root, const char *to)
{
    const char *as_it_is = arena_printf(&c->arena, "%s.raw", to);
    libvirt_raw_copy(c, domain, root, as_it_is);
    if (!c->code)
        copy_stopped(c, as_it_is, "raw", to);
    unlink(as_it_is);
}

static void answer(struct libvirt_call *c, const char *path, const char *format)
{
    struct json_out o;
    json_out_init(&o, &c->text);
    json_out_object(&o, NULL);
    json_out_text(&o, "file", path);
    json_out_text(&o, "format", format);
    json_out_object_end(&o);
}

static void take_volume(struct libvirt_call *c, virDomainPtr domain)
{
    if (!domain) {
        c->code = error_set(&c->error, ERR_NOT_FOUND, "The server's domain is not there");
        return;
    }
    libvirt_volume_snapshot(c, domain);
    virDomainFree(domain);
}

void libvirt_snapshot_take(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    if (libvirt_call_open(c) || libvirt_domain_find(c, &domain))
        return;
    if (c->profile->root == PROFILE_ROOT_VOLUME) {
        take_volume(c, domain);
        return;
    }
    char *folder = storage_folder(c->settings, c->id), *to = storage_image_path(c->settings, c->id, c->move->image_id);
    bool raw = c->profile->root == PROFILE_ROOT_BLOCK, tree = c->profile->root == PROFILE_ROOT_TREE;
    bool on = domain && virDomainIsActive(domain) == 1;
    const char *root = arena_printf(&c->arena, "%s/%s", folder, raw ? DOMAIN_XML_RAW_ROOT : DOMAIN_XML_ROOT);
    unlink(to);
    libvirt_snapshot_ask(c, c->move->spec);
    if (tree)
        c->code = tree_snapshot(folder, to, &c->stop, &c->error);
    else if (libvirt_layer_settle(c, domain))
        log_debug("the disk of a server is not settled", "server=%s", c->id);
    else if (on && raw)
        copy_raw(c, domain, root, to);
    else if (on)
        copy_running(c, domain, to);
    else
        copy_stopped(c, root, raw ? "raw" : "qcow2", to);
    if (c->code)
        unlink(to);
    else
        answer(c, to, tree ? "root-tar" : "qcow2");
    if (domain)
        virDomainFree(domain);
    free(to);
    free(folder);
}
