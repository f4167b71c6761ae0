/* What the tests of a server's files share: programs that make them, folders, paths. */
#pragma once
#include "common/child.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <fcntl.h>

#define MIB ((int64_t)1 << 20)

__attribute__((unused)) static void run_tool(const char *const *argv)
{
    struct child child = {.argv = argv, .deadline_ms = 60000};
    struct error e = {0};
    CHECK_OK(child_run(&child, NULL, &e), &e);
}

__attribute__((unused)) static char *make_image(const char *name, const char *format, const char *size)
{
    char *path = scratch_file(name);
    run_tool((const char *[]){"qemu-img", "create", "-q", "-f", format, path, size, NULL});
    return path;
}

__attribute__((unused)) static void poke(const char *path, off_t at, const void *data, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && pwrite(fd, data, size, at) == (ssize_t)size);
    close(fd);
}

__attribute__((unused)) static char *make_folder(const char *name)
{
    char *folder = scratch_file(name);
    CHECK_INT(mkdir(folder, 0700), 0);
    return folder;
}

__attribute__((unused)) static char *below(const char *folder, const char *name)
{
    char *path;
    CHECK(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}
