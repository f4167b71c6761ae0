/* What comes out of a terminal stands in a file, also after the terminal was closed and another one took its place. */
#include "common/file.h"
#include "compute-agent/console/console_pump.h"
#include "compute-agent/storage/disk.h"
#include "tests/unit/check.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <termios.h>
#include <unistd.h>

static char work[] = "/tmp/virga-console.XXXXXX";
static char path[64];
static int watch;

static void begin(void)
{
    memcpy(work + sizeof(work) - 7, "XXXXXX", 6);
    CHECK(mkdtemp(work) != NULL);
    snprintf(path, sizeof(path), "%s/console.log", work);
    watch = inotify_init1(IN_CLOEXEC);
    CHECK(inotify_add_watch(watch, work, IN_CLOSE_WRITE) >= 0);
}

static void end(void)
{
    close(watch);
    CHECK_INT(disk_remove_folder(work, NULL), 0);
}

/* The guest's end, and the name of the other one. */
static int open_terminal(char tty[64])
{
    struct termios raw;
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0 && ptsname_r(fd, tty, 64) == 0);
    CHECK_INT(tcgetattr(fd, &raw), 0);
    cfmakeraw(&raw);
    CHECK_INT(tcsetattr(fd, TCSANOW, &raw), 0);
    return fd;
}

/* Waits for the file to be written until it holds that text. */
static void check_log(const char *want)
{
    for (;;) {
        char events[4096];
        struct strbuf had;
        strbuf_init(&had, 0);
        file_read(path, &had, NULL);
        bool same = strcmp(had.data, want) == 0, longer = had.size > strlen(want);
        if (longer)
            CHECK_TEXT(had.data, want);
        strbuf_done(&had);
        if (same || longer || read(watch, events, sizeof(events)) < 0)
            return;
    }
}

TEST("a terminal's text is kept, once, and goes on with the next terminal")
{
    struct error e = {0};
    char tty[64], next[64];
    begin();
    int guest = open_terminal(tty);
    CHECK_INT(write(guest, "early\n", 6), 6); /* before anybody listens */
    for (int time = 0; time < 2; time++)
        CHECK_OK(console_pump_follow(tty, path, &e), &e);
    check_log("early\n");
    CHECK_INT(write(guest, "late\n", 5), 5);
    check_log("early\nlate\n");
    close(guest);
    guest = open_terminal(next);
    CHECK_OK(console_pump_follow(next, path, &e), &e);
    CHECK_INT(write(guest, "again\n", 6), 6);
    check_log("early\nlate\nagain\n");
    close(guest);
    CHECK_INT(console_pump_follow("/nonexistent", "/nonexistent.log", &e), ERR_IO);
    end();
}
