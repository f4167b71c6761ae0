/* Which domain is which server, and whose: by UUID and metadata, or by name and description, as the driver has it; by
 * UUID and a file beside it where it was imported and its definition takes no marks. */
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>
#include <string.h>

virDomainPtr libvirt_identify_lookup(const struct libvirt_call *c, const char *id)
{
    char name[NAMES_SERVER_SIZE];
    bool by_uuid = c->profile->key == PROFILE_KEY_UUID || (c->imported && strcmp(id, c->id) == 0) ||
                   (c->profile->imports && storage_is_imported(c->settings, id));
    return by_uuid ? virDomainLookupByUUIDString(c->conn, id)
                   : virDomainLookupByName(c->conn, names_server(&c->names, id, name));
}

bool libvirt_identify_id(const struct profile *p, const struct names *names, const struct settings *settings,
                         virDomainPtr domain, char ret[UUID_SIZE])
{
    const char *name = virDomainGetName(domain);
    if (p->key != PROFILE_KEY_UUID && (names_read_server(names, name, ret) || !p->imports))
        return names_read_server(names, name, ret);
    if (virDomainGetUUIDString(domain, ret))
        return false;
    return (p->key == PROFILE_KEY_UUID && names_is_ours(names, name)) || storage_is_imported(settings, ret);
}

static bool libvirt_identify_described(virDomainPtr domain, struct domain_xml_marks *ret)
{
    char *text = virDomainGetXMLDesc(domain, 0);
    bool good = text && domain_xml_read_described(text, ret);
    free(text);
    return good;
}

static int libvirt_identify_read_beside(struct libvirt_call *c, virDomainPtr domain, struct domain_xml_marks *ret,
                                        bool *ret_has, struct error *e)
{
    char id[UUID_SIZE];
    *ret_has = false;
    return virDomainGetUUIDString(domain, id) ? 0 : libvirt_beside_read(c, id, ret, ret_has, e);
}

int libvirt_identify_marks(struct libvirt_call *c, virDomainPtr domain, struct domain_xml_marks *ret, bool *ret_has,
                           struct error *e)
{
    char id[UUID_SIZE];
    if (c->profile->key == PROFILE_KEY_DESCRIBED) {
        if (c->profile->marks_beside && !names_read_server(&c->names, virDomainGetName(domain), id))
            return libvirt_identify_read_beside(c, domain, ret, ret_has, e);
        *ret_has = libvirt_identify_described(domain, ret);
        return 0;
    }
    char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, XML_NAMESPACE, 0);
    *ret_has = text != NULL;
    if (!text || !domain_xml_read_marks(text, ret))
        *ret = (struct domain_xml_marks){0}; /* nobody's that we know */
    free(text);
    return 0;
}

bool libvirt_identify_is_mine(const struct libvirt_call *c, const struct domain_xml_marks *marks, const char *id)
{
    return strcmp(marks->cloud_id, c->names.cloud_id) == 0 && strcmp(marks->host_id, c->names.host_id) == 0 &&
           strcmp(marks->server_id, id) == 0;
}

bool libvirt_identify_is_ours(struct libvirt_call *c, virDomainPtr domain)
{
    char id[UUID_SIZE];
    bool has;
    if (!libvirt_identify_id(c->profile, &c->names, c->settings, domain, id))
        return false;
    if (c->profile->key == PROFILE_KEY_NAME)
        return true;
    return libvirt_identify_marks(c, domain, &c->marks, &has, NULL) == 0 && has &&
           libvirt_identify_is_mine(c, &c->marks, id);
}

bool libvirt_identify_is_defined(const struct libvirt_call *c)
{
    struct domain_xml_marks wanted;
    if (c->profile->key != PROFILE_KEY_DESCRIBED) /* nothing tells */
        return true;
    return domain_xml_read_described(c->xml, &wanted) && strcmp(c->marks.shape, wanted.shape) == 0;
}
