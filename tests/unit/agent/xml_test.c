/* Domains and networks as libvirt reads them, against golden files. */
#include "common/file.h"
#include "common/memory.h"
#include "compute-agent/xml/domain_move.h"
#include "compute-agent/xml/domain_room.h"
#include "compute-agent/xml/domain_xml.h"
#include "compute-agent/xml/filter_xml.h"
#include "compute-agent/xml/network_xml.h"
#include "compute-agent/xml/xml.h"
#include "tests/unit/agent/golden_fixture.h"
#include "tests/unit/agent/samples.h"

static void names_of(struct names *names)
{
    names_init(names, "cloud-1", "01890000-9999-7222-8333-000000000001");
}

static void check_domain(const char *file, const char *sample, struct domain_xml_host host)
{
    struct names names;
    struct spec *spec = sample_read(sample);
    names_of(&names);
    host.version = "1.2.3";
    host.machine = "q35";
    host.vnc_listen = "127.0.0.1";
    host.folder = "/var/lib/virga/instances/" SAMPLE_ID;
    char *xml = domain_xml_make(spec, &names, &host);
    spec_free(&spec);
    check_golden(file, xml);
    free(xml);
}

TEST("an emulated domain has a model that emulates quickly and a small translation cache")
{
    check_domain(GOLDEN "domain-qemu.xml", SAMPLE(""),
                 (struct domain_xml_host){.tcg_cache_mib = 32, .direct_io = true});
}

TEST("a domain under KVM has the host's processor")
{
    check_domain(GOLDEN "domain-kvm.xml", SAMPLE(""),
                 (struct domain_xml_host){.kvm = true, .emulator = "/usr/bin/qemu-system-x86_64"});
}

TEST("a container has its own users, hard limits, few capabilities and a terminal")
{
    struct names names;
    struct spec *spec = sample_read(SAMPLE(""));
    struct domain_xml_host host = {
        .folder = "/var/lib/virga/instances/" SAMPLE_ID, .filters = true, .ids_first = 1073807360};
    names_of(&names);
    char *xml = domain_xml_make_lxc(spec, &names, &host);
    check_golden(GOLDEN "domain-lxc.xml", xml);
    free(xml);
    xml = domain_xml_make_test(spec, &names, &host);
    check_golden(GOLDEN "domain-test.xml", xml);
    free(xml);
    spec_free(&spec);
}

TEST("Xen's guests are started by GRUB from block devices, in the processor's container where there is one")
{
    struct names names;
    struct spec *spec = sample_read(SAMPLE(""));
    struct domain_xml_host host = {.folder = "/var/lib/virga/instances/" SAMPLE_ID};
    names_of(&names);
    char *xml = domain_xml_make_xen(spec, &names, &host);
    check_golden(GOLDEN "domain-xen-pv.xml", xml);
    free(xml);
    host.pvh = true;
    xml = domain_xml_make_xen(spec, &names, &host);
    check_golden(GOLDEN "domain-xen-pvh.xml", xml);
    free(xml);
    spec_free(&spec);
}

TEST("an image that asks Xen for a whole machine gets firmware, IDE disks and a serial console")
{
    struct names names;
    struct spec *spec = sample_read(SAMPLE("\"image\":{\"id\":\"01890000-5555-7222-8333-000000000001\",\"name\":\"i\","
                                           "\"disk_format\":\"raw\",\"size_bytes\":1,\"sha512\":\"" SAMPLE_SHA
                                           "\",\"properties\":{\"hw_machine_type\":\"xenfv\"}},"));
    struct domain_xml_host host = {.folder = "/var/lib/virga/instances/" SAMPLE_ID, .pvh = true};
    names_of(&names);
    char *xml = domain_xml_make_xen(spec, &names, &host);
    check_golden(GOLDEN "domain-xen-fv.xml", xml);
    free(xml);
    spec_free(&spec);
}

