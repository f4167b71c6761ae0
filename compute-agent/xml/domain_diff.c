/* The documents are read; each nic or disk of one is looked for in the other. */
#include "compute-agent/xml/domain_diff.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/xml/domain_xml.h"
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

/* ---- what a container calls its nics ---- */

static bool is_called(xmlNodePtr nic, const char *name)
{
    char *called = xml_get(xml_first(nic, "guest"), "dev");
    bool is = called && strcmp(called, name) == 0;
    free(called);
    return is;
}

/* By a nic that stays, or by one that is plugged before. */
static bool is_taken(const char *name, xmlDocPtr from, xmlDocPtr to, xmlNodePtr before)
{
    for (xmlNodePtr nic = first_nic(from); nic; nic = xml_next(nic, "interface")) {
        if (is_called(nic, name) && has_nic(to, nic))
            return true;
    }
    for (xmlNodePtr nic = first_nic(to); nic && nic != before; nic = xml_next(nic, "interface")) {
        if (is_called(nic, name) && !has_nic(from, nic))
            return true;
    }
    return false;
}

/* A definition counts from its first nic on; what runs has kept the names that it was started with. */
static void rename_nic(xmlNodePtr nic, xmlDocPtr from, xmlDocPtr to)
{
    char *name = xml_get(xml_first(nic, "guest"), "dev");
    for (int number = 0; name && is_taken(name, from, to, nic); number++) {
        free(name);
        name = strbuf_print("eth%d", number);
    }
    if (name)
        xmlSetProp(xml_first(nic, "guest"), BAD_CAST "dev", BAD_CAST name);
    free(name);
}

/* Takes over `name`. */
static void add(struct domain_diff *diff, enum domain_diff_kind kind, xmlNodePtr device, char *name)
{
    xmlDocPtr one = xmlNewDoc(NULL);
    xmlDocSetRootElement(one, xmlCopyNode(device, 1));
    diff->devices = memory_resize(diff->devices, (diff->count + 1) * sizeof(*diff->devices));
    diff->devices[diff->count++] = (struct domain_diff_device){.kind = kind, .text = xml_print(one), .name = name};
    diff->unplugs += kind == DOMAIN_DIFF_UNPLUG;
}

static char *mac_of(xmlNodePtr nic)
{
    return xml_get(xml_first(nic, "mac"), "address");
}

int domain_diff_nics(const char *live, const char *wanted, struct domain_diff *ret, struct error *e)
{
    struct domain_diff diff = {0};
    xmlDocPtr from = xml_parse(live, e), to = from ? xml_parse(wanted, e) : NULL;
    for (xmlNodePtr nic = to ? first_nic(from) : NULL; nic; nic = xml_next(nic, "interface")) {
        if (!has_nic(to, nic))
            add(&diff, DOMAIN_DIFF_UNPLUG, nic, mac_of(nic));
    }
    for (xmlNodePtr nic = to ? first_nic(to) : NULL; nic; nic = xml_next(nic, "interface")) {
        bool there = has_nic(from, nic);
        if (!there)
            rename_nic(nic, from, to);
        add(&diff, there ? DOMAIN_DIFF_UPDATE : DOMAIN_DIFF_PLUG, nic, mac_of(nic));
    }
    if (from)
        xmlFreeDoc(from);
    if (to)
        xmlFreeDoc(to);
    if (!to)
        return ERR_CORRUPT;
    *ret = diff;
    return 0;
}

static xmlNodePtr first_disk(xmlDocPtr doc)
{
    return xml_first(xml_first(xmlDocGetRootElement(doc), "devices"), "disk");
}

static char *target_of(xmlNodePtr disk)
{
    return xml_get(xml_first(disk, "target"), "dev");
}

/* `but`: up to there; NULL: any. */
static bool has_target(xmlDocPtr doc, const char *target, xmlNodePtr but)
{
    for (xmlNodePtr disk = first_disk(doc); disk && disk != but; disk = xml_next(disk, "disk")) {
        char *name = target_of(disk);
        bool same = name && strcmp(name, target) == 0;
        free(name);
        if (same)
            return true;
    }
    return false;
}

/* Disks that the guest has keep their places until it starts next. */
static void rename_disk(xmlNodePtr disk, xmlDocPtr from, xmlDocPtr to)
{
    char target[] = "vdb";
    char *name = target_of(disk);
    bool taken = name && has_target(from, name, NULL);
    free(name);
    while (taken && target[2] < 'z' && (has_target(from, target, NULL) || has_target(to, target, disk)))
        target[2]++;
    if (taken)
        xmlSetProp(xml_first(disk, "target"), BAD_CAST "dev", BAD_CAST target);
}

static char *file_of(xmlNodePtr disk)
{
    return xml_get(xml_first(disk, "source"), "file");
}

static bool is_of(xmlNodePtr disk, const char *name)
{
    char *file = file_of(disk);
    const char *slash = file ? strrchr(file, '/') : NULL;
    bool is = slash && strcmp(slash + 1, name) == 0;
    free(file);
    return is;
}

/* A file that a resize may bring and take: the root's and the config drive's stay. */
static bool is_further(xmlNodePtr disk)
{
    return is_of(disk, DOMAIN_XML_EPHEMERAL) || is_of(disk, DOMAIN_XML_SWAP);
}

static bool has_file(xmlDocPtr doc, xmlNodePtr disk)
{
    for (xmlNodePtr other = first_disk(doc); other; other = xml_next(other, "disk")) {
        if (same_text(file_of(other), file_of(disk)))
            return true;
    }
    return false;
}

int domain_diff_disks(const char *live, const char *defined, const char *wanted, struct domain_diff *ret,
                      struct error *e)
{
    struct domain_diff diff = {0};
    xmlDocPtr from = xml_parse(live, e), kept = from ? xml_parse(defined, e) : NULL;
    xmlDocPtr to = kept ? xml_parse(wanted, e) : NULL;
    for (xmlNodePtr disk = to ? first_disk(from) : NULL; disk; disk = xml_next(disk, "disk")) {
        if (is_further(disk) && !has_file(to, disk))
            add(&diff, DOMAIN_DIFF_UNPLUG, disk, target_of(disk));
    }
    for (xmlNodePtr disk = to ? first_disk(to) : NULL; disk; disk = xml_next(disk, "disk")) {
        if (!is_further(disk) || has_file(from, disk) || has_file(kept, disk))
            continue;
        rename_disk(disk, from, to);
        add(&diff, DOMAIN_DIFF_PLUG, disk, target_of(disk));
    }
    int code = to ? 0 : ERR_CORRUPT;
    if (from)
        xmlFreeDoc(from);
    if (kept)
        xmlFreeDoc(kept);
    if (to)
        xmlFreeDoc(to);
    if (!code)
        *ret = diff;
    return code;
}

char *domain_diff_target(const char *domain, const char *name)
{
    xmlDocPtr doc = xml_parse(domain, NULL);
    char *target = NULL;
    for (xmlNodePtr disk = doc ? first_disk(doc) : NULL; disk && !target; disk = xml_next(disk, "disk"))
        target = is_of(disk, name) ? target_of(disk) : NULL;
    if (doc)
        xmlFreeDoc(doc);
    return target;
}

void domain_diff_done(struct domain_diff *diff)
{
    for (size_t i = 0; i < diff->count; i++) {
        free(diff->devices[i].text);
        free(diff->devices[i].name);
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
