/* The scheduler hint `query`: a condition on a host in JSON, as Nova's JsonFilter reads it:
 * ["and", [">=", "$free_ram_mb", 1024], ["in", "$hypervisor_type", "QEMU", "KVM"]]. Operators: = < > <= >= in (first
 * against all others), not, or, and. "$NAME" is an attribute of the host; one that it does not have is left out of its
 * list. Pure. */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include <stdbool.h>
#include <stddef.h>

enum host_value_kind { HOST_VALUE_NONE, HOST_VALUE_TRUTH, HOST_VALUE_NUMBER, HOST_VALUE_TEXT };
struct host_value {
    enum host_value_kind kind;
    bool truth;
    double number;
    const char *text; /* borrowed */
};

struct host_query;

/* Reads the condition from its text; it lives in the arena. ERR_INVALID says what is wrong with it: no JSON, no list,
 * an operator that is none, an attribute that hosts do not have, or one that compares less than two things. */
int host_query_read(const char *text, struct arena *a, const struct host_query **ret, struct error *e);

/* The attributes of a host, in Nova's names; number i of 0 .. host_query_attribute_count - 1. */
enum host_attribute {
    HOST_ATTRIBUTE_HOST,
    HOST_ATTRIBUTE_HYPERVISOR_HOSTNAME,
    HOST_ATTRIBUTE_HOST_IP,
    HOST_ATTRIBUTE_HYPERVISOR_TYPE,
    HOST_ATTRIBUTE_HYPERVISOR_VERSION,
    HOST_ATTRIBUTE_FREE_RAM_MB,
    HOST_ATTRIBUTE_TOTAL_USABLE_RAM_MB,
    HOST_ATTRIBUTE_FREE_DISK_MB,
    HOST_ATTRIBUTE_TOTAL_USABLE_DISK_GB,
    HOST_ATTRIBUTE_VCPUS_TOTAL,
    HOST_ATTRIBUTE_VCPUS_USED,
    HOST_ATTRIBUTE_NUM_INSTANCES,
    HOST_ATTRIBUTE_NUM_IO_OPS,
    HOST_ATTRIBUTE_CPU_INFO, /* "$cpu_info.vendor": `path` is what is behind the dot */
    HOST_ATTRIBUTE_COUNT
};
typedef struct host_value (*host_query_fn)(void *arg, enum host_attribute attribute, const char *path);
/* Whether the host is as the query says. `fn` is asked for each attribute that is needed. */
bool host_query_passes(const struct host_query *q, host_query_fn fn, void *arg);
/* Whether it speaks of the attribute. */
bool host_query_uses(const struct host_query *q, enum host_attribute attribute);
