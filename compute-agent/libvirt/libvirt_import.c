/* Domains that were there before us: told, taken over as they are, given back. On a worker.
 *
 * Taking over is two steps, each of which may be repeated: the server's folder gets the file "imported" with the
 * domain's definition as it was, then the domain gets our marks. Nothing else of it changes, so its guest notices
 * nothing. Giving back goes the other way round. A domain without marks is not ours, whatever its folder says, and is
 * never touched. */
#include "common/json_out.h"
#include "common/log.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/libvirt/libvirt_import_tree.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/xml/domain_diff.h"
#include "compute-agent/xml/domain_move.h"
#include "compute-agent/xml/foreign_tree.h"
#include "compute-agent/xml/xml.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what a domain is ---- */

/* Its own: no CD and nothing that it may only read. */
static bool import_is_data(xmlNodePtr disk)
{
    char *device = xml_get(disk, "device");
    bool data = (!device || strcmp(device, "disk") == 0) && !xml_first(disk, "readonly");
    free(device);
    return data;
}

static xmlNodePtr import_next_disk(xmlNodePtr disk)
{
    while (disk && !import_is_data(disk))
        disk = xml_next(disk, "disk");
    return disk;
}

static xmlNodePtr import_first_disk(xmlNodePtr domain)
{
    return import_next_disk(xml_first(xml_first(domain, "devices"), "disk"));
}

/* Where a disk's bytes are: a file or a block device of this machine, or a file on a datastore of the hypervisor that
 * has its own. NULL: elsewhere. Caller frees. */
static char *import_path(const struct libvirt_call *c, xmlNodePtr disk, bool *ret_file)
{
    xmlNodePtr source = xml_first(disk, "source");
    char *file = xml_get(source, "file"), *path = file ? file : xml_get(source, "dev");
    *ret_file = file != NULL;
    if (path && *path == (c->profile->root == PROFILE_ROOT_VOLUME ? '[' : '/'))
        return path;
    free(path);
    return NULL;
}

static const char *import_target(struct libvirt_call *c, xmlNodePtr disk)
{
    char *target = xml_get(xml_first(disk, "target"), "dev");
    const char *copy = arena_strdup(&c->arena, target ? target : "?");
    free(target);
    return copy;
}

/* Some drivers do not tell: what is raw tells by itself. 0: it is not known. */
static int64_t import_bytes_of_file(const struct libvirt_call *c, xmlNodePtr disk)
{
    bool is_file;
    char *format = xml_get(xml_first(disk, "driver"), "type"), *path = import_path(c, disk, &is_file);
    bool raw = format ? strcmp(format, "raw") == 0 : !is_file;
    int fd = path && raw ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    if (fd >= 0)
        close(fd);
    free(format);
    free(path);
    return end > 0 ? end : 0;
}

static int64_t import_bytes_of_volume(struct libvirt_call *c, xmlNodePtr disk)
{
    bool is_file;
    char *path = import_path(c, disk, &is_file);
    int64_t bytes = path ? libvirt_beside_bytes(c, path) : 0;
    free(path);
    return bytes;
}

static int64_t import_bytes(struct libvirt_call *c, virDomainPtr domain, xmlNodePtr disk, const char *target)
{
    virDomainBlockInfo info = {0};
    if (c->profile->root == PROFILE_ROOT_VOLUME)
        return import_bytes_of_volume(c, disk);
    return virDomainGetBlockInfo(domain, target, &info, 0) == 0 ? (int64_t)info.capacity
                                                                : import_bytes_of_file(c, disk);
}

static const char *import_disk_problem(struct libvirt_call *c, virDomainPtr domain, xmlNodePtr disk)
{
    const char *target = import_target(c, disk);
    bool is_file;
    char *path = import_path(c, disk, &is_file);
    bool is_here = path != NULL;
    free(path);
    if (!is_here)
        return arena_printf(&c->arena, "its disk %s is neither a file nor a block device", target);
    if (xml_first(disk, "shareable"))
        return arena_printf(&c->arena, "its disk %s is shared with others", target);
    return import_bytes(c, domain, disk, target)
               ? NULL
               : arena_printf(&c->arena, "the size of its disk %s is not known", target);
}

