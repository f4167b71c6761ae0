/* Machines that were there before, on a hypervisor whose definitions take no marks and whose disks are its own: whose a
 * machine is stands in a file of the datastore, virga-UUID.xml, with the marks that others have in their metadata. On a
 * worker.
 *
 * Failure modes: the file is the truth, what the agent notes on its own machine (storage_import) only says where to
 * look; an agent that has lost its notes asks the datastore about each machine, once. A file that is cut off is none. A
 * machine that is deleted keeps its file until nothing else of it is left. */
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/http/http_datastore.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBVIRT_BESIDE_TEXT  4096
#define LIBVIRT_BESIDE_KNOWN ".machines" /* of the instances' folder: all of its imported ones are noted in it */

static const char *libvirt_beside_file(struct libvirt_call *c, const char *id)
{
    return arena_printf(&c->arena, "virga-%s.xml", id);
}

/* ---- whose it is ---- */

int libvirt_beside_read(struct libvirt_call *c, const char *id, struct domain_xml_marks *ret, bool *ret_has,
                        struct error *e)
{
    struct http_datastore web = libvirt_volume_web(c, c->facts.datastore);
    struct strbuf text;
    bool there = false;
    *ret_has = false;
    if (!web.datastore)
        return error_set(e, ERR_UNAVAILABLE, "The hypervisor is not connected");
    strbuf_init(&text, LIBVIRT_BESIDE_TEXT);
    int code = http_datastore_get(&web, libvirt_beside_file(c, id), &text, &there, e);
    if (!code && there)
        *ret_has = domain_xml_read_marks(text.data, ret);
    strbuf_done(&text);
    return code;
}

int libvirt_beside_mark(struct libvirt_call *c, const char *marks)
{
    struct http_datastore web = libvirt_volume_web(c, c->facts.datastore);
    const char *name = libvirt_beside_file(c, c->id);
    char *folder = storage_folder(c->settings, c->id);
    const char *local = arena_printf(&c->arena, "%s/marks", folder);
    free(folder);
    if (!marks)
        c->code = http_datastore_remove(&web, name, &c->error);
    else
        c->code = file_replace(local, marks, strlen(marks), 0600, &c->error);
    if (marks && !c->code)
        c->code = http_datastore_put(&web, name, local, &c->error);
    c->transient = c->code != 0;
    return c->code;
}

/* ---- after the agent's notes were lost ---- */

static int libvirt_beside_regain_one(struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_xml_marks marks;
    char id[UUID_SIZE];
    bool has;
    if (libvirt_identify_id(c->profile, &c->names, c->settings, domain, id) || virDomainGetUUIDString(domain, id))
        return 0;
    int code = libvirt_beside_read(c, id, &marks, &has, &c->error);
    if (code || !has || !libvirt_identify_is_mine(c, &marks, id))
        return code;
    char *text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    code = text ? storage_import(c->settings, c->names.host_id, id, text, &c->error)
                : libvirt_call_fail(c, "The machine's definition cannot be read");
    free(text);
    if (!code)
        log_info("a machine that was imported is known again", "server=%s name=%s", id, virDomainGetName(domain));
    return code;
}

int libvirt_beside_regain(struct libvirt_call *c, virDomainPtr *domains, int count)
{
    const char *known = arena_printf(&c->arena, "%s/" LIBVIRT_BESIDE_KNOWN, c->settings->instances_dir);
    int code = 0;
    if (access(known, F_OK) == 0)
        return 0;
    for (int i = 0; i < count && !code; i++)
        code = libvirt_beside_regain_one(c, domains[i]);
    code = code ? code : file_replace(known, "", 0, 0600, &c->error);
    return c->code = code;
}

/* ---- its disks: "[DATASTORE] PATH" ---- */

static const char *libvirt_beside_split(struct libvirt_call *c, const char *path, const char **ret_store)
{
    const char *end = path[0] == '[' ? strchr(path, ']') : NULL;
    *ret_store = end ? arena_printf(&c->arena, "%.*s", (int)(end - path - 1), path + 1) : c->facts.datastore;
    return end ? end + 1 + strspn(end + 1, " ") : path;
}

int64_t libvirt_beside_bytes(struct libvirt_call *c, const char *path)
{
    virStorageVolInfo info = {0};
    virStorageVolPtr volume = virStorageVolLookupByPath(c->conn, path);
    if (volume)
        virStorageVolGetInfo(volume, &info);
    if (volume)
        virStorageVolFree(volume);
    return (int64_t)info.capacity;
}

int libvirt_beside_delete(struct libvirt_call *c, const char *path)
{
    const char *store, *name = libvirt_beside_split(c, path, &store);
    return libvirt_volume_delete(c, store, name);
}

/* ---- the rest of a machine that is deleted ---- */

static const char *libvirt_beside_gone(struct libvirt_call *c)
{
    char *folder = storage_folder(c->settings, c->id);
    const char *path = arena_printf(&c->arena, "%s/gone", folder);
    free(folder);
    return path;
}

int libvirt_beside_begin_end(struct libvirt_call *c)
{
    c->code = file_replace(libvirt_beside_gone(c), "", 0, 0600, &c->error);
    c->transient = c->code != 0;
    return c->code;
}

/* What ESX keeps beside a definition of that name. Its folder may hold more, and stays. */
static int libvirt_beside_clear_folder(struct libvirt_call *c, const char *store, const char *folder, const char *name)
{
    static const char *const kept[] = {"vmx", "vmxf", "vmsd", "nvram"};
    struct http_datastore web = libvirt_volume_web(c, store);
    int code = http_datastore_remove(&web, arena_printf(&c->arena, "%s/vmware.log", folder), &c->error);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]) && !code; i++)
        code = http_datastore_remove(&web, arena_printf(&c->arena, "%s/%s.%s", folder, name, kept[i]), &c->error);
    return c->code = code;
}

/* Beside its first disk. */
static int libvirt_beside_clear(struct libvirt_call *c, const char *definition)
{
    xmlDocPtr doc = xml_parse(definition, NULL);
    if (!doc)
        return 0;
    xmlNodePtr root = xmlDocGetRootElement(doc);
    char *disk = xml_get(xml_first(xml_path(root, "devices", "disk", NULL), "source"), "file");
    char *name = xml_get_text(xml_first(root, "name"));
    const char *store, *path = disk ? libvirt_beside_split(c, disk, &store) : NULL;
    const char *end = path ? strrchr(path, '/') : NULL;
    if (end && name && !strchr(name, '/'))
        libvirt_beside_clear_folder(c, store, arena_printf(&c->arena, "%.*s", (int)(end - path), path), name);
    free(disk);
    free(name);
    xmlFreeDoc(doc);
    return c->code;
}

int libvirt_beside_end(struct libvirt_call *c)
{
    struct strbuf text;
    if (access(libvirt_beside_gone(c), F_OK) != 0) /* it is not here any more, but not by us: nothing of it is ours */
        return c->code = 0;
    strbuf_init(&text, 0);
    if (storage_import_read(c->settings, c->id, &text) == 0)
        libvirt_beside_clear(c, text.data);
    strbuf_done(&text);
    c->transient = c->code != 0;
    return c->code ? c->code : libvirt_beside_mark(c, NULL);
}
