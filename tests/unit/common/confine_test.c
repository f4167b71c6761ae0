/* What a program in a cage can do, and what it cannot: tried by real programs. */
#include "common/child.h"
#include "common/confine.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <fcntl.h>
#include <sys/stat.h>

static struct error e;
static struct strbuf said;

static int open_new(const char *name, const char *text)
{
    char *path = scratch_file(name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    if (geteuid() == 0)
        CHECK_INT(fchown(fd, CONFINE_NOBODY, CONFINE_NOBODY), 0);
    free(path);
    return fd;
}

/* Runs a line of the shell in the cage; $IN, $OUT and $OTHER are files. What it prints is in `said`. */
static int run_to(int read_fd, int write_fd, const char *line, int64_t file_bytes)
{
    struct confine cage;
    char text[600], *other = scratch_file("other");
    snprintf(text, sizeof(text), "IN=/proc/self/fd/%d OUT=/proc/self/fd/%d OTHER='%s'; %s", read_fd, write_fd, other,
             line);
    const char *argv[] = {"/bin/bash", "-c", text, NULL};
    struct child child = {
        .argv = argv, .directory = "/", .deadline_ms = 60000, .file_bytes = file_bytes, .cage = &cage};
    error_clear(&e);
    strbuf_done(&said);
    strbuf_init(&said, 0);
    CHECK_OK(confine_open(read_fd, write_fd, &cage, &e), &e);
    int rc = child_run(&child, &said, &e);
    confine_close(&cage);
    free(other);
    return rc;
}

static int run(int read_fd, int write_fd, const char *line)
{
    return run_to(read_fd, write_fd, line, 0);
}

TEST("the file that is handed on is read, the other one written, and neither the other way")
{
    int in = open_new("in", "treasure"), out = open_new("out", "old and longer");
    CHECK_OK(run(in, out, "read -r line <$IN || true; echo $line"), &e);
    CHECK_TEXT(said.data, "treasure\n");
    CHECK_OK(run(in, out, "echo new >$OUT"), &e);
    char text[32] = "";
    CHECK_INT(pread(out, text, sizeof(text), 0), 4);
    CHECK_TEXT(text, "new\n");
    CHECK_INT(run(in, out, "echo new >$IN"), ERR_IO);
    CHECK_CONTAINS(error_text(&e), "Permission denied");
    close(in);
    close(out);
}

TEST("no other file is seen, made or changed")
{
    int in = open_new("in", "x"), other = open_new("other", "secret");
    CHECK_INT(chmod(scratch_folder(), 0755), 0); /* nothing but the cage is in the way */
    CHECK_INT(fchmod(other, 0666), 0);
    const char *const tries[] = {
        "read -r line <$OTHER",     "echo >>$OTHER", "rm -f $OTHER",   "mv $OTHER /tmp/virga-confined",
        "chmod 600 $OTHER",         "touch $OTHER",  "ls ${OTHER%/*}", "read -r line </etc/passwd",
        "echo >/tmp/virga-confined"};
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
        CHECK_INT(run(in, -1, tries[i]), ERR_IO);
    struct stat about;
    CHECK(fstat(other, &about) == 0 && about.st_nlink == 1 && about.st_size == 6 && (about.st_mode & 0777) == 0666);
    close(in);
    close(other);
}

TEST("there is no network, no other process, no other user")
{
    int in = open_new("in", "x");
    const char *const tries[] = {"exec 3<>/dev/tcp/127.0.0.1/22", "exec 3<>/dev/udp/127.0.0.1/53", "kill -0 $PPID",
                                 "unshare --user true", "[ $EUID = 0 ]"};
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        CHECK_INT(run(in, -1, tries[i]), ERR_IO);
        CHECK(!strstr(error_text(&e), "refused")); /* it was not the other side */
    }
    close(in);
}

TEST("what it writes ends at the limit")
{
    int out = open_new("out", "");
    struct stat about;
    CHECK_INT(run_to(-1, out, "head -c 1000000 /usr/bin/bash >$OUT", 65536), ERR_IO);
    CHECK(fstat(out, &about) == 0);
    CHECK_INT(about.st_size, 65536);
    close(out);
}

TEST("a child ends when it is told to stop")
{
    static atomic_bool stop;
    const char *argv[] = {"sleep", "600", NULL};
    struct child child = {.argv = argv, .deadline_ms = 600000, .stop = &stop};
    atomic_store(&stop, true);
    error_clear(&e);
    CHECK_INT(child_run(&child, NULL, &e), ERR_TIMEOUT);
    CHECK_CONTAINS(error_text(&e), "was stopped");
}