static void check_remote(const char *file,
                         char *(*make)(const struct spec *, const struct names *, const struct domain_xml_host *),
                         const char *sample, struct domain_xml_host host)
{
    struct names names;
    struct spec *spec = sample_read(sample);
    struct domain_xml_marks marks = {.shape = ""};
    names_of(&names);
    char *xml = make(spec, &names, &host);
    check_golden(file, xml);
    if (domain_xml_read_described(xml, &marks)) {
        CHECK_TEXT(marks.server_id, SAMPLE_ID);
        CHECK_TEXT(marks.host_id, names.host_id);
        CHECK_INT(strlen(marks.shape), 16);
    }
    free(xml);
    spec_free(&spec);
}

TEST("a guest of ESX is a copy of a template on a datastore, on a port group, described by our marks")
{
    struct domain_xml_host host = {.datastore = "datastore1", .port_group = "tenants %s net"};
    check_remote(GOLDEN "domain-esx.xml", domain_xml_make_esx, SAMPLE(""), host);
    host.port_group = "VM Network";
    check_remote(GOLDEN "domain-esx-ide.xml", domain_xml_make_esx,
                 SAMPLE("\"image\":{\"id\":\"" SAMPLE_ID
                        "\",\"disk_format\":\"vmdk\",\"size_bytes\":1,\"sha512\":\"" SAMPLE_SHA
                        "\",\"properties\":{\"vmware_template\":\"t/x.vmdk\",\"hw_disk_bus\":\"ide\",\"hw_vif_model\":"
                        "\"e1000\"}},"),
                 host);
}

TEST("the checksum of a definition changes with what is defined and not with its revision")
{
    struct names names;
    struct domain_xml_marks a = {.shape = ""}, b = {.shape = ""}, c = {.shape = ""};
    struct domain_xml_host host = {.datastore = "datastore1", .port_group = "VM Network"};
    struct spec *spec = sample_read(SAMPLE(""));
    names_of(&names);
    char *xml = domain_xml_make_esx(spec, &names, &host);
    CHECK(domain_xml_read_described(xml, &a));
    free(xml);
    spec->revision++;
    xml = domain_xml_make_esx(spec, &names, &host);
    CHECK(domain_xml_read_described(xml, &b));
    free(xml);
    spec->vcpus++;
    xml = domain_xml_make_esx(spec, &names, &host);
    CHECK(domain_xml_read_described(xml, &c));
    free(xml);
    spec_free(&spec);
    CHECK_TEXT(a.shape, b.shape);
    CHECK_INT(b.revision, a.revision + 1);
    CHECK(strcmp(a.shape, c.shape) != 0);
}

TEST("a guest of Hyper-V has its disk and its switch; of us it keeps the name only")
{
    struct domain_xml_host host = {.datastore = "C:\\virga", .port_group = "C08CB7B8-9B3C-408E-8E30-5E16A3AEB444"};
    check_remote(GOLDEN "domain-hyperv.xml", domain_xml_make_hyperv, SAMPLE(""), host);
}

/* What we define and what the driver tells of it name the same disk, switch, address and size. */
static void check_machine_is_ours(xmlNodePtr told)
{
    struct names names;
    struct spec *spec = sample_read(SAMPLE(""));
    struct domain_xml_host host = {.datastore = "C:\\virga", .port_group = "C08CB7B8-9B3C-408E-8E30-5E16A3AEB444"};
    static const char *const paths[][3] = {{"disk", "source", "file"},
                                           {"disk", "target", "dev"},
                                           {"disk", "target", "bus"},
                                           {"interface", "mac", "address"},
                                           {"interface", "source", "bridge"}};
    names_of(&names);
    char *xml = domain_xml_make_hyperv(spec, &names, &host);
    xmlDocPtr doc = xml_parse(xml, NULL);
    xmlNodePtr defined = xmlDocGetRootElement(doc);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char *ours = xml_get(xml_path(defined, "devices", paths[i][0], paths[i][1], NULL), paths[i][2]);
        char *theirs = xml_get(xml_path(told, "devices", paths[i][0], paths[i][1], NULL), paths[i][2]);
        CHECK(ours && theirs);
        CHECK_TEXT(theirs, ours);
        free(ours);
        free(theirs);
    }
    char *memory = xml_get_text(xml_first(told, "memory")), *vcpu = xml_get_text(xml_first(told, "vcpu"));
    CHECK_INT(strtoll(memory, NULL, 10), spec->memory_mib * 1024);
    CHECK_INT(strtoll(vcpu, NULL, 10), spec->vcpus);
    free(memory);
    free(vcpu);
    xmlFreeDoc(doc);
    free(xml);
    spec_free(&spec);
}

