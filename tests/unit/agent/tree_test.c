/* Containers' files from an image: unpacked once, seen as the container's users', laid over by each server's own.
 * Needs root, loop devices and overlayfs, as containers do. */
#include "common/child.h"
#include "common/file.h"
#include "compute-agent/storage/id_range.h"
#include "compute-agent/storage/image_check.h"
#include "compute-agent/storage/tree.h"
#include "compute-agent/storage/tree_clone.h"
#include "compute-agent/storage/tree_snapshot.h"
#include "compute-agent/xml/domain_xml.h"
#include "tests/unit/agent/samples.h"
#include "tests/unit/scratch.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char work[] = "/tmp/virga-tree.XXXXXX";
static char image[128], folder[128];

static const char *at(const char *base, const char *name)
{
    static char path[4][300];
    static unsigned turn;
    char *to = path[turn++ % 4];
    snprintf(to, sizeof(path[0]), "%s/%s", base, name);
    return to;
}

static void write_file(const char *path, const char *text)
{
    struct error e = {0};
    CHECK_OK(file_replace(path, text, strlen(text), 0644, &e), &e);
}

static void run(const char *const *argv)
{
    struct error e = {0};
    struct child child = {.argv = argv, .deadline_ms = 60000};
    CHECK_OK(child_run(&child, NULL, &e), &e);
}

/* A file of 1000 bytes, one that runs as its owner and has two names, a link and a device; the archive of it. */
static void begin(void)
{
    static bool alone; /* others' mount namespaces would hold on to our mounts */
    char text[1001];
    if (!alone)
        CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    alone = true;
    memset(text, 'x', 1000);
    text[1000] = '\0';
    memcpy(work + sizeof(work) - 7, "XXXXXX", 6);
    CHECK(mkdtemp(work) != NULL);
    CHECK_INT(chmod(work, 0711), 0);
    snprintf(image, sizeof(image), "%s/image.root-tar", work);
    snprintf(folder, sizeof(folder), "%s/server", work);
    CHECK_INT(mkdir(at(work, "root"), 0755), 0);
    CHECK_INT(mkdir(at(work, "root/dev"), 0755), 0);
    CHECK_INT(mkdir(folder, 0711), 0);
    write_file(at(work, "root/file"), text);
    write_file(at(work, "root/tool"), "");
    CHECK_INT(chown(at(work, "root/tool"), 7, 60000), 0);
    CHECK_INT(chmod(at(work, "root/tool"), 04755), 0);
    CHECK_INT(link(at(work, "root/tool"), at(work, "root/twin")), 0);
    CHECK_INT(symlink("/etc/shadow", at(work, "root/link")), 0);
    CHECK_INT(mknod(at(work, "root/dev/null"), S_IFCHR | 0666, makedev(1, 3)), 0);
    const char *argv[] = {"tar", "-czf", image, "-C", at(work, "root"), ".", NULL};
    run(argv);
}

static void end(void)
{
    struct error e = {0};
    tree_unmount(folder);
    tree_forget(image);
    CHECK_OK(disk_remove_folder(work, &e), &e);
}

static struct disk_base base_of(int64_t bytes)
{
    return (struct disk_base){.path = image, .format = "root-tar", .virtual_bytes = bytes};
}

TEST("an archive's size is that of its files, and what is none is refused")
{
    struct error e = {0};
    int64_t bytes = 0;
    begin();
    CHECK_OK(image_check(image, "root-tar", &bytes, &e), &e);
    CHECK_INT(bytes, 1000);
    write_file(at(work, "not"), "this is no archive");
    CHECK_INT(image_check(at(work, "not"), "root-tar", &bytes, &e), ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), "root-tar");
    end();
}

/* A header of GNU tar's old kind for a sparse file of that size, of which nothing is stored (tar's manual, "Storing
 * Sparse Files"). */
static void append_sparse(int fd, char name, uint64_t bytes)
{
    unsigned char block[512] = {(unsigned char)name};
    unsigned sum = 0;
    memcpy(block + 100, "0000644", 8);
    memcpy(block + 108, "0000000", 8);
    memcpy(block + 116, "0000000", 8);
    memcpy(block + 124, "00000000000", 12);
    memcpy(block + 136, "00000000000", 12);
    memset(block + 148, ' ', 8); /* the sum, while it is made */
    block[156] = 'S';
    memcpy(block + 257, "ustar  ", 8);
    block[483] = 0x80; /* a binary number of 11 bytes follows */
    for (int i = 0; i < 8; i++)
        block[494 - i] = (unsigned char)(bytes >> 8 * i);
    for (size_t i = 0; i < sizeof(block); i++)
        sum += block[i];
    snprintf((char *)block + 148, 8, "%06o", sum);
    CHECK_INT(write(fd, block, sizeof(block)), (int64_t)sizeof(block));
}

