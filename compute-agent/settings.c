/* The table of options. */
#include "compute-agent/settings.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/cells.h"
#include "compute-agent/offers.h"
#include <stddef.h>
#include <stdlib.h>

#define OPTION(name_, member) .name = #name_, .offset = offsetof(struct settings, member)
#define EXABYTE               ((int64_t)1 << 60)
#define DAY_MS                ((int64_t)86400000)

static const char *const settings_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const settings_hypervisors[] = {"libvirt", "fake", NULL};
static const char *const settings_virt_types[] = {"auto", "kvm", "qemu", NULL};
static const char *const settings_cpu_modes[] = {"auto", "host-passthrough", "host-model", "custom", NULL};

static const char *const settings_move_tls[] = {"auto", "require", "off", NULL};
static const char *const settings_port_security[] = {"auto", "require", "off", NULL};

static const struct config_option settings_options[] = {
    {OPTION(prefix, prefix), .type = CONFIG_TEXT, .doc = "Folder under which all default places lie."},
    {OPTION(url, url), .type = CONFIG_TEXT,
     .doc = "Where the API's port for agents is: https://host:8775. Default: the one that was joined."},
    {OPTION(join, join), .type = CONFIG_TEXT,
     .doc = "Join the cloud at this URL with the token, remember it, then go on running. Nothing happens when this "
            "host has joined already."},
    {OPTION(token, token), .type = CONFIG_TEXT, .doc = "The one-time token that `virga host add` printed."},
    {OPTION(token_file, token_file), .type = CONFIG_TEXT,
     .doc = "File whose lines are join tokens (keeps them out of the process list): the first for this host, or one "
            "for each fake host."},
    {OPTION(join_only, join_only), .type = CONFIG_BOOL, .fallback = "no", .doc = "Exit after joining."},
    {OPTION(purge, purge), .type = CONFIG_BOOL, .fallback = "no",
     .doc = "Remove every domain, disk and network of this host from its hypervisor, give imported machines back, then "
            "exit. The agent must not be running."},
    {OPTION(state_dir, state_dir), .type = CONFIG_TEXT,
     .doc = "Folder of the host's identity and journal. Default: <prefix>/var/lib/virga/agent."},
    {OPTION(metrics_dir, metrics_dir), .type = CONFIG_TEXT,
     .doc =
         "Folder in which the guests' metrics for people (processor steal, memory balloon) stand in Prometheus' text "
         "format, such as that of node_exporter's textfile collector. Default: beside the journal."},
    {OPTION(instances_dir, instances_dir), .type = CONFIG_TEXT,
     .doc = "Folder of the servers' disks. Default: <prefix>/var/lib/virga/instances."},
    {OPTION(image_dir, image_dir), .type = CONFIG_TEXT,
     .doc = "Folder of the images fetched from the API. Default: <prefix>/var/lib/virga/agent/images."},
    {OPTION(dhcp_dir, dhcp_dir), .type = CONFIG_TEXT,
     .doc = "Folder of the networks' address reservations, which libvirt's dnsmasq must be able to read. Default: "
            "<prefix>/var/lib/virga/dhcp."},
    {OPTION(image_cache, image_cache_bytes), .type = CONFIG_SIZE, .fallback = "40g", .max = EXABYTE, .reload = true,
     .doc = "Images beyond this are removed, longest unused first; never one that a disk is based on."},
    {OPTION(pid_file, pid_file), .type = CONFIG_TEXT, .doc = "File that holds the process id and a lock; unset: none."},
    {OPTION(log_file, log_file), .type = CONFIG_TEXT, .doc = "File to append the log to; unset: standard error."},
    {OPTION(log_level, log_level), .type = CONFIG_CHOICE, .fallback = "info", .choices = settings_levels,
     .reload = true, .doc = "Least severity that is logged."},
    {OPTION(hypervisor, hypervisor), .type = CONFIG_CHOICE, .fallback = "libvirt", .choices = settings_hypervisors,
     .doc = "What runs the servers; fake pretends, for tests and measurements."},
    {OPTION(hypervisor_uri, hypervisor_uri), .type = CONFIG_TEXT, .fallback = "qemu:///system",
     .doc = "libvirt's connection URI."},
    {OPTION(password_file, password_file), .type = CONFIG_TEXT,
     .doc = "File whose first line is the password of the user that hypervisor_uri names (esx://root@host/)."},
    {OPTION(datastore, datastore), .type = CONFIG_TEXT,
     .doc = "Where a hypervisor that keeps its own files (ESX) has the servers' disks. Default: its only datastore."},
    {OPTION(datacenter, datacenter), .type = CONFIG_TEXT,
     .doc = "The datastore's datacenter, with the folders that it is in, for a host that vCenter manages (vpx://). "
            "Default: the first part of hypervisor_uri's path."},
    {OPTION(port_group, port_group), .type = CONFIG_TEXT, .fallback = "VM Network",
     .doc = "What servers' interfaces are connected to where the hypervisor has its own networks (ESX: a port group, "
            "Hyper-V: a switch, by its GUID); %s in it stands for the network's name."},
    {OPTION(virt_type, virt_type), .type = CONFIG_CHOICE, .fallback = "auto", .choices = settings_virt_types,
     .doc = "kvm, qemu (emulation), or auto: kvm when a probe shows that it really runs a guest."},
    {OPTION(emulator, emulator), .type = CONFIG_TEXT, .doc = "Path of the emulator; unset: libvirt's choice."},
    {OPTION(cpu_mode, cpu_mode), .type = CONFIG_CHOICE, .fallback = "auto", .choices = settings_cpu_modes,
     .doc = "The guests' processors, as Nova's [libvirt]cpu_mode: host-passthrough and host-model (under kvm only), "
            "custom (cpu_models), or auto: custom when cpu_models is set, else the baseline of the host's pool when it "
            "has "
            "one (virga host baseline), else host-passthrough under kvm and a model that emulates quickly without it."},
    {OPTION(cpu_models, cpu_models), .type = CONFIG_TEXT,
     .doc = "The guests' CPU models, for cpu_mode custom, with commas between them, the oldest first: a guest gets the "
            "first that has what its flavor requires (trait:HW_CPU_X86_AVX2=required). libvirt's names, such as "
            "Nehalem or EPYC."},
    {OPTION(cpu_model, cpu_model), .type = CONFIG_TEXT,
     .doc = "The same, where there is one: cpu_models goes before it."},
    {OPTION(cpu_model_extra_flags, cpu_flags), .type = CONFIG_TEXT,
     .doc = "Features beyond the model, with commas between them; - before one takes it away: \"pcid,-vmx\"."},
    {OPTION(tpm_dir, tpm_dir), .type = CONFIG_TEXT, .fallback = "/var/lib/libvirt/swtpm",
     .doc = "Folder where libvirt keeps what emulated TPMs store: it goes along with servers that move."},
    {OPTION(tcg_cache, tcg_cache_bytes), .type = CONFIG_SIZE, .fallback = "32m", .max = (int64_t)1 << 40,
     .doc = "Memory for translated code of each emulated guest (only without kvm)."},
    {OPTION(vnc_listen, vnc_listen), .type = CONFIG_TEXT, .fallback = "127.0.0.1",
     .doc = "Address that the guests' VNC consoles listen on."},
    {OPTION(port_security, port_security), .type = CONFIG_CHOICE, .fallback = "auto", .choices = settings_port_security,
     .doc =
         "Whether ports with port security may send from their own addresses only: auto where libvirt's network "
         "filters work (else a warning in the log, and no trait CUSTOM_PORT_SECURITY), require: else their servers do "
         "not start, off: never."},
    {OPTION(address, address), .type = CONFIG_TEXT,
     .doc = "This host's address as shown to people. Default: the one that leads to the API."},
    {OPTION(move_listen, move_listen), .type = CONFIG_TEXT, .fallback = "0.0.0.0:8776",
     .doc = "Address and port where other hosts fetch the disks of servers that move to them; only while one does."},
    {OPTION(move_uri, move_uri), .type = CONFIG_TEXT,
     .doc = "How this host's libvirt is reached by others for live migration; %s is this host's address. Default: "
            "qemu+tls://%s/system, under Xen xen+tls://%s/system."},
    {OPTION(move_tls, move_tls), .type = CONFIG_CHOICE, .fallback = "auto", .choices = settings_move_tls,
     .doc = "Whether memory and disks of servers that move live are encrypted: auto where both hosts have QEMU's "
            "certificates (else a warning in the log), require: else they do not move, off: never. Under Xen move_uri "
            "decides: tls and ssh encrypt."},
    {OPTION(move_pki, move_pki), .type = CONFIG_TEXT,
     .doc = "Folder of QEMU's certificates for that, as in qemu.conf. Default: /etc/pki/libvirt-migrate or "
            "/etc/pki/qemu, where one of them holds server-cert.pem."},
    {OPTION(reserved_vcpus, reserved_vcpus), .type = CONFIG_INT, .fallback = "0", .max = 4096,
     .doc = "Processors kept from servers."},
    {OPTION(dedicated_cpus, dedicated_cpus), .type = CONFIG_TEXT,
     .doc = "Processors for servers that ask for their own (hw:cpu_policy=dedicated), such as 2-15,^8. Unset: none."},
    {OPTION(shared_cpus, shared_cpus), .type = CONFIG_TEXT,
     .doc = "Processors for all other servers. Default: those that are not dedicated."},
    {OPTION(reserved_huge_pages, reserved_huge_pages), .type = CONFIG_TEXT,
     .doc = "Huge pages kept from servers, as CELL:KIB:COUNT between commas: 0:2048:64,1:1048576:1."},
    {OPTION(resources, resources), .type = CONFIG_TEXT,
     .doc = "What else the host has for servers, as CLASS=NUMBER between commas: CUSTOM_GPU=4,CUSTOM_VF=16."},
    {OPTION(reach_networks, reach_networks), .type = CONFIG_TEXT,
     .doc =
         "Networks that the host reaches, with commas between: physical networks, PHYSICAL:SEGMENT, or networks' ids. "
         "Unset: all."},
    {OPTION(reach_storage, reach_storage), .type = CONFIG_TEXT,
     .doc = "Storage that the host reaches, by the names that flavors use (placement:storage), with commas between. "
            "Unset: all."},
    {OPTION(reserved_memory, reserved_memory_bytes), .type = CONFIG_SIZE, .fallback = "512m", .max = EXABYTE,
     .doc = "Memory kept from servers."},
    {OPTION(reserved_disk, reserved_disk_bytes), .type = CONFIG_SIZE, .fallback = "1g", .max = EXABYTE,
     .doc = "Disk kept from servers."},
    {OPTION(poll_wait, poll_wait_ms), .type = CONFIG_DURATION, .fallback = "50s", .max = 60000, .reload = true,
     .doc = "How long the API may park the question for work."},
    {OPTION(report_interval, report_interval_ms), .type = CONFIG_DURATION, .fallback = "5s", .min = 100, .max = 20000,
     .doc = "Longest time between two reports; what happened is reported at once."},
    {OPTION(sample_interval, sample_interval_ms), .type = CONFIG_DURATION, .fallback = "10s", .min = 1000,
     .max = DAY_MS, .doc = "How often the servers' counters are read."},
    {OPTION(resync_interval, resync_interval_ms), .type = CONFIG_DURATION, .fallback = "60s", .min = 1000,
     .max = DAY_MS, .doc = "How often all domains are compared with what is known, besides events."},
    {OPTION(stop_grace, stop_grace_ms), .type = CONFIG_DURATION, .fallback = "60s", .max = DAY_MS, .reload = true,
     .doc = "How long a guest may take to shut down before it is switched off. The image property os_shutdown_timeout "
            "(seconds) overrides it."},
    {OPTION(resume_guests, resume_guests), .type = CONFIG_BOOL, .fallback = "yes", .reload = true,
     .doc =
         "Servers that were running when the host went down are started again when it is back; no: they are reported "
         "stopped."},
    {OPTION(reboot_grace, reboot_grace_ms), .type = CONFIG_DURATION, .fallback = "60s", .max = DAY_MS, .reload = true,
     .doc = "How long a guest may take to begin a soft reboot before it is reset."},
    {OPTION(call_deadline, call_deadline_ms), .type = CONFIG_DURATION, .fallback = "30s", .min = 100, .max = DAY_MS,
     .doc = "A hypervisor call that takes longer is given up as lost."},
    {OPTION(start_deadline, start_deadline_ms), .type = CONFIG_DURATION, .fallback = "3m", .min = 1000, .max = DAY_MS,
     .doc = "The same for calls that start, save or restore a guest."},
    {OPTION(image_deadline, image_deadline_ms), .type = CONFIG_DURATION, .fallback = "60s", .min = 1000, .max = DAY_MS,
     .doc = "An image download without progress for so long is broken off and resumed."},
    {OPTION(container_processes, container_processes), .type = CONFIG_INT, .fallback = "4096", .max = 4194304,
     .doc = "How many processes and threads each container may have, 0: no limit. One that cannot be limited is not "
            "started."},
    {OPTION(workers, workers), .type = CONFIG_INT, .fallback = "8", .min = 1, .max = 256,
     .doc = "Hypervisor calls under way at once; as many again may be lost before new ones wait."},
    {OPTION(retries, retries), .type = CONFIG_INT, .fallback = "5", .max = 100, .reload = true,
     .doc = "How often a step that failed for a passing reason is tried again before the server gets a fault."},
    {OPTION(retry_pause, retry_pause_ms), .type = CONFIG_DURATION, .fallback = "250ms", .min = 1, .max = DAY_MS,
     .reload = true,
     .doc = "Pause before a step or message that failed is tried again; it doubles with each repetition, up to 30 s "
            "for steps and 5 s for messages."},
    {OPTION(fake_hosts, fake_hosts), .type = CONFIG_INT, .fallback = "1", .min = 1, .max = 100000,
     .doc = "How many fake hosts this process plays."},
    {OPTION(fake_vcpus, fake_vcpus), .type = CONFIG_INT, .fallback = "64", .min = 1, .max = 4096,
     .doc = "Processors of each fake host."},
    {OPTION(fake_memory, fake_memory_bytes), .type = CONFIG_SIZE, .fallback = "256g", .max = EXABYTE,
     .doc = "Memory of each fake host."},
    {OPTION(fake_disk, fake_disk_bytes), .type = CONFIG_SIZE, .fallback = "4096g", .max = EXABYTE,
     .doc = "Disk of each fake host."},
    {OPTION(fake_cells, fake_cells), .type = CONFIG_INT, .fallback = "1", .min = 1, .max = 32,
     .doc = "NUMA cells of each fake host."},
    {OPTION(fake_huge_pages, fake_huge_pages), .type = CONFIG_TEXT,
     .doc = "Huge pages of each cell of a fake host, as KIB:COUNT between commas."},
    {OPTION(fake_storage, fake_storage), .type = CONFIG_TEXT,
     .doc = "Name of the storage that fake hosts say their servers' disks are on; those with the same name share it."},
    {OPTION(fake_cpus, fake_cpus), .type = CONFIG_TEXT,
     .doc = "Features of the fake hosts' processors, libvirt's names with commas between; / before those of the next "
            "host, the last goes for all others: \"avx,avx2/avx\". Unset or empty: they tell none."},
    {OPTION(fake_delay, fake_delay_ms), .type = CONFIG_DURATION, .fallback = "0ms", .max = DAY_MS,
     .doc = "How long each action of a fake host takes."},
    {OPTION(fake_persist, fake_persist), .type = CONFIG_BOOL, .fallback = "yes",
     .doc = "Fake domains survive a restart of the agent, as real ones do."},
    {OPTION(fake_faults, fake_faults), .type = CONFIG_TEXT, .reload = true,
     .doc = "File with faults of fake hosts, read again on SIGHUP: lines HOST CALL FAULT [PERCENT], such as \"3 create "
            "hang\" (compute-agent/fake_rules.h)."},
};

