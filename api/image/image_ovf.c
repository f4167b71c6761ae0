/* References name files, DiskSection disks by those files, the hardware items disks; what counts is the hardware.
 * Namespaces' prefixes vary between writers, so names are compared without them. */
#include "api/image/image_ovf.h"
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVF_MIB        ((int64_t)1 << 20)
#define OVF_MEMORY_MIB ((int64_t)1 << 30)
#define OVF_CPUS       4096
enum { OVF_CPU = 3, OVF_MEMORY = 4, OVF_DISK = 17 };

static bool is_named(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

static xmlNodePtr next_named(xmlNodePtr node, const char *name)
{
    while (node && !is_named(node, name))
        node = node->next;
    return node;
}

static xmlNodePtr child(xmlNodePtr node, const char *name)
{
    return node ? next_named(node->children, name) : NULL;
}

/* Into `ret`, cut at its end; "" when there is none. */
static const char *copy(xmlChar *value, char *ret, size_t size)
{
    snprintf(ret, size, "%s", value ? (const char *)value : "");
    xmlFree(value);
    return ret;
}

static const char *attribute(xmlNodePtr node, const char *name, char *ret, size_t size)
{
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (strcmp((const char *)a->name, name) == 0)
            return copy(xmlNodeListGetString(node->doc, a->children, 1), ret, size);
    ret[0] = 0;
    return ret;
}

static const char *text_of(xmlNodePtr node, const char *name, char *ret, size_t size)
{
    xmlNodePtr at = child(node, name);
    return copy(at ? xmlNodeGetContent(at) : NULL, ret, size);
}

static int64_t number_of(xmlNodePtr node, const char *name)
{
    char text[32], *end = NULL;
    text_of(node, name, text, sizeof(text));
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    return errno || end == text || *end || value < 0 ? 0 : value;
}

/* ---- disks ---- */

/* The child of `parent` called `name` whose attribute `key` is `value`. */
static xmlNodePtr find(xmlNodePtr parent, const char *name, const char *key, const char *value)
{
    char text[256];
    for (xmlNodePtr at = child(parent, name); at; at = next_named(at->next, name))
        if (strcmp(attribute(at, key, text, sizeof(text)), value) == 0)
            return at;
    return NULL;
}

static int read_file(xmlNodePtr root, const char *id, struct image_ovf *ret, struct error *e)
{
    char text[64];
    xmlNodePtr file = find(child(root, "References"), "File", "id", id);
    if (!file)
        return error_set(e, ERR_INVALID, "The OVF names a file %.100s that is not among its references.", id);
    attribute(file, "href", ret->file, sizeof(ret->file));
    attribute(file, "compression", text, sizeof(text));
    if (text[0] && strcmp(text, "identity") != 0)
        return error_set(e, ERR_INVALID, "The disk in the OVA is compressed (%s). Such images are refused.", text);
    if (attribute(file, "chunkSize", text, sizeof(text))[0])
        return error_set(e, ERR_INVALID, "The disk in the OVA is cut into several files. Such images are refused.");
    if (!ret->file[0] || strchr(ret->file, '/'))
        return error_set(e, ERR_INVALID, "The OVF names a disk that is not in the archive. Such images are refused.");
    return 0;
}

/* "ovf:/disk/vmdisk1", "/disk/vmdisk1" or "ovf:/file/file1" */
static int read_disk(xmlNodePtr root, const char *resource, struct image_ovf *ret, struct error *e)
{
    char id[256];
    const char *at = strncmp(resource, "ovf:", 4) == 0 ? resource + 4 : resource;
    if (strncmp(at, "/file/", 6) == 0)
        return read_file(root, at + 6, ret, e);
    xmlNodePtr disk = strncmp(at, "/disk/", 6) == 0 ? find(child(root, "DiskSection"), "Disk", "diskId", at + 6) : NULL;
    if (!disk)
        return error_set(e, ERR_INVALID, "The OVF names a disk %.100s that it does not describe.", resource);
    if (attribute(disk, "parentRef", id, sizeof(id))[0])
        return error_set(e, ERR_INVALID, "The disk in the OVA has a parent. Such images are refused.");
    if (!attribute(disk, "fileRef", id, sizeof(id))[0])
        return error_set(e, ERR_INVALID, "The disk in the OVA is empty: there is nothing to start from.");
    return read_file(root, id, ret, e);
}

/* ---- hardware ---- */

/* "byte * 2^20", "MegaBytes", "GB" ...; bytes, 0 when it is none. */
static int64_t unit_of(const char *text)
{
    static const struct {
        const char *word;
        int64_t bytes;
    } words[] = {{"byte", 1},     {"kilobytes", 1 << 10}, {"kb", 1 << 10},          {"megabytes", OVF_MIB},
                 {"mb", OVF_MIB}, {"gigabytes", 1 << 30}, {"gb", (int64_t)1 << 30}, {"", OVF_MIB}};
    const char *power = strstr(text, "2^");
    if (strncmp(text, "byte", 4) == 0 && power) {
        long shift = strtol(power + 2, NULL, 10);
        return shift >= 0 && shift <= 40 ? (int64_t)1 << shift : 0;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i].word) == 0)
            return words[i].bytes;
    return 0;
}

