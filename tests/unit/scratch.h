/* A folder of the test's own, removed with everything in it when the program ends. */
#pragma once
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch_path[64];
static pid_t scratch_owner;

static int scratch_remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Removes a folder with everything in it. */
static void scratch_clear(const char *folder)
{
    nftw(folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void scratch_remove(void)
{
    if (getpid() == scratch_owner) /* not in a forked child */
        scratch_clear(scratch_path);
}

__attribute__((unused)) static const char *scratch_folder(void)
{
    if (!scratch_path[0]) {
        scratch_owner = getpid();
        snprintf(scratch_path, sizeof(scratch_path), "/tmp/virga-test.XXXXXX");
        if (!mkdtemp(scratch_path))
            abort();
        atexit(scratch_remove);
    }
    return scratch_path;
}

/* A path below the folder; freed by the caller. */
__attribute__((unused)) static char *scratch_file(const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", scratch_folder(), name) < 0)
        abort();
    return path;
}