TEST("an archive of files that no disk holds is refused, also where their sum would be a small number again")
{
    struct error e = {0};
    const char *path;
    int64_t bytes = 0;
    begin();
    path = at(work, "sparse.root-tar");
    for (int files = 1; files <= 3; files += 2) {
        char end_of_file[1024] = "";
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        CHECK(fd >= 0);
        for (int i = 0; i < files; i++)
            append_sparse(fd, (char)('a' + i), i < 2 ? INT64_MAX : 1000);
        CHECK_INT(write(fd, end_of_file, sizeof(end_of_file)), (int64_t)sizeof(end_of_file));
        close(fd);
        error_clear(&e);
        CHECK_INT(image_check(path, "root-tar", &bytes, &e), ERR_INVALID);
        CHECK_CONTAINS(error_text(&e), "larger than any disk");
    }
    end();
}

static int64_t id_in(const char *of, unsigned id)
{
    uid_t first = id_range_of(of);
    CHECK(first >= DOMAIN_XML_IDS_FIRST + DOMAIN_XML_IDS_COUNT);
    return (int64_t)first + id;
}

/* What begin() made is there, and belongs to the container's users. */
static void check_files(const char *of)
{
    struct stat st, twin;
    CHECK_INT(stat(at(of, "root"), &st), 0);
    CHECK_INT(st.st_uid, id_in(of, 0));
    CHECK_INT(stat(at(of, "root/tool"), &st), 0);
    CHECK_INT(st.st_uid, id_in(of, 7));
    CHECK_INT(st.st_gid, id_in(of, 60000));
    CHECK_INT(st.st_mode & 07777, 04755);
    CHECK_INT(stat(at(of, "root/twin"), &twin), 0);
    CHECK(twin.st_ino == st.st_ino);
    CHECK_INT(lstat(at(of, "root/link"), &st), 0);
    CHECK(S_ISLNK(st.st_mode));
    CHECK_INT(st.st_uid, id_in(of, 0));
    CHECK_INT(access(at(of, "root/dev"), F_OK), 0);
    CHECK(access(at(of, "root/dev/null"), F_OK) != 0);
}

TEST("a server's files are the image's, with other owners, and its changes its own")
{
    struct error e = {0};
    begin();
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = base_of(1000);
    for (int time = 0; time < 2; time++)
        CHECK_OK(tree_make(work, folder, spec, &base, time == 0, &e), &e);
    for (int time = 0; time < 2; time++)
        CHECK_OK(tree_mount(folder, &e), &e);
    check_files(folder);
    write_file(at(folder, "root/new"), "mine");
    CHECK_INT(unlink(at(folder, "root/file")), 0);
    tree_unmount(folder);
    CHECK(access(at(folder, "root/new"), F_OK) != 0);
    CHECK_INT(access(at(work, "image.root-tar.tree.img"), F_OK), 0);
    tree_forget(image); /* and is unpacked again when it is needed */
    CHECK(access(at(work, "image.root-tar.tree"), F_OK) != 0);
    CHECK_OK(tree_mount(folder, &e), &e);
    CHECK_INT(access(at(folder, "root/new"), F_OK), 0);
    CHECK(access(at(folder, "root/file"), F_OK) != 0);
    spec_free(&spec);
    end();
}

