/* The placement simulator: what its parts share. Requests go through the very library that the scheduler links. */
#pragma once
#include "scheduler/placement/placement.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Nanoseconds of every decision. */
struct sim_latency {
    uint32_t *ns;
    int64_t count, capacity;
};
void sim_latency_init(struct sim_latency *l, int64_t capacity);
void sim_latency_done(struct sim_latency *l);
void sim_latency_add(struct sim_latency *l, int64_t ns);
/* Sorts at the first call; add nothing afterwards. Microseconds. */
double sim_latency_at(struct sim_latency *l, double share);
int64_t sim_now_ns(void);
/* Bytes of this process that are in memory. */
int64_t sim_resident(void);

/* What one run gave; members that do not belong to it are negative. */
struct sim_result {
    char what[64], goal[32];
    int64_t hosts, servers, decisions, refused;
    double per_second, p50, p99, p999, most; /* microseconds */
    double choose_p99;                       /* of it the choice alone */
    double host_bytes, server_bytes;
    double full;        /* share of the scarcer resource in use at the end */
    double stranded[3]; /* share of the capacity in use that is free where the median request does not fit */
    int64_t peak, peak_bound;
    double host_days, host_days_bound;
    double set_host_p99; /* a host changes: until the library knows */
};
void sim_result_init(struct sim_result *r, const char *what, enum placement_goal goal);
void sim_result_latency(struct sim_result *r, struct sim_latency *l);
void sim_results_print(const struct sim_result *r, size_t count, bool json);

/* Generated loads on `hosts` hosts. Returns false for an unknown name. */
struct sim_load {
    const char *name, *doc;
    int full_permille; /* of the scarcer resource */
    bool heavy;        /* sizes with a heavy tail */
    bool special;      /* 30 % with groups, traits, aggregates, hints */
    bool hosts_change; /* hosts are disabled, enabled, joined, removed */
    bool cells;        /* hosts of two NUMA cells; 30 % of the servers are pinned to processors of one */
    bool shapes;       /* thousands of sizes, each with wishes of its own */
    bool own;          /* each host has a property of its own */
};
extern const struct sim_load sim_loads[];
extern const size_t sim_load_count;
void sim_load_run(const struct sim_load *load, int32_t hosts, int64_t decisions, enum placement_goal goal,
                  struct sim_result *ret);

/* A trace in memory, ordered by time; ends before starts, then by id. */
struct sim_server {
    int64_t id, project;
    int64_t vcpus, memory, kind;
    double start, end; /* days; start before 0 is kept, for the age */
};
struct sim_event {
    double time;
    int32_t server;
    bool starts;
};
struct sim_trace {
    struct sim_server *servers;
    struct sim_event *events;
    size_t server_count, event_count;
    double days;
    int64_t order;
};
/* Prints why and returns false when the file cannot be read. */
bool sim_trace_read(const char *path, double days, int64_t order, struct sim_trace *ret);
void sim_trace_done(struct sim_trace *t);
/* Lifetime in the replay: none; foreseen from the past; `true_ends` tells the policy the ends of the trace, which no
 * scheduler can know: what perfect foresight would reach with the same score. */
void sim_trace_run(const struct sim_trace *t, int64_t vcpus, int64_t memory, enum placement_goal goal, bool true_ends,
                   struct sim_result *ret);
