/* Hyper-V, by libvirt's hyperv driver (WMI over WS-Management), where libvirt was built with it: Debian's was not. The
 * driver tells of no events, takes over name, size and devices of a definition but neither UUID nor metadata, cannot
 * change it, and has no storage: a server's disk is made by the site's own means. Its connection is one client without
 * a lock. */
#include "compute-agent/profile/profile.h"

static const char *const profile_formats[] = {"vhdx", "vhd", NULL};
static const char *const profile_buses[] = {"ide", "scsi", NULL};
static const char *const profile_none[] = {NULL};

const struct profile profile_hyperv = {
    .scheme = "hyperv",
    .driver = "Hyper-V",
    .vm_mode = "hvm",
    .image_formats = profile_formats,
    .disk_buses = profile_buses,
    .nics = profile_none,
    .actions = PROFILE_ACTIONS_BASIC | PROFILE_ACTIONS_PAUSE | PROFILE_ACTIONS_SAVE,
    .filter = PROFILE_FILTER_NONE,
    .remote = true,
    .silent = true,
    .solo = true,
    .reboots_unsaid = true,
    .fixed = true,
    .rigid = true,
    .asks_password = true,
    .key = PROFILE_KEY_NAME,
    .root = PROFILE_ROOT_NONE,
    .console = PROFILE_CONSOLE_NONE,
    .stats = PROFILE_STATS_SIZES,
    .make_xml = domain_xml_make_hyperv,
};