/* Whose it is, if that is in the way. */
static const char *import_owner_problem(struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_xml_marks marks;
    struct error e = {0};
    char id[UUID_SIZE];
    bool has;
    if (c->profile->key != PROFILE_KEY_UUID && names_read_server(&c->names, virDomainGetName(domain), id))
        return "it has the name of a server of this cloud";
    if (libvirt_identify_marks(c, domain, &marks, &has, &e))
        return arena_printf(&c->arena, "whose it is cannot be read: %s", error_text(&e));
    return has ? "it belongs to another cloud or host" : NULL;
}

/* On storage of the hypervisor's own a snapshot's disk is a file that stands on others. */
static bool import_has_layers(const struct libvirt_call *c, virDomainPtr domain)
{
    return c->profile->root == PROFILE_ROOT_VOLUME && virDomainSnapshotNum(domain, 0) != 0;
}

static const char *import_machine_problem(struct libvirt_call *c, virDomainPtr domain, xmlNodePtr root)
{
    const char *tied = domain_move_tied(root);
    xmlNodePtr disk = import_first_disk(root);
    if (import_has_layers(c, domain))
        return "it has snapshots, or they cannot be read";
    if (tied)
        return arena_printf(&c->arena, "it holds a device of its host (%s)", tied);
    if (!disk)
        return "it has no disk";
    const char *problem = NULL;
    for (; disk && !problem; disk = import_next_disk(xml_next(disk, "disk")))
        problem = import_disk_problem(c, domain, disk);
    return problem;
}

static bool import_is_tree(const struct libvirt_call *c)
{
    return c->profile->root == PROFILE_ROOT_TREE;
}

/* Why it cannot be a server of ours, in the arena; NULL: it can. */
static const char *import_problem(struct libvirt_call *c, virDomainPtr domain, xmlNodePtr root)
{
    if (virDomainIsPersistent(domain) != 1)
        return "it is transient: the hypervisor forgets it when it stops";
    const char *problem = import_owner_problem(c, domain);
    if (problem)
        return problem;
    return import_is_tree(c) ? libvirt_import_tree_problem(c, domain, root) : import_machine_problem(c, domain, root);
}

/* Why its operator must want it all the same; NULL: there is no reason. */
static const char *import_warning(const struct libvirt_call *c, xmlNodePtr root)
{
    return import_is_tree(c) ? foreign_tree_warning(root) : NULL;
}

/* ---- telling ---- */

static void import_write_disks(struct libvirt_call *c, virDomainPtr domain, xmlNodePtr root, struct json_out *o)
{
    if (import_is_tree(c)) {
        libvirt_import_tree_write(c, root, o);
        return;
    }
    json_out_array(o, "disks");
    for (xmlNodePtr disk = import_first_disk(root); disk; disk = import_next_disk(xml_next(disk, "disk"))) {
        const char *target = import_target(c, disk);
        bool is_file;
        char *path = import_path(c, disk, &is_file), *format = xml_get(xml_first(disk, "driver"), "type");
        int64_t bytes = import_bytes(c, domain, disk, target);
        json_out_object(o, NULL);
        json_out_text(o, "target", target);
        json_out_text(o, is_file ? "file" : "device", path);
        json_out_text(o, "format", format);
        if (bytes)
            json_out_int(o, "bytes", bytes);
        json_out_object_end(o);
        free(path);
        free(format);
    }
    json_out_array_end(o);
}

static void import_write_addresses(const virDomainInterfacePtr *list, int count, const char *mac, struct json_out *o)
{
    json_out_array(o, "addresses");
    for (int i = 0; i < count; i++) {
        if (!list[i]->hwaddr || !mac || strcasecmp(list[i]->hwaddr, mac) != 0)
            continue;
        for (unsigned a = 0; a < list[i]->naddrs; a++)
            if (strncmp(list[i]->addrs[a].addr, "fe80:", 5) != 0)
                json_out_text(o, NULL, list[i]->addrs[a].addr);
    }
    json_out_array_end(o);
}

/* By the leases of libvirt's own networks; else by the host's table of neighbours. */
static int import_read_addresses(virDomainPtr domain, virDomainInterfacePtr **ret)
{
    int count = virDomainIsActive(domain) == 1
                    ? virDomainInterfaceAddresses(domain, ret, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, 0)
                    : 0;
    if (count == 0 && virDomainIsActive(domain) == 1)
        count = virDomainInterfaceAddresses(domain, ret, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP, 0);
    return count > 0 ? count : 0;
}

