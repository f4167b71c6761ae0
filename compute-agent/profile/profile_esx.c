/* VMware ESX, by libvirt's esx driver, which speaks the vSphere API of a host that the agent does not run on, or of the
 * vCenter that manages the host. What that driver is like: it tells of no events; a domain's definition cannot be
 * changed; ESX chooses the UUIDs of domains, and keeps no metadata; suspending writes the guest's memory to disk, and
 * there is no other pause; nothing is counted; consoles cannot be read; domains do not migrate between hosts without
 * vCenter; threads that wait for tasks on one connection take each other's ends for their own, or none at all. */
#include "compute-agent/profile/profile.h"

static const char *const profile_formats[] = {"vmdk", NULL};
static const char *const profile_buses[] = {"scsi", "ide", NULL};
static const char *const profile_nics[] = {"vmxnet3", "e1000", "e1000e", NULL};

const struct profile profile_esx = {
    .scheme = "esx",
    .also = "vpx",
    .driver = "VMware",
    .vm_mode = "hvm",
    .image_formats = profile_formats,
    .disk_buses = profile_buses,
    .nics = profile_nics,
    .actions = PROFILE_ACTIONS_BASIC | PROFILE_ACTIONS_SAVE,
    .snapshots = true,
    .imports = true,
    .marks_beside = true,
    .filter = PROFILE_FILTER_NONE,
    .remote = true,
    .silent = true,
    .solo = true,
    .reboots_unsaid = true,
    .fixed = true,
    .suspend_saves = true,
    .asks_password = true,
    .key = PROFILE_KEY_DESCRIBED,
    .root = PROFILE_ROOT_VOLUME,
    .console = PROFILE_CONSOLE_NONE,
    .stats = PROFILE_STATS_SIZES,
    .make_xml = domain_xml_make_esx,
};