static const struct config_spec settings_spec = {
    .program = "virga-agent",
    .summary = "makes one host's hypervisor match what the cloud wants of it",
    .options = settings_options,
    .count = sizeof(settings_options) / sizeof(settings_options[0]),
};

static void settings_place(char **place, const char *prefix, const char *path)
{
    if (!*place)
        *place = config_place(prefix, path);
}

int settings_load(struct settings *s, int argc, char **argv, enum config_outcome *ret_outcome, struct error *e)
{
    int code = config_load(&settings_spec, s, "/etc/virga/virga-agent.conf", argc, argv, NULL, ret_outcome, e);
    if (!code && *ret_outcome != CONFIG_EXIT)
        code = cells_check(s, e);
    if (!code)
        code = offers_check(s, e);
    if (code || *ret_outcome == CONFIG_EXIT)
        return code;
    settings_place(&s->state_dir, s->prefix, "/var/lib/virga/agent");
    settings_place(&s->instances_dir, s->prefix, "/var/lib/virga/instances");
    settings_place(&s->dhcp_dir, s->prefix, "/var/lib/virga/dhcp");
    settings_place(&s->image_dir, s->prefix, "/var/lib/virga/agent/images");
    return 0;
}

int settings_reload(struct settings *s, const char **ret_restart, struct error *e)
{
    return config_reload(&settings_spec, s, ret_restart, e);
}

void settings_done(struct settings *s)
{
    config_done(&settings_spec, s);
}

void settings_defaults(struct settings *s)
{
    char *argv[] = {(char *)"virga-agent", (char *)"--config", (char *)"/dev/null", NULL};
    enum config_outcome outcome;
    struct error e = {0};
    if (settings_load(s, 3, argv, &outcome, &e))
        abort();
}
