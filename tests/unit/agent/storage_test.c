/* A server's files: disks, the console's log, what the image cache removes. */
#include "compute-agent/storage/block.h"
#include "compute-agent/storage/console_log.h"
#include "compute-agent/storage/disk.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/storage/image_files.h"
#include "compute-agent/tls/digest.h"
#include "tests/unit/agent/files_fixture.h"
#include "tests/unit/agent/samples.h"

#define GIB  ((int64_t)1 << 30)
#define HOST "01890000-9999-7222-8333-00000000000a"

/* ---- disks ---- */

static struct spec *sized_spec(int root_gib)
{
    struct spec *spec = sample_read(SAMPLE("\"ephemeral_gib\":1,\"swap_mib\":8,"));
    spec->root_gib = root_gib;
    return spec;
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
                         .deadline_ms = 60000};
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

/* As qemu-img reads it. */
static int64_t virtual_size(const char *path)
{
    struct child info = {.argv = (const char *[]){"qemu-img", "info", "-f", "qcow2", "--output=json", path, NULL},
                         .deadline_ms = 60000};
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    CHECK_OK(child_run(&info, &text, &e), &e);
    const char *size = strstr(text.data, "\"virtual-size\": ");
    int64_t bytes = size ? strtoll(size + strlen("\"virtual-size\": "), NULL, 10) : -1;
    strbuf_done(&text);
    return bytes;
}

TEST("a root disk that is smaller than its flavor's grows with the next start, and never shrinks")
{
    char *base = make_image("grow-base.qcow2", "qcow2", "20M"), *folder = make_folder("grow"),
         *root = below(folder, "root.qcow2");
    struct disk_base from = {base, "qcow2", 20 * MIB};
    struct spec *spec = sized_spec(1);
    struct error e = {0};
    spec->ephemeral_gib = spec->swap_mib = 0;
    CHECK_OK(disk_make(folder, spec, &from, true, &e), &e);
    CHECK_INT(virtual_size(root), GIB);
    spec->root_gib = 3;
    CHECK_OK(disk_make(folder, spec, &(struct disk_base){0}, false, &e), &e);
    CHECK_INT(virtual_size(root), 3 * GIB);
    spec->root_gib = 2;
    CHECK_OK(disk_make(folder, spec, &(struct disk_base){0}, false, &e), &e);
    CHECK_INT(virtual_size(root), 3 * GIB);
    CHECK_INT(truncate(root, 16), 0);
    CHECK_INT(disk_make(folder, spec, &(struct disk_base){0}, false, &e), ERR_CORRUPT);
    spec_free(&spec);
    free(base);
    free(folder);
    free(root);
}

static int64_t file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) ? -1 : st.st_size;
}

TEST("the other disks grow too, in either way to keep them, and go")
{
    static int (*const ways[])(const char *, const struct spec *, const struct disk_base *, bool,
                               struct error *) = {disk_make, disk_make_raw};
    static int64_t (*const sizes[])(const char *) = {virtual_size, file_size};
    for (size_t i = 0; i < 2; i++) {
        char *base = make_image("others-base.raw", "raw", "20M"), *folder = make_folder(i ? "others-raw" : "others"),
             *root = below(folder, i ? "root.raw" : "root.qcow2"),
             *ephemeral = below(folder, i ? "ephemeral.raw" : "ephemeral.qcow2"),
             *swap = below(folder, i ? "swap.raw" : "swap.qcow2");
        struct disk_base from = {base, "raw", 20 * MIB};
        struct spec *spec = sized_spec(1);
        struct stat before, after;
        struct error e = {0};
        spec->ephemeral_gib = 1;
        spec->swap_mib = 64;
        CHECK_OK(ways[i](folder, spec, &from, true, &e), &e);
        CHECK_INT(stat(ephemeral, &before), 0);
        spec->root_gib = spec->ephemeral_gib = 2;
        spec->swap_mib = 65;
        CHECK_OK(ways[i](folder, spec, &(struct disk_base){0}, false, &e), &e);
        CHECK_INT(stat(ephemeral, &after), 0);
        CHECK_INT(before.st_ino, after.st_ino);
        CHECK_INT(sizes[i](root), 2 * GIB);
        CHECK_INT(sizes[i](ephemeral), 2 * GIB);
        CHECK_INT(sizes[i](swap), 65 * MIB);
        spec->root_gib = spec->ephemeral_gib = spec->swap_mib = 0;
        CHECK_OK(ways[i](folder, spec, &(struct disk_base){0}, false, &e), &e);
        CHECK_INT(sizes[i](root), 2 * GIB);
        CHECK(access(ephemeral, F_OK) != 0 && access(swap, F_OK) != 0);
        spec_free(&spec);
        free(base);
        free(folder);
        free(root);
        free(ephemeral);
        free(swap);
    }
}

TEST("disks that come later are made once, and go when the server has them no more")
{
    char *base = make_image("more-base.qcow2", "qcow2", "20M"), *folder = make_folder("more"),
         *ephemeral = below(folder, "ephemeral.qcow2"), *swap = below(folder, "swap.qcow2"),
         *root = below(folder, "root.qcow2"), *partial = below(folder, "swap.qcow2.part");
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
    CHECK_OK(disk_drop_more(folder, 1, 0, &e), &e);
    CHECK_INT(access(ephemeral, F_OK), 0);
    CHECK_INT(access(swap, F_OK), -1);
    CHECK_INT(mkdir(partial, 0700), 0); /* in its way */
    CHECK(disk_make_more(folder, 1, 64, &e) != 0);
    CHECK_INT(access(swap, F_OK), -1);
    CHECK_INT(rmdir(partial), 0);
    error_clear(&e);
    CHECK_OK(disk_make_more(folder, 1, 64, &e), &e);
    CHECK_INT(access(swap, F_OK), 0);
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
    free(partial);
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
