/* Words for kinds of hypervisors. */
#include "common/model/hypervisor_wish.h"
#include "tests/unit/model/wish_fixture.h"
#include <string.h>

static int check(const char *flavor, const char *image, struct error *e)
{
    struct json_doc docs[2];
    struct numa_wish both = wish_open(flavor, image, docs);
    struct machine_wish wish = {
        .flavor = both.flavor, .image = both.image, .flavor_arg = both.flavor_arg, .image_arg = both.image_arg};
    int code = hypervisor_wish_check(&wish, e);
    wish_close(docs);
    return code;
}

TEST("modes have a trait, in any case and by Nova's aliases")
{
    CHECK_TEXT(hypervisor_wish_trait("hvm"), HYPERVISOR_WISH_MACHINE);
    CHECK_TEXT(hypervisor_wish_trait("HV"), HYPERVISOR_WISH_MACHINE);
    CHECK_TEXT(hypervisor_wish_trait("Xen"), HYPERVISOR_WISH_XEN);
    CHECK_TEXT(hypervisor_wish_trait("pv"), HYPERVISOR_WISH_XEN);
    CHECK_TEXT(hypervisor_wish_trait("exe"), HYPERVISOR_WISH_CONTAINER);
    CHECK(!hypervisor_wish_trait("uml"));
    CHECK(!hypervisor_wish_trait(""));
}

TEST("words that are good are taken, from either side")
{
    static const char *const good[] = {"{}", "{\"hypervisor_type\":\"QEMU\"}",
                                       "{\"hypervisor_type\":\"Hyper-V\",\"vm_mode\":\"hvm\"}",
                                       "{\"hypervisor_type\":\"hyperv\"}", "{\"vm_mode\":\"EXE\"}"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct error e = {0};
        CHECK_OK(check(good[i], "{}", &e), &e);
        CHECK_OK(check("{}", good[i], &e), &e);
    }
}

TEST("an extra spec may compare, a property may not")
{
    struct error e = {0};
    CHECK_OK(check("{\"hypervisor_type\":\"<or> QEMU <or> vbox\"}", "{}", &e), &e);
    CHECK_OK(check("{\"capabilities:hypervisor_type\":\"s== vbox\"}", "{}", &e), &e);
    CHECK_INT(check("{}", "{\"hypervisor_type\":\"<or> QEMU <or> LXC\"}", &e), ERR_INVALID);
}

TEST("a word that is none is refused by the name of what says it")
{
    static const struct {
        const char *flavor, *image, *told;
    } bad[] = {{"{}", "{\"hypervisor_type\":\"vbox\"}", "hypervisor_type of the image: 'vbox'"},
               {"{}", "{\"img_hv_type\":\"\"}", "img_hv_type of the image: ''"},
               {"{}", "{\"vm_mode\":\"uml\"}", "vm_mode of the image: 'uml' is not one of hvm, xen, exe"},
               {"{}", "{\"hw_vm_mode\":\"machine\"}", "hw_vm_mode of the image"},
               {"{\"hypervisor_type\":\"vbox\"}", "{}", "hypervisor_type of the flavor"},
               {"{\"capabilities:hypervisor_type\":\"qemu2\"}", "{}", "capabilities:hypervisor_type of the flavor"},
               {"{\"vm_mode\":\"lxc\"}", "{}", "vm_mode of the flavor"},
               {"{\"capabilities:vm_mode\":\"lxc\"}", "{}", "capabilities:vm_mode of the flavor"},
               {"{\"hw:vm_mode\":\"lxc\"}", "{}", "hw:vm_mode of the flavor"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error e = {0};
        CHECK_INT(check(bad[i].flavor, bad[i].image, &e), ERR_INVALID);
        CHECK_CONTAINS(error_text(&e), bad[i].told);
    }
}
