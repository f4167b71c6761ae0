/* What a running domain has and is to have: the devices to plug and unplug. */
#include "common/memory.h"
#include "compute-agent/xml/domain_diff.h"
#include "tests/unit/agent/golden_fixture.h"

TEST("what a domain has is read from libvirt's text and from ours")
{
    struct domain_diff_sizes sizes;
    struct error e = {0};
    CHECK_OK(domain_diff_read_sizes("<domain><memory unit='KiB'>786432</memory><vcpu placement='static' "
                                    "current='3'>8</vcpu></domain>",
                                    &sizes, &e),
             &e);
    CHECK_INT(sizes.vcpus, 3);
    CHECK_INT(sizes.memory_mib, 768);
    CHECK_OK(domain_diff_read_sizes("<domain><memory unit='MiB'>512</memory><vcpu>2</vcpu></domain>", &sizes, &e), &e);
    CHECK_INT(sizes.vcpus, 2);
    CHECK_INT(sizes.memory_mib, 512);
    CHECK_INT(domain_diff_read_sizes("<", &sizes, &e), ERR_CORRUPT);
    CHECK_OK(domain_diff_read_sizes("<domain><memory unit='MiB'>512</memory><currentMemory "
                                    "unit='KiB'>262144</currentMemory><vcpu>2</vcpu></domain>",
                                    &sizes, &e),
             &e);
    CHECK_INT(sizes.current_mib, 256);
    char *piece = domain_diff_memory(128);
    CHECK_CONTAINS(piece, "<size unit=\"MiB\">128</size>");
    free(piece);
}

/* Kinds and MAC addresses, and the last device. */
static char *diff_of(const char *live, const char *wanted, struct strbuf *ret_words)
{
    static const char *const kinds[] = {"unplug", "plug", "update"};
    struct domain_diff diff;
    struct error e = {0};
    CHECK_OK(domain_diff_nics(live, wanted, &diff, &e), &e);
    for (size_t i = 0; i < diff.count; i++)
        strbuf_appendf(ret_words, "%s %s;", kinds[diff.devices[i].kind], diff.devices[i].name);
    char *last = diff.count ? memory_strdup(diff.devices[diff.count - 1].text) : NULL;
    domain_diff_done(&diff);
    return last;
}

TEST("a running domain is compared with its definition nic by nic")
{
    static const char two[] =
        "<domain><devices><interface type='network'><mac address='FA:16:3E:00:00:01'/><source network='old'/>"
        "</interface><disk/><interface type='network'><mac address='fa:16:3e:00:00:09'/><source network='n'/>"
        "<alias name='net1'/></interface></devices></domain>";
    struct strbuf text, words;
    struct error e = {0};
    strbuf_init(&text, 0);
    strbuf_init(&words, 0);
    CHECK_OK(file_read(GOLDEN "domain-filtered.xml", &text, &e), &e);
    char *nic = diff_of(text.data, text.data, &words);
    CHECK_TEXT(words.data, "update fa:16:3e:00:00:01;");
    check_saved(GOLDEN "interface.xml", nic);
    free(nic);
    strbuf_reset(&words);
    free(diff_of("<domain/>", text.data, &words));
    CHECK_TEXT(words.data, "plug fa:16:3e:00:00:01;");
    strbuf_reset(&words);
    nic = diff_of(text.data, "<domain/>", &words);
    CHECK_TEXT(words.data, "unplug fa:16:3e:00:00:01;");
    free(nic);
    strbuf_reset(&words); /* the same address on another network is another nic; what goes comes first */
    free(diff_of(two, text.data, &words));
    CHECK_TEXT(words.data, "unplug FA:16:3E:00:00:01;unplug fa:16:3e:00:00:09;plug fa:16:3e:00:00:01;");
    strbuf_reset(&words);
    struct domain_diff diff;
    CHECK_INT(domain_diff_nics("<domain", two, &diff, &e), ERR_CORRUPT);
    strbuf_done(&words);
    strbuf_done(&text);
}

TEST("a container's new nic gets a name that none has which stays")
{
#define NIC(mac, name) "<interface><mac address='" mac "'/><source network='n'/><guest dev='" name "'/></interface>"
#define NICS(nics)     "<domain><devices>" nics "</devices></domain>"
    static const struct {
        const char *live, *wanted, *name;
    } rows[] = {
        {NICS(NIC("a", "eth0")), NICS(NIC("a", "eth0") NIC("b", "eth1")), "<guest dev=\"eth1\"/>"},
        {NICS(NIC("a", "eth0") NIC("b", "eth1")), NICS(NIC("b", "eth0") NIC("c", "eth1")), "<guest dev=\"eth0\"/>"},
        {NICS(NIC("b", "eth1")), NICS(NIC("b", "eth0") NIC("c", "eth1") NIC("d", "eth2")), "<guest dev=\"eth2\"/>"},
        {NICS(NIC("b", "eth2")), NICS(NIC("b", "eth0") NIC("c", "eth1") NIC("d", "eth2")), "<guest dev=\"eth0\"/>"},
        {NICS(NIC("a", "eth0")), NICS(NIC("b", "eth0")), "<guest dev=\"eth0\"/>"},
    };
    struct strbuf words;
    strbuf_init(&words, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *nic = diff_of(rows[i].live, rows[i].wanted, &words);
        CHECK_CONTAINS(nic, rows[i].name);
        free(nic);
    }
    strbuf_done(&words);
}

