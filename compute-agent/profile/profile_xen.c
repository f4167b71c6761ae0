/* Xen, by libvirt's libxl driver: paravirtual guests (PV), and paravirtual guests in the processor's own container
 * (PVH) where it has one. GRUB, in the guest's own memory, finds kernel and configuration on the guest's disk; nothing
 * of a tenant's file system is read by the host. */
#include "compute-agent/profile/profile.h"

static const char *const profile_formats[] = {"qcow2", "raw", NULL};
static const char *const profile_none[] = {NULL};
static const struct profile_guest profile_guests[] = {
    {"xenpvh", PROFILE_FACT_PVH, "The guest runs in its processor's own container (PVH), which this host's has not"},
    {"xenfv", PROFILE_FACT_FV,
     "The guest is a whole machine of Xen (HVM), for which this host lacks the processor or the emulator"},
    {0}};
static const struct profile_log profile_logs[] = {
    {"/var/log/libvirt/libxl/", ".log"}, {"/var/log/xen/qemu-dm-", ".log"}, {0}};

const struct profile profile_xen = {
    .scheme = "xen",
    .driver = "Xen",
    .vm_mode = "xen",
    .guests = profile_guests,
    .logs = profile_logs,
    .image_formats = profile_formats,
    .disk_buses = profile_none,
    .nics = profile_none,
    .actions = PROFILE_ACTIONS_BASIC | PROFILE_ACTIONS_PAUSE | PROFILE_ACTIONS_SAVE | PROFILE_ACTION(HYPERVISOR_ADJUST),
    .filter = PROFILE_FILTER_NONE,
    .keeps = PROFILE_KEEPS_SAVED,
    .moves = PROFILE_MOVES_OFF | PROFILE_MOVES_LIVE | PROFILE_MOVES_SHARED,
    .tunnels = true,
    .snapshots = true,
    .clones = true,
    .flattens = true,
    .imports = true,
    .owns_memory = true,
    .root = PROFILE_ROOT_BLOCK,
    .console = PROFILE_CONSOLE_PTY,
    .stats = PROFILE_STATS_SINGLE,
    .growth = PROFILE_GROWTH_BALLOON,
    .make_xml = domain_xml_make_xen,
};
