/* libvirt's test driver: domains that only exist in a libvirt process' memory, for measurements of many of them. */
#include "compute-agent/profile/profile.h"

static const char *const profile_formats[] = {"qcow2", "raw", NULL};
static const char *const profile_none[] = {NULL};

const struct profile profile_test = {
    .scheme = "test",
    .driver = "test",
    .vm_mode = "hvm",
    .image_formats = profile_formats,
    .disk_buses = profile_none,
    .nics = profile_none,
    .actions = PROFILE_ACTIONS_BASIC | PROFILE_ACTIONS_PAUSE | PROFILE_ACTIONS_SAVE,
    .keeps = PROFILE_KEEPS_SAVED | PROFILE_KEEPS_SNAPSHOTS,
    .reboots_unsaid = true,
    .root = PROFILE_ROOT_NONE,
    .console = PROFILE_CONSOLE_NONE,
    .stats = PROFILE_STATS_SINGLE,
    .make_xml = domain_xml_make_test,
};