TEST("what a container is told of itself it can read only, and every start tells it anew")
{
    struct error e = {0};
    begin();
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = base_of(1000);
    CHECK_OK(tree_make(work, folder, spec, &base, true, &e), &e);
    CHECK_INT(mkdir(at(folder, DOMAIN_XML_SEED), 0700), 0);
    write_file(at(folder, DOMAIN_XML_SEED "/meta-data"), "first");
    for (int start = 0; start < 2; start++) {
        CHECK_OK(tree_mount(folder, &e), &e);
        CHECK_INT(open(at(folder, DOMAIN_XML_SEED "/more"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
        CHECK_INT(errno, EROFS);
        CHECK_INT(open(at(folder, DOMAIN_XML_SEED "/meta-data"), O_RDWR | O_CLOEXEC), -1);
        CHECK_INT(errno, EROFS);
    }
    tree_unmount(folder);
    write_file(at(folder, DOMAIN_XML_SEED "/meta-data"), "second");
    spec_free(&spec);
    end();
}

TEST("files that are lost are not made anew, and what does not fit is refused")
{
    struct error e = {0}, large = {0}, none = {0};
    begin();
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = base_of(1000), most = base_of((int64_t)11 << 30), nothing = {0};
    CHECK_INT(tree_make(work, folder, spec, &base, false, &e), ERR_NOT_FOUND);
    CHECK_INT(tree_mount(folder, &e), ERR_NOT_FOUND);
    CHECK_INT(tree_make(work, folder, spec, &most, true, &large), ERR_INVALID);
    CHECK_CONTAINS(error_text(&large), "11 GiB");
    CHECK_INT(tree_make(work, folder, spec, &nothing, true, &none), ERR_INVALID);
    spec_free(&spec);
    end();
}

TEST("a container's changes take no more of the host than its disk, and it sees that size")
{
    struct error e = {0};
    struct statvfs fs;
    begin();
    struct spec *spec = sample_read(SAMPLE("")); /* 10 GiB */
    struct disk_base base = base_of(1000);
    CHECK_OK(tree_make(work, folder, spec, &base, true, &e), &e);
    CHECK_OK(tree_mount(folder, &e), &e);
    CHECK_INT(statvfs(at(folder, "root"), &fs), 0);
    int64_t bytes = (int64_t)(fs.f_blocks * fs.f_frsize), gib = (int64_t)1 << 30;
    CHECK(bytes <= 10 * gib && bytes > 9 * gib);
    int fd = open(at(folder, "root/large"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(fallocate(fd, 0, 0, 11 * gib), -1);
    CHECK_INT(errno, ENOSPC);
    close(fd);
    CHECK_INT(unlink(at(folder, "root/large")), 0);
    write_file(at(folder, "root/kept"), "mine");
    spec->root_gib = 12;
    CHECK_OK(tree_make(work, folder, spec, &base, false, &e), &e);
    CHECK_OK(tree_mount(folder, &e), &e);
    CHECK_INT(statvfs(at(folder, "root"), &fs), 0);
    CHECK((int64_t)(fs.f_blocks * fs.f_frsize) > 11 * gib);
    CHECK_INT(access(at(folder, "root/kept"), F_OK), 0);
    spec_free(&spec);
    end();
}

TEST("no two containers have users in common, until the files of one are gone")
{
    struct error e = {0};
    uid_t first[3];
    begin();
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof(name), "s%d", i);
        CHECK_INT(mkdir(at(work, name), 0711), 0);
        for (int time = 0; time < 2; time++)
            CHECK_OK(id_range_take(work, at(work, name), &first[i], &e), &e);
        CHECK_INT(first[i], DOMAIN_XML_IDS_FIRST + (i + 1) * DOMAIN_XML_IDS_COUNT);
    }
    write_file(at(work, "s1/left"), "of a removal that was interrupted");
    tree_discard(at(work, "s1"));
    CHECK_OK(id_range_take(work, folder, &first[0], &e), &e);
    CHECK_INT(first[0], DOMAIN_XML_IDS_FIRST + 4 * DOMAIN_XML_IDS_COUNT);
    CHECK_OK(disk_remove_folder(at(work, "s1"), &e), &e);
    CHECK_INT(mkdir(at(work, "s4"), 0711), 0);
    CHECK_OK(id_range_take(work, at(work, "s4"), &first[0], &e), &e);
    CHECK_INT(first[0], first[1]);
    end();
}

/* Makes a server of that image, checks its files, and removes both. */
static void check_image(const char *name, const char *format)
{
    struct error e = {0};
    struct disk_base base = {.path = at(work, name), .format = format};
    char path[300];
    snprintf(path, sizeof(path), "%s", base.path);
    base.path = path;
    struct spec *spec = sample_read(SAMPLE(""));
    CHECK_OK(image_check(path, format, &base.virtual_bytes, &e), &e);
    CHECK_OK(tree_make(work, folder, spec, &base, true, &e), &e);
    CHECK_OK(tree_mount(folder, &e), &e);
    check_files(folder);
    CHECK(access(at(folder, "root/.disk"), F_OK) != 0);
    tree_discard(folder);
    tree_forget(path);
    CHECK_OK(disk_remove_folder(folder, &e), &e);
    CHECK_INT(mkdir(folder, 0711), 0);
    spec_free(&spec);
}

TEST("a squashfs and the disk of a machine, with partitions or without, make the same files")
{
    begin();
    chmod("/dev/fuse", 0666); /* as udev does, where there is one */
    const char *squash[] = {"mksquashfs", at(work, "root"), at(work, "a.squashfs"), "-quiet", "-no-progress", NULL};
    run(squash);
    check_image("a.squashfs", "squashfs");
    const char *ext[] = {"mke2fs", "-q", "-F", "-t", "ext4", "-d", at(work, "root"), at(work, "b.raw"), "24M", NULL};
    run(ext);
    check_image("b.raw", "raw");
    const char *script =
        "truncate -s 40M $0/c.disk; printf 'label: gpt\\nsize=4M\\nsize=24M\\n' | sfdisk -q $0/c.disk; "
        "dd if=$0/b.raw of=$0/c.disk bs=1M seek=5 conv=notrunc status=none; "
        "qemu-img convert -q -f raw -O qcow2 $0/c.disk $0/c.qcow2";
    const char *disk[] = {"sh", "-ec", script, work, NULL};
    run(disk);
    check_image("c.qcow2", "qcow2");
    end();
}

TEST("an image that cannot be unpacked is refused with what it has, and leaves nothing")
{
    struct error e = {0}, xfs = {0}, node = {0};
    begin();
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = {.path = at(work, "a.raw"), .format = "raw", .virtual_bytes = 4096};
    char path[300];
    snprintf(path, sizeof(path), "%s", base.path);
    base.path = path;
    write_file(path, "XFSB and nothing behind it");
    CHECK_INT(truncate(path, 1 << 20), 0);
    CHECK_INT(tree_make(work, folder, spec, &base, true, &xfs), ERR_INVALID);
    CHECK_CONTAINS(error_text(&xfs), "ext4 file system; the image's has xfs");
    CHECK_INT(mknod(at(work, "root/disk"), S_IFBLK | 0666, makedev(7, 0)), 0);
    const char *argv[] = {"tar", "-czf", image, "-C", at(work, "root"), ".", NULL};
    run(argv);
    base = base_of(1000);
    CHECK_INT(tree_make(work, folder, spec, &base, true, &node), ERR_INVALID);
    CHECK_CONTAINS(error_text(&node), "cannot be unpacked: tar failed with status 2: tar: ./disk: Cannot mknod");
    CHECK(access(at(folder, TREE_BASE), F_OK) != 0);
    const char *none[] = {"sh", "-c", "! ls -d $0/*.tree*", work, NULL};
    run(none);
    (void)e;
    spec_free(&spec);
    end();
}

TEST("a program that is confined writes below its folder only, is nobody, and has no network")
{
    struct error e = {0};
    struct strbuf said;
    begin();
    strbuf_init(&said, 0);
    CHECK_INT(chown(folder, DOMAIN_XML_IDS_FIRST, DOMAIN_XML_IDS_FIRST), 0);
    const char *script =
        "echo here >mine; cat /dev/stdin; touch $0/out 2>/dev/null && echo out; "
        "cat /etc/shadow 2>/dev/null && echo secret; mount -t tmpfs none /mnt 2>/dev/null && echo mounted; "
        "grep : /proc/net/dev | grep -v lo:; sed -n 's/^NoNewPrivs:[^0-9]*/privileges /p' /proc/self/status";
    const char *argv[] = {"sh", "-c", script, work, NULL};
    struct child child = {.argv = argv, .directory = folder, .input = at(work, "given"), .deadline_ms = 60000};
    write_file(child.input, "given ");
    child.confined_as = DOMAIN_XML_IDS_FIRST;
    CHECK_INT(chmod(work, 0777), 0);
    CHECK_OK(child_run(&child, &said, &e), &e);
    CHECK_TEXT(said.data, "given privileges 1\n");
    struct stat st;
    CHECK_INT(stat(at(folder, "mine"), &st), 0);
    CHECK_INT(st.st_uid, DOMAIN_XML_IDS_FIRST);
    strbuf_done(&said);
    end();
}

TEST("what was half unpacked goes at the start, what is whole stays")
{
    begin();
    CHECK_INT(mkdir(at(work, "a.root-tar.tree.Ab12Cd"), 0700), 0);
    CHECK_INT(mkdir(at(work, "a.root-tar.tree"), 0700), 0);
    tree_tidy(work);
    CHECK(access(at(work, "a.root-tar.tree.Ab12Cd"), F_OK) != 0);
    CHECK_INT(access(at(work, "a.root-tar.tree"), F_OK), 0);
    CHECK_INT(access(image, F_OK), 0);
    end();
}

static const atomic_bool go_on = false;

static void freeze(const char *path, unsigned long request, int wanted)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0);
    CHECK_INT(ioctl(fd, request, 0), wanted);
    close(fd);
}

/* What is in the archive is unpacked as root, without anybody's users. */
static void check_archive(const char *archive)
{
    struct stat st;
    CHECK_INT(mkdir(at(work, "out"), 0755), 0);
    const char *argv[] = {"tar", "-xpf", archive, "--same-owner", "-C", at(work, "out"), NULL};
    run(argv);
    CHECK_INT(stat(at(work, "out/tool"), &st), 0);
    CHECK_INT(st.st_uid, 7);
    CHECK_INT(st.st_gid, 60000);
    CHECK_INT(st.st_mode & 07777, 04755);
    CHECK_INT(stat(at(work, "out/new"), &st), 0);
    CHECK_INT(st.st_uid, 1);
    CHECK_INT(st.st_size, 4);
    CHECK(access(at(work, "out/file"), F_OK) != 0);
    CHECK_INT(lstat(at(work, "out/link"), &st), 0);
    CHECK_INT(disk_remove_folder(at(work, "out"), NULL), 0);
}

TEST("an image of a container's files has the image's and its own, with its own owners, running or not")
{
    struct error e = {0};
    begin();
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = base_of(1000);
    char archive[300];
    snprintf(archive, sizeof(archive), "%s", at(work, "made.tar.gz"));
    CHECK_INT(tree_snapshot(folder, archive, &go_on, &e), ERR_NOT_FOUND);
    error_clear(&e);
    CHECK_OK(tree_make(work, folder, spec, &base, true, &e), &e);
    CHECK_INT(tree_snapshot(folder, archive, &go_on, &e), ERR_NOT_FOUND); /* it has never run */
    error_clear(&e);
    CHECK_OK(tree_mount(folder, &e), &e);
    write_file(at(folder, "root/new"), "mine");
    CHECK_INT(chown(at(folder, "root/new"), (uid_t)id_in(folder, 1), (gid_t)id_in(folder, 1)), 0);
    CHECK_INT(unlink(at(folder, "root/file")), 0);
    CHECK_OK(tree_snapshot(folder, archive, &go_on, &e), &e);
    check_archive(archive);
    write_file(at(folder, "root/later"), "goes on"); /* it is thawed */
    freeze(at(folder, TREE_LAYER), FIFREEZE, 0);     /* of an agent that has died */
    tree_snapshot_tidy(folder);
    write_file(at(folder, "root/later"), "and on");
    freeze(at(folder, TREE_LAYER), FITHAW, -1);
    tree_unmount(folder);
    CHECK_OK(tree_snapshot(folder, archive, &go_on, &e), &e);
    check_archive(archive);
    CHECK(access(at(folder, "snapshot"), F_OK) != 0);
    tree_discard(folder);
    spec_free(&spec);
    end();
}

TEST("an image of a container's files that is not wanted any more leaves nothing, and the container goes on")
{
    struct error e = {0};
    atomic_bool stop = true;
    begin();
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = base_of(1000);
    CHECK_OK(tree_make(work, folder, spec, &base, true, &e), &e);
    CHECK_OK(tree_mount(folder, &e), &e);
    CHECK_INT(tree_snapshot(folder, at(work, "made.tar.gz"), &stop, &e), ERR_TIMEOUT);
    write_file(at(folder, "root/new"), "mine");
    CHECK(access(at(folder, "snapshot"), F_OK) != 0);
    tree_discard(folder);
    spec_free(&spec);
    end();
}

/* A server that runs, with a file of its own and one of the image's gone. */
static struct spec *begin_running(void)
{
    struct error e = {0};
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = base_of(1000);
    CHECK_OK(tree_make(work, folder, spec, &base, true, &e), &e);
    CHECK_OK(tree_mount(folder, &e), &e);
    write_file(at(folder, "root/new"), "mine");
    CHECK_INT(chown(at(folder, "root/new"), (uid_t)id_in(folder, 1), (gid_t)id_in(folder, 1)), 0);
    CHECK_INT(unlink(at(folder, "root/file")), 0);
    return spec;
}

static void make_clone(const char *from, const char *to)
{
    struct error e = {0};
    CHECK_INT(mkdir(to, 0711), 0);
    for (int time = 0; time < 2; time++)
        CHECK_OK(tree_clone(work, from, to, &go_on, &e), &e);
    CHECK_OK(tree_mount(to, &e), &e);
}

/* What begin_running() made is there; its own users, and they alone, may go on with it. */
static void check_clone(const char *of)
{
    struct stat st;
    char user[32], root[300];
    check_files(of);
    CHECK_INT(stat(at(of, "root/new"), &st), 0);
    CHECK_INT(st.st_uid, id_in(of, 1));
    CHECK(access(at(of, "root/file"), F_OK) != 0);
    snprintf(user, sizeof(user), "--reuid=%lld", (long long)id_in(of, 1));
    snprintf(root, sizeof(root), "%s", at(of, "root"));
    const char *script = "printf mine >new; ! echo else 2>/dev/null >tool";
    const char *argv[] = {"setpriv", user, "--clear-groups", "sh", "-ec", script, NULL};
    struct error e = {0};
    struct child child = {.argv = argv, .directory = root, .deadline_ms = 60000};
    CHECK_OK(child_run(&child, NULL, &e), &e);
    CHECK_INT(mkdir(at(of, "root/folder"), 0755), 0);
    CHECK_INT(chown(at(of, "root/folder"), (uid_t)id_in(of, 0), (gid_t)id_in(of, 0)), 0);
    CHECK_INT(rmdir(at(of, "root/folder")), 0);
}

TEST("a clone has what the other wrote, as its own users', and goes on when the other is gone")
{
    struct error e = {0};
    char clone[128], again[128], archive[128];
    begin();
    struct spec *spec = begin_running();
    snprintf(clone, sizeof(clone), "%s/clone", work);
    snprintf(again, sizeof(again), "%s/again", work);
    snprintf(archive, sizeof(archive), "%s/made.tar.gz", work);
    make_clone(folder, clone);
    CHECK(id_range_of(clone) != id_range_of(folder));
    check_clone(clone);
    write_file(at(clone, "root/theirs"), "clone");
    write_file(at(folder, "root/later"), "source"); /* it is thawed */
    CHECK(access(at(folder, "root/theirs"), F_OK) != 0);
    CHECK(access(at(clone, "root/later"), F_OK) != 0);
    tree_discard(folder);
    CHECK_OK(disk_remove_folder(folder, &e), &e);
    tree_unmount(clone);
    tree_forget(image);
    CHECK_OK(tree_mount(clone, &e), &e);
    check_clone(clone);
    make_clone(clone, again);
    CHECK_INT(access(at(again, "root/theirs"), F_OK), 0);
    tree_discard(clone);
    CHECK_OK(disk_remove_folder(clone, &e), &e);
    check_clone(again);
    CHECK_OK(tree_snapshot(again, archive, &go_on, &e), &e);
    check_archive(archive);
    struct disk_base base = base_of(1000); /* it may grow as any other */
    struct statvfs fs;
    spec->root_gib = 12;
    CHECK_OK(tree_make(work, again, spec, &base, false, &e), &e);
    CHECK_OK(tree_mount(again, &e), &e);
    check_clone(again);
    CHECK_INT(statvfs(at(again, "root"), &fs), 0);
    CHECK((int64_t)(fs.f_blocks * fs.f_frsize) > (int64_t)11 << 30);
    tree_discard(again);
    spec_free(&spec);
    end();
}

TEST("a clone of a server that never ran starts with the image's files")
{
    struct error e = {0};
    char clone[128];
    begin();
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = base_of(1000);
    snprintf(clone, sizeof(clone), "%s/clone", work);
    CHECK_OK(tree_make(work, folder, spec, &base, true, &e), &e);
    make_clone(folder, clone);
    check_files(clone);
    CHECK_INT(access(at(clone, "root/file"), F_OK), 0);
    tree_discard(clone);
    spec_free(&spec);
    end();
}

TEST("a clone that was begun when the agent died is made anew, and never runs with others' users")
{
    /* The range is taken; the owners are noted; half a volume; a volume without the link; a mount amid a start. */
    static const char *const crashes[] = {"ln -s 1073872896 ids", "ln -s 1073872896 ids; ln -s 1 owners",
                                          "echo half >layer.img.part", "echo other >layer.img",
                                          "mkdir lower; mount -t tmpfs none lower"};
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
        struct error e = {0};
        char clone[128];
        begin();
        struct spec *spec = begin_running();
        snprintf(clone, sizeof(clone), "%s/clone", work);
        CHECK_INT(mkdir(clone, 0711), 0);
        struct child child = {
            .argv = (const char *[]){"sh", "-ec", crashes[i], NULL}, .directory = clone, .deadline_ms = 60000};
        CHECK_OK(child_run(&child, NULL, &e), &e);
        freeze(at(folder, TREE_LAYER), FIFREEZE, 0);
        CHECK_OK(tree_clone(work, folder, clone, &go_on, &e), &e);
        write_file(at(folder, "root/later"), "goes on");
        CHECK_OK(tree_mount(clone, &e), &e);
        check_clone(clone);
        CHECK(access(at(clone, "layer.img.part"), F_OK) != 0);
        tree_discard(clone);
        tree_discard(folder);
        spec_free(&spec);
        end();
    }
}

