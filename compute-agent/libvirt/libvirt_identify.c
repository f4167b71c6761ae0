/* Which domain is which server, and whose: by UUID and metadata, or by name and description, as the driver has it. */
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>
#include <string.h>

virDomainPtr libvirt_identify_lookup(const struct libvirt_call *c, const char *id)
{
    char name[NAMES_SERVER_SIZE];
    return c->profile->key == PROFILE_KEY_UUID ? virDomainLookupByUUIDString(c->conn, id)
                                               : virDomainLookupByName(c->conn, names_server(&c->names, id, name));
}

bool libvirt_identify_id(const struct profile *p, const struct names *names, const struct settings *settings,
                         virDomainPtr domain, char ret[UUID_SIZE])
{
    const char *name = virDomainGetName(domain);
    if (p->key != PROFILE_KEY_UUID)
        return names_read_server(names, name, ret);
    if (virDomainGetUUIDString(domain, ret))
        return false;
    return names_is_ours(names, name) || storage_is_imported(settings, ret);
}

static bool libvirt_identify_described(virDomainPtr domain, struct domain_xml_marks *ret)
{
    char *text = virDomainGetXMLDesc(domain, 0);
    bool good = text && domain_xml_read_described(text, ret);
    free(text);
    return good;
}

static bool libvirt_identify_read(const struct libvirt_call *c, virDomainPtr domain, struct domain_xml_marks *ret)
{
    if (c->profile->key == PROFILE_KEY_DESCRIBED)
        return libvirt_identify_described(domain, ret);
    char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, XML_NAMESPACE, 0);
    bool good = text && domain_xml_read_marks(text, ret);
    free(text);
    return good;
}

bool libvirt_identify_is_ours(const struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_xml_marks marks;
    char id[UUID_SIZE];
    if (!libvirt_identify_id(c->profile, &c->names, c->settings, domain, id))
        return false;
    if (c->profile->key == PROFILE_KEY_NAME)
        return true;
    return libvirt_identify_read(c, domain, &marks) && strcmp(marks.cloud_id, c->names.cloud_id) == 0 &&
           strcmp(marks.host_id, c->names.host_id) == 0 && strcmp(marks.server_id, id) == 0;
}

bool libvirt_identify_is_defined(const struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_xml_marks has, wanted;
    if (c->profile->key != PROFILE_KEY_DESCRIBED) /* nothing tells */
        return true;
    return libvirt_identify_described(domain, &has) && domain_xml_read_described(c->xml, &wanted) &&
           strcmp(has.shape, wanted.shape) == 0;
}
