/* Which daemons run. */
#include "cli/pid.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Whether somebody holds a lock on the file. Asking for the lock instead could be in the way of a daemon that starts
 * just now. */
static int is_locked(const struct stat *st, bool *ret, struct error *e)
{
    struct strbuf locks;
    char inode[32];
    strbuf_init(&locks, 16 << 20);
    snprintf(inode, sizeof(inode), ":%llu ", (unsigned long long)st->st_ino);
    int rc = file_read("/proc/locks", &locks, e);
    *ret = false;
    for (const char *line = locks.data; !rc && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *found = strstr(line, inode), *flock_word = strstr(line, "FLOCK"), *end = line + strcspn(line, "\n");
        *ret = *ret || (found && found < end && flock_word && flock_word < end);
    }
    strbuf_done(&locks);
    return rc;
}

int pid_read(const char *path, pid_t *ret, struct error *e)
{
    struct strbuf text;
    struct stat st;
    bool locked = false;
    *ret = 0;
    if (stat(path, &st))
        return errno == ENOENT ? 0 : error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    strbuf_init(&text, 64);
    int rc = file_read(path, &text, e);
    if (!rc)
        rc = is_locked(&st, &locked, e);
    if (!rc && locked)
        *ret = (pid_t)strtol(text.data, NULL, 10);
    strbuf_done(&text);
    return rc;
}
