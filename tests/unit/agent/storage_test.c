/* A server's files: disks, disguised images, the config drive read back, the console's log, what the image cache
 * removes. */
#include "common/child.h"
#include "common/file.h"
#include "compute-agent/storage/base64.h"
#include "compute-agent/storage/block.h"
#include "compute-agent/storage/config_drive.h"
#include "compute-agent/storage/console_log.h"
#include "compute-agent/storage/disk.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/storage/image_files.h"
#include "compute-agent/tls/digest.h"
#include "tests/unit/agent/samples.h"
#include "tests/unit/scratch.h"
#include <fcntl.h>

#define MIB  ((int64_t)1 << 20)
#define GIB  ((int64_t)1 << 30)
#define HOST "01890000-9999-7222-8333-00000000000a"

static void run_tool(const char *const *argv)
{
    struct child child = {.argv = argv, .deadline_ms = 20000};
    struct error e = {0};
    CHECK_OK(child_run(&child, NULL, &e), &e);
}

/* LUKS alone: qemu-img measures its own processor time to choose the iterations and gives up when the kernel shows none
 * yet. */
static void make_luks(const char *path)
{
    struct child child = {.argv = (const char *[]){"qemu-img", "create", "-q", "-f", "luks", "--object",
                                                   "secret,id=s,data=x", "-o", "key-secret=s,iter-time=10", path, "1M",
                                                   NULL},
                          .deadline_ms = 20000};
    struct error e = {0};
    int rc = child_run(&child, NULL, &e);
    for (int again = 0; rc != 0 && strstr(e.text, "accurate CPU usage") && again < 20; again++)
        rc = child_run(&child, NULL, &e);
    CHECK_OK(rc, &e);
}

static char *make_image(const char *name, const char *format, const char *size)
{
    char *path = scratch_file(name);
    run_tool((const char *[]){"qemu-img", "create", "-q", "-f", format, path, size, NULL});
    return path;
}

static void poke(const char *path, off_t at, const void *data, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && pwrite(fd, data, size, at) == (ssize_t)size);
    close(fd);
}

