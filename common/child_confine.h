/* A cage for programs that read what strangers have made: namespaces of their own, the host's files read-only, users
 * that are nobody on the host. For child.c. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#define CHILD_CONFINE_IDS 65536

/* Two pipes: the child says that it has a user namespace, and hears that it has its users. */
struct child_confine {
    int asks[2], answers[2];
};
/* -1 with errno. */
int child_confine_open(struct child_confine *c);
void child_confine_close(struct child_confine *c);
/* In the child, after fork: async-signal-safe. It may write below `folder` only (NULL: nowhere). -1 with errno. */
int child_confine_enter(const struct child_confine *c, const char *folder);
/* In the parent: gives the child `first` and those behind it as its users 0 to 65535. A child that did not get so far
 * has said why on its own. */
void child_confine_admit(struct child_confine *c, pid_t pid, uint32_t first);

/* Writes lines "INSIDE OUTSIDE COUNT" as both maps of a process that is alone in a new user namespace. -1 with errno.
 */
int child_confine_map(pid_t pid, const char *lines);
