/* The mounts are made unwritable before the child leaves the host's user namespace: afterwards it has no right to
 * change them. */
#include "common/child_confine.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHILD_CONFINE_PROCESSES 64

int child_confine_open(struct child_confine *c)
{
    return pipe2(c->asks, O_CLOEXEC) || pipe2(c->answers, O_CLOEXEC) ? -1 : 0;
}

static void child_confine_shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void child_confine_close(struct child_confine *c)
{
    for (int i = 0; i < 2; i++) {
        child_confine_shut(&c->asks[i]);
        child_confine_shut(&c->answers[i]);
    }
}

/* ---- in the child ---- */

static int child_confine_mounts(const char *folder)
{
    struct mount_attr frozen = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    struct mount_attr open = {.attr_clr = MOUNT_ATTR_RDONLY, .attr_set = MOUNT_ATTR_NODEV};
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) || (folder && mount(folder, folder, NULL, MS_BIND, NULL)) ||
        mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &frozen, sizeof(frozen)))
        return -1;
    return folder && (mount_setattr(AT_FDCWD, folder, 0, &open, sizeof(open)) || chdir(folder)) ? -1 : 0;
}

static int child_confine_users(const struct child_confine *c)
{
    char byte = 0;
    close(c->asks[0]);
    close(c->answers[1]);
    if (unshare(CLONE_NEWUSER) || write(c->asks[1], &byte, 1) != 1 || read(c->answers[0], &byte, 1) != 1)
        return -1;
    return setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0) ? -1 : 0;
}

int child_confine_enter(const struct child_confine *c, const char *folder)
{
    struct rlimit processes = {CHILD_CONFINE_PROCESSES, CHILD_CONFINE_PROCESSES};
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) || child_confine_mounts(folder) ||
        child_confine_users(c))
        return -1;
    return setrlimit(RLIMIT_NPROC, &processes) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -1 : 0;
}

/* ---- in the parent ---- */

static int child_confine_write(pid_t pid, const char *name, const char *lines)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t put = write(fd, lines, strlen(lines));
    int why = errno;
    close(fd);
    errno = why;
    return put == (ssize_t)strlen(lines) ? 0 : -1;
}

int child_confine_map(pid_t pid, const char *lines)
{
    return child_confine_write(pid, "uid_map", lines) || child_confine_write(pid, "gid_map", lines) ? -1 : 0;
}

void child_confine_admit(struct child_confine *c, pid_t pid, uint32_t first)
{
    char byte = 0, line[64];
    snprintf(line, sizeof(line), "0 %u %d\n", first, CHILD_CONFINE_IDS);
    child_confine_shut(&c->asks[1]);
    child_confine_shut(&c->answers[0]);
    if (read(c->asks[0], &byte, 1) == 1 && child_confine_map(pid, line) == 0 && write(c->answers[1], &byte, 1) < 0)
        return;
}
