/* The agent's configuration: every option is a row of the table in settings.c; --help and the man page come from there.
 */
#pragma once
#include "common/config.h"
#include "common/error.h"
#include <stdbool.h>
#include <stdint.h>

struct settings {
    char *prefix, *url, *join, *token, *token_file;
    bool join_only, purge;
    char *metrics_dir; /* NULL: the host's state */
    char *state_dir, *instances_dir, *image_dir, *dhcp_dir,
        *pid_file; /* after settings_load never NULL, except pid_file */
    int64_t image_cache_bytes;
    bool resume_guests;
    char *port_security;
    char *hypervisor, *hypervisor_uri, *virt_type, *cpu_mode, *cpu_model, *cpu_models, *cpu_flags, *tpm_dir,
        *vnc_listen, *address, *emulator;
    char *password_file, *datastore, *datacenter, *port_group;
    char *move_listen, *move_uri, *move_tls, *move_pki;
    int64_t tcg_cache_bytes;
    char *dedicated_cpus, *shared_cpus, *reserved_huge_pages;
    char *resources, *reach_networks, *reach_storage;
    int64_t reserved_vcpus, reserved_memory_bytes, reserved_disk_bytes;
    int64_t poll_wait_ms, report_interval_ms, sample_interval_ms, resync_interval_ms;
    int64_t stop_grace_ms, reboot_grace_ms, call_deadline_ms, start_deadline_ms, image_deadline_ms;
    int64_t container_processes;
    int64_t workers, retries, retry_pause_ms;
    char *log_level, *log_file;
    int64_t fake_hosts, fake_vcpus, fake_memory_bytes, fake_disk_bytes, fake_delay_ms;
    int64_t fake_cells;
    char *fake_huge_pages, *fake_storage, *fake_cpus;
    bool fake_persist;
    char *fake_faults;
};

/* Loads from file, environment and flags; makes the places that were not given from the prefix. What config_load
 * returns. */
int settings_load(struct settings *s, int argc, char **argv, enum config_outcome *ret_outcome, struct error *e);
/* Reads the file again (SIGHUP). *ret_restart names what waits for a restart, "" for nothing. */
int settings_reload(struct settings *s, const char **ret_restart, struct error *e);
void settings_done(struct settings *s);
/* All defaults, for tests; free with settings_done. */
void settings_defaults(struct settings *s);