/* As the source of libvirt 9.0's driver prints a machine that runs: its UUID is Hyper-V's, its notes are empty. */
TEST("a machine of Hyper-V as its driver tells it is known by its name, whatever UUID Hyper-V gave it")
{
    struct names names;
    struct domain_xml_marks marks;
    struct strbuf text;
    struct error e = {0};
    char id[UUID_SIZE] = "";
    names_of(&names);
    strbuf_init(&text, 0);
    CHECK_INT(file_read("tests/unit/agent/recorded/hyperv.xml", &text, &e), 0);
    CHECK(!domain_xml_read_described(text.data, &marks));
    xmlDocPtr doc = xml_parse(text.data, &e);
    xmlNodePtr domain = xmlDocGetRootElement(doc);
    char *name = xml_get_text(xml_first(domain, "name")), *uuid = xml_get_text(xml_first(domain, "uuid"));
    CHECK(names_read_server(&names, name, id));
    CHECK_TEXT(id, SAMPLE_ID);
    CHECK(strcmp(uuid, SAMPLE_ID) != 0);
    CHECK(!names_read_server(&names, "Windows Server", id));
    CHECK(!names_read_server(&names, "virga-ed8bc42b-0123456789ab", id));
    check_machine_is_ours(domain);
    free(name);
    free(uuid);
    xmlFreeDoc(doc);
    strbuf_done(&text);
}

TEST("a nic with port security may send from its own addresses and the pairs that it is allowed")
{
    check_domain(GOLDEN "domain-filtered.xml", SAMPLE(""), (struct domain_xml_host){.kvm = true, .filters = true});
}

#define ROOM "\"virga:live_max_vcpus\":\"8\",\"virga:live_max_memory_mib\":\"2048\""

TEST("a flavor with headroom gives processors, memory slots and a cell to grow into")
{
    check_domain(GOLDEN "domain-room.xml", SAMPLE("\"flavor_extra\":{" ROOM "},"),
                 (struct domain_xml_host){.tcg_cache_mib = 32});
}

TEST("where memory comes by a balloon, the guest starts with all of its headroom")
{
    struct names names;
    struct spec *spec = sample_read(SAMPLE("\"flavor_extra\":{" ROOM "},"));
    struct domain_xml_host host = {.folder = "/var/lib/virga/instances/" SAMPLE_ID};
    names_of(&names);
    char *xml = domain_xml_make_xen(spec, &names, &host);
    CHECK_CONTAINS(xml, "<memory unit=\"MiB\">2048</memory>");
    CHECK_CONTAINS(xml, "<currentMemory unit=\"MiB\">512</currentMemory>");
    CHECK_CONTAINS(xml, "<vcpu placement=\"static\" current=\"2\">8</vcpu>");
    free(xml);
    spec_free(&spec);
}

TEST("headroom that is none, or of a guest that is tied to parts of the host, changes nothing")
{
    static const char *const extras[] = {"\"virga:live_max_vcpus\":\"1\",\"virga:live_max_memory_mib\":\"much\"",
                                         ROOM ",\"hw:cpu_policy\":\"dedicated\""};
    for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++) {
        char sample[4096];
        snprintf(sample, sizeof(sample), SAMPLE("\"flavor_extra\":{%s},"), extras[i]);
        struct spec *spec = sample_read(sample);
        struct domain_room room = domain_room_of(spec);
        CHECK_INT(room.max_vcpus, spec->vcpus);
        CHECK_INT(room.max_memory_mib, spec->memory_mib);
        CHECK(!room.memory);
        spec_free(&spec);
    }
}

TEST("the filter accepts what its parameters say and drops the rest")
{
    char *xml = filter_xml_make();
    check_saved(GOLDEN "filter.xml", xml); /* libvirt's validator knows no variables as masks; libvirt does */
    free(xml);
}

