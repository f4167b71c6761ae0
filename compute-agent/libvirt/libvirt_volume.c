/* Servers' disks on storage of the hypervisor's own: a folder named as the domain, in it a copy of the image's template
 * and the config drive. The copy is made by the hypervisor and may take as long as a template is large, hence a
 * connection and a thread of its own.
 *
 * Failure modes: an agent that dies under a copy leaves half a disk. Only a copy that has ended is noted, in the
 * server's folder on this machine; one that is not noted is deleted and made anew, as soon as the hypervisor has let go
 * of it. */
#include "common/file.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/model/image_template.h"
#include "compute-agent/http/http_datastore.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/storage.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LIBVIRT_VOLUME_NOTE      "copied"
#define LIBVIRT_VOLUME_SENT      "config.sent"
#define LIBVIRT_VOLUME_DEADLINES 10 /* a copy may take so many of a start's */
#define LIBVIRT_VOLUME_GIB       ((unsigned long long)1 << 30)

static char *libvirt_volume_only(struct libvirt_call *c, virConnectPtr conn)
{
    char *names[64] = {NULL}, *only = NULL;
    int count = virConnectListStoragePools(conn, names, 64);
    if (count < 0) {
        libvirt_call_fail(c, "The hypervisor's datastores cannot be listed");
        return NULL;
    }
    if (count == 1)
        only = memory_strdup(names[0]);
    else
        c->code = error_set(&c->error, ERR_INVALID,
                            "The hypervisor has %d datastores: the setting datastore must name one of them", count);
    for (int i = 0; i < count; i++)
        free(names[i]);
    return only;
}

char *libvirt_volume_datastore(struct libvirt_call *c, virConnectPtr conn)
{
    const char *named = c->settings->datastore;
    if (!named)
        return libvirt_volume_only(c, conn);
    virStoragePoolPtr pool = virStoragePoolLookupByName(conn, named);
    if (!pool) {
        c->code = error_set(&c->error, ERR_INVALID, "The hypervisor has no datastore %s", named);
        return NULL;
    }
    virStoragePoolFree(pool);
    return memory_strdup(named);
}

static void libvirt_volume_name(struct libvirt_call *c, char **ret_folder, char **ret_disk)
{
    char name[NAMES_SERVER_SIZE];
    names_server(&c->names, c->id, name);
    *ret_folder = arena_strdup(&c->arena, name);
    *ret_disk = arena_printf(&c->arena, "%s/%s" DOMAIN_XML_VOLUME_SUFFIX, name, name);
}

struct http_datastore libvirt_volume_web(const struct libvirt_call *c, const char *store)
{
    return (struct http_datastore){.uri = c->settings->hypervisor_uri,
                                   .password_file = c->settings->password_file,
                                   .datastore = store,
                                   .datacenter = c->settings->datacenter,
                                   .deadline_s = (long)(c->settings->call_deadline_ms / 1000 + 1)};
}

static int libvirt_volume_is_there(struct libvirt_call *c, const char *store, const char *name, bool *ret)
{
    struct http_datastore web = libvirt_volume_web(c, store);
    c->code = http_datastore_find(&web, name, ret, &c->error);
    c->transient = c->code != 0;
    return c->code;
}

/* 0 with *ret NULL when it is not there. libvirt's driver would not tell that from other errors. */
static int libvirt_volume_find(struct libvirt_call *c, const char *store, const char *name, virStorageVolPtr *ret)
{
    bool there = false;
    *ret = NULL;
    if (libvirt_volume_is_there(c, store, name, &there) || !there)
        return c->code;
    virStoragePoolPtr pool = virStoragePoolLookupByName(c->conn, store);
    if (!pool)
        return libvirt_call_fail(c, "The datastore cannot be reached");
    *ret = virStorageVolLookupByName(pool, name);
    if (!*ret)
        libvirt_call_fail(c, "The datastore cannot be searched");
    virStoragePoolFree(pool); /* forgets the error */
    return c->code;
}

int libvirt_volume_delete(struct libvirt_call *c, const char *store, const char *name)
{
    virStorageVolPtr volume;
    int code = libvirt_volume_find(c, store, name, &volume);
    if (code || !volume)
        return code;
    if (virStorageVolDelete(volume, 0) < 0) {
        code = libvirt_call_fail(c, "The disk cannot be removed");
        c->transient = true;
    }
    virStorageVolFree(volume);
    return code;
}

/* ---- making ---- */

static char *libvirt_volume_note(const struct libvirt_call *c, const char *name)
{
    char *folder = storage_folder(c->settings, c->id);
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s", folder, name);
    free(folder);
    return strbuf_take(&path);
}

static int libvirt_volume_check_size(struct libvirt_call *c, virStorageVolPtr template)
{
    virStorageVolInfo info;
    if (c->root_gib == 0)
        return 0;
    if (virStorageVolGetInfo(template, &info) < 0)
        return libvirt_call_fail(c, "The template's size cannot be read");
    unsigned long long gib = (info.capacity + LIBVIRT_VOLUME_GIB - 1) / LIBVIRT_VOLUME_GIB;
    if (gib > (unsigned long long)c->root_gib)
        return c->code = error_set(&c->error, ERR_INVALID,
                                   "The template %s needs a disk of %llu GiB, the flavor has %lld GiB", c->template,
                                   gib, (long long)c->root_gib);
    return 0;
}