static void check_refused(const char *path, const char *format, const char *reason)
{
    int64_t size;
    struct error e = {0};
    CHECK_INT(image_check(path, format, &size, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, reason);
}

/* ---- images ---- */

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

/* ---- disks ---- */

static struct spec *sized_spec(int root_gib)
{
    struct spec *spec = sample_read(SAMPLE("\"ephemeral_gib\":1,\"swap_mib\":8,"));
    spec->root_gib = root_gib;
    return spec;
}

static char *make_folder(const char *name)
{
    char *folder = scratch_file(name);
    CHECK_INT(mkdir(folder, 0700), 0);
    return folder;
}

static char *below(const char *folder, const char *name)
{
    char *path;
    CHECK(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

TEST("a root disk is an overlay with an explicit format, as large as the flavor says")
{
    char *base = make_image("disk-base.qcow2", "qcow2", "20M"), *folder = make_folder("disks"),
         backing[IMAGE_CHECK_NAME_SIZE];
    char *root = below(folder, "root.qcow2"), *swap = below(folder, "swap.qcow2");
    struct disk_base from = {base, "qcow2", 20 * MIB};
    struct spec *spec = sized_spec(2);
    struct strbuf text;
    struct error e = {0};
    CHECK_OK(disk_make(folder, spec, &from, true, &e), &e);
    CHECK_OK(image_check_backing(root, backing, &e), &e);
    CHECK_TEXT(backing, base);
    struct child info = {.argv = (const char *[]){"qemu-img", "info", "-f", "qcow2", "--output=json", root, NULL},
                         .deadline_ms = 20000};
    strbuf_init(&text, 0);
    CHECK_OK(child_run(&info, &text, &e), &e);
    CHECK_CONTAINS(text.data, "\"virtual-size\": 2147483648");
    CHECK_CONTAINS(text.data, "\"backing-filename-format\": \"qcow2\"");
    int64_t size = 0;
    CHECK_OK(image_check(swap, "qcow2", &size, &e), &e);
    CHECK_INT(size, 8 * MIB);
    strbuf_done(&text);
    spec_free(&spec);
    free(root);
    free(swap);
    free(base);
    free(folder);
}

TEST("a raw root disk holds what the image holds, from either format, and is as large as the flavor says")
{
    static const char *const formats[] = {"qcow2", "raw"};
    for (size_t i = 0; i < 2; i++) {
        char *raw = make_image("raw-content.raw", "raw", "3M"), *base = scratch_file("raw-base"),
             *folder = make_folder(formats[i]), *root = below(folder, "root.raw"), *swap = below(folder, "swap.raw");
        char word[6] = "";
        struct spec *spec = sized_spec(2);
        struct disk_base from = {base, formats[i], 3 * MIB};
        struct stat st;
        struct error e = {0};
        poke(raw, 2 * MIB, "hello", 5);
        run_tool((const char *[]){"qemu-img", "convert", "-f", "raw", "-O", formats[i], raw, base, NULL});
        CHECK_OK(disk_make_raw(folder, spec, &from, true, &e), &e);
        CHECK(stat(root, &st) == 0 && st.st_size == 2 * GIB && st.st_blocks < 4096);
        int fd = open(root, O_RDONLY);
        CHECK_INT(pread(fd, word, 5, 2 * MIB), 5);
        close(fd);
        CHECK_TEXT(word, "hello");
        CHECK(stat(swap, &st) == 0 && st.st_size == 8 * MIB);
        CHECK_OK(disk_make_raw(folder, spec, &(struct disk_base){0}, false, &e), &e);
        CHECK_INT(unlink(root), 0);
        CHECK_INT(disk_make_raw(folder, spec, &(struct disk_base){0}, false, &e), ERR_NOT_FOUND);
        spec_free(&spec);
        free(raw);
        free(base);
        free(folder);
        free(root);
        free(swap);
    }
}

/* In a container without loop devices there is nothing to attach to. */
TEST("each raw disk has one block device, however often it is attached, and none when it is detached")
{
    char *folder = make_folder("block"), *root = below(folder, "root.raw"),
         *link = below(folder, "root.raw.block." HOST), first[64] = "", second[64] = "";
    struct error e = {0};
    poke(root, MIB - 5, "hello", 5);
    if (geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0) {
        char word[6] = "";
        CHECK_OK(block_attach(folder, HOST, &e), &e);
        CHECK(readlink(link, first, sizeof(first) - 1) > 0);
        CHECK_OK(block_attach(folder, HOST, &e), &e);
        CHECK(readlink(link, second, sizeof(second) - 1) > 0);
        CHECK_TEXT(first, second);
        int direct = open(root, O_RDONLY | O_DIRECT);
        CHECK(block_is_direct(folder, HOST) == (direct >= 0));
        if (direct >= 0)
            close(direct);
        int fd = open(link, O_RDONLY);
        CHECK(fd >= 0 && pread(fd, word, 5, MIB - 5) == 5);
        close(fd);
        CHECK_TEXT(word, "hello");
        block_detach(folder, HOST);
        CHECK(access(link, F_OK) != 0);
    } else {
        CHECK(block_attach(folder, HOST, &e) != 0);
    }
    block_detach(folder, HOST);
    free(folder);
    free(root);
    free(link);
}

TEST("making a server's disks again changes nothing")
{
    char *base = make_image("again-base.qcow2", "qcow2", "20M"), *folder = make_folder("again"),
         *root = below(folder, "root.qcow2");
    struct disk_base from = {base, "qcow2", 20 * MIB};
    struct spec *spec = sized_spec(2);
    struct stat before, after;
    struct error e = {0};
    CHECK_OK(disk_make(folder, spec, &from, true, &e), &e);
    CHECK_INT(stat(root, &before), 0);
    CHECK_OK(disk_make(folder, spec, &from, true, &e), &e);
    CHECK_OK(disk_make(folder, spec, &(struct disk_base){0}, false, &e), &e);
    CHECK_INT(stat(root, &after), 0);
    CHECK_INT(before.st_ino, after.st_ino);
    spec_free(&spec);
    free(base);
    free(root);
    free(folder);
}

TEST("a server whose image was deleted gets no empty disk, one that has its disk already needs no image")
{
    char *base = make_image("deleted-base.qcow2", "qcow2", "20M"), *folder = make_folder("deleted");
    struct disk_base from = {base, "qcow2", 20 * MIB};
    struct spec *spec = sample_read(SAMPLE("\"image\":{\"id\":\"01890000-5555-7222-8333-000000000001\",\"name\":\"\","
                                           "\"disk_format\":\"\",\"size_bytes\":0,\"sha512\":\"\","
                                           "\"properties\":{},\"deleted\":true},"));
    struct error e = {0};
    CHECK_INT(disk_make(folder, spec, &(struct disk_base){0}, true, &e), ERR_NOT_FOUND);
    CHECK_CONTAINS(e.text, "01890000-5555-7222-8333-000000000001 was deleted");
    error_clear(&e);
    spec->image->deleted = false;
    CHECK_OK(disk_make(folder, spec, &from, true, &e), &e);
    spec->image->deleted = true;
    CHECK_OK(disk_make(folder, spec, &(struct disk_base){0}, true, &e), &e);
    spec_free(&spec);
    free(base);
    free(folder);
}

TEST("a disk that was lost is an error, never an empty disk")
{
    char *folder = make_folder("lost");
    struct spec *spec = sized_spec(1);
    struct error e = {0};
    CHECK_INT(disk_make(folder, spec, &(struct disk_base){0}, false, &e), ERR_NOT_FOUND);
    CHECK_CONTAINS(e.text, "missing");
    spec_free(&spec);
    free(folder);
}

TEST("disks that come later are made once, and go when the server has them no more")
{
    char *base = make_image("more-base.qcow2", "qcow2", "20M"), *folder = make_folder("more"),
         *ephemeral = below(folder, "ephemeral.qcow2"), *swap = below(folder, "swap.qcow2"),
         *root = below(folder, "root.qcow2");
    struct disk_base from = {base, "qcow2", 20 * MIB};
    struct spec *spec = sized_spec(1);
    struct stat before, after;
    struct error e = {0};
    spec->ephemeral_gib = spec->swap_mib = 0;
    CHECK_OK(disk_make(folder, spec, &from, true, &e), &e);
    CHECK_OK(disk_make_more(folder, 1, 64, &e), &e);
    CHECK_INT(stat(ephemeral, &before), 0);
    CHECK_INT(access(swap, F_OK), 0);
    CHECK_OK(disk_make_more(folder, 1, 64, &e), &e);
    CHECK_INT(stat(ephemeral, &after), 0);
    CHECK_INT(before.st_ino, after.st_ino);
    spec->ephemeral_gib = 1;
    CHECK_OK(disk_make(folder, spec, &(struct disk_base){0}, false, &e), &e);
    CHECK_INT(access(ephemeral, F_OK), 0);
    CHECK_INT(access(swap, F_OK), -1);
    spec->ephemeral_gib = 0;
    CHECK_OK(disk_make(folder, spec, &(struct disk_base){0}, false, &e), &e);
    CHECK_INT(access(ephemeral, F_OK), -1);
    CHECK_INT(access(root, F_OK), 0);
    spec_free(&spec);
    free(base);
    free(folder);
    free(ephemeral);
    free(swap);
    free(root);
}

TEST("an image that is larger than the flavor's disk is refused, without a disk in the flavor its size is taken")
{
    char *base = make_image("large.raw", "raw", "3G"), *folder = make_folder("large"),
         *root = below(folder, "root.qcow2");
    struct disk_base from = {base, "raw", 3 * GIB};
    struct spec *spec = sized_spec(2);
    struct error e = {0};
    CHECK_INT(disk_make(folder, spec, &from, true, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, "3 GiB");
    CHECK(access(root, F_OK) != 0);
    spec->root_gib = 0;
    error_clear(&e);
    CHECK_OK(disk_make(folder, spec, &from, true, &e), &e);
    spec_free(&spec);
    free(base);
    free(root);
    free(folder);
}

TEST("a folder goes with everything in it, twice if need be, and links are not followed")
{
    char *folder = make_folder("gone"), *inner = below(folder, "a"), *link = below(inner, "link"),
         *kept = scratch_file("kept");
    struct error e = {0};
    CHECK_INT(mkdir(inner, 0700), 0);
    poke(kept, 0, "x", 1);
    CHECK_INT(symlink(kept, link), 0);
    CHECK_OK(disk_remove_folder(folder, &e), &e);
    CHECK(access(folder, F_OK) != 0);
    CHECK_INT(access(kept, F_OK), 0);
    CHECK_OK(disk_remove_folder(folder, &e), &e);
    free(folder);
    free(inner);
    free(link);
    free(kept);
}

/* ---- config drive ---- */

TEST("the documents on the config drive are OpenStack's and NoCloud's")
{
    struct spec *spec = sample_read(SAMPLE(""));
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    config_drive_meta_data(spec, &text);
    CHECK_TEXT(text.data,
               "{\"uuid\":\"" SAMPLE_ID
               "\",\"hostname\":\"web-1\",\"name\":\"web <1> & \\\"co\\\"\",\"launch_index\":0,"
               "\"availability_zone\":\"nova\",\"project_id\":\"p1\",\"meta\":{\"role\":\"web\"},"
               "\"public_keys\":{\"me\":\"ssh-ed25519 AAAA me\"},"
               "\"keys\":[{\"name\":\"me\",\"type\":\"ssh\",\"data\":\"ssh-ed25519 AAAA me\"}],\"devices\":[]}");
    strbuf_reset(&text);
    config_drive_network_data(spec, &text);
    CHECK_CONTAINS(
        text.data,
        "\"links\":[{\"id\":\"tap01890000-33\",\"vif_id\":\"01890000-3333-7222-8333-000000000001\",\"type\":\"bridge\","
        "\"mtu\":1450,\"ethernet_mac_address\":\"fa:16:3e:00:00:01\"}]");
    CHECK_CONTAINS(
        text.data,
        "{\"id\":\"network0\",\"type\":\"ipv4_dhcp\",\"link\":\"tap01890000-33\",\"network_id\":\"" SAMPLE_NETWORK
        "\"}");
    CHECK_CONTAINS(text.data, "\"type\":\"ipv6\",\"link\":\"tap01890000-33\",\"ip_address\":\"fd00::5\",\"netmask\":"
                              "\"ffff:ffff:ffff:ffff::\","
                              "\"routes\":[{\"network\":\"::\",\"netmask\":\"::\",\"gateway\":\"fd00::1\"}]");
    CHECK_CONTAINS(
        text.data,
        "\"services\":[{\"type\":\"dns\",\"address\":\"9.9.9.9\"},{\"type\":\"dns\",\"address\":\"1.1.1.1\"}]");
    strbuf_reset(&text);
    config_drive_nocloud_data(spec, &text);
    CHECK_TEXT(text.data, "{\"instance-id\":\"" SAMPLE_ID
                          "\",\"local-hostname\":\"web-1\",\"public-keys\":[\"ssh-ed25519 AAAA me\"]}");
    strbuf_reset(&text);
    CHECK_OK(config_drive_user_data(spec, &text, &e), &e);
    CHECK_TEXT(text.data, "#!/bin/sh\necho hi\n");
    strbuf_done(&text);
    spec_free(&spec);
}

static void check_on_drive(const char *drive, const char *file, const char *part)
{
    struct child child = {.argv = (const char *[]){"isoinfo", "-R", "-i", drive, "-x", file, NULL},
                          .deadline_ms = 20000};
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    CHECK_OK(child_run(&child, &text, &e), &e);
    CHECK_CONTAINS(text.data, part);
    strbuf_done(&text);
}

TEST("the config drive is read back as it was meant, and made anew only when it changes")
{
    char *folder = make_folder("drive"), *drive = below(folder, "config.iso");
    struct spec *spec = sample_read(SAMPLE(""));
    struct strbuf text;
    struct stat first, second;
    struct error e = {0};
    CHECK_OK(config_drive_make(folder, drive, spec, &e), &e);
    struct child child = {.argv = (const char *[]){"isoinfo", "-d", "-i", drive, NULL}, .deadline_ms = 20000};
    strbuf_init(&text, 0);
    CHECK_OK(child_run(&child, &text, &e), &e);
    CHECK_CONTAINS(text.data, "Volume id: config-2");
    strbuf_done(&text);
    check_on_drive(drive, "/openstack/latest/meta_data.json", SAMPLE_ID);
    check_on_drive(drive, "/openstack/latest/network_data.json", "fa:16:3e:00:00:01");
    check_on_drive(drive, "/openstack/latest/user_data", "echo hi");
    check_on_drive(drive, "/openstack/latest/vendor_data.json", "{}");
    check_on_drive(drive, "/openstack/2018-08-27/meta_data.json", SAMPLE_ID);
    check_on_drive(drive, "/ec2/latest/meta-data.json", "local-ipv4\":\"10.0.0.5");
    check_on_drive(drive, "/meta-data", "local-hostname\":\"web-1");
    check_on_drive(drive, "/user-data", "echo hi");
    CHECK_INT(stat(drive, &first), 0);
    CHECK_OK(config_drive_make(folder, drive, spec, &e), &e);
    CHECK_INT(stat(drive, &second), 0);
    CHECK_INT(first.st_ino, second.st_ino);
    spec->hostname = "other";
    CHECK_OK(config_drive_make(folder, drive, spec, &e), &e);
    check_on_drive(drive, "/meta-data", "other");
    spec_free(&spec);
    free(drive);
    free(folder);
}

TEST("user data that is no base64 fails with a sentence and leaves no drive")
{
    char *folder = make_folder("bad-drive"), *drive = below(folder, "config.iso");
    struct spec *spec = sample_read(SAMPLE("\"user_data\":\"@@@\","));
    struct error e = {0};
    CHECK_INT(config_drive_make(folder, drive, spec, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, "base64");
    CHECK(access(drive, F_OK) != 0);
    spec_free(&spec);
    free(drive);
    free(folder);
}

TEST("base64 is read as RFC 4648 says, with line breaks")
{
    static const char *const good[][2] = {{"", ""},        {"Zg==", "f"},      {"Zm8=", "fo"},
                                          {"Zm9v", "foo"}, {"Zm9vYg", "foob"}, {"Zm9v\nYmFy\n", "foobar"}};
    static const char *const bad[] = {"Z", "Zg=", "Zg===", "Zm=9", "Zm9v!", "Zm9vZ"};
    struct strbuf text;
    strbuf_init(&text, 0);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        strbuf_reset(&text);
        CHECK(base64_decode(good[i][0], &text));
        CHECK_TEXT(text.data, good[i][1]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        strbuf_reset(&text);
        if (base64_decode(bad[i], &text))
            check_fail(__FILE__, __LINE__, "\"%s\" was taken", bad[i]);
    }
    strbuf_done(&text);
}

/* ---- the console's log ---- */

static void check_log(const char *path, int64_t lines, const char *expected)
{
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    CHECK_OK(console_log_read(path, lines, &text, &e), &e);
    CHECK_TEXT(text.data, expected);
    strbuf_done(&text);
}

TEST("the end of a console's log is read over rotated parts")
{
    char *path = scratch_file("console.log"), *older = scratch_file("console.log.0"),
         *oldest = scratch_file("console.log.1");
    check_log(path, -1, "");
    poke(path, 0, "e\nf\n", 4);
    poke(older, 0, "c\nd\n", 4);
    poke(oldest, 0, "a\nb\n", 4);
    check_log(path, -1, "a\nb\nc\nd\ne\nf\n");
    check_log(path, 1, "f\n");
    check_log(path, 2, "e\nf\n");
    check_log(path, 3, "d\ne\nf\n");
    check_log(path, 5, "b\nc\nd\ne\nf\n");
    check_log(path, 99, "a\nb\nc\nd\ne\nf\n");
    check_log(path, 0, "");
    poke(path, 4, "login: ", 7); /* a line that has not ended counts */
    check_log(path, 2, "f\nlogin: ");
    free(path);
    free(older);
    free(oldest);
}

/* ---- the image cache's files ---- */

static void put_image(const char *path, int64_t used_s)
{
    char *data = calloc(1, (size_t)MIB);
    struct timespec times[2] = {{.tv_sec = used_s}, {.tv_sec = used_s}};
    CHECK(data);
    memset(data, 'x', (size_t)MIB);
    poke(path, 0, data, (size_t)MIB);
    CHECK_INT(utimensat(AT_FDCWD, path, times, 0), 0);
    free(data);
}

TEST("images that are longest unused go first, never one that is in use, pinned or unfinished")
{
    char *folder = make_folder("cache"), *instances = make_folder("instances"), *server = below(instances, SAMPLE_ID);
    char *old = below(folder, "old.raw"), *used = below(folder, "used.raw"), *pinned = below(folder, "pinned.raw");
    char *fresh = below(folder, "fresh.raw"), *partial = below(folder, "partial.raw.part"),
         *root = below(server, "root.qcow2");
    const char *const pins[] = {pinned};
    put_image(used, 100);
    put_image(pinned, 200);
    put_image(old, 300);
    put_image(fresh, 400);
    put_image(partial, 50);
    CHECK_INT(mkdir(server, 0700), 0);
    run_tool((const char *[]){"qemu-img", "create", "-q", "-f", "qcow2", "-b", used, "-F", "raw", root, NULL});
    CHECK_INT(image_files_evict(folder, instances, pins, 1, 10 * MIB, MIB), 4 * MIB);
    CHECK_INT(access(old, F_OK), 0);
    image_files_evict(folder, instances, pins, 1, 4 * MIB + 4096, MIB);
    CHECK(access(old, F_OK) != 0);
    CHECK_INT(access(fresh, F_OK), 0);
    image_files_evict(folder, instances, pins, 1, 0, MIB);
    CHECK(access(fresh, F_OK) != 0);
    CHECK_INT(access(used, F_OK), 0);
    CHECK_INT(access(pinned, F_OK), 0);
    CHECK_INT(access(partial, F_OK), 0);
    char *const paths[] = {folder, instances, server, old, used, pinned, fresh, partial, root};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        free(paths[i]);
}

TEST("a file's SHA-512 is computed and can be stopped")
{
    char *path = scratch_file("abc"), sum[DIGEST_SHA512_SIZE];
    atomic_bool stop = true;
    struct error e = {0};
    poke(path, 0, "abc", 3);
    CHECK_OK(digest_file(path, NULL, sum, &e), &e);
    CHECK_TEXT(sum, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    CHECK_INT(digest_file(path, &stop, sum, &e), ERR_TIMEOUT);
    free(path);
}