static void import_write_nics(virDomainPtr domain, xmlNodePtr root, struct json_out *o)
{
    virDomainInterfacePtr *list = NULL;
    int count = import_read_addresses(domain, &list);
    json_out_array(o, "nics");
    for (xmlNodePtr nic = xml_first(xml_first(root, "devices"), "interface"); nic; nic = xml_next(nic, "interface")) {
        char *mac = xml_get(xml_first(nic, "mac"), "address"), *network = xml_get(xml_first(nic, "source"), "network");
        char *bridge = xml_get(xml_first(nic, "source"), "bridge");
        json_out_object(o, NULL);
        json_out_text(o, "mac", mac);
        json_out_text(o, "source", network ? network : bridge);
        import_write_addresses(list, count, mac, o);
        json_out_object_end(o);
        free(mac);
        free(network);
        free(bridge);
    }
    json_out_array_end(o);
    for (int i = 0; i < count; i++)
        virDomainInterfaceFree(list[i]);
    free(list);
}

static void import_write(struct libvirt_call *c, virDomainPtr domain, const char *text, struct json_out *o)
{
    char id[UUID_SIZE];
    struct domain_diff_sizes sizes;
    enum hypervisor_domain state = HYPERVISOR_ABSENT;
    xmlDocPtr doc = xml_parse(text, NULL);
    if (!doc)
        return;
    xmlNodePtr root = xmlDocGetRootElement(doc);
    if (virDomainGetUUIDString(domain, id) || domain_diff_read_sizes(text, &sizes, NULL) ||
        libvirt_domain_state(c, domain, &state)) {
        xmlFreeDoc(doc);
        c->code = 0; /* went while we looked */
        return;
    }
    json_out_object(o, NULL);
    json_out_text(o, "id", id);
    json_out_text(o, "name", virDomainGetName(domain));
    json_out_text(o, "domain", hypervisor_domain_name(state));
    json_out_int(o, "vcpus", sizes.vcpus);
    json_out_int(o, "memory_mib", sizes.memory_mib);
    json_out_text(o, "problem", import_problem(c, domain, root));
    json_out_text(o, "warning", import_warning(c, root));
    import_write_disks(c, domain, root, o);
    import_write_nics(domain, root, o);
    json_out_object_end(o);
    xmlFreeDoc(doc);
}

static void import_write_unread(struct libvirt_call *c, virDomainPtr domain, struct json_out *o)
{
    char id[UUID_SIZE];
    if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN || virDomainGetUUIDString(domain, id))
        return; /* it went while we looked */
    if (!libvirt_call_alive(c)) {
        libvirt_call_fail(c, "The machines cannot be read");
        return;
    }
    json_out_object(o, NULL);
    json_out_text(o, "id", id);
    json_out_text(o, "name", virDomainGetName(domain));
    json_out_text(o, "problem", "its definition cannot be read");
    json_out_object_end(o);
}

static void import_tell_one(struct libvirt_call *c, virDomainPtr domain, struct json_out *o)
{
    if (virDomainGetID(domain) == 0 || libvirt_identify_is_ours(c, domain)) /* 0: the host itself, under Xen */
        return;
    char *text = virDomainGetXMLDesc(domain, 0);
    if (text)
        import_write(c, domain, text, o);
    else
        import_write_unread(c, domain, o);
    free(text);
}

void libvirt_import_tell(struct libvirt_call *c)
{
    virDomainPtr *domains = NULL;
    struct json_out o;
    if (!c->profile->imports) {
        c->code = error_set(&c->error, ERR_NOT_IMPLEMENTED, "The hypervisor %s's machines cannot be imported",
                            c->profile->driver);
        return;
    }
    int count = virConnectListAllDomains(c->conn, &domains, 0);
    if (count < 0) {
        libvirt_call_fail(c, "The domains cannot be listed");
        return;
    }
    json_out_init(&o, &c->text);
    json_out_object(&o, NULL);
    json_out_array(&o, "machines");
    for (int i = 0; i < count; i++) {
        if (!c->code)
            import_tell_one(c, domains[i], &o);
        virDomainFree(domains[i]);
    }
    json_out_array_end(&o);
    json_out_object_end(&o);
    free(domains);
}

/* ---- taking over and giving back ---- */

/* By its marks alone: what the agent noted may be lost. */
int libvirt_import_find(struct libvirt_call *c, virDomainPtr *ret)
{
    virDomainPtr domain = libvirt_identify_lookup(c, c->id);
    bool has;
    *ret = NULL;
    if (!domain)
        return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN ? 0 : libvirt_call_fail(c, "Cannot look for the domain");
    c->code = libvirt_identify_marks(c, domain, &c->marks, &has, &c->error);
    c->transient = c->code != 0;
    if (!c->code && has && libvirt_identify_is_mine(c, &c->marks, c->id))
        *ret = domain;
    else
        virDomainFree(domain);
    return c->code;
}