static int libvirt_volume_copy_from(struct libvirt_call *c, const char *disk, virStorageVolPtr template)
{
    virStoragePoolPtr pool = virStoragePoolLookupByName(c->conn, c->facts.datastore);
    if (!pool)
        return libvirt_call_fail(c, "The datastore cannot be reached");
    char *xml = domain_xml_volume(disk);
    virStorageVolPtr made = virStorageVolCreateXMLFrom(pool, xml, template, 0);
    free(xml);
    if (!made)
        libvirt_call_fail(c, "The template cannot be copied");
    else
        virStorageVolFree(made);
    virStoragePoolFree(pool);
    return c->code;
}

/* Of c->template, in place of what is there. */
static int libvirt_volume_copy(struct libvirt_call *c, const char *disk)
{
    virStorageVolPtr template = NULL;
    int code = libvirt_volume_delete(c, c->facts.datastore, disk);
    code = code ? code : libvirt_volume_find(c, c->facts.datastore, c->template, &template);
    if (!code && !template)
        code = c->code = error_set(&c->error, ERR_NOT_FOUND, "The image's template [%s] %s is not there",
                                   c->facts.datastore, c->template);
    code = code ? code : libvirt_volume_check_size(c, template);
    code = code ? code : libvirt_volume_copy_from(c, disk, template);
    if (template)
        virStorageVolFree(template);
    return code;
}

/* Before every start: only a copy is worth a connection. A disk that went away is the start's to find. */
static int libvirt_volume_ensure(struct libvirt_call *c, const char *disk)
{
    struct stat st;
    char *note = libvirt_volume_note(c, LIBVIRT_VOLUME_NOTE);
    int code = 0;
    if (c->first && stat(note, &st)) {
        code = libvirt_call_open(c);
        code = code ? code : libvirt_volume_copy(c, disk);
        code = code ? code : (c->code = file_replace(note, "", 0, 0600, &c->error));
    }
    free(note);
    return code;
}

void libvirt_volume_explain(struct libvirt_call *c)
{
    char *folder, *disk;
    bool there = true;
    struct http_datastore web = libvirt_volume_web(c, c->facts.datastore);
    libvirt_volume_name(c, &folder, &disk);
    if (c->code == ERR_UNAVAILABLE || http_datastore_find(&web, disk, &there, NULL) || there)
        return;
    error_clear(&c->error);
    c->transient = false;
    c->code = error_set(&c->error, ERR_NOT_FOUND, "The server's disk [%s] %s is not there", c->facts.datastore, disk);
}

/* Which config drive there is: one that has not changed is not put again. */
static const char *libvirt_volume_stamp(struct libvirt_call *c)
{
    struct stat st;
    if (stat(c->config, &st))
        return "";
    return arena_printf(&c->arena, "%lld %lld.%09ld", (long long)st.st_size, (long long)st.st_mtim.tv_sec,
                        st.st_mtim.tv_nsec);
}

static void libvirt_volume_put_config(struct libvirt_call *c, const char *folder)
{
    struct http_datastore web = libvirt_volume_web(c, c->facts.datastore);
    const char *stamp = libvirt_volume_stamp(c);
    char *note = libvirt_volume_note(c, LIBVIRT_VOLUME_SENT);
    struct strbuf last;
    strbuf_init(&last, 256);
    bool sent = *stamp && file_read(note, &last, NULL) == 0 && strcmp(last.data, stamp) == 0;
    if (!sent)
        c->code =
            http_datastore_put(&web, arena_printf(&c->arena, "%s/" DOMAIN_XML_CONFIG, folder), c->config, &c->error);
    if (!sent && !c->code)
        c->code = file_replace(note, stamp, strlen(stamp), 0600, &c->error);
    c->transient = c->code != 0;
    strbuf_done(&last);
    free(note);
}

static void libvirt_volume_make(struct libvirt_call *c)
{
    char *folder, *disk;
    libvirt_volume_name(c, &folder, &disk);
    if (libvirt_volume_ensure(c, disk) == 0)
        libvirt_volume_put_config(c, folder);
}

/* ---- preparing: files of this machine first, then the hypervisor's ---- */

struct libvirt_volume_task {
    struct libvirt *lv;
    struct hypervisor_prepare what;
    hypervisor_done_fn done;
    void *arg;
};

static void libvirt_volume_made(struct libvirt_call *c, const struct hypervisor_result *result)
{
    c->done(c->arg, result);
}

