/* mount_setattr(2), MOUNT_ATTR_IDMAP: the map is that of a user namespace, which a child process lends that does
 * nothing else. */
#include "compute-agent/storage/id_mount.h"
#include "common/child_confine.h"
#include "compute-agent/xml/domain_xml.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* Says when it has its namespace, and ends when it is told or the agent has died. */
static void id_mount_lend(const struct child_confine *c)
{
    char byte = 0;
    close(c->asks[0]);
    close(c->answers[1]);
    if (unshare(CLONE_NEWUSER) == 0 && write(c->asks[1], &byte, 1) == 1 && read(c->answers[0], &byte, 1) == 0)
        _exit(0);
    _exit(1);
}

/* An overlay's own folders are the host's root's, who makes them through such a mount. */
static int id_mount_open(pid_t pid, uid_t was, uid_t first)
{
    char path[64], lines[96];
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    snprintf(lines, sizeof(lines), "0 0 1\n%u %u %d\n", was, first, DOMAIN_XML_IDS_COUNT);
    if (child_confine_map(pid, lines))
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* A descriptor of such a namespace; -1 with errno. */
static int id_mount_users(uid_t was, uid_t first)
{
    struct child_confine c = {{-1, -1}, {-1, -1}};
    char byte;
    pid_t pid = child_confine_open(&c) == 0 ? fork() : -1;
    if (pid == 0)
        id_mount_lend(&c);
    int why = errno, fd = -1;
    if (pid > 0) {
        close(c.asks[1]);
        c.asks[1] = -1;
        if (read(c.asks[0], &byte, 1) == 1)
            fd = id_mount_open(pid, was, first);
        why = errno;
    }
    child_confine_close(&c);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    errno = why;
    return fd;
}

int id_mount(const char *from, const char *at, uid_t was, uid_t first, struct error *e)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
    int users = id_mount_users(was, first);
    int tree = users < 0 ? -1 : open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    attr.userns_fd = (unsigned)users;
    bool good = tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0 &&
                move_mount(tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH) == 0;
    int why = errno;
    if (tree >= 0)
        close(tree);
    if (users >= 0)
        close(users);
    return good ? 0
                : error_set(e, ERR_IO, "%s cannot be shown with the users of a container (Linux 5.19 can): %s", from,
                            strerror(why));
}
