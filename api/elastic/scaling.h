/* Scaling policies of a group: target, step, schedule, hook. */
#pragma once
#include "api/elastic/turn.h"
#include "common/json_in.h"
#include "db/store_elastic_policy.h"

#define SCALING_FRESH_US ((int64_t)120 * 1000000) /* metrics that are older are none */

/* A policy's body, as tenants give it; figures of metrics in thousandths. */
struct scaling_policy {
    const char *kind;   /* target, step, schedule, hook */
    const char *metric; /* "cpu" (percent of all VCPUs, measured) or one that is posted */
    bool per_group;     /* the metric is posted for the whole group; a target divides it by the members */
    int64_t target;
    struct elastic_step steps[ELASTIC_STEPS_MAX];
    size_t step_count;
    int64_t at_us, every_s;            /* schedule */
    int64_t desired, minimum, maximum; /* schedule, hook; -1: left as it is */
    int64_t add;                       /* hook */
};
/* Reads and checks a body. ERR_INVALID names the field. Text lives in the arena. */
int scaling_read(json_value *body, struct arena *a, struct scaling_policy *ret, struct error *e);
/* Lets the group's policies change its desired number, at most one of them in a turn. *ret_measures: one looks at a
 * metric. */
int scaling_apply(struct turn *t, bool *ret_measures, struct error *e);
/* Sets the group's desired number within its limits, and says who did. */
int scaling_set(struct turn *t, int64_t desired, const char *why, struct error *e);