static struct libvirt_call *libvirt_volume_call(const struct libvirt_volume_task *t)
{
    const struct spec *spec = t->what.spec;
    struct libvirt_call *c =
        libvirt_call_new(t->lv, "volume", spec->id, libvirt_volume_make, libvirt_volume_made, t->arg);
    const char *template = spec_template(spec->image);
    char *folder = storage_folder(c->settings, spec->id);
    c->done = t->done;
    c->first = t->what.first;
    c->root_gib = spec->root_gib;
    c->template = template ? arena_strdup(&c->arena, template) : NULL;
    c->config = arena_printf(&c->arena, "%s/" DOMAIN_XML_CONFIG, folder);
    free(folder);
    if (!c->facts.datastore)
        c->code = error_set(&c->error, ERR_UNAVAILABLE, "The hypervisor is not connected");
    c->transient = c->code != 0;
    if (!c->code && c->first && !c->template)
        c->code = error_set(&c->error, ERR_INVALID,
                            "The image names no template of the hypervisor (property " IMAGE_TEMPLATE_PROPERTY ")");
    return c;
}

static void libvirt_volume_files_made(void *arg, const struct hypervisor_result *result)
{
    struct libvirt_volume_task *t = arg;
    if (result->code)
        t->done(t->arg, result);
    else
        libvirt_call_submit_move(libvirt_volume_call(t),
                                 LIBVIRT_VOLUME_DEADLINES * t->lv->setup.settings->start_deadline_ms);
    free(t);
}

void libvirt_volume_prepare(struct libvirt *lv, const struct hypervisor_prepare *what, hypervisor_done_fn done,
                            void *arg)
{
    struct libvirt_volume_task *t = memory_new(sizeof(*t));
    *t = (struct libvirt_volume_task){.lv = lv, .what = *what, .done = done, .arg = arg};
    storage_prepare(lv->storage, what, libvirt_volume_files_made, t);
    if (what->first && what->on_progress)
        what->on_progress(arg);
}

/* ---- images of servers ---- */

static int libvirt_volume_drop_snapshot(struct libvirt_call *c, virDomainPtr domain, const char *name)
{
    virDomainSnapshotPtr snapshot = virDomainSnapshotLookupByName(domain, name, 0);
    if (snapshot && virDomainSnapshotDelete(snapshot, 0) < 0)
        libvirt_call_fail(c, "The guest's snapshot cannot be given up");
    if (snapshot)
        virDomainSnapshotFree(snapshot);
    return c->code;
}

static int libvirt_volume_freeze(struct libvirt_call *c, virDomainPtr domain, const char *name)
{
    char *xml = domain_xml_snapshot(name);
    virDomainSnapshotPtr snapshot = virDomainSnapshotCreateXML(domain, xml, VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY);
    free(xml);
    if (!snapshot)
        return libvirt_call_fail(c, "The hypervisor makes no snapshot of the guest");
    virDomainSnapshotFree(snapshot);
    return 0;
}

/* Under a snapshot a guest's disk stands still: what it writes goes elsewhere until the snapshot is given up. One of a
 * try before this is in the way. */
static void libvirt_volume_copy_guest(struct libvirt_call *c, virDomainPtr domain, const char *to)
{
    const char *name = arena_printf(&c->arena, "virga-%s", c->move->image_id);
    bool on = virDomainIsActive(domain) == 1;
    if (libvirt_volume_drop_snapshot(c, domain, name) || (on && libvirt_volume_freeze(c, domain, name)))
        return;
    int code = libvirt_volume_copy(c, to);
    struct error first = c->error;
    bool transient = c->transient;
    if (on)
        libvirt_volume_drop_snapshot(c, domain, name);
    if (code) {
        c->code = code;
        c->error = first;
        c->transient = transient;
    }
}

void libvirt_volume_snapshot(struct libvirt_call *c, virDomainPtr domain)
{
    char *folder, *disk;
    struct json_out o;
    libvirt_volume_name(c, &folder, &disk);
    const char *to = arena_printf(&c->arena, LIBVIRT_VOLUME_IMAGES "/%s" DOMAIN_XML_VOLUME_SUFFIX, c->move->image_id);
    c->template = disk;
    if (libvirt_image_note(c, c->move->image_id))
        return;
    libvirt_volume_copy_guest(c, domain, to);
    if (c->code)
        return;
    json_out_init(&o, &c->text);
    json_out_object(&o, NULL);
    json_out_text(&o, "data",
                  arena_printf(&c->arena, "This image is [%s] %s of a hypervisor.\n", c->facts.datastore, to));
    json_out_text(&o, "format", "raw");
    json_out_text(&o, "template", to);
    json_out_object_end(&o);
}

/* ---- removing ---- */

int libvirt_volume_remove_disk(struct libvirt_call *c)
{
    char *folder, *disk;
    libvirt_volume_name(c, &folder, &disk);
    return libvirt_volume_delete(c, c->facts.datastore, disk);
}

int libvirt_volume_remove_folder(struct libvirt_call *c)
{
    char *folder, *disk;
    struct http_datastore web = libvirt_volume_web(c, c->facts.datastore);
    libvirt_volume_name(c, &folder, &disk);
    c->code = http_datastore_remove(&web, folder, &c->error);
    c->transient = c->code != 0;
    return c->code;
}