static int import_mark(struct libvirt_call *c, virDomainPtr domain, const char *marks)
{
    if (c->profile->marks_beside)
        return libvirt_beside_mark(c, marks);
    unsigned where = VIR_DOMAIN_AFFECT_CONFIG | (virDomainIsActive(domain) == 1 ? VIR_DOMAIN_AFFECT_LIVE : 0u);
    if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, marks, marks ? "virga" : NULL, XML_NAMESPACE, where) <
        0)
        return libvirt_call_fail(c, marks ? "The domain cannot be marked" : "The domain's marks cannot be removed");
    return 0;
}

static int import_take(struct libvirt_call *c, virDomainPtr domain)
{
    char *text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    const char *problem = doc ? import_problem(c, domain, xmlDocGetRootElement(doc)) : "its definition cannot be read";
    const char *warning = doc ? import_warning(c, xmlDocGetRootElement(doc)) : NULL;
    if (warning)
        log_warn("a machine is imported that is not isolated from its host", "server=%s reason=\"%s\"", c->id, warning);
    if (doc)
        xmlFreeDoc(doc);
    if (problem)
        c->code = error_set(&c->error, ERR_CONFLICT, "The machine cannot be imported: %s", problem);
    else if ((c->code = storage_import(c->settings, c->names.host_id, c->id, text, &c->error)))
        c->transient = true;
    free(text);
    return c->code ? c->code : import_mark(c, domain, c->xml);
}

/* One that is ours already, though the agent does not know of it any more. */
static int import_note(struct libvirt_call *c, virDomainPtr domain)
{
    if (storage_is_imported(c->settings, c->id))
        return 0;
    char *text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    if (!text)
        return libvirt_call_fail(c, "The domain's definition cannot be read");
    c->code = storage_import(c->settings, c->names.host_id, c->id, text, &c->error);
    c->transient = c->code != 0;
    free(text);
    return c->code;
}

int libvirt_import(struct libvirt_call *c, virDomainPtr *domain)
{
    if (*domain)
        return import_note(c, *domain);
    virDomainPtr found = libvirt_identify_lookup(c, c->id);
    if (!found)
        return c->code = error_set(&c->error, ERR_NOT_FOUND, "The machine that is to be imported is not there");
    int code = import_take(c, found);
    if (code)
        virDomainFree(found);
    else
        *domain = found;
    return code;
}

/* The disks are the server's: they go with it. A block device is the site's: it stays, with what is on it. */
static int import_delete_disks(struct libvirt_call *c, virDomainPtr domain)
{
    char *text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    free(text);
    if (!doc)
        return libvirt_call_fail(c, "The domain's definition cannot be read");
    if (import_is_tree(c))
        libvirt_import_tree_remove(c, xmlDocGetRootElement(doc));
    xmlNodePtr disk = import_is_tree(c) ? NULL : import_first_disk(xmlDocGetRootElement(doc));
    for (; disk && !c->code; disk = import_next_disk(xml_next(disk, "disk"))) {
        bool is_file;
        char *path = import_path(c, disk, &is_file);
        if (path && *path == '[')
            libvirt_beside_delete(c, path);
        else if (path && !is_file)
            log_warn("a block device of a deleted server stays as it is", "server=%s device=%s", c->id, path);
        else if (path && unlink(path) && errno != ENOENT)
            c->code = error_set(&c->error, ERR_IO, "%s cannot be removed: %s", path, strerror(errno));
        free(path);
    }
    xmlFreeDoc(doc);
    c->transient = c->code != 0;
    if (!c->code)
        libvirt_log_forget_domain(c, virDomainGetName(domain));
    return c->code || !c->profile->marks_beside ? c->code : libvirt_beside_begin_end(c);
}

int libvirt_import_clear(struct libvirt_call *c, virDomainPtr *domain)
{
    if (!*domain)
        return 0;
    if (!c->released)
        return import_delete_disks(c, *domain);
    int code = import_mark(c, *domain, NULL);
    if (code)
        return code;
    log_info("machine given back", "server=%s name=%s", c->id, virDomainGetName(*domain));
    virDomainFree(*domain);
    *domain = NULL;
    return 0;
}