static void read_memory(xmlNodePtr item, struct image_ovf *ret)
{
    char text[64];
    int64_t unit = unit_of(text_of(item, "AllocationUnits", text, sizeof(text)));
    int64_t quantity = number_of(item, "VirtualQuantity"), bytes = 0;
    if (!__builtin_mul_overflow(quantity, unit, &bytes) && bytes / OVF_MIB <= OVF_MEMORY_MIB)
        ret->memory_mib = bytes / OVF_MIB;
}

static int read_item(xmlNodePtr root, xmlNodePtr item, int *disks, struct image_ovf *ret, struct error *e)
{
    char resource[256];
    int64_t cpus;
    switch (number_of(item, "ResourceType")) {
    case OVF_CPU:
        cpus = number_of(item, "VirtualQuantity");
        ret->cpus = cpus <= OVF_CPUS ? cpus : 0;
        return 0;
    case OVF_MEMORY:
        read_memory(item, ret);
        return 0;
    case OVF_DISK:
        ++*disks;
        return read_disk(root, text_of(item, "HostResource", resource, sizeof(resource)), ret, e);
    default:
        return 0;
    }
}

static int read_hardware(xmlNodePtr root, xmlNodePtr hardware, struct image_ovf *ret, struct error *e)
{
    char text[32];
    int disks = 0, rc = 0;
    for (xmlNodePtr at = hardware->children; at && !rc; at = at->next) {
        if (is_named(at, "Item") || is_named(at, "StorageItem"))
            rc = read_item(root, at, &disks, ret, e);
        else if (is_named(at, "Config") && strcmp(attribute(at, "key", text, sizeof(text)), "firmware") == 0)
            ret->uefi = strcmp(attribute(at, "value", text, sizeof(text)), "efi") == 0;
    }
    if (!rc && disks != 1)
        rc = error_set(e, ERR_INVALID, "The OVA holds a machine with %d disks; an image is of one disk.", disks);
    return rc;
}

static int read_root(xmlNodePtr root, struct image_ovf *ret, struct error *e)
{
    if (!root || !is_named(root, "Envelope"))
        return error_set(e, ERR_INVALID, "The OVF descriptor is none: its root is no Envelope.");
    if (child(root, "VirtualSystemCollection"))
        return error_set(e, ERR_INVALID, "The OVA holds several machines; an image is of one.");
    xmlNodePtr hardware = child(child(root, "VirtualSystem"), "VirtualHardwareSection");
    if (!hardware)
        return error_set(e, ERR_INVALID, "The OVF descriptor describes no machine.");
    return read_hardware(root, hardware, ret, e);
}

int image_ovf_read(const char *text, size_t size, struct image_ovf *ret, struct error *e)
{
    *ret = (struct image_ovf){0};
    if (size > IMAGE_OVF_MOST)
        return error_set(e, ERR_INVALID, "The OVF descriptor is larger than %zu bytes.", IMAGE_OVF_MOST);
    xmlDocPtr doc =
        xmlReadMemory(text, (int)size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (!doc)
        return error_set(e, ERR_INVALID, "The OVF descriptor is no XML.");
    int rc = xmlGetIntSubset(doc)
                 ? error_set(e, ERR_INVALID, "The OVF descriptor declares a document type. Such are refused.")
                 : read_root(xmlDocGetRootElement(doc), ret, e);
    xmlFreeDoc(doc);
    return rc;
}
