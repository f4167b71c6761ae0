/* What hosts say of themselves, by driver. */
#include "common/strbuf.h"
#include "compute-agent/profile/profile.h"
#include "tests/unit/check.h"
#include <string.h>

static void add(void *arg, const char *trait)
{
    strbuf_appendf(arg, "%s ", trait);
}

static void check_traits(const struct profile *p, bool accelerated, const char *want)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    profile_each_trait(p, accelerated, add, &text);
    CHECK_TEXT(text.data, want);
    strbuf_done(&text);
}

TEST("the profile follows from the connection's URI")
{
    CHECK(profile_find("qemu:///system") == &profile_qemu);
    CHECK(profile_find("qemu+unix:///system?socket=/x") == &profile_qemu);
    CHECK(profile_find("lxc:///system") == &profile_lxc);
    CHECK(profile_find("xen:///system") == &profile_xen);
    CHECK(profile_find("test:///default") == &profile_test);
    CHECK(profile_find("esx://root@10.0.0.5/?no_verify=1") == &profile_esx);
    CHECK(profile_find("vpx://admin@vcenter/dc/cluster/esx-1?no_verify=1") == &profile_esx);
    CHECK(profile_find("vpxx://admin@vcenter/") == NULL);
    CHECK(profile_find("hyperv://admin@10.0.0.6/") == &profile_hyperv);
    CHECK(profile_find("vbox:///session") == NULL);
    CHECK(profile_find("") == NULL);
    CHECK(profile_find("qem:///system") == NULL);
}

TEST("each driver can make, start, stop and remove servers, and boots an image")
{
    static const struct profile *const all[] = {&profile_qemu, &profile_lxc, &profile_xen,
                                                &profile_test, &profile_esx, &profile_hyperv};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        CHECK(all[i]->make_xml != NULL);
        CHECK(strstr(profile_schemes(), all[i]->scheme) != NULL);
        CHECK(all[i]->image_formats[0] != NULL);
        CHECK_INT(all[i]->actions & PROFILE_ACTIONS_BASIC, PROFILE_ACTIONS_BASIC);
    }
    for (int action = 0; action < HYPERVISOR_ACTION_COUNT; action++)
        CHECK(profile_can(&profile_qemu, (enum hypervisor_action)action));
    CHECK(profile_boots(&profile_qemu, "qcow2"));
    CHECK(!profile_boots(&profile_qemu, "root-tar"));
    CHECK(profile_boots(&profile_lxc, "root-tar"));
    CHECK(profile_boots(&profile_lxc, "squashfs"));
    CHECK(profile_boots(&profile_lxc, "qcow2"));
    CHECK(!profile_boots(&profile_lxc, "iso"));
}

TEST("a domain is forgotten with all that its driver keeps of it, and not with what it does not know")
{
    const struct {
        const struct profile *profile;
        unsigned keeps;
    } rows[] = {{&profile_qemu,
                 PROFILE_KEEPS_SAVED | PROFILE_KEEPS_SNAPSHOTS | PROFILE_KEEPS_CHECKPOINTS | PROFILE_KEEPS_FIRMWARE},
                {&profile_xen, PROFILE_KEEPS_SAVED},
                {&profile_test, PROFILE_KEEPS_SAVED | PROFILE_KEEPS_SNAPSHOTS},
                {&profile_lxc, 0},
                {&profile_esx, 0},
                {&profile_hyperv, 0}}; /* its undefine refuses every flag, and drops what is saved */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_INT(rows[i].profile->keeps, rows[i].keeps);
}

TEST("who takes machines that were there before can say whose they are")
{
    static const struct profile *const all[] = {&profile_qemu, &profile_lxc, &profile_xen,
                                                &profile_test, &profile_esx, &profile_hyperv};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        bool metadata = all[i]->key == PROFILE_KEY_UUID;
        bool beside = all[i]->marks_beside && all[i]->root == PROFILE_ROOT_VOLUME;
        CHECK(!all[i]->imports || metadata || beside);
    }
}

TEST("threads share connections to libvirtd, and no others")
{
    static const struct profile *const all[] = {&profile_qemu, &profile_lxc, &profile_xen,
                                                &profile_test, &profile_esx, &profile_hyperv};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        CHECK_INT(all[i]->solo, all[i] == &profile_esx || all[i] == &profile_hyperv);
}

