/* The network filter that nics with port security refer to. It is the same for every server, agent and cloud on this
 * libvirtd, so it is defined when it is missing and never changed or
 * removed. */
#include "common/log.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/xml/filter_xml.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool libvirt_filter_define(virConnectPtr conn)
{
    virNWFilterPtr filter = virNWFilterLookupByName(conn, FILTER_XML_NAME);
    if (!filter) {
        char *xml = filter_xml_make();
        filter = virNWFilterDefineXML(conn, xml);
        free(xml);
    }
    if (!filter) /* another agent may have been first */
        filter = virNWFilterLookupByName(conn, FILTER_XML_NAME);
    if (filter)
        virNWFilterFree(filter);
    return filter != NULL;
}

/* The rules are ebtables'; without it libvirt takes the filter and fails to start the guest. */
static bool libvirt_filter_has_ebtables(void)
{
    static const char *const places[] = {"/usr/sbin/ebtables", "/sbin/ebtables"};
    return access(places[0], X_OK) == 0 || access(places[1], X_OK) == 0;
}

bool libvirt_filter_ensure(virConnectPtr conn, const struct settings *settings)
{
    const char *why = "";
    if (strcmp(settings->port_security, "off") == 0)
        why = "it is switched off";
    else if (!libvirt_filter_has_ebtables())
        why = "there is no ebtables";
    else if (!libvirt_filter_define(conn))
        why = virGetLastErrorMessage();
    else
        return true;
    log_warn("guests are not kept from sending with others' addresses", "reason=\"%s\"", why);
    return false;
}
