/* Containers: a folder of files is the disk, the host's kernel the guest's. The freezer pauses them; there is no memory
 * to be saved, and no way to another host yet. */
#include "compute-agent/profile/profile.h"

static const char *const profile_formats[] = {"root-tar", "squashfs", "qcow2", "raw", NULL};
static const char *const profile_none[] = {NULL};
static const struct profile_log profile_logs[] = {{"/var/log/libvirt/lxc/", ".log"}, {0}};

const struct profile profile_lxc = {
    .scheme = "lxc",
    .driver = "LXC",
    .vm_mode = "exe",
    .logs = profile_logs,
    .image_formats = profile_formats,
    .disk_buses = profile_none,
    .nics = profile_none,
    .actions = PROFILE_ACTIONS_BASIC | PROFILE_ACTIONS_PAUSE | PROFILE_ACTION(HYPERVISOR_ADJUST),
    .snapshots = true,
    .clones = true,
    .flattens = true,
    .imports = true,
    .shutdown_signal = true,
    .filter = PROFILE_FILTER_AGENT,
    .processes = true,
    .bare_nics = true,
    .root = PROFILE_ROOT_TREE,
    .console = PROFILE_CONSOLE_PTY,
    .stats = PROFILE_STATS_SINGLE,
    .make_xml = domain_xml_make_lxc,
};
