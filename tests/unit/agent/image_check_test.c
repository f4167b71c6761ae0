/* What the agent looks at before an image is used: what it is declared as, and whether it is whole. */
#include "compute-agent/storage/image_check.h"
#include "tests/unit/agent/files_fixture.h"

/* LUKS alone: qemu-img measures its own processor time to choose the iterations and gives up when the kernel shows none
 * yet. */
static void make_luks(const char *path)
{
    struct child child = {.argv = (const char *[]){"qemu-img", "create", "-q", "-f", "luks", "--object",
                                                   "secret,id=s,data=x", "-o", "key-secret=s,iter-time=10", path, "1M",
                                                   NULL},
                          .deadline_ms = 60000};
    struct error e = {0};
    int rc = child_run(&child, NULL, &e);
    for (int again = 0; rc != 0 && strstr(e.text, "accurate CPU usage") && again < 20; again++)
        rc = child_run(&child, NULL, &e);
    CHECK_OK(rc, &e);
}

static void check_refused(const char *path, const char *format, const char *reason)
{
    int64_t size;
    struct error e = {0};
    CHECK_INT(image_check(path, format, &size, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, reason);
}

TEST("an image that is what it was declared as is taken")
{
    char *qcow2 = make_image("good.qcow2", "qcow2", "20M"), *raw = make_image("good.raw", "raw", "3M");
    int64_t size = 0;
    struct error e = {0};
    CHECK_OK(image_check(qcow2, "qcow2", &size, &e), &e);
    CHECK_INT(size, 20 * MIB);
    CHECK_OK(image_check(raw, "raw", &size, &e), &e);
    CHECK_INT(size, 3 * MIB);
    free(qcow2);
    free(raw);
}

TEST("a disguised image is refused, whatever it is and is declared as")
{
    static const char *const formats[] = {"vmdk", "vdi", "vhdx", "qed", "luks"};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        char *path = scratch_file("disguised");
        if (strcmp(formats[i], "luks") == 0)
            make_luks(path);
        else
            run_tool((const char *[]){"qemu-img", "create", "-q", "-f", formats[i], path, "1M", NULL});
        check_refused(path, "raw", formats[i]);
        check_refused(path, "qcow2", formats[i]);
        free(path);
    }
}

TEST("a VMDK descriptor that points at a file of the host is refused")
{
    static const char text[] =
        "# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 1 FLAT \"/etc/shadow\" 0\n";
    char *path = scratch_file("descriptor");
    poke(path, 0, text, sizeof(text));
    check_refused(path, "raw", "vmdk");
    check_refused(path, "qcow2", "vmdk");
    free(path);
}

TEST("raw and qcow2 are not mistaken for each other")
{
    char *qcow2 = make_image("a.qcow2", "qcow2", "1M"), *raw = make_image("a.raw", "raw", "1M");
    check_refused(qcow2, "raw", "it is qcow2");
    check_refused(raw, "qcow2", "it is raw or something unknown");
    free(qcow2);
    free(raw);
}

TEST("an image with a backing file is refused")
{
    char *base = make_image("base.raw", "raw", "1M"), *path = scratch_file("overlay.qcow2");
    run_tool((const char *[]){"qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", path, NULL});
    check_refused(path, "qcow2", "backing file");
    free(base);
    free(path);
}

TEST("an image with an external data file is refused")
{
    char *data = scratch_file("data.raw"), *path = scratch_file("external.qcow2"), option[200];
    snprintf(option, sizeof(option), "data_file=%s,data_file_raw=on", data);
    run_tool((const char *[]){"qemu-img", "create", "-q", "-f", "qcow2", "-o", option, path, "1M", NULL});
    check_refused(path, "qcow2", "another file");
    free(data);
    free(path);
}

TEST("a damaged or cut qcow2 is refused with a sentence")
{
    char *path = make_image("damaged.qcow2", "qcow2", "1M");
    CHECK_INT(truncate(path, 60), 0);
    check_refused(path, "qcow2", "damaged");
    poke(path, 7, "\x09", 1);
    check_refused(path, "qcow2", "unknown version");
    free(path);
    path = make_image("table.qcow2", "qcow2", "1M");
    poke(path, 40, "\xff\xff\xff\xff\xff\xff\x00\x00", 8); /* where the first table is */
    check_refused(path, "qcow2", "cannot be read");
    free(path);
}

TEST("unknown incompatible features are refused")
{
    char *path = make_image("features.qcow2", "qcow2", "1M");
    poke(path, 72, "\x40", 1);
    check_refused(path, "qcow2", "features");
    free(path);
}