TEST("a disk that neither the running domain nor its definition has is to be plugged, one that is too much unplugged")
{
    static const char small[] = "<domain><devices><disk><target dev='vda'/></disk><interface/><disk><target "
                                "dev='vdz'/></disk></devices></domain>";
    static const char large[] =
        "<domain><devices><disk><target dev='vda'/></disk><disk type='file'><source file='/f/ephemeral.qcow2'/><target "
        "dev='vdb' bus='virtio'/></disk><disk><source file='/f/swap.qcow2'/><target dev='vdc'/></disk><disk><target "
        "dev='vdz'/></disk></devices></domain>";
    struct domain_diff diff;
    struct error e = {0};
    CHECK_OK(domain_diff_disks(small, small, large, &diff, &e), &e);
    CHECK_INT(diff.count, 2);
    CHECK_INT(diff.unplugs, 0);
    CHECK_INT(diff.devices[0].kind, DOMAIN_DIFF_PLUG);
    CHECK_TEXT(diff.devices[0].name, "vdb");
    CHECK_CONTAINS(diff.devices[0].text, "<source file=\"/f/ephemeral.qcow2\"/>");
    CHECK_TEXT(diff.devices[1].name, "vdc");
    domain_diff_done(&diff);
    CHECK_OK(domain_diff_disks(large, small, large, &diff, &e), &e); /* the agent died before it wrote the definition */
    CHECK_INT(diff.count, 0);
    CHECK_OK(domain_diff_disks(small, large, large, &diff, &e), &e); /* the guest gave it up by itself */
    CHECK_INT(diff.count, 0);
    CHECK_OK(domain_diff_disks(small, large, small, &diff, &e), &e);
    CHECK_INT(diff.count, 0);
    CHECK_OK(domain_diff_disks(large, large, small, &diff, &e), &e); /* back */
    CHECK_INT(diff.count, 2);
    CHECK_INT(diff.unplugs, 2);
    CHECK_INT(diff.devices[1].kind, DOMAIN_DIFF_UNPLUG);
    CHECK_TEXT(diff.devices[1].name, "vdc");
    CHECK_CONTAINS(diff.devices[1].text, "swap.qcow2");
    domain_diff_done(&diff);
    CHECK_INT(domain_diff_disks(small, "<domain", large, &diff, &e), ERR_CORRUPT);
}

TEST("an ephemeral disk comes beside swap, which keeps its place until the guest starts next")
{
    static const char *swap =
        "<domain><devices><disk><source file='/f/root.qcow2'/><target dev='vda'/></disk><disk><source "
        "file='/f/swap.qcow2'/><target dev='vdb'/></disk><disk><target dev='vdz'/></disk></devices></domain>";
    static const char *both =
        "<domain><devices><disk><source file='/f/root.qcow2'/><target dev='vda'/></disk><disk><source "
        "file='/f/ephemeral.qcow2'/><target dev='vdb'/></disk><disk><source file='/f/swap.qcow2'/><target "
        "dev='vdc'/></disk><disk><target dev='vdz'/></disk></devices></domain>";
    static const char *live =
        "<domain><devices><disk><source file='/f/root.qcow2'/><target dev='vda'/></disk><disk><source "
        "file='/f/swap.qcow2'/><target dev='vdb'/></disk><disk><target dev='vdz'/></disk><disk><source "
        "file='/f/ephemeral.qcow2'/><target dev='vdc'/></disk></devices></domain>";
    struct domain_diff diff;
    struct error e = {0};
    CHECK_OK(domain_diff_disks(swap, swap, both, &diff, &e), &e);
    CHECK_INT(diff.count, 1);
    CHECK_INT(diff.devices[0].kind, DOMAIN_DIFF_PLUG);
    CHECK_TEXT(diff.devices[0].name, "vdc");
    CHECK_CONTAINS(diff.devices[0].text, "<source file=\"/f/ephemeral.qcow2\"/>");
    domain_diff_done(&diff);
    CHECK_OK(domain_diff_disks(live, swap, both, &diff, &e), &e); /* the agent died before it wrote the definition */
    CHECK_INT(diff.count, 0);
    CHECK_OK(domain_diff_disks(live, both, both, &diff, &e), &e);
    CHECK_INT(diff.count, 0);
    CHECK_OK(domain_diff_disks(live, both, swap, &diff, &e), &e); /* back */
    CHECK_INT(diff.count, 1);
    CHECK_INT(diff.devices[0].kind, DOMAIN_DIFF_UNPLUG);
    CHECK_TEXT(diff.devices[0].name, "vdc");
    domain_diff_done(&diff);
    char *target = domain_diff_target(live, "ephemeral.qcow2");
    CHECK_TEXT(target, "vdc");
    free(target);
    CHECK(domain_diff_target(swap, "ephemeral.qcow2") == NULL);
}
