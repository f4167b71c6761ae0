/* QEMU, emulating or with KVM. */
#include "compute-agent/profile/profile.h"

static const char *const profile_formats[] = {"qcow2", "raw", NULL};
static const char *const profile_buses[] = {"virtio", "sata", NULL};
static const char *const profile_nics[] = {"virtio", "e1000", "e1000e", "rtl8139", NULL};
static const struct profile_guest profile_guests[] = {
    {"kvm", PROFILE_FACT_KVM, "The guest runs under KVM, which this host has not"}, {0}};
static const struct profile_log profile_logs[] = {
    {"/var/log/libvirt/qemu/", ".log"}, {"/var/log/swtpm/libvirt/qemu/", "-swtpm.log"}, {0}};

const struct profile profile_qemu = {
    .scheme = "qemu",
    .driver = "QEMU",
    .accelerated = "KVM",
    .vm_mode = "hvm",
    .virt_type = "qemu",
    .accelerated_type = "kvm",
    .guests = profile_guests,
    .logs = profile_logs,
    .image_formats = profile_formats,
    .disk_buses = profile_buses,
    .nics = profile_nics,
    .actions = PROFILE_ACTIONS_BASIC | PROFILE_ACTIONS_PAUSE | PROFILE_ACTIONS_SAVE | PROFILE_ACTION(HYPERVISOR_ADJUST),
    .moves = PROFILE_MOVES_OFF | PROFILE_MOVES_LIVE,
    .keeps = PROFILE_KEEPS_SAVED | PROFILE_KEEPS_SNAPSHOTS | PROFILE_KEEPS_CHECKPOINTS | PROFILE_KEEPS_FIRMWARE,
    .cells = true,
    .power_button = true,
    .snapshots = true,
    .clones = true,
    .flattens = true,
    .plugs_disks = true,
    .imports = true,
    .guest_agent = true,
    .root = PROFILE_ROOT_DISK,
    .console = PROFILE_CONSOLE_LOGGED,
    .stats = PROFILE_STATS_BULK,
    .growth = PROFILE_GROWTH_PLUG,
    .make_xml = domain_xml_make,
};
