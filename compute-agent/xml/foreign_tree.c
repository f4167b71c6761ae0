/* What libvirt's LXC driver makes of a definition (lxc_container.c, lxc_native.c): without a file system for "/" a
 * container has the host's, without interfaces and "privnet" the host's network, without a map of users the host's. */
#include "compute-agent/xml/foreign_tree.h"
#include "compute-agent/storage/id_range.h"
#include "compute-agent/xml/domain_xml.h"
#include <stdlib.h>
#include <string.h>

#define FOREIGN_IDS_END (DOMAIN_XML_IDS_FIRST + (int64_t)ID_RANGE_COUNT * DOMAIN_XML_IDS_COUNT)

static const char *foreign_tree_text(struct arena *a, xmlNodePtr node, const char *attribute)
{
    char *text = xml_get(node, attribute);
    const char *copy = text ? arena_strdup(a, text) : NULL;
    free(text);
    return copy;
}

/* ---- file systems ---- */

static struct foreign_tree foreign_tree_read(xmlNodePtr node, struct arena *a)
{
    static const struct {
        const char *type, *attribute;
        enum foreign_tree_kind kind;
    } kinds[] = {{"mount", "dir", FOREIGN_TREE_FOLDER},
                 {"bind", "dir", FOREIGN_TREE_FOLDER},
                 {"file", "file", FOREIGN_TREE_FILE},
                 {"block", "dev", FOREIGN_TREE_DEVICE},
                 {"ram", NULL, FOREIGN_TREE_MEMORY}};
    const char *type = foreign_tree_text(a, node, "type");
    const char *at = foreign_tree_text(a, xml_first(node, "target"), "dir");
    struct foreign_tree tree = {.kind = type ? FOREIGN_TREE_OTHER : FOREIGN_TREE_FOLDER,
                                .at = at ? at : "?",
                                .is_root = at && strcmp(at, "/") == 0,
                                .writes = !xml_first(node, "readonly"),
                                .format = foreign_tree_text(a, xml_first(node, "driver"), "format")};
    const char *attribute = type ? NULL : "dir";
    for (size_t i = 0; type && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(type, kinds[i].type) == 0) {
            tree.kind = kinds[i].kind;
            attribute = kinds[i].attribute;
        }
    }
    tree.path = attribute ? foreign_tree_text(a, xml_first(node, "source"), attribute) : NULL;
    return tree;
}

struct foreign_tree *foreign_tree_list(xmlNodePtr domain, struct arena *a, size_t *ret_count)
{
    xmlNodePtr first = xml_first(xml_first(domain, "devices"), "filesystem");
    size_t count = 0;
    for (xmlNodePtr node = first; node; node = xml_next(node, "filesystem"))
        count++;
    struct foreign_tree *list = arena_array(a, count + 1, sizeof(*list));
    size_t i = 0;
    for (xmlNodePtr node = first; node; node = xml_next(node, "filesystem"), i++) {
        list[i] = foreign_tree_read(node, a);
        if (list[i].is_root && !list[0].is_root) {
            struct foreign_tree root = list[i];
            memmove(list + 1, list, i * sizeof(*list));
            list[0] = root;
        }
    }
    *ret_count = count;
    return list;
}

static const char *foreign_tree_disk_problem(xmlNodePtr domain, struct arena *a)
{
    size_t count = 0;
    const struct foreign_tree *list = foreign_tree_list(domain, a, &count);
    if (count == 0 || !list[0].is_root)
        return "its root is the host's own";
    if (list[0].kind == FOREIGN_TREE_MEMORY)
        return "its root is in memory only";
    for (size_t i = 0; i < count; i++) {
        if (list[i].kind != FOREIGN_TREE_MEMORY && (!list[i].path || *list[i].path != '/'))
            return arena_printf(a, "its file system %s is neither a directory, a file nor a block device", list[i].at);
        if (i > 0 && list[i].is_root)
            return "it has two roots";
    }
    return NULL;
}

/* ---- what it shares with its host ---- */

static const char *foreign_tree_device(xmlNodePtr domain)
{
    static const char *const kinds[] = {"hostdev", "disk", "shmem", "redirdev"};
    xmlNodePtr devices = xml_first(domain, "devices");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (xml_first(devices, kinds[i]))
            return kinds[i];
    }
    for (xmlNodePtr nic = xml_first(devices, "interface"); nic; nic = xml_next(nic, "interface")) {
        char *type = xml_get(nic, "type");
        bool bound = type && strcmp(type, "hostdev") == 0;
        free(type);
        if (bound)
            return "interface of type hostdev";
    }
    return NULL;
}

static const char *foreign_tree_space(xmlNodePtr domain)
{
    static const char *const kinds[] = {"sharenet", "shareipc", "shareuts"};
    xmlNodePtr spaces = xml_first(domain, "namespace");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (xml_first(spaces, kinds[i]))
            return kinds[i];
    }
    return NULL;
}

static bool foreign_tree_has_network(xmlNodePtr domain)
{
    return xml_first(xml_first(domain, "devices"), "interface") || xml_path(domain, "features", "privnet", NULL);
}

/* ---- users ---- */

static int64_t foreign_tree_number(xmlNodePtr node, const char *attribute)
{
    char *text = xml_get(node, attribute);
    int64_t number = text ? strtoll(text, NULL, 10) : 0;
    free(text);
    return number;
}

/* Whether users (or groups) of the host from `from` up to `to` are the container's, too. */
static bool foreign_tree_maps(xmlNodePtr idmap, const char *kind, int64_t from, int64_t to)
{
    for (xmlNodePtr map = xml_first(idmap, kind); map; map = xml_next(map, kind)) {
        int64_t first = foreign_tree_number(map, "target"), count = foreign_tree_number(map, "count");
        if (first < to && first + count > from)
            return true;
    }
    return false;
}

const char *foreign_tree_warning(xmlNodePtr domain)
{
    xmlNodePtr idmap = xml_first(domain, "idmap");
    bool own = xml_first(idmap, "uid") && xml_first(idmap, "gid");
    if (!own)
        return "its root is the host's root: it has no users of its own";
    return foreign_tree_maps(idmap, "uid", 0, 1) || foreign_tree_maps(idmap, "gid", 0, 1)
               ? "the host's root is among its users"
               : NULL;
}

const char *foreign_tree_problem(xmlNodePtr domain, struct arena *a)
{
    const char *device = foreign_tree_device(domain), *space = foreign_tree_space(domain);
    xmlNodePtr idmap = xml_first(domain, "idmap");
    if (device)
        return arena_printf(a, "it holds a device of its host (%s)", device);
    if (space)
        return arena_printf(a, "it shares a name space with others (%s)", space);
    if (!foreign_tree_has_network(domain))
        return "it has the host's own network";
    if (foreign_tree_maps(idmap, "uid", DOMAIN_XML_IDS_FIRST, FOREIGN_IDS_END) ||
        foreign_tree_maps(idmap, "gid", DOMAIN_XML_IDS_FIRST, FOREIGN_IDS_END))
        return "its users are among those that the cloud gives to its containers";
    return foreign_tree_disk_problem(domain, a);
}
