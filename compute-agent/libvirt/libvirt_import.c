/* Domains that were there before us: told, taken over as they are, given back. On a worker.
 *
 * Taking over is two steps, each of which may be repeated: the server's folder gets the file "imported" with the
 * domain's definition as it was, then the domain gets our marks. Nothing else of it changes, so its guest notices
 * nothing. Giving back goes the other way round. A domain without marks is not ours, whatever its folder says, and is
 * never touched. */
#include "common/json_out.h"
#include "common/log.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/xml/domain_move.h"
#include "compute-agent/xml/xml.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what a domain is ---- */

static bool import_has_marks(virDomainPtr domain)
{
    char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, XML_NAMESPACE, 0);
    bool has = text != NULL;
    free(text);
    return has;
}

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

/* Why it cannot be a server of ours, in the arena; NULL: it can. */
static const char *import_problem(struct libvirt_call *c, virDomainPtr domain, xmlNodePtr root)
{
    const char *tied = domain_move_tied(root);
    xmlNodePtr disk = import_first_disk(root);
    if (virDomainIsPersistent(domain) != 1)
        return "it is transient: the hypervisor forgets it when it stops";
    if (import_has_marks(domain))
        return "it belongs to another cloud or host";
    if (tied)
        return arena_printf(&c->arena, "it holds a device of its host (%s)", tied);
    if (!disk)
        return "it has no disk";
    for (; disk; disk = import_next_disk(xml_next(disk, "disk"))) {
        char *file = xml_get(xml_first(disk, "source"), "file");
        bool is_file = file && *file == '/';
        free(file);
        if (!is_file || xml_first(disk, "shareable"))
            return is_file ? "one of its disks is shared with others" : "one of its disks is no file";
    }
    return NULL;
}

/* ---- telling ---- */

static void import_write_disks(virDomainPtr domain, xmlNodePtr root, struct json_out *o)
{
    json_out_array(o, "disks");
    for (xmlNodePtr disk = import_first_disk(root); disk; disk = import_next_disk(xml_next(disk, "disk"))) {
        char *file = xml_get(xml_first(disk, "source"), "file"), *target = xml_get(xml_first(disk, "target"), "dev");
        char *format = xml_get(xml_first(disk, "driver"), "type");
        virDomainBlockInfo info = {0};
        json_out_object(o, NULL);
        json_out_text(o, "target", target);
        json_out_text(o, "file", file);
        json_out_text(o, "format", format);
        if (target && virDomainGetBlockInfo(domain, target, &info, 0) == 0)
            json_out_int(o, "bytes", (int64_t)info.capacity);
        json_out_object_end(o);
        free(file);
        free(target);
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

static void import_write(struct libvirt_call *c, virDomainPtr domain, xmlNodePtr root, struct json_out *o)
{
    char id[UUID_SIZE];
    virDomainInfo info = {0};
    enum hypervisor_domain state = HYPERVISOR_ABSENT;
    if (virDomainGetUUIDString(domain, id) || virDomainGetInfo(domain, &info) ||
        libvirt_domain_state(c, domain, &state)) {
        c->code = 0; /* went while we looked */
        return;
    }
    json_out_object(o, NULL);
    json_out_text(o, "id", id);
    json_out_text(o, "name", virDomainGetName(domain));
    json_out_text(o, "domain", hypervisor_domain_name(state));
    json_out_int(o, "vcpus", info.nrVirtCpu);
    json_out_int(o, "memory_mib", (int64_t)(info.maxMem / 1024));
    json_out_text(o, "problem", import_problem(c, domain, root));
    import_write_disks(domain, root, o);
    import_write_nics(domain, root, o);
    json_out_object_end(o);
}

static void import_tell_one(struct libvirt_call *c, virDomainPtr domain, struct json_out *o)
{
    if (libvirt_identify_is_ours(c, domain))
        return;
    char *text = virDomainGetXMLDesc(domain, 0);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    if (doc)
        import_write(c, domain, xmlDocGetRootElement(doc), o);
    if (doc)
        xmlFreeDoc(doc);
    free(text);
}

void libvirt_import_tell(struct libvirt_call *c)
{
    virDomainPtr *domains = NULL;
    struct json_out o;
    if (c->profile->key != PROFILE_KEY_UUID || c->profile->root != PROFILE_ROOT_DISK) {
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
        import_tell_one(c, domains[i], &o);
        virDomainFree(domains[i]);
    }
    json_out_array_end(&o);
    json_out_object_end(&o);
    free(domains);
}

/* ---- taking over and giving back ---- */

int libvirt_import_find(struct libvirt_call *c, virDomainPtr *ret)
{
    virDomainPtr domain = libvirt_identify_lookup(c, c->id);
    *ret = NULL;
    if (!domain)
        return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN ? 0 : libvirt_call_fail(c, "Cannot look for the domain");
    if (libvirt_identify_is_ours(c, domain))
        *ret = domain;
    else
        virDomainFree(domain);
    return 0;
}

static int import_mark(struct libvirt_call *c, virDomainPtr domain, const char *marks)
{
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
    if (doc)
        xmlFreeDoc(doc);
    if (problem)
        c->code = error_set(&c->error, ERR_CONFLICT, "The machine cannot be imported: %s", problem);
    else if ((c->code = storage_import(c->settings, c->names.host_id, c->id, text, &c->error)))
        c->transient = true;
    free(text);
    return c->code ? c->code : import_mark(c, domain, c->xml);
}

int libvirt_import(struct libvirt_call *c, virDomainPtr *domain)
{
    if (*domain)
        return 0;
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

/* The disks are the server's: they go with it. */
static int import_delete_disks(struct libvirt_call *c, virDomainPtr domain)
{
    char *text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    free(text);
    if (!doc)
        return libvirt_call_fail(c, "The domain's definition cannot be read");
    xmlNodePtr disk = import_first_disk(xmlDocGetRootElement(doc));
    for (; disk && !c->code; disk = import_next_disk(xml_next(disk, "disk"))) {
        char *file = xml_get(xml_first(disk, "source"), "file");
        if (file && unlink(file) && errno != ENOENT)
            c->code = error_set(&c->error, ERR_IO, "%s cannot be removed: %s", file, strerror(errno));
        free(file);
    }
    xmlFreeDoc(doc);
    c->transient = c->code != 0;
    return c->code;
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
