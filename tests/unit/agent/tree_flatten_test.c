/* The end of what a container shares with its image: all that it has is its own then, off or on, and nothing is half
 * done. Needs root, loop devices and overlayfs, as containers do. */
#include "common/child.h"
#include "common/file.h"
#include "compute-agent/storage/id_range.h"
#include "compute-agent/storage/tree.h"
#include "compute-agent/storage/tree_clone.h"
#include "compute-agent/storage/tree_flatten.h"
#include "compute-agent/storage/tree_snapshot.h"
#include "compute-agent/xml/domain_xml.h"
#include "tests/unit/agent/samples.h"
#include "tests/unit/scratch.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define LIMIT_US 20000000

static char work[] = "/tmp/virga-flat.XXXXXX";
static char image[128], folder[128];
static atomic_bool go_on;

/* In the folder; what it says, or NULL. Caller frees. */
static char *shell(const char *in, const char *script)
{
    struct error e = {0};
    struct strbuf out;
    const char *argv[] = {"sh", "-ec", script, NULL};
    struct child child = {.argv = argv, .directory = in, .deadline_ms = 60000};
    strbuf_init(&out, 0);
    int code = child_run(&child, &out, &e);
    if (code)
        printf("    %s\n", error_text(&e));
    CHECK_INT(code, 0);
    return strbuf_take(&out);
}

static void done(const char *in, const char *script)
{
    free(shell(in, script));
}

static bool there(const char *name)
{
    struct stat st;
    char *path = strbuf_print("%s/%s", folder, name);
    bool is = lstat(path, &st) == 0;
    free(path);
    return is;
}

/* A program, a file with three names, one with holes, links, a pipe, folders; 200 small files. */
static const char image_script[] =
    "mkdir root root/bin root/etc root/etc/gone root/etc/gone/deep root/made root/many root/tmp; cd root;"
    "cp /bin/sleep bin/sleep; chmod 4711 bin/sleep; chown 7:60000 bin/sleep;"
    "echo first >etc/one; ln etc/one etc/two; ln etc/one three; ln -s one etc/link; ln etc/link etc/linked;"
    "truncate -s 20M holes; echo end >>holes; mkfifo pipe; chmod 1777 tmp; echo old >etc/gone/deep/file; echo old "
    ">made/file;"
    "echo lost >tmp/lost; echo mine >tmp/kept; chown 5:5 tmp/lost tmp/kept; echo will change >changes; echo renamed "
    ">name;"
    "for i in $(seq 50); do echo $i >many/$i; done; touch -d '2001-02-03 04:05:06' etc/one changes many etc made;"
    "cd ..; tar -cSzf image.root-tar -C root .";
/* What the container did. */
static const char change_script[] = "echo by the container >>changes; rm tmp/lost; rm -r etc/gone; rm -r made; mkdir "
                                    "made; echo new >made/new; mv name other;"
                                    "echo its own >own; mkdir -p a/b/c; echo x >a/b/c/d; ln own owned; rm many/7";
static const char list_script[] = "find . -xdev ! -type d -printf '%p %y %m %U %G %s %n %l %T@\\n' | sort; find . "
                                  "-type d -printf '%p %m %U %G %T@\\n' | "
                                  "sort; find . -type f -exec md5sum {} + | sort -k 2; [ etc/one -ef three ]; [ "
                                  "etc/two -ef three ]; [ own -ef owned ]";

static char *list(const char *of)
{
    char *root = strbuf_print("%s/" DOMAIN_XML_TREE, of), *text = shell(root, list_script);
    free(root);
    return text;
}

/* Says what differs. */
static void check_same(const char *has, const char *had)
{
    struct error e = {0};
    char *a = strbuf_print("%s/had", work), *b = strbuf_print("%s/has", work);
    CHECK_OK(file_replace(a, had, strlen(had), 0600, &e), &e);
    CHECK_OK(file_replace(b, has, strlen(has), 0600, &e), &e);
    char *differs = shell(work, "diff had has || :");
    CHECK_TEXT(differs, "");
    free(differs);
    free(a);
    free(b);
}

static void make(const char *more, long long gib)
{
    static bool alone; /* others' mount namespaces would hold on to our mounts */
    struct error e = {0};
    if (!alone)
        CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    alone = true;
    memcpy(work + sizeof(work) - 7, "XXXXXX", 6);
    CHECK(mkdtemp(work) != NULL);
    CHECK_INT(chmod(work, 0711), 0);
    snprintf(image, sizeof(image), "%s/image.root-tar", work);
    snprintf(folder, sizeof(folder), "%s/server", work);
    CHECK_INT(mkdir(folder, 0711), 0);
    done(work, image_script);
    struct spec *spec = sample_read(SAMPLE(""));
    struct disk_base base = {.path = image, .format = "root-tar", .virtual_bytes = 30 << 20};
    spec->root_gib = gib;
    CHECK_OK(tree_make(work, folder, spec, &base, true, &e), &e);
    CHECK_OK(tree_mount(folder, &e), &e);
    spec_free(&spec);
    char *root = strbuf_print("%s/" DOMAIN_XML_TREE, folder);
    done(root, change_script);
    done(root, more);
    free(root);
}

