/* What hosts cost their operator by the hour, and the hosts themselves with those that have left. */
#pragma once
#include "db/db.h"

struct host_cost_row {
    const char *kind, *name; /* host, zone, hypervisor, or all with "" */
    int64_t from_us, nano_per_hour, set_us;
};
/* Sets or replaces the cost of that kind and name from that time on. */
int store_host_cost_put(struct db_conn *c, const struct host_cost_row *row, struct error *e);
/* All by kind, name and time; in the arena. */
int store_host_cost_list(struct db_conn *c, struct arena *a, struct host_cost_row **ret, size_t *ret_count,
                         struct error *e);

struct host_life_row {
    const char *id, *name, *zone, *hypervisor;
    int64_t vcpus, reserved_vcpus, ratio_permille;
    int64_t enrolled_us, gone_us; /* gone_us: INT64_MAX while it is there */
};
/* All hosts that are or were there, by name; in the arena. */
int store_host_cost_lives(struct db_conn *c, struct arena *a, struct host_life_row **ret, size_t *ret_count,
                          struct error *e);