TEST("image properties, further disks and no network have their place")
{
    check_domain(GOLDEN "domain-extras.xml",
                 SAMPLE("\"ephemeral_gib\":2,\"swap_mib\":64,\"nics\":[],\"image\":{\"id\":\"01890000-5555-7222-8333-"
                        "000000000001\","
                        "\"disk_format\":\"raw\",\"size_bytes\":1,\"sha512\":\"" SAMPLE_SHA
                        "\",\"properties\":{\"hw_machine_type\":\"pc\","
                        "\"hw_disk_bus\":\"sata\",\"hw_vif_model\":\"e1000\",\"hw_firmware_type\":\"uefi\"}},"),
                 (struct domain_xml_host){.cpu_model = "qemu64"});
}

TEST("properties that are not known words change nothing")
{
    struct names names;
    struct domain_xml_host host = {.version = "1", .machine = "q35", .vnc_listen = "127.0.0.1", .folder = "/x"};
    struct spec *spec = sample_read(
        SAMPLE("\"image\":{\"id\":\"01890000-5555-7222-8333-000000000001\",\"disk_format\":\"qcow2\","
               "\"size_bytes\":1,\"sha512\":\"" SAMPLE_SHA "\",\"properties\":{\"hw_disk_bus\":\"'/><evil/>\","
               "\"hw_machine_type\":\"isapc\"}},"));
    names_of(&names);
    char *xml = domain_xml_make(spec, &names, &host);
    CHECK(!strstr(xml, "evil"));
    CHECK(!strstr(xml, "isapc"));
    CHECK_CONTAINS(xml, "<target dev=\"vda\" bus=\"virtio\"/>");
    free(xml);
    spec_free(&spec);
}

TEST("control characters in a name do not break the document")
{
    struct names names;
    struct domain_xml_host host = {.version = "1", .machine = "q35", .vnc_listen = "127.0.0.1", .folder = "/x"};
    struct spec *spec = sample_read(SAMPLE("\"name\":\"a\\u0007b\\u001b[31m\","));
    names_of(&names);
    char *xml = domain_xml_make(spec, &names, &host);
    CHECK_CONTAINS(xml, "name=\"a?b?[31m\"");
    free(xml);
    spec_free(&spec);
}

TEST("the marks in a domain are read back, others' metadata is not taken for ours")
{
    struct domain_xml_marks marks;
    CHECK(domain_xml_read_marks(
        "<virga:server xmlns:virga=\"https://virga.dev/xmlns/agent/1\" cloud=\"c\" host=\"h\" id=\"i\" "
        "revision=\"17\"/>",
        &marks));
    CHECK_TEXT(marks.cloud_id, "c");
    CHECK_TEXT(marks.host_id, "h");
    CHECK_TEXT(marks.server_id, "i");
    CHECK_INT(marks.revision, 17);
    CHECK(!domain_xml_read_marks("<server cloud=\"c\"/>", &marks));
    CHECK(!domain_xml_read_marks("<nova:instance xmlns:nova=\"n\"/>", &marks));
    CHECK(!domain_xml_read_marks("no xml", &marks));
}

TEST("names tell clouds and hosts apart and fit into an interface's name")
{
    struct names a, b;
    char name[NAMES_DOMAIN_SIZE], other[NAMES_DOMAIN_SIZE], bridge[NAMES_BRIDGE_SIZE];
    names_init(&a, "cloud-1", "host-1");
    names_init(&b, "cloud-1", "host-2");
    names_domain(&a, SAMPLE_ID, name);
    names_domain(&b, SAMPLE_ID, other);
    CHECK(strcmp(name, other) != 0);
    CHECK(names_is_ours(&a, name));
    CHECK(!names_is_ours(&b, name));
    CHECK(!names_is_ours(&a, "virga-"));
    CHECK(!names_is_ours(&a, "default"));
    CHECK_TEXT(names_bridge(SAMPLE_NETWORK, bridge), "vg00000000cafe");
}