static void end(void)
{
    struct error e = {0};
    tree_unmount(folder);
    tree_forget(image);
    CHECK_OK(disk_remove_folder(work, &e), &e);
}

static void check_based_on(const char *what)
{
    char *base = NULL;
    CHECK(tree_base(folder, &base));
    CHECK_TEXT(base, what);
    free(base);
}

/* The image goes, and nothing is missing. */
static void check_flat(const char *had)
{
    struct error e = {0};
    check_based_on(TREE_FLAT);
    CHECK(!there(TREE_FLATTEN));
    CHECK_OK(tree_unmount_all(folder, &e), &e);
    tree_forget(image);
    unlink(image);
    CHECK_OK(tree_mount(folder, &e), &e);
    char *has = list(folder);
    check_same(has, had);
    free(has);
    char *hidden = shell(folder, "find layer/upper -type c; ls -A root | grep virga || :; du -k root/holes | cut -f 1");
    CHECK(strcmp(hidden, "") != 0 && strtol(hidden, NULL, 10) > 0 && strtol(hidden, NULL, 10) < 1000);
    free(hidden);
}

TEST("a container that is off has all files itself, as they were, when it is flattened, and needs its image no more")
{
    struct error e = {0};
    int64_t a, b;
    make(":", 1);
    char *had = list(folder);
    tree_unmount(folder);
    CHECK_OK(tree_flatten(folder, false, &go_on, &e), &e);
    CHECK(!tree_flatten_measure(folder, &a, &b));
    check_flat(had);
    tree_unmount(folder);
    CHECK_OK(tree_flatten(folder, false, &go_on, &e), &e); /* again */
    check_flat(had);
    char *root = strbuf_print("%s/" DOMAIN_XML_TREE, folder);
    done(root, "rm -r many tmp etc; mkdir etc; echo 1 >etc/one; ! [ -e tmp ]; rmdir a/b/c 2>/dev/null || rm -r a");
    free(root);
    free(had);
    end();
}

TEST("one that runs is copied while it writes and runs programs, and changes over with its next start")
{
    struct error e = {0};
    make(":", 1);
    char *before = list(folder), *path = strbuf_print("%s/root/many/1", folder);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK(fd >= 0);
    done(folder, "root/bin/sleep 100 >/dev/null 2>&1 & echo $! >pid");
    for (int time = 0; time < 2; time++)
        CHECK_OK(tree_flatten(folder, true, &go_on, &e), &e);
    check_based_on(image);
    CHECK(there(TREE_FLATTEN));
    char *after = list(folder);
    check_same(after, before);
    CHECK(there("layer/upper/bin/sleep") && there("layer/upper/many/50") && !there("layer/upper/etc/two"));
    CHECK(write(fd, "more\n", 5) == 5);
    close(fd);
    done(folder, "kill $(cat pid); rm pid; grep -q more root/many/1; echo later >root/many/2; rm root/many/3");
    char *had = list(folder);
    CHECK_OK(tree_mount(folder, &e), &e); /* which is what a start does */
    check_flat(had);
    free(path);
    free(before);
    free(after);
    free(had);
    end();
}

TEST("what does not fit is refused before anything is copied, and the image stays")
{
    struct error e = {0};
    make("truncate -s 0 fill", 1);
    char *had = list(folder);
    done(folder, "avail=$(df -k --output=avail root | tail -n 1); fallocate -l $(((avail - 8400) * 1024)) root/fill");
    for (int on = 0; on < 2; on++) {
        error_clear(&e);
        CHECK_INT(tree_flatten(folder, on, &go_on, &e), ERR_NO_SPACE);
        CHECK_CONTAINS(error_text(&e), "MiB free");
        check_based_on(image);
        CHECK(!there(TREE_FLATTEN) && !there("layer/upper/many/50") && !there("layer/upper/bin"));
    }
    /* One that changes over does without, when it has filled its disk meanwhile. */
    error_clear(&e);
    done(folder, "ln -s next-start " TREE_FLATTEN);
    CHECK_OK(tree_mount(folder, &e), &e);
    check_based_on(image);
    CHECK(!there(TREE_FLATTEN));
    done(folder, "truncate -s 0 root/fill; touch -r root/own root/fill; touch -r layer/upper/own layer/upper/own");
    CHECK_OK(tree_flatten(folder, false, &go_on, &e), &e);
    done(folder, "[ ! -e root/fill ]");
    CHECK_OK(tree_mount(folder, &e), &e);
    done(folder, "[ -e root/fill ] && [ root/etc/one -ef root/three ]");
    free(had);
    end();
}

TEST("one that is stopped goes on as it was, and what was begun while it was off is done by its next start")
{
    struct error e = {0};
    atomic_bool stop = true;
    make("touch -d @1 .", 1);
    char *had = list(folder);
    CHECK_INT(tree_flatten(folder, true, &stop, &e), ERR_CONFLICT);
    check_based_on(image);
    CHECK(!there(TREE_FLATTEN));
    char *has = list(folder);
    check_same(has, had);
    error_clear(&e);
    CHECK_INT(tree_flatten(folder, false, &stop, &e), ERR_CONFLICT);
    check_based_on(image);
    error_clear(&e);
    CHECK_OK(tree_mount(folder, &e), &e);
    done(folder, "touch -d @1 root");
    check_flat(had);
    free(has);
    free(had);
    end();
}