TEST("hosts report what they have, and what their driver lacks")
{
    check_traits(&profile_qemu, true,
                 "COMPUTE_NODE COMPUTE_DEVICE_TAGGING COMPUTE_IMAGE_TYPE_QCOW2 COMPUTE_IMAGE_TYPE_RAW "
                 "COMPUTE_NET_VIF_MODEL_VIRTIO COMPUTE_NET_VIF_MODEL_E1000 COMPUTE_NET_VIF_MODEL_E1000E "
                 "COMPUTE_NET_VIF_MODEL_RTL8139 COMPUTE_STORAGE_BUS_VIRTIO COMPUTE_STORAGE_BUS_SATA CUSTOM_VIRT_KVM "
                 "CUSTOM_VM_MODE_HVM CUSTOM_LIVE_RESIZE CUSTOM_LIVE_DISK CUSTOM_CLONE CUSTOM_FLATTEN ");
    check_traits(&profile_lxc, false,
                 "COMPUTE_NODE CUSTOM_IMAGE_TYPE_ROOT_TAR CUSTOM_IMAGE_TYPE_SQUASHFS CUSTOM_IMAGE_TYPE_QCOW2 "
                 "CUSTOM_IMAGE_TYPE_RAW CUSTOM_VIRT_LXC CUSTOM_VM_MODE_EXE CUSTOM_LACKS_SUSPEND "
                 "CUSTOM_CLONE CUSTOM_FLATTEN CUSTOM_LACKS_GUEST_AGENT "
                 "CUSTOM_LACKS_MIGRATE CUSTOM_LACKS_LIVE_MIGRATION ");
    check_traits(&profile_xen, false,
                 "COMPUTE_NODE COMPUTE_IMAGE_TYPE_QCOW2 COMPUTE_IMAGE_TYPE_RAW CUSTOM_VIRT_XEN CUSTOM_VM_MODE_XEN "
                 "CUSTOM_LIVE_RESIZE CUSTOM_CLONE CUSTOM_FLATTEN "
                 "CUSTOM_LACKS_GUEST_AGENT CUSTOM_LACKS_BLOCK_MIGRATION ");
    check_traits(&profile_esx, false,
                 "COMPUTE_NODE COMPUTE_IMAGE_TYPE_VMDK COMPUTE_NET_VIF_MODEL_VMXNET3 COMPUTE_NET_VIF_MODEL_E1000 "
                 "COMPUTE_NET_VIF_MODEL_E1000E COMPUTE_STORAGE_BUS_SCSI COMPUTE_STORAGE_BUS_IDE CUSTOM_VIRT_VMWARE "
                 "CUSTOM_VM_MODE_HVM CUSTOM_LACKS_PAUSE CUSTOM_LACKS_NIC_PLUG CUSTOM_IMAGE_TEMPLATES "
                 "CUSTOM_LACKS_CONSOLE CUSTOM_LACKS_GUEST_AGENT CUSTOM_LACKS_MIGRATE CUSTOM_LACKS_LIVE_MIGRATION ");
    check_traits(
        &profile_hyperv, false,
        "COMPUTE_NODE COMPUTE_IMAGE_TYPE_VHDX COMPUTE_IMAGE_TYPE_VHD COMPUTE_STORAGE_BUS_IDE "
        "COMPUTE_STORAGE_BUS_SCSI CUSTOM_VIRT_HYPER_V CUSTOM_VM_MODE_HVM CUSTOM_LACKS_NIC_PLUG CUSTOM_LACKS_SNAPSHOT "
        "CUSTOM_IMAGE_UNREAD CUSTOM_LACKS_CONSOLE CUSTOM_LACKS_GUEST_AGENT CUSTOM_LACKS_MIGRATE "
        "CUSTOM_LACKS_RESIZE CUSTOM_LACKS_LIVE_MIGRATION ");
    CHECK_TEXT(profile_type(&profile_qemu, false), "QEMU");
    CHECK_TEXT(profile_type(&profile_lxc, true), "LXC");
}