static char *make_network(const char *sample, const struct network_host *hosts, size_t count, struct error *e)
{
    struct names names;
    struct spec *spec = sample_read(sample);
    const struct spec_nic *nic = spec->nics.items;
    struct network_plan plan = {
        .id = nic->network.id, .name = nic->network.name, .mtu = nic->network.mtu, .hosts = hosts};
    char *xml = NULL;
    plan.subnets = nic->network.subnets;
    plan.host_count = count;
    names_of(&names);
    network_xml_make(&plan, &names, "/var/lib/virga/dhcp/n", &xml, e);
    spec_free(&spec);
    return xml;
}

TEST("a network serves its reservations and nobody else")
{
    static const struct network_host hosts[] = {{"fa:16:3e:00:00:01", "10.0.0.5", "web"},
                                                {"fa:16:3e:00:00:02", "10.0.0.6", "web"},
                                                {"fa:16:3e:00:00:03", "10.0.0.7", "db"}};
    struct error e = {0};
    char *xml = make_network(SAMPLE(""), hosts, 3, &e);
    CHECK(xml);
    check_golden(GOLDEN "network.xml", xml);
    char *other = make_network(SAMPLE(""), NULL, 0, &e);
    CHECK_TEXT(xml, other); /* reservations come and go without a change of the network */
    free(other);
    free(xml);
}

#define ISOLATED(cidr)                                                                                                 \
    "{\"id\":\"" SAMPLE_ID                                                                                             \
    "\",\"revision\":1,\"exists\":true,\"power\":\"running\",\"vcpus\":1,\"memory_mib\":64,\"nics\":[{"                \
    "\"port_id\":\"" SAMPLE_ID                                                                                         \
    "\",\"mac\":\"fa:16:3e:00:00:01\",\"addresses\":[],\"network\":{\"id\":\"" SAMPLE_NETWORK "\","                    \
    "\"name\":\"n\",\"subnets\":[{\"id\":\"" SAMPLE_ID "\",\"cidr\":\"" cidr "\",\"gateway\":null,\"dhcp\":true}]}}]}"

TEST("a network without a gateway is isolated, and its bridge takes an address that no server has")
{
    static const struct network_host first = {"fa:16:3e:00:00:01", "10.1.0.1", "a"};
    struct error e = {0};
    char *xml = make_network(ISOLATED("10.1.0.0/24"), &first, 1, &e);
    check_golden(GOLDEN "network-isolated.xml", xml);
    CHECK(!strstr(xml, "<forward"));
    CHECK_CONTAINS(xml, "address=\"10.1.0.254\"");
    free(xml);
}

TEST("a subnet that is full of servers leaves no address for the bridge, and says so")
{
    static const struct network_host both[] = {{"fa:16:3e:00:00:01", "10.1.0.1", "a"},
                                               {"fa:16:3e:00:00:02", "10.1.0.2", "b"}};
    struct error e = {0};
    CHECK(!make_network(ISOLATED("10.1.0.0/30"), both, 2, &e));
    CHECK_CONTAINS(e.text, "10.1.0.0/30");
}

