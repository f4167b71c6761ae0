/* MACs of the interfaces that libvirt counts by. Its statistics name the host's end of a nic alone, which libvirt
 * itself chooses; what the definition says of it is read when a name comes up that is not known of that domain. */
#include "common/memory.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/xml/xml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Domains come in about the same order each time. */
static struct libvirt_nic *nics_find(struct libvirt_nics *n, const char *server_id, const char *device)
{
    for (size_t i = 0; i < n->count; i++) {
        size_t at = (n->at + i) % n->count;
        if (strcmp(n->items[at].device, device) == 0 && strcmp(n->items[at].server_id, server_id) == 0) {
            n->at = at + 1;
            n->items[at].used = true;
            return &n->items[at];
        }
    }
    return NULL;
}

static void nics_add(struct libvirt_nics *n, const char *server_id, const char *device, const char *mac)
{
    struct libvirt_nic nic = {.used = false};
    if (!device || !mac || strlen(device) >= sizeof(nic.device) || !ip_mac_parse(mac, nic.mac) ||
        nics_find(n, server_id, device))
        return;
    snprintf(nic.server_id, sizeof(nic.server_id), "%s", server_id);
    snprintf(nic.device, sizeof(nic.device), "%s", device);
    n->items = memory_resize(n->items, (n->count + 1) * sizeof(*n->items));
    n->items[n->count++] = nic;
}

static void nics_read(struct libvirt_nics *n, virDomainPtr domain, const char *server_id)
{
    char *text = virDomainGetXMLDesc(domain, 0);
    xmlDocPtr doc = text ? xml_parse(text, NULL) : NULL;
    xmlNodePtr devices = doc ? xml_first(xmlDocGetRootElement(doc), "devices") : NULL;
    for (xmlNodePtr nic = xml_first(devices, "interface"); nic; nic = xml_next(nic, "interface")) {
        char *device = xml_get(xml_first(nic, "target"), "dev"), *mac = xml_get(xml_first(nic, "mac"), "address");
        nics_add(n, server_id, device, mac);
        free(device);
        free(mac);
    }
    if (doc)
        xmlFreeDoc(doc);
    free(text);
}

const char *libvirt_nics_mac(struct libvirt_call *c, virDomainPtr domain, const char *server_id, const char *device)
{
    struct libvirt_nic *nic = nics_find(&c->nics, server_id, device);
    if (!nic) {
        nics_read(&c->nics, domain, server_id);
        nic = nics_find(&c->nics, server_id, device);
    }
    return nic ? nic->mac : "";
}

void libvirt_nics_keep(struct libvirt_nics *n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->count; i++) {
        if (n->items[i].used) {
            n->items[i].used = false;
            n->items[kept++] = n->items[i];
        }
    }
    n->count = kept;
    n->at = 0;
}
