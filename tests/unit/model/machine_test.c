/* What images and flavors may say of the machine, and what hosts must have for it. */
#include "common/model/machine.h"
#include "common/strbuf.h"
#include "tests/unit/model/wish_fixture.h"
#include <string.h>

static int read_both(const char *flavor, const char *image, struct machine *ret, struct json_doc docs[2],
                     struct error *e)
{
    struct numa_wish both = wish_open(flavor, image, docs);
    struct machine_wish wish = {
        .flavor = both.flavor, .image = both.image, .flavor_arg = both.flavor_arg, .image_arg = both.image_arg};
    return machine_read(&wish, ret, e);
}

static int add_trait(void *arg, const char *trait)
{
    strbuf_appendf(arg, "%s ", trait);
    return 0;
}

static void check_traits(const char *flavor, const char *image, const char *want)
{
    struct json_doc docs[2];
    struct machine m;
    struct error e = {0};
    struct strbuf text;
    strbuf_init(&text, 0);
    CHECK_OK(read_both(flavor, image, &m, docs, &e), &e);
    machine_each_trait(&m, add_trait, &text);
    CHECK_TEXT(text.data, want);
    strbuf_done(&text);
    wish_close(docs);
}

TEST("hosts must have what the machine needs, and nothing for what it does not")
{
    check_traits("{}", "{}", "");
    check_traits("{}", "{\"hw_firmware_type\":\"bios\",\"os_secure_boot\":\"optional\"}", "");
    check_traits("{}", "{\"hw_firmware_type\":\"uefi\"}", "CUSTOM_FIRMWARE_UEFI ");
    check_traits("{}", "{\"hw_firmware_type\":\"uefi\",\"os_secure_boot\":\"required\"}",
                 "CUSTOM_FIRMWARE_UEFI COMPUTE_SECURITY_UEFI_SECURE_BOOT ");
    check_traits("{\"hw:tpm_version\":\"1.2\"}", "{}", "COMPUTE_SECURITY_TPM_1_2 COMPUTE_SECURITY_TPM_TIS ");
    check_traits("{}", "{\"hw_tpm_version\":\"2.0\",\"hw_tpm_model\":\"tpm-crb\"}",
                 "COMPUTE_SECURITY_TPM_2_0 COMPUTE_SECURITY_TPM_CRB ");
    check_traits("{}", "{\"hw_architecture\":\"aarch64\"}", "COMPUTE_ARCH_AARCH64 ");
    check_traits("{}", "{\"architecture\":\"x86_64\"}", "");
    check_traits("{\"hw:architecture\":\"aarch64\",\"hw:firmware_type\":\"uefi\"}", "{}", "COMPUTE_ARCH_AARCH64 ");
    check_traits("{\"hw:firmware_type\":\"uefi\",\"os:secure_boot\":\"required\"}", "{}",
                 "CUSTOM_FIRMWARE_UEFI COMPUTE_SECURITY_UEFI_SECURE_BOOT ");
}

static void check_refused(const char *flavor, const char *image, const char *sentence)
{
    struct json_doc docs[2];
    struct machine m;
    struct error e = {0};
    CHECK_INT(read_both(flavor, image, &m, docs, &e), ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), sentence);
    wish_close(docs);
}

TEST("what cannot be is refused by the property's name")
{
    check_refused("{}", "{\"hw_disk_bus\":\"floppy\"}",
                  "Invalid value for hw_disk_bus: 'floppy' is not one of ['virtio', 'scsi', 'sata', 'ide']");
    check_refused("{}", "{\"hw_vif_model\":\"ne2000\"}", "hw_vif_model");
    check_refused("{}", "{\"hw_machine_type\":\"isapc\"}", "or a version of these");
    check_refused("{}", "{\"hw_machine_type\":\"pc-q35-<evil/>\"}", "hw_machine_type");
    check_refused("{}", "{\"hw_qemu_guest_agent\":\"perhaps\"}", "hw_qemu_guest_agent");
    check_refused("{\"hw:firmware_type\":\"bios\"}", "{\"hw_firmware_type\":\"uefi\"}", "conflicting with image");
    check_refused("{\"hw:tpm_version\":\"3\"}", "{}", "hw:tpm_version");
    check_refused("{}", "{\"os_secure_boot\":\"required\"}", "needs UEFI");
    check_refused("{}", "{\"os_secure_boot\":\"required\",\"hw_firmware_type\":\"uefi\",\"hw_machine_type\":\"pc\"}",
                  "q35");
    check_refused("{}", "{\"hw_tpm_model\":\"tpm-crb\"}", "without hw_tpm_version");
    check_refused("{}", "{\"hw_tpm_model\":\"tpm-crb\",\"hw_tpm_version\":\"1.2\"}", "needs hw_tpm_version=2.0");
    check_refused("{}", "{\"hw_disk_bus\":\"ide\",\"hw_machine_type\":\"q35\"}", "needs hw_machine_type=pc");
    check_refused("{}", "{\"hw_machine_type\":\"virt\"}", "needs hw_architecture=aarch64");
    check_refused("{}", "{\"architecture\":\"aarch64\",\"hw_machine_type\":\"q35\"}", "needs hw_machine_type=virt");
    check_refused("{\"os:secure_boot\":\"disabled\"}",
                  "{\"os_secure_boot\":\"required\",\"hw_firmware_type\":\"uefi\"}", "conflicting with image");
}

TEST("one bad word leaves the others as they are")
{
    struct json_doc docs[2];
    struct machine m;
    CHECK_INT(read_both("{}",
                        "{\"hw_disk_bus\":\"floppy\",\"hw_vif_model\":\"e1000\",\"hw_machine_type\":\"pc-i440fx-7.2\","
                        "\"hw_qemu_guest_agent\":\"yes\"}",
                        &m, docs, NULL),
              ERR_INVALID);
    CHECK(m.disk_bus == NULL);
    CHECK_TEXT(m.vif_model, "e1000");
    CHECK(machine_is(&m, "pc", "q35") && !machine_is(&m, "q35", "q35"));
    CHECK(m.guest_agent);
    wish_close(docs);
}
