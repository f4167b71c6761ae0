/* Clones of servers, and the end of what a server shares. Files are layer.h's; a guest that is on goes over to the
 * overlay by a snapshot of its disk alone, which QEMU takes between two of its writes. The overlay then gets the disk's
 * name, by which all others know it; only the running domain calls it otherwise, until its next start.
 *
 * Failure modes: an agent that dies between the snapshot and the rename leaves a guest that writes to a file that is
 * not the disk yet. libvirt_layer_settle finds it by the name that libvirt has, and comes first in all that reads a
 * running guest's files; of one that went off meanwhile the files tell (layer_mend), before it starts. */
#include "common/child.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/storage/layer.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/storage/tree_clone.h"
#include "compute-agent/storage/tree_flatten.h"
#include "compute-agent/xml/domain_chain.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYER_COPY_MS    30000
#define LAYER_LOOK_MS    200
#define LAYER_FLATTEN_MS ((int64_t)6 * 3600 * 1000)

static const char *root_of(struct libvirt_call *c, const char *server_id)
{
    char *folder = storage_folder(c->settings, server_id);
    const char *root = arena_printf(&c->arena, "%s/" DOMAIN_XML_ROOT, folder);
    free(folder);
    return root;
}

/* ---- a guest that is on ---- */

/* What libvirt says of the running guest's disk. */
struct live {
    char *xml, *file, *device;
};

static int read_live(struct libvirt_call *c, virDomainPtr domain, const char *root, struct live *ret)
{
    ret->xml = virDomainGetXMLDesc(domain, 0);
    if (!ret->xml)
        return libvirt_call_fail(c, "The domain cannot be read");
    c->code = domain_chain_read(ret->xml, root, layer_is_disk, &ret->file, &ret->device, &c->error);
    if (!c->code && !ret->device)
        c->code = error_set(&c->error, ERR_NOT_FOUND, "The guest does not have the server's disk");
    return c->code;
}

static void done_live(struct live *live)
{
    free(live->xml);
    free(live->file);
    free(live->device);
}

char *libvirt_layer_device(struct libvirt_call *c, virDomainPtr domain)
{
    struct live live = {0};
    read_live(c, domain, root_of(c, c->id), &live);
    char *device = c->code ? NULL : live.device;
    if (device)
        live.device = NULL;
    done_live(&live);
    return device;
}

char *libvirt_layer_plain(const struct libvirt_call *c, const char *xml)
{
    char *folder = storage_folder(c->settings, c->id), *root = strbuf_print("%s/" DOMAIN_XML_ROOT, folder);
    char *plain = domain_chain_plain(xml, root, layer_is_disk);
    free(root);
    free(folder);
    return plain;
}

/* The next start looks at the files. */
static int define_plain(struct libvirt_call *c, virDomainPtr domain)
{
    char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    char *plain = xml ? libvirt_layer_plain(c, xml) : NULL;
    virDomainPtr defined = plain ? virDomainDefineXMLFlags(c->conn, plain, 0) : NULL;
    if (!xml || (plain && !defined))
        libvirt_call_fail(c, "The domain cannot be defined");
    if (defined)
        virDomainFree(defined);
    free(plain);
    free(xml);
    return c->code;
}

static int count_behind(struct libvirt_call *c, const char *root, size_t *ret)
{
    const char **files;
    return c->code = layer_chain(c->settings->instances_dir, root, &c->arena, &files, ret, &c->error);
}

