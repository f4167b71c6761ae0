/* Images that name a template, and those that should. */
#include "common/model/image_template.h"
#include "tests/unit/model/wish_fixture.h"
#include <string.h>

static int check(const char *flavor, const char *image, struct error *e)
{
    struct json_doc docs[2];
    struct numa_wish both = wish_open(flavor, image, docs);
    struct machine_wish wish = {
        .flavor = both.flavor, .image = both.image, .flavor_arg = both.flavor_arg, .image_arg = both.image_arg};
    int code = image_template_check(&wish, e);
    wish_close(docs);
    return code;
}

TEST("a path is that of a .vmdk below the datastore's root")
{
    CHECK(image_template_is_path("templates/debian-12.vmdk"));
    CHECK(image_template_is_path("x.vmdk"));
    CHECK(!image_template_is_path(".vmdk"));
    CHECK(!image_template_is_path("x.iso"));
    CHECK(!image_template_is_path("/x.vmdk"));
    CHECK(!image_template_is_path("../x.vmdk"));
    CHECK(!image_template_is_path("[other] x.vmdk"));
    CHECK(!image_template_is_path("a\nb.vmdk"));
}

TEST("who asks for VMware names a template; who does not need not")
{
    static const char *const asking[][2] = {{"{}", "{\"hypervisor_type\":\"vmware\"}"},
                                            {"{}", "{\"img_hv_type\":\"VMware\"}"},
                                            {"{\"hypervisor_type\":\"vmware\"}", "{}"},
                                            {"{\"capabilities:hypervisor_type\":\"VMWARE\"}", "{}"}};
    for (size_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++) {
        struct error e = {0};
        CHECK_INT(check(asking[i][0], asking[i][1], &e), ERR_INVALID);
        CHECK(strstr(error_text(&e), IMAGE_TEMPLATE_PROPERTY) != NULL);
    }
    struct error e = {0};
    CHECK_OK(check("{\"hypervisor_type\":\"vmware\"}", "{\"vmware_template\":\"t/x.vmdk\"}", &e), &e);
    CHECK_OK(check("{\"hypervisor_type\":\"qemu\"}", "{\"hypervisor_type\":\"kvm\"}", &e), &e);
    CHECK_OK(check("{}", "{}", &e), &e);
    CHECK_INT(check("{}", "{\"vmware_template\":\"t\"}", &e), ERR_INVALID);
}
