/* Files as wholes, pid files, signals, readiness. */
#include "common/daemon.h"
#include "common/file.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static size_t entries_of(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    while (dir && readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

TEST("a file is replaced as a whole, with its mode, and nothing is left beside it")
{
    struct error e = {0};
    struct strbuf text;
    struct stat info;
    char *folder = scratch_file("replace"), *path = scratch_file("replace/file");
    strbuf_init(&text, 0);
    CHECK_OK(file_make_dirs(folder, 0755, &e), &e);
    CHECK_OK(file_replace(path, "old content", 11, 0600, &e), &e);
    CHECK_OK(file_replace(path, "new", 3, 0640, &e), &e);
    CHECK_OK(file_read(path, &text, &e), &e);
    CHECK_TEXT(text.data, "new");
    CHECK_INT(stat(path, &info), 0);
    CHECK_INT(info.st_mode & 07777, 0640);
    CHECK_INT(entries_of(folder), 1);
    strbuf_done(&text);
    free(folder);
    free(path);
}

TEST("a failed replacement leaves the old content and nothing beside it")
{
    struct error e = {0};
    char *folder = scratch_file("kept"), *inside = scratch_file("kept/folder"), *deep = scratch_file("kept/folder/x");
    CHECK_OK(file_make_dirs(deep, 0755, &e), &e);
    CHECK_INT(file_replace(inside, "x", 1, 0600, &e), ERR_IO);
    CHECK_CONTAINS(e.text, "kept/folder");
    CHECK_INT(entries_of(folder), 1);
    error_clear(&e);
    CHECK_INT(file_replace("/nowhere/at/all", "x", 1, 0600, &e), ERR_NOT_FOUND);
    free(folder);
    free(inside);
    free(deep);
}

TEST("reading says what went wrong and where")
{
    struct error e = {0};
    struct strbuf text;
    char *absent = scratch_file("absent"), *large = scratch_file("large");
    strbuf_init(&text, 10);
    CHECK_INT(file_read(absent, &text, &e), ERR_NOT_FOUND);
    CHECK_CONTAINS(e.text, "absent: No such file");
    error_clear(&e);
    CHECK_INT(file_read(scratch_folder(), &text, &e), ERR_IO);
    error_clear(&e);
    CHECK_OK(file_replace(large, "0123456789x", 11, 0600, &e), &e);
    CHECK_INT(file_read(large, &text, &e), ERR_TOO_LARGE);
    CHECK_CONTAINS(e.text, "larger than 10 bytes");
    strbuf_done(&text);
    free(absent);
    free(large);
}

TEST("folders are made with all above them, and twice is fine")
{
    struct error e = {0};
    char *deep = scratch_file("a/b//c/"), *file = scratch_file("a/file"), *below = scratch_file("a/file/x");
    struct stat info;
    for (int i = 0; i < 2; i++)
        CHECK_OK(file_make_dirs(deep, 0750, &e), &e);
    CHECK_INT(stat(deep, &info), 0);
    CHECK(S_ISDIR(info.st_mode));
    CHECK_OK(file_replace(file, "", 0, 0600, &e), &e);
    CHECK_INT(file_make_dirs(file, 0750, &e), ERR_IO);
    CHECK_CONTAINS(e.text, "a file is in the way");
    error_clear(&e);
    CHECK_INT(file_make_dirs(below, 0750, &e), ERR_IO);
    free(deep);
    free(file);
    free(below);
}

TEST("a second instance is refused with the first one's pid, and a dead one's file does not count")
{
    struct error e = {0};
    char *path = scratch_file("daemon.pid"), expected[64];
    CHECK_OK(file_replace(path, "999999\n", 7, 0644, &e), &e); /* left over by somebody who is gone */
    int ready[2], ended;
    CHECK_INT(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        char said = daemon_pid_file(path, &e) ? 'n' : 'y';
        if (write(ready[1], &said, 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    char said = 0;
    CHECK_INT(read(ready[0], &said, 1), 1);
    CHECK_INT(said, 'y');
    CHECK_INT(daemon_pid_file(path, &e), ERR_CONFLICT);
    snprintf(expected, sizeof(expected), "process %d", (int)child);
    CHECK_CONTAINS(e.text, expected);
    kill(child, SIGKILL);
    waitpid(child, &ended, 0);
    error_clear(&e);
    CHECK_OK(daemon_pid_file(path, &e), &e);
    CHECK_INT(daemon_pid_file("/nowhere/at/all.pid", &e), ERR_IO);
    CHECK_INT(daemon_pid_file(NULL, &e), 0);
    close(ready[0]);
    close(ready[1]);
    free(path);
}

TEST("a child of a killed instance, which has its lock until it executes something else, is waited for")
{
    struct error e = {0};
    char *path = scratch_file("orphan.pid"), done = 0;
    int ready[2], end[2], ended;
    CHECK_INT(pipe(ready), 0);
    CHECK_INT(pipe(end), 0);
    pid_t child = fork();
    if (child == 0) {
        if (daemon_pid_file(path, &e))
            _exit(1);
        if (fork() == 0) {
            close(end[1]);
            _exit(read(end[0], &done, 1) < 0 || poll(NULL, 0, 100));
        }
        _exit(write(ready[1], "y", 1) != 1);
    }
    CHECK_INT(read(ready[0], &done, 1), 1);
    CHECK_INT(waitpid(child, &ended, 0), child);
    int probe = open(path, O_RDWR | O_CLOEXEC);
    CHECK(flock(probe, LOCK_EX | LOCK_NB) != 0);
    close(probe);
    close(end[1]);
    CHECK_OK(daemon_pid_file(path, &e), &e);
    close(ready[0]);
    close(ready[1]);
    close(end[0]);
    free(path);
}

static void take_signals(void)
{
    int fd = daemon_signal_fd();
    struct {
        uint32_t number;
        char rest[124];
    } info;
    static const int all[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        raise(all[i]);
        if (read(fd, &info, sizeof(info)) != sizeof(info) || info.number != (uint32_t)all[i])
            _exit(1);
    }
    raise(SIGPIPE);
    _exit(read(fd, &info, sizeof(info)) == -1 ? 7 : 1);
}
TEST("stop and reload signals arrive as reads, and a broken pipe does not kill")
{
    int status;
    pid_t child = fork();
    if (child == 0)
        take_signals();
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 7);
}

static void expect_notice(int fd, const char *expected)
{
    char text[200];
    ssize_t got = recv(fd, text, sizeof(text) - 1, 0);
    text[got > 0 ? got : 0] = 0;
    CHECK_TEXT(text, expected);
}
TEST("readiness, status, watchdog and stopping are told to the manager")
{
    char *path = scratch_file("notify");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    daemon_ready(); /* nobody listens: nothing happens */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    daemon_ready();
    expect_notice(fd, "READY=1");
    daemon_status("%d servers", 5);
    expect_notice(fd, "STATUS=5 servers");
    daemon_watchdog();
    expect_notice(fd, "WATCHDOG=1");
    daemon_stopping();
    expect_notice(fd, "STOPPING=1");
    unsetenv("NOTIFY_SOCKET");
    CHECK_INT(daemon_watchdog_interval_us(), 0);
    setenv("WATCHDOG_USEC", "3000000", 1);
    CHECK_INT(daemon_watchdog_interval_us(), 1500000);
    unsetenv("WATCHDOG_USEC");
    close(fd);
    free(path);
}
