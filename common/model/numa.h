/* NUMA cells, huge pages and dedicated processors: what a host has, what a guest asks for, and whether and how the one
 * fits the other. Pure arithmetic; the JSON forms are those of the columns host.topology and allocation.topology.
 *
 * Words: a *cell* is a NUMA node, of the host or of the guest. A *core* is the set of host processors that are threads
 * of one physical core. A *dedicated* processor carries one guest processor alone, a *shared* one carries whatever
 * floats. Names and meanings of what is asked for are Nova's (nova/virt/hardware.py). */
#pragma once
#include "common/error.h"
#include "common/json_in.h"
#include "common/model/cpuset.h"
#include "common/strbuf.h"

#define NUMA_CELLS_MAX       32  /* of a host */
#define NUMA_PAGES_MAX       4   /* sizes of huge pages of a cell */
#define NUMA_GUEST_CELLS_MAX 16  /* of a guest */
#define NUMA_VCPUS_MAX       512 /* of a guest that asks for any of this */
#define NUMA_BASE_KIB        4   /* the small page */

/* ---- what a host has ---- */

struct numa_pages {
    int64_t kib;   /* one page */
    int64_t total; /* pages for servers: those that the operator reserves are not counted */
};
struct numa_cell {
    int32_t id;
    int64_t memory_mib; /* in small pages, for servers of small pages */
    struct cpuset dedicated, shared;
    int32_t page_count;
    struct numa_pages pages[NUMA_PAGES_MAX]; /* the largest first */
};
struct numa_topology {
    int32_t cell_count;
    int32_t threads;          /* most threads of a core */
    int16_t core[CPUSET_MAX]; /* the lowest processor of the core; -1: there is no such processor */
    struct numa_cell cells[NUMA_CELLS_MAX];
};

/* What servers hold of it. */
struct numa_cell_use {
    int64_t memory_mib, shared_vcpus;
    int64_t pages[NUMA_PAGES_MAX]; /* in the order of the cell's */
};
struct numa_use {
    struct cpuset held;
    struct numa_cell_use cells[]; /* as many as the topology has */
};
size_t numa_use_size(const struct numa_topology *t);

/* ---- what a guest asks for ---- */

enum numa_policy { NUMA_SHARED, NUMA_DEDICATED, NUMA_MIXED };
enum numa_threads { NUMA_THREADS_PREFER, NUMA_THREADS_ISOLATE, NUMA_THREADS_REQUIRE };
enum numa_emulator { NUMA_EMULATOR_DEFAULT, NUMA_EMULATOR_SHARE, NUMA_EMULATOR_ISOLATE };
#define NUMA_PAGE_UNSAID 0 /* small ones, and memory may be overcommitted */
#define NUMA_PAGE_SMALL  (-1)
#define NUMA_PAGE_LARGE  (-2)
#define NUMA_PAGE_ANY    (-3)

struct numa_guest_cell {
    struct cpuset vcpus;
    int64_t memory_mib;
};
struct numa_request {
    int32_t vcpus, cell_count;
    struct numa_guest_cell cells[NUMA_GUEST_CELLS_MAX];
    bool explicit_cells;     /* the guest sees the cells: hw:numa_nodes or hw:mem_page_size said so */
    struct cpuset dedicated; /* guest processors with a host processor of their own */
    enum numa_policy policy;
    enum numa_threads threads;
    enum numa_emulator emulator;
    int64_t page_kib; /* or NUMA_PAGE_... */
};
/* Guest processors with a host processor of their own. */
int64_t numa_request_dedicated(const struct numa_request *r);
/* Whether all its memory is in huge pages wherever it runs. */
bool numa_request_is_huge(const struct numa_request *r);

/* ---- how it fits ---- */

struct numa_given {
    int32_t cell_count;
    int64_t page_kib;                   /* NUMA_PAGE_UNSAID, NUMA_BASE_KIB or a huge page's */
    int32_t host[NUMA_GUEST_CELLS_MAX]; /* per guest cell: id of the host's cell */
    int64_t memory_mib[NUMA_GUEST_CELLS_MAX];
    int64_t shared_vcpus[NUMA_GUEST_CELLS_MAX];
    int32_t vcpus;
    int16_t pin[NUMA_VCPUS_MAX]; /* per guest processor: the host's, -1: it floats over the shared ones of its cell */
    int8_t cell_of[NUMA_VCPUS_MAX];             /* per guest processor: its guest cell */
    struct cpuset floats[NUMA_GUEST_CELLS_MAX]; /* per guest cell: the host's processors for those that float */
    struct cpuset held;     /* host processors that nobody else gets: pins, idle siblings, the emulator's */
    struct cpuset emulator; /* host processors of the emulator's threads; empty: those of the pins */
    bool explicit_cells;
};
/* How many host processors it holds. */
int64_t numa_given_held(const struct numa_given *g);
/* MiB in huge pages; 0 for small ones. */
int64_t numa_given_huge_mib(const struct numa_given *g);

/* What must hold beside the cells. Ratios are permille. */
struct numa_limits {
    int64_t ratio_vcpus, ratio_memory;
    int64_t free_memory_mib; /* of the whole host in small pages; looked at when the page size is left open */
};
/* What is missing: "dedicated CPUs in one NUMA cell", "pages of 1 GiB in one NUMA cell" ... and how much of it on the
 * nearest cell. */
struct numa_lack {
    const char *what; /* static */
    int64_t amount;
};
/* Whether there is room: each guest cell in a cell of its own with enough of everything. `use` NULL: nothing is held.
 * *ret_given (may be NULL): what it gets; *ret_lack (may be NULL): when there is no room, why. */
bool numa_fit(const struct numa_topology *t, const struct numa_use *use, const struct numa_limits *limits,
              const struct numa_request *r, struct numa_given *ret_given, struct numa_lack *ret_lack);
/* Adds what is given to what is held, `sign` 1, or takes it away, -1. Cells that are no more are passed over. */
void numa_use_change(const struct numa_topology *t, struct numa_use *use, const struct numa_given *g, int sign);

/* ---- JSON ---- */

/* {"cells": [{"id", "memory_mib", "dedicated": "2-3", "shared": "0-1", "cores": ["0,2", "1,3"], "pages": [{"kib",
 * "total"}]}]}. Returns 0 or ERR_INVALID; no cells for {}. */
int numa_topology_read(const char *json, struct numa_topology *ret, struct error *e);
void numa_topology_print(const struct numa_topology *t, struct strbuf *ret);
/* {"page_kib", "cells": [{"host", "vcpus": "0-1", "memory_mib", "pins": [2, -1], "floats": "0-1"}], "held": "2",
 * "emulator": "", "explicit"}; a pin of -1 floats over `floats`. */
int numa_given_read(const char *json, struct numa_given *ret, struct error *e);
int numa_given_read_json(json_value *value, struct numa_given *ret, struct error *e);
void numa_given_print(const struct numa_given *g, struct strbuf *ret);
/* The same for each of a JSON array of them; others' text is passed over. */
typedef void (*numa_given_fn)(void *arg, const struct numa_given *g);
int numa_given_each(const char *json, numa_given_fn fn, void *arg, struct error *e);
