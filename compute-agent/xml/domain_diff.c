/* Both documents are read; each nic of one is looked for in the other. */
#include "compute-agent/xml/domain_diff.h"
#include "common/memory.h"
#include "compute-agent/xml/xml.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static xmlNodePtr first_nic(xmlDocPtr doc)
{
    return xml_first(xml_first(xmlDocGetRootElement(doc), "devices"), "interface");
}

static bool same_text(char *a, char *b)
{
    bool same = a && b && strcasecmp(a, b) == 0;
    free(a);
    free(b);
    return same;
}

static bool same_nic(xmlNodePtr a, xmlNodePtr b)
{
    return same_text(xml_get(xml_first(a, "mac"), "address"), xml_get(xml_first(b, "mac"), "address")) &&
           same_text(xml_get(xml_first(a, "source"), "network"), xml_get(xml_first(b, "source"), "network"));
}

static bool has_nic(xmlDocPtr doc, xmlNodePtr nic)
{
    for (xmlNodePtr other = first_nic(doc); other; other = xml_next(other, "interface")) {
        if (same_nic(other, nic))
            return true;
    }
    return false;
}

static void add(struct domain_diff *diff, enum domain_diff_kind kind, xmlNodePtr nic)
{
    xmlDocPtr one = xmlNewDoc(NULL);
    xmlDocSetRootElement(one, xmlCopyNode(nic, 1));
    diff->devices = memory_resize(diff->devices, (diff->count + 1) * sizeof(*diff->devices));
    diff->devices[diff->count++] = (struct domain_diff_device){
        .kind = kind, .text = xml_print(one), .mac = xml_get(xml_first(nic, "mac"), "address")};
    diff->unplugs += kind == DOMAIN_DIFF_UNPLUG;
}

int domain_diff_nics(const char *live, const char *wanted, struct domain_diff *ret, struct error *e)
{
    struct domain_diff diff = {0};
    xmlDocPtr from = xml_parse(live, e), to = from ? xml_parse(wanted, e) : NULL;
    for (xmlNodePtr nic = to ? first_nic(from) : NULL; nic; nic = xml_next(nic, "interface")) {
        if (!has_nic(to, nic))
            add(&diff, DOMAIN_DIFF_UNPLUG, nic);
    }
    for (xmlNodePtr nic = to ? first_nic(to) : NULL; nic; nic = xml_next(nic, "interface"))
        add(&diff, has_nic(from, nic) ? DOMAIN_DIFF_UPDATE : DOMAIN_DIFF_PLUG, nic);
    if (from)
        xmlFreeDoc(from);
    if (to)
        xmlFreeDoc(to);
    if (!to)
        return ERR_CORRUPT;
    *ret = diff;
    return 0;
}

void domain_diff_done(struct domain_diff *diff)
{
    for (size_t i = 0; i < diff->count; i++) {
        free(diff->devices[i].text);
        free(diff->devices[i].mac);
    }
    free(diff->devices);
    *diff = (struct domain_diff){0};
}

static int64_t number_of(char *text)
{
    int64_t number = text ? strtoll(text, NULL, 10) : 0;
    free(text);
    return number;
}

/* libvirt itself prints KiB; ours are MiB. */
static int64_t mib_of(xmlNodePtr memory)
{
    char *unit = xml_get(memory, "unit");
    int64_t amount = number_of(memory ? xml_get_text(memory) : NULL);
    bool mib = unit && strcmp(unit, "MiB") == 0;
    free(unit);
    return mib ? amount : amount / 1024;
}

int domain_diff_read_sizes(const char *domain, struct domain_diff_sizes *ret, struct error *e)
{
    xmlDocPtr doc = xml_parse(domain, e);
    if (!doc)
        return ERR_CORRUPT;
    xmlNodePtr root = xmlDocGetRootElement(doc), vcpu = xml_first(root, "vcpu");
    char *current = xml_get(vcpu, "current");
    ret->vcpus = number_of(current ? current : vcpu ? xml_get_text(vcpu) : NULL);
    ret->memory_mib = mib_of(xml_first(root, "memory"));
    ret->current_mib = mib_of(xml_first(root, "currentMemory"));
    xmlFreeDoc(doc);
    return 0;
}

char *domain_diff_memory(int64_t size_mib)
{
    xmlDocPtr doc;
    xmlNodePtr target = xml_add(xml_set(xml_root(&doc, "memory"), "model", "dimm"), "target");
    xml_set(xml_add_int(target, "size", size_mib), "unit", "MiB");
    xml_add_int(target, "node", 0);
    return xml_print(doc);
}