TEST("whoever was interrupted between the mark and the last step is followed by the next start")
{
    struct error e = {0};
    make(":", 1);
    char *had = list(folder);
    /* A file with several names, one of which was done. */
    done(folder, "cd root; mkdir .virga-flatten; chown --reference=. .virga-flatten; ln etc/one "
                 ".virga-flatten/$(printf %x $(stat -c %i three)); touch -d '2001-02-03 04:05:06' etc; ln -s x "
                 "../" TREE_FLATTEN);
    tree_unmount(folder);
    CHECK_OK(tree_mount(folder, &e), &e);
    char *has = shell(
        folder, "stat -c %h root/three root/etc/linked; [ root/etc/one -ef root/three ]; ls -A root | grep virga || :");
    CHECK_TEXT(has, "3\n2\n");
    free(has);
    /* The image is gone, what hid its files is still there. */
    tree_unmount(folder);
    CHECK_OK(tree_mount_own(folder, &e), &e);
    done(folder, "mknod layer/upper/tmp/lost c 0 0; mknod layer/upper/a/b/gone c 0 0; ln -s x " TREE_FLATTEN);
    CHECK_OK(tree_mount(folder, &e), &e);
    CHECK(!there("layer/upper/tmp/lost") && !there("layer/upper/a/b/gone") && !there(TREE_FLATTEN));
    free(had);
    end();
}

/* The kernel ends the process after so many microseconds, with the one that copies. True: it came to its end before. */
static bool survives(bool on, int64_t us)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const struct itimerval timer = {.it_value = {.tv_sec = us / 1000000, .tv_usec = us % 1000000}};
        struct error e = {0};
        signal(SIGALRM, SIG_DFL);
        setitimer(ITIMER_REAL, &timer, NULL);
        int code = tree_flatten(folder, on, &go_on, &e);
        if (code)
            fprintf(stderr, "    %s\n", error_text(&e));
        _exit(code ? 1 : 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return !WIFSIGNALED(status);
}

TEST("it may be killed at any moment: nothing is ever missing, and the next one goes on")
{
    struct error e = {0};
    make("touch -d @1 .", 1); /* the time of the root itself is lost when names were made there */
    char *had = list(folder);
    bool over = false;
    for (int64_t us = 500; !over && us < LIMIT_US; us += us / 3) {
        CHECK_OK(tree_mount_layers(folder, &e), &e);
        over = survives(us % 2, us) && survives(false, us);
        CHECK_OK(tree_unmount_all(folder, &e), &e);
        if (there(TREE_FLATTEN) && !over)
            continue; /* what it sees now is the next start's matter */
        CHECK_OK(tree_mount_layers(folder, &e), &e);
        done(folder,
             "[ root/own -ef root/owned ]; [ -e root/bin/sleep ]; [ $(ls root/many | wc -l) = 49 ]; [ -e root/pipe ]");
        CHECK_OK(tree_unmount_all(folder, &e), &e);
    }
    CHECK(over);
    CHECK_OK(tree_mount(folder, &e), &e);
    done(folder, "touch -d @1 root");
    check_flat(had);
    free(had);
    end();
}

TEST("images and clones of one that is flat are as those of others, also of one whose last step is to come")
{
    struct error e = {0};
    char clone[128], archive[128];
    make(":", 1);
    char *had = list(folder);
    snprintf(clone, sizeof(clone), "%s/clone", work);
    snprintf(archive, sizeof(archive), "%s/made.tar.gz", work);
    tree_unmount(folder);
    CHECK_OK(tree_flatten(folder, false, &go_on, &e), &e);
    CHECK_OK(tree_mount_own(folder, &e), &e);
    done(folder, "touch -r layer/upper/tmp time; mknod layer/upper/tmp/lost c 0 0; touch -r time layer/upper/tmp; "
                 "rm time; ln -s x " TREE_FLATTEN);
    tree_forget(image);
    unlink(image);
    CHECK_OK(tree_snapshot(folder, archive, &go_on, &e), &e);
    CHECK_INT(mkdir(clone, 0711), 0);
    CHECK_OK(tree_clone(work, folder, clone, &go_on, &e), &e);
    CHECK_OK(tree_mount(clone, &e), &e);
    CHECK_OK(tree_mount(folder, &e), &e);
    check_flat(had);
    done(work,
         "mkdir out; tar -xf made.tar.gz -C out; [ -e out/bin/sleep ]; [ ! -e out/tmp/lost ]; [ out/etc/one -ef "
         "out/three ];"
         "[ -e clone/root/bin/sleep ]; [ ! -e clone/root/tmp/lost ]; [ clone/root/etc/one -ef clone/root/three ]");
    tree_discard(clone);
    free(had);
    end();
}
