/* The parts of the fake hypervisor, for its files: fake.c (calls, the vtable), fake_guests.c (domains and their file),
 * fake_act.c (what is done to a domain), fake_answer.c (what is told of them). */
#pragma once
#include "compute-agent/fake.h"
#include "compute-agent/guest_cpu.h"
#include "compute-agent/idmap.h"

struct loop_timer;

struct fake_guest {
    char id[UUID_SIZE], name[64];
    enum hypervisor_domain domain;
    bool traces;
    unsigned disks,
        plugged; /* of FAKE_DISK_...: files besides the root's, and what its guest has of them while it is on */
    int64_t root_gib, ephemeral_gib, swap_mib; /* as large as its disks are: never smaller again */
    int64_t since_us, ran_us;                  /* since_us: running since; ran_us: before that */
};
#define FAKE_DISK_EPHEMERAL 1u
#define FAKE_DISK_SWAP      2u
#define FAKE_DISKS_UNTOLD   4u
struct fake_network {
    char id[UUID_SIZE];
    size_t reservations;
};
enum fake_kind {
    FAKE_LIST,
    FAKE_PREPARE,
    FAKE_ACT,
    FAKE_NETWORK_APPLY,
    FAKE_NETWORK_REMOVE,
    FAKE_CONSOLE,
    FAKE_DIAGNOSTICS,
    FAKE_INVENTORY,
    FAKE_BASELINE,
    FAKE_SAMPLES,
    FAKE_MOVE,
    FAKE_PROBE,
    FAKE_EVENT,
    FAKE_UP
};
struct fake_call {
    struct fake_call *next;
    enum fake_kind kind;
    enum hypervisor_action action;
    const struct hypervisor_move *move;
    char id[UUID_SIZE], name[64];
    bool first;
    unsigned disks; /* PREPARE, ACT, MOVE: those of the specification, or FAKE_DISKS_UNTOLD */
    int64_t root_gib, ephemeral_gib, swap_mib;
    bool orphan; /* PREPARE: a clone of a server that is not here */
    size_t reservations;
    int64_t lines, due_us;
    struct arena arena; /* of a baseline */
    struct cpu_set common;
    enum fake_fault fault;
    struct hypervisor_event event;
    union {
        hypervisor_done_fn done;
        hypervisor_list_fn list;
        hypervisor_text_fn text;
        hypervisor_samples_fn samples;
    };
    void *arg;
};
struct fake {
    struct hypervisor base; /* first */
    struct fake_setup setup;
    struct hypervisor_listener listener;
    struct loop_timer *timer;
    struct idmap guests, networks;
    struct arena baseline_arena;
    struct guest_cpu_baseline baseline; /* id 0: none */
    struct fake_call *calls, **tail, *hanging;
    fake_fault_fn fault;
    void *fault_arg;
    bool deaf, connected;
    size_t starts, reboots, adjustments;
    int fd;
};

/* ---- fake.c ---- */
/* An event about a domain, told later. */
void fake_emit(struct fake *f, enum hypervisor_event_kind kind, const char *id, enum hypervisor_domain domain,
               const char *reason);

/* ---- fake_guests.c ---- */
/* The domain's row, made when there is none. */
struct fake_guest *fake_guest(struct fake *f, const char *id);
void fake_set(struct fake *f, struct fake_guest *g, enum hypervisor_domain domain, bool traces);
/* Reads the file of domains and opens it for more. ERR_IO, ERR_CORRUPT. */
int fake_load(struct fake *f, struct error *e);

/* ---- fake_act.c ---- */
/* The call tells the disks of its specification. */
int fake_act_now(struct fake *f, const struct fake_call *c, struct fake_guest *g, struct error *e);
int fake_move_now(struct fake *f, const struct fake_call *c, struct fake_guest *g, struct error *e);
/* Before a start: nothing is made anew unless it is the first. */
int fake_prepare_disks(const struct fake_call *c, struct fake_guest *g, struct error *e);

/* ---- fake_answer.c ---- */
/* The call's callback with its answer. */
void fake_end_baseline(struct fake_call *c, const struct hypervisor_result *result);
void fake_end_list(struct fake *f, struct fake_call *c, const struct hypervisor_result *result);
void fake_end_move(struct fake_call *c, const struct hypervisor_result *result);
void fake_end_samples(struct fake *f, struct fake_call *c, const struct hypervisor_result *result);
void fake_end_text(struct fake *f, struct fake_call *c, const struct hypervisor_result *result);
