/* Containers' files from an archive: unpacked once, given to the container's users, laid over by each server's own.
 * Needs root, tar and overlayfs, as containers do. */
#include "common/file.h"
#include "compute-agent/child.h"
#include "compute-agent/storage/tree.h"
#include "tests/unit/agent/samples.h"
#include "tests/unit/scratch.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

/* An archive of a file of 1000 bytes, one that runs as its owner, a link and a device. */
static void begin(void)
{
    struct error e = {0};
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    memcpy(work + sizeof(work) - 7, "XXXXXX", 6);
    CHECK(mkdtemp(work) != NULL);
    snprintf(image, sizeof(image), "%s/image.root-tar", work);
    snprintf(folder, sizeof(folder), "%s/server", work);
    CHECK_INT(mkdir(at(work, "root"), 0755), 0);
    CHECK_INT(mkdir(folder, 0711), 0);
    write_file(at(work, "root/file"), text);
    write_file(at(work, "root/tool"), "");
    CHECK_INT(chown(at(work, "root/tool"), 7, 70000), 0);
    CHECK_INT(chmod(at(work, "root/tool"), 04755), 0);
    CHECK_INT(link(at(work, "root/tool"), at(work, "root/twin")), 0);
    CHECK_INT(symlink("/etc/shadow", at(work, "root/link")), 0);
    CHECK_INT(mknod(at(work, "root/null"), S_IFCHR | 0666, makedev(1, 3)), 0);
    const char *argv[] = {"tar", "-czf", image, "-C", at(work, "root"), ".", NULL};
    struct child child = {.argv = argv, .deadline_ms = 20000};
    CHECK_OK(child_run(&child, NULL, &e), &e);
}

static void end(void)
{
    struct error e = {0};
    tree_unmount(folder);
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
    CHECK_OK(tree_check(image, &bytes, &e), &e);
    CHECK_INT(bytes, 1000);
    write_file(at(work, "not"), "this is no archive");
    CHECK_INT(tree_check(at(work, "not"), &bytes, &e), ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), "root-tar");
    end();
}

TEST("a server's files are the image's, with other owners, and its changes its own")
{
    struct error e = {0};
    struct stat st;
    begin();
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = base_of(1000);
    for (int time = 0; time < 2; time++)
        CHECK_OK(tree_make(folder, spec, &base, time == 0, &e), &e);
    for (int time = 0; time < 2; time++)
        CHECK_OK(tree_mount(folder, &e), &e);
    CHECK_INT(stat(at(folder, "root/tool"), &st), 0);
    CHECK_INT(st.st_uid, 100007);
    CHECK_INT(st.st_gid, 165534); /* nobody: the namespace has no 70000 */
    CHECK_INT(st.st_mode & 07777, 04755);
    CHECK_INT(stat(at(folder, "root/twin"), &st), 0);
    CHECK_INT(st.st_uid, 100007);
    CHECK_INT(lstat(at(folder, "root/link"), &st), 0);
    CHECK(S_ISLNK(st.st_mode));
    CHECK_INT(st.st_uid, 100000);
    CHECK(access(at(folder, "root/null"), F_OK) != 0);
    write_file(at(folder, "root/new"), "mine");
    CHECK_INT(unlink(at(folder, "root/file")), 0);
    tree_unmount(folder);
    CHECK(access(at(folder, "root/new"), F_OK) != 0);
    CHECK_INT(access(at(work, "image.root-tar.tree/file"), F_OK), 0);
    tree_forget(image); /* and is unpacked again when it is needed */
    CHECK(access(at(work, "image.root-tar.tree"), F_OK) != 0);
    CHECK_OK(tree_mount(folder, &e), &e);
    CHECK_INT(access(at(folder, "root/new"), F_OK), 0);
    CHECK(access(at(folder, "root/file"), F_OK) != 0);
    spec_free(&spec);
    end();
}

TEST("files that are lost are not made anew, and what does not fit is refused")
{
    struct error e = {0}, large = {0}, none = {0};
    begin();
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = base_of(1000), most = base_of((int64_t)11 << 30), nothing = {0};
    CHECK_INT(tree_make(folder, spec, &base, false, &e), ERR_NOT_FOUND);
    CHECK_INT(tree_mount(folder, &e), ERR_NOT_FOUND);
    CHECK_INT(tree_make(folder, spec, &most, true, &large), ERR_INVALID);
    CHECK_CONTAINS(error_text(&large), "11 GiB");
    CHECK_INT(tree_make(folder, spec, &nothing, true, &none), ERR_INVALID);
    spec_free(&spec);
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
