/* What libvirt does not limit of a container: how many processes it has, and the host's swap. In whichever of the two
 * versions of control groups the host has the controllers. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdint.h>
#include <sys/types.h>

/* Where the kernel shows them; tests have places of their own. */
struct cgroup_places {
    const char *groups, *processes;
};
extern const struct cgroup_places cgroup_host; /* /sys/fs/cgroup, /proc */

/* Everything in the control group of libvirt's process `pid`, and what it will start, is limited to so many processes
 * and to memory that is not swapped out; `name` is a folder's, used where the group has to be made. Cheap when it is so
 * already. ERR_IO when the host has no such controller or does not let us; then the container is not limited. */
int cgroup_limit(const struct cgroup_places *at, pid_t pid, const char *name, int64_t processes, struct error *e);
/* Removes the group that was made, if any; a process that libvirt has left in it is ended. */
void cgroup_forget(const struct cgroup_places *at, const char *name);
