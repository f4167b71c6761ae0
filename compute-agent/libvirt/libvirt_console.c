/* Where a domain's terminal is, for drivers that write no log of it. That of a machine that was there before is read by
 * whoever read it then. */
#include "common/log.h"
#include "compute-agent/console/console_pump.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>

static char *libvirt_console_tty(virDomainPtr domain)
{
    char *text = virDomainGetXMLDesc(domain, 0);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    char *tty = doc ? xml_get(xml_path(xmlDocGetRootElement(doc), "devices", "console", NULL), "tty") : NULL;
    if (doc)
        xmlFreeDoc(doc);
    free(text);
    return tty;
}

void libvirt_console_follow(const struct libvirt_call *c, virDomainPtr domain, const char *server_id)
{
    struct error e = {0};
    if (c->profile->console != PROFILE_CONSOLE_PTY || virDomainIsActive(domain) != 1 ||
        storage_is_imported(c->settings, server_id))
        return;
    char *tty = libvirt_console_tty(domain), *folder = storage_folder(c->settings, server_id);
    const char *path = arena_printf((struct arena *)&c->arena, "%s/" DOMAIN_XML_CONSOLE, folder);
    if (tty && console_pump_follow(tty, path, &e))
        log_warn("console is not read", "server=%s error=\"%s\"", server_id, error_text(&e));
    free(tty);
    free(folder);
}
