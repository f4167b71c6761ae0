/* Containers that somebody else has defined: what of their definitions a cloud may have beside other tenants'. */
#include "compute-agent/storage/id_range.h"
#include "compute-agent/xml/domain_xml.h"
#include "compute-agent/xml/foreign_tree.h"
#include "tests/unit/check.h"
#include <string.h>

#define ROOT "<filesystem type='mount'><source dir='/srv/one'/><target dir='/'/></filesystem>"
#define NIC  "<interface type='network'><source network='default'/></interface>"
#define OWN                                                                                                            \
    "<idmap><uid start='0' target='700000' count='65536'/><gid start='0' target='700000' count='65536'/></idmap>"

static const char *ask(const char *(*question)(xmlNodePtr, struct arena *), const char *head, const char *devices,
                       struct arena *a)
{
    char *text = arena_printf(a, "<domain type='lxc'>%s<devices>%s</devices></domain>", head, devices);
    xmlDocPtr doc = xml_parse(text, NULL);
    const char *answer = question(xmlDocGetRootElement(doc), a);
    xmlFreeDoc(doc);
    return answer ? answer : "";
}

static const char *warning(xmlNodePtr domain, struct arena *a)
{
    (void)a;
    return foreign_tree_warning(domain);
}

TEST("a container with a root, a network and users of its own is taken without a word")
{
    struct arena a = {0};
    CHECK_TEXT(ask(foreign_tree_problem, OWN, ROOT NIC, &a), "");
    CHECK_TEXT(ask(warning, OWN, ROOT NIC, &a), "");
    CHECK_TEXT(ask(foreign_tree_problem, OWN "<features><privnet/></features>", ROOT, &a), "");
    arena_done(&a);
}

TEST("what is its host's or another's is refused with its name")
{
    static const struct {
        const char *head, *devices, *problem;
    } cases[] = {
        {OWN, NIC, "its root is the host's own"},
        {OWN, "<filesystem type='mount'><source dir='/srv/d'/><target dir='/data'/></filesystem>" NIC,
         "its root is the host's own"},
        {OWN, "<filesystem type='ram'><source usage='1024'/><target dir='/'/></filesystem>" NIC,
         "its root is in memory only"},
        {OWN, "<filesystem type='template'><source name='debian'/><target dir='/'/></filesystem>" NIC,
         "its file system / is neither a directory, a file nor a block device"},
        {OWN, ROOT "<filesystem type='mount'><source dir='relative'/><target dir='/data'/></filesystem>" NIC,
         "its file system /data is neither a directory, a file nor a block device"},
        {OWN, ROOT ROOT NIC, "it has two roots"},
        {OWN, ROOT, "it has the host's own network"},
        {OWN, ROOT NIC "<hostdev mode='capabilities' type='misc'/>", "it holds a device of its host (hostdev)"},
        {OWN, ROOT NIC "<disk type='block'/>", "it holds a device of its host (disk)"},
        {OWN, ROOT "<interface type='hostdev'/>", "it holds a device of its host (interface of type hostdev)"},
        {OWN "<lxc:namespace xmlns:lxc='http://libvirt.org/schemas/domain/lxc/1.0'><lxc:sharenet type='pid' value='1'/>"
             "</lxc:namespace>",
         ROOT NIC, "it shares a name space with others (sharenet)"},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_TEXT(ask(foreign_tree_problem, cases[i].head, cases[i].devices, &a), cases[i].problem);
    arena_done(&a);
}

static const char *mapped(int64_t uid, int64_t gid, struct arena *a)
{
    return arena_printf(
        a, "<idmap><uid start='0' target='%lld' count='65536'/><gid start='0' target='%lld' count='65536'/></idmap>",
        (long long)uid, (long long)gid);
}

TEST("users that the cloud's containers get are nobody else's, up to the last and from the first")
{
    const char *refusal = "its users are among those that the cloud gives to its containers";
    int64_t first = DOMAIN_XML_IDS_FIRST, end = first + (int64_t)ID_RANGE_COUNT * DOMAIN_XML_IDS_COUNT;
    struct arena a = {0};
    CHECK_TEXT(ask(foreign_tree_problem, mapped(first, 1, &a), ROOT NIC, &a), refusal);
    CHECK_TEXT(ask(foreign_tree_problem, mapped(1, end - 1, &a), ROOT NIC, &a), refusal);
    CHECK_TEXT(ask(foreign_tree_problem, mapped(first - 65535, 1, &a), ROOT NIC, &a), refusal);
    CHECK_TEXT(ask(foreign_tree_problem, mapped(first - 65536, end, &a), ROOT NIC, &a), "");
    arena_done(&a);
}

TEST("a container whose root, or any user, is the host's root is told")
{
    const char *none = "its root is the host's root: it has no users of its own";
    const char *among = "the host's root is among its users";
    struct arena a = {0};
    CHECK_TEXT(ask(warning, "", ROOT NIC, &a), none);
    CHECK_TEXT(ask(warning, "<idmap><uid start='0' target='700000' count='9'/></idmap>", ROOT NIC, &a), none);
    CHECK_TEXT(ask(warning, mapped(0, 700000, &a), ROOT NIC, &a), among);
    CHECK_TEXT(ask(warning, mapped(700000, 0, &a), ROOT NIC, &a), among);
    CHECK_TEXT(ask(warning, mapped(1, 1, &a), ROOT NIC, &a), "");
    arena_done(&a);
}

TEST("file systems are listed with what they are, the root first")
{
    const char *text =
        "<domain><devices>"
        "<filesystem><source dir='/srv/a'/><target dir='/a'/></filesystem>"
        "<filesystem type='block'><source dev='/dev/b'/><target dir='/b'/><readonly/></filesystem>"
        "<filesystem type='ram'><source usage='1'/><target dir='/tmp'/></filesystem>"
        "<filesystem type='file'><driver type='nbd' format='qcow2'/><source file='/srv/r.qcow2'/><target dir='/'/>"
        "</filesystem></devices></domain>";
    struct arena a = {0};
    xmlDocPtr doc = xml_parse(text, NULL);
    size_t count = 0;
    const struct foreign_tree *list = foreign_tree_list(xmlDocGetRootElement(doc), &a, &count);
    CHECK_INT(count, 4);
    CHECK(list[0].is_root && list[0].kind == FOREIGN_TREE_FILE && list[0].writes);
    CHECK_TEXT(list[0].path, "/srv/r.qcow2");
    CHECK_TEXT(list[0].format, "qcow2");
    CHECK(list[1].kind == FOREIGN_TREE_FOLDER && list[1].writes && !list[1].is_root);
    CHECK_TEXT(list[1].path, "/srv/a");
    CHECK(list[2].kind == FOREIGN_TREE_DEVICE && !list[2].writes);
    CHECK_TEXT(list[2].at, "/b");
    CHECK(list[3].kind == FOREIGN_TREE_MEMORY && !list[3].path);
    xmlFreeDoc(doc);
    arena_done(&a);
}
