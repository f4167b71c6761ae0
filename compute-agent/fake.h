/* A hypervisor that only pretends: domains are rows in memory, each action takes a set time, faults come when a test
 * asks for them. Serves tests, and benches with thousands of hosts in one process. Loop thread. */
#pragma once
#include "compute-agent/hypervisor.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct settings;

struct fake_setup {
    struct loop *loop;
    const struct settings *settings; /* only with `cpu` */
    int64_t delay_ms;                /* of every call */
    int64_t vcpus, memory_mib, disk_gib, reserved_vcpus, reserved_memory_mib, reserved_disk_gib;
    const char *topology; /* JSON of its NUMA cells, stays the caller's; NULL: none is told */
    const char *address;
    const char *cpu; /* features that its guests can have, with commas between; NULL: it has no processors to tell */
    const char *storage; /* name of the storage that it says its servers are on; NULL: none */
    const char *file;    /* domains are kept here over restarts; NULL: they are not */
};
/* ERR_IO, ERR_CORRUPT for the file. */
int fake_new(const struct fake_setup *setup, struct hypervisor **ret, struct error *e);

enum fake_fault {
    FAKE_GOOD,
    FAKE_PASSING,       /* fails, trying again may help */
    FAKE_FINAL,         /* fails for good */
    FAKE_NEEDS_RESTART, /* fails for good, and says that a restart would do it */
    FAKE_CLINGS,        /* "adjust" that takes a disk from a guest fails, trying again may help, else a restart would */
    FAKE_LACKS,         /* "adjust" that brings one fails for good, and says that the server runs as it was */
    FAKE_DONE_BUT_FAILED, /* does it, then says that it failed (a lost answer); passing */
    FAKE_HANGS,           /* its callback comes when fake_release is called */
};
/* Asked before every call; `call` is "list", "prepare", "network-apply", "network-remove" or the name of an action or a
 * move. NULL ends it. */
typedef enum fake_fault (*fake_fault_fn)(void *arg, const char *call, const char *id);
void fake_set_faults(struct hypervisor *h, fake_fault_fn fn, void *arg);
/* Lets all calls that hang fail as lost. */
void fake_release(struct hypervisor *h);
/* Guests that do not answer the power button. */
void fake_set_deaf(struct hypervisor *h, bool deaf);

/* What a guest or an administrator does behind the agent's back; with an event unless `silent`. */
void fake_change(struct hypervisor *h, const char *server_id, enum hypervisor_domain domain, bool silent);
/* The connection breaks, or is there again. */
void fake_connect(struct hypervisor *h, bool connected);

enum hypervisor_domain fake_domain(const struct hypervisor *h, const char *server_id);
/* Domains, whatever their state; sets of files; networks; reservations over all networks; starts, reboots and changes
 * under running guests ever. */
struct fake_figures {
    size_t domains, running, traces, networks, reservations, starts, reboots, adjustments;
};
struct fake_figures fake_figures(const struct hypervisor *h);