/* Until the call, `next` is empty; from then on the guest writes there. */
static int go_over(struct libvirt_call *c, virDomainPtr domain, const char *root, const char *next)
{
    struct live live = {0};
    unsigned flags = VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA |
                     VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT | VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC;
    int code = read_live(c, domain, root, &live);
    char *xml = code ? NULL : domain_chain_snapshot(live.xml, live.device, next);
    bool frozen = xml && libvirt_snapshot_freeze(c, domain);
    virDomainSnapshotPtr made = c->code ? NULL : virDomainSnapshotCreateXML(domain, xml, flags);
    if (!c->code && !made)
        libvirt_call_fail(c, "The guest cannot go over to a new disk");
    if (made)
        virDomainSnapshotFree(made);
    if (frozen && virDomainFSThaw(domain, NULL, 0, 0) < 0)
        log_warn("the guest's file systems do not thaw", "server=%s", c->id);
    free(xml);
    done_live(&live);
    return c->code;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int settle(struct libvirt_call *c, virDomainPtr domain, const char *root)
{
    struct live live = {0};
    int code = read_live(c, domain, root, &live);
    if (!code && !is_same_file(live.file, root))
        code = c->code = layer_publish(live.file, root, &c->error);
    done_live(&live);
    return code ? code : define_plain(c, domain);
}

int libvirt_layer_settle(struct libvirt_call *c, virDomainPtr domain)
{
    const char *root = root_of(c, c->id);
    if (c->profile->root != PROFILE_ROOT_DISK || access(root, F_OK) != 0)
        return 0;
    if (domain && virDomainIsActive(domain) == 1)
        return settle(c, domain, root);
    return c->code = layer_mend(root, &c->error);
}

int libvirt_layer_fix_saved(struct libvirt_call *c, virDomainPtr domain)
{
    char *xml = virDomainManagedSaveGetXMLDesc(domain, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE);
    char *plain = xml ? libvirt_layer_plain(c, xml) : NULL;
    if (!xml || (plain && virDomainManagedSaveDefineXML(domain, plain, 0) < 0))
        libvirt_call_fail(c, "The saved guest's disks cannot be named");
    free(plain);
    free(xml);
    return c->code;
}

/* ---- cloning ---- */

static int check_depth(struct libvirt_call *c, const char *root)
{
    size_t behind = 0;
    if (access(root, F_OK) != 0)
        return c->code = error_set(&c->error, ERR_NOT_FOUND, "The disk of the server to be cloned is not on this host");
    int code = count_behind(c, root, &behind);
    if (!code && behind >= LAYER_MOST)
        code = c->code =
            error_set(&c->error, ERR_CONFLICT,
                      "The disk has %zu layers by now: flatten the server before it is cloned again", behind);
    return code;
}

/* What its firmware stores is the clone's own from now on. */
static int copy_firmware(struct libvirt_call *c, const char *from_folder, const char *to_folder)
{
    const char *from = arena_printf(&c->arena, "%s/" DOMAIN_XML_NVRAM, from_folder);
    const char *to = arena_printf(&c->arena, "%s/" DOMAIN_XML_NVRAM, to_folder);
    const char *part = arena_printf(&c->arena, "%s.part", to);
    const char *argv[] = {"cp", "--reflink=auto", "--", from, part, NULL};
    struct child child = {.argv = argv, .deadline_ms = LAYER_COPY_MS};
    if (access(from, F_OK) != 0 || access(to, F_OK) == 0)
        return 0;
    c->code = child_run(&child, NULL, &c->error);
    if (!c->code && rename(part, to))
        c->code = error_set(&c->error, ERR_IO, "%s: %s", to, strerror(errno));
    return c->code;
}

static int make_clone(struct libvirt_call *c, const char *layer)
{
    char *from = storage_folder(c->settings, c->id), *to = storage_folder(c->settings, c->clone);
    c->code = owner_take(to, c->names.host_id, &c->error);
    if (!c->code)
        copy_firmware(c, from, to);
    if (!c->code)
        c->code = layer_overlay(layer, root_of(c, c->clone), &c->error);
    free(from);
    free(to);
    return c->code;
}

static int split_running(struct libvirt_call *c, virDomainPtr domain, const char *root, const char *layer)
{
    char *next = layer_next(root, c->clone);
    int code = 0;
    if (!layer_is_split(root, layer)) {
        code = c->code = layer_begin(root, layer, next, &c->error);
        code = code ? code : go_over(c, domain, root, next);
        code = code ? code : settle(c, domain, root);
    }
    free(next);
    return code;
}

static int split(struct libvirt_call *c, virDomainPtr domain, const char *layer)
{
    const char *root = root_of(c, c->id);
    bool on = domain && virDomainIsActive(domain) == 1;
    int code = check_depth(c, root);
    code = code ? code : libvirt_layer_settle(c, domain);
    if (!code && on)
        code = split_running(c, domain, root, layer);
    else if (!code)
        code = c->code = layer_split(root, layer, &c->error);
    return code ? code : make_clone(c, layer);
}

void libvirt_layer_clone_tree(struct libvirt_call *c)
{
    char *from = storage_folder(c->settings, c->id), *to = storage_folder(c->settings, c->clone);
    if (owner_is_other(from, c->names.host_id))
        c->code = error_set(&c->error, ERR_NOT_FOUND, "The server to be cloned is another host's");
    else
        c->code = owner_take(to, c->names.host_id, &c->error);
    if (!c->code)
        c->code = tree_clone(c->settings->instances_dir, from, to, &c->stop, &c->error);
    c->transient = c->code == ERR_IO || c->code == ERR_TIMEOUT || c->code == ERR_NO_SPACE;
    free(from);
    free(to);
}

void libvirt_layer_clone(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    char *folder = storage_folder(c->settings, c->id), *layer = layer_path(c->settings, c->clone);
    int hold = -1;
    if (access(root_of(c, c->clone), F_OK) != 0 && !libvirt_domain_find(c, &domain)) {
        if (owner_is_other(folder, c->names.host_id))
            c->code = error_set(&c->error, ERR_NOT_FOUND, "The server to be cloned is another host's");
        else
            c->code = layer_hold(c->settings, &hold, &c->error);
        if (!c->code)
            split(c, domain, layer);
        layer_release(c->settings, hold);
    }
    c->transient = c->transient || c->code == ERR_IO || c->code == ERR_TIMEOUT || c->code == ERR_NO_SPACE;
    if (domain)
        virDomainFree(domain);
    free(layer);
    free(folder);
}

/* ---- flattening ---- */

static void print_progress(struct libvirt_call *c, int64_t done, int64_t total)
{
    struct json_out o;
    json_out_init(&o, &c->text);
    json_out_object(&o, NULL);
    json_out_int(&o, "disk_total_bytes", total);
    json_out_int(&o, "disk_processed_bytes", done);
    json_out_object_end(&o);
}

static void measure_tree(struct libvirt_call *c)
{
    int64_t done, total;
    char *folder = storage_folder(c->settings, c->id);
    if (tree_flatten_measure(folder, &done, &total))
        print_progress(c, done, total);
    free(folder);
}

void libvirt_layer_measure(struct libvirt_call *c)
{
    virDomainBlockJobInfo info;
    virDomainPtr domain = NULL;
    struct live live = {0};
    if (c->profile->root == PROFILE_ROOT_TREE) {
        measure_tree(c);
        return;
    }
    if (c->profile->root != PROFILE_ROOT_DISK || libvirt_domain_find(c, &domain) || !domain)
        return;
    if (virDomainIsActive(domain) == 1 && !read_live(c, domain, root_of(c, c->id), &live) &&
        virDomainGetBlockJobInfo(domain, live.device, &info, 0) > 0)
        print_progress(c, (int64_t)info.cur, (int64_t)info.end);
    done_live(&live);
    virDomainFree(domain);
}

/* Until no job is at work on the disk; one that an agent before this one has begun is as good. */
static void follow_pull(struct libvirt_call *c, virDomainPtr domain, const char *device)
{
    virDomainBlockJobInfo info;
    int under_way;
    bool aborted = false;
    while ((under_way = virDomainGetBlockJobInfo(domain, device, &info, 0)) > 0) {
        if (atomic_load(&c->stop) && !aborted)
            aborted = virDomainBlockJobAbort(domain, device, 0) == 0;
        poll(NULL, 0, LAYER_LOOK_MS);
    }
    if (under_way < 0)
        libvirt_call_fail(c, "The guest's disk cannot be looked at");
}

static void pull(struct libvirt_call *c, virDomainPtr domain, const char *root)
{
    struct live live = {0};
    virDomainBlockJobInfo info;
    if (!read_live(c, domain, root, &live) && virDomainGetBlockJobInfo(domain, live.device, &info, 0) <= 0 &&
        virDomainBlockPull(domain, live.device, 0, 0) < 0)
        libvirt_call_fail(c, "The guest's disk cannot be flattened");
    if (!c->code)
        follow_pull(c, domain, live.device);
    if (!c->code)
        c->code = layer_drop_names(root, live.file, &c->error);
    done_live(&live);
}

static void rebase(struct libvirt_call *c, const char *root)
{
    const char *argv[] = {"qemu-img", "rebase", "-q", "-f", "qcow2", "-b", "", "--", root, NULL};
    struct child child = {.argv = argv, .deadline_ms = LAYER_FLATTEN_MS, .stop = &c->stop};
    c->code = child_run(&child, NULL, &c->error);
}

static void flatten(struct libvirt_call *c, virDomainPtr domain, const char *root)
{
    char backing[IMAGE_CHECK_NAME_SIZE] = "";
    bool on = domain && virDomainIsActive(domain) == 1;
    if (libvirt_layer_settle(c, domain))
        return;
    if (on)
        pull(c, domain, root);
    else
        rebase(c, root);
    if (!c->code)
        c->code = image_check_backing(root, backing, &c->error);
    if (!c->code && backing[0]) {
        c->transient = on && virDomainIsActive(domain) != 1; /* it went off meanwhile: then its file is flattened */
        c->code = error_set(&c->error, ERR_HYPERVISOR, "The disk still needs %s", backing);
    }
    if (atomic_load(&c->stop) && c->code) {
        error_clear(&c->error);
        c->transient = false;
        c->code = error_set(&c->error, ERR_CONFLICT, "It was cancelled");
    }
}

static void flatten_tree(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    char *folder = storage_folder(c->settings, c->id);
    int code = libvirt_call_open(c);
    code = code ? code : libvirt_domain_find(c, &domain);
    if (!code && owner_is_other(folder, c->names.host_id))
        c->code = error_set(&c->error, ERR_NOT_FOUND, "The server's files are missing on its host");
    else if (!code)
        c->code = tree_flatten(folder, domain && virDomainIsActive(domain) != 0, &c->stop, &c->error);
    if (domain)
        virDomainFree(domain);
    free(folder);
}

static void flatten_disk(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    char backing[IMAGE_CHECK_NAME_SIZE];
    const char *root = root_of(c, c->id);
    char *folder = storage_folder(c->settings, c->id);
    if (libvirt_call_open(c) || libvirt_domain_find(c, &domain)) {
        free(folder);
        return;
    }
    if (access(root, F_OK) != 0 || owner_is_other(folder, c->names.host_id))
        c->code = error_set(&c->error, ERR_NOT_FOUND, "The server's disk is missing on its host");
    else
        c->code = image_check_backing(root, backing, &c->error);
    if (!c->code && backing[0])
        flatten(c, domain, root);
    if (domain)
        virDomainFree(domain);
    free(folder);
    layer_tidy(c->settings);
}

void libvirt_layer_flatten(struct libvirt_call *c)
{
    if (c->profile->root == PROFILE_ROOT_TREE)
        flatten_tree(c);
    else if (c->profile->root == PROFILE_ROOT_BLOCK)
        libvirt_raw_flatten(c);
    else
        flatten_disk(c);
}