TEST("a clone that is not wanted any more leaves nothing but its folder, nor does one of a server without files")
{
    struct error e = {0};
    atomic_bool stop = true;
    char clone[128];
    begin();
    struct spec *spec = begin_running();
    snprintf(clone, sizeof(clone), "%s/clone", work);
    CHECK_INT(mkdir(clone, 0711), 0);
    CHECK_INT(tree_clone(work, folder, clone, &stop, &e), ERR_TIMEOUT);
    CHECK(access(at(clone, "layer.img.part"), F_OK) != 0 && access(at(clone, TREE_BASE), F_OK) != 0);
    write_file(at(folder, "root/new"), "goes on");
    error_clear(&e);
    CHECK_INT(tree_clone(work, at(work, "none"), clone, &go_on, &e), ERR_NOT_FOUND);
    tree_discard(folder);
    spec_free(&spec);
    end();
}

static int64_t free_bytes(const char *of)
{
    struct statvfs fs;
    CHECK_INT(statvfs(of, &fs), 0);
    return (int64_t)(fs.f_bfree * fs.f_frsize);
}

TEST("where the file system shares blocks a clone takes no room")
{
    struct error e = {0};
    char server[128], clone[128], host[64];
    begin();
    snprintf(host, sizeof(host), "%s/host", work);
    snprintf(server, sizeof(server), "%s/server", host);
    snprintf(clone, sizeof(clone), "%s/clone", host);
    const char *script = "truncate -s 2G $0.img; mkfs.xfs -q -m reflink=1 $0.img; mkdir $0; mount -o loop $0.img $0";
    const char *argv[] = {"sh", "-ec", script, host, NULL};
    run(argv);
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = base_of(1000);
    CHECK_INT(mkdir(server, 0711), 0);
    CHECK_INT(mkdir(clone, 0711), 0);
    CHECK_OK(tree_make(host, server, spec, &base, true, &e), &e);
    CHECK_OK(tree_mount(server, &e), &e);
    const char *fill[] = {"sh", "-ec", "head -c 200M /dev/urandom >$0/root/large; sync -f $0/root/large", server, NULL};
    run(fill);
    int64_t before = free_bytes(host);
    CHECK_OK(tree_clone(host, server, clone, &go_on, &e), &e);
    CHECK(before - free_bytes(host) < (int64_t)20 << 20);
    CHECK_OK(tree_mount(clone, &e), &e);
    const char *same[] = {"cmp", at(server, "root/large"), at(clone, "root/large"), NULL};
    run(same);
    tree_discard(server);
    tree_discard(clone);
    const char *gone[] = {"umount", host, NULL};
    run(gone);
    spec_free(&spec);
    end();
}