TEST("a domain that moves keeps everything but the places of its files, its network and its host")
{
    struct domain_move how = {.from_folder = "/a/1",
                              .to_folder = "/b/c/1",
                              .from_name = "virga-11111111-aaaaaaaaaaaa",
                              .to_name = "virga-22222222-aaaaaaaaaaaa",
                              .to_host = "host-2"};
    char *xml = domain_move_rewrite(
        "<domain><name>virga-11111111-aaaaaaaaaaaa</name><metadata><v:server xmlns:v='" XML_NAMESPACE
        "' host='host-1' id='x'/></metadata><devices><disk><source file='/a/1/root.qcow2'/><backingStore><source "
        "file='/a/images/i'/></backingStore></disk><disk><source file='/a/12/other'/></disk><disk><source "
        "dev='/a/1/root.raw.block.host-1'/><target dev='xvda'/></disk><disk><source "
        "dev='/dev/sdb'/></disk><interface><source "
        "network='virga-11111111-bbbbbbbbbbbb'/><address slot='0x03'/></interface><interface><source "
        "network='default'/></interface><serial><log file='/a/1/console.log'/></serial></devices></domain>",
        &how);
    CHECK(xml != NULL);
    CHECK_CONTAINS(xml, "<name>virga-11111111-aaaaaaaaaaaa</name>");
    CHECK_CONTAINS(xml, "host=\"host-2\"");
    CHECK_CONTAINS(xml, "file=\"/b/c/1/root.qcow2\"");
    CHECK_CONTAINS(xml, "file=\"/a/12/other\"");
    CHECK_CONTAINS(xml, "dev=\"/b/c/1/root.raw.block.host-2\"");
    CHECK_CONTAINS(xml, "dev=\"xvda\"");
    CHECK_CONTAINS(xml, "dev=\"/dev/sdb\"");
    CHECK_CONTAINS(xml, "file=\"/b/c/1/console.log\"");
    CHECK_CONTAINS(xml, "network=\"virga-22222222-bbbbbbbbbbbb\"");
    CHECK_CONTAINS(xml, "network=\"default\"");
    CHECK_CONTAINS(xml, "slot=\"0x03\"");
    CHECK(strstr(xml, "backingStore") == NULL);
    free(xml);
    CHECK(domain_move_rewrite("no xml", &how) == NULL);
}

static bool check_tied(const char *devices, const char *expected)
{
    char text[256];
    snprintf(text, sizeof(text), "<domain><devices>%s</devices></domain>", devices);
    xmlDocPtr doc = xml_parse(text, NULL);
    const char *found = domain_move_tied(xmlDocGetRootElement(doc));
    xmlFreeDoc(doc);
    return found && expected ? strcmp(found, expected) == 0 : found == expected;
}

TEST("devices that a guest cannot take to another host are found")
{
    CHECK(check_tied("<disk type='file'/><interface type='network'/><tpm/>", NULL));
    CHECK(check_tied("<disk/><hostdev mode='subsystem' type='pci'/>", "hostdev"));
    CHECK(check_tied("<filesystem type='mount'/>", "filesystem"));
    CHECK(check_tied("<shmem name='x'/>", "shmem"));
    CHECK(check_tied("<redirdev bus='usb'/>", "redirdev"));
    CHECK(check_tied("<interface type='network'/><interface type='hostdev'/>", "interface of type hostdev"));
}

#define SECURE                                                                                                         \
    "\"image\":{\"id\":\"01890000-5555-7222-8333-000000000001\",\"disk_format\":\"raw\",\"size_bytes\":1,"             \
    "\"sha512\":\"" SAMPLE_SHA "\",\"properties\":{\"hw_firmware_type\":\"uefi\",\"os_secure_boot\":\"required\","     \
    "\"hw_tpm_version\":\"2.0\",\"hw_tpm_model\":\"tpm-crb\",\"hw_disk_bus\":\"scsi\",\"hw_video_model\":\"vga\","     \
    "\"hw_watchdog_action\":\"reset\",\"hw_time_hpet\":\"true\",\"hw_boot_menu\":\"yes\"}},"

TEST("secure boot, a TPM, a watchdog and other models are as the image says; processors as the host says")
{
    check_domain(
        GOLDEN "domain-secure.xml", SAMPLE(SECURE),
        (struct domain_xml_host){.kvm = true, .cpu_mode = "custom", .cpu_model = "EPYC", .cpu_flags = "+pcid, -svm"});
    check_domain(GOLDEN "domain-host-model.xml", SAMPLE(""),
                 (struct domain_xml_host){.kvm = true, .cpu_mode = "host-model"});
}

#define ARM                                                                                                            \
    "\"image\":{\"id\":\"01890000-5555-7222-8333-000000000001\",\"disk_format\":\"raw\",\"size_bytes\":1,"             \
    "\"sha512\":\"" SAMPLE_SHA "\",\"properties\":{\"hw_architecture\":\"aarch64\"}},"

TEST("an Arm server is emulated, starts by UEFI, and has nothing of a PC")
{
    check_domain(GOLDEN "domain-arm.xml", SAMPLE(ARM),
                 (struct domain_xml_host){.kvm = true, .cpu_model = "EPYC", .tcg_cache_mib = 32});
}
