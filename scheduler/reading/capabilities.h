/* What `capabilities:...` of a flavor is compared with, as properties of a host: "capabilities:hypervisor_type=QEMU",
 * "capabilities:cpu_info:vendor=Intel", "capabilities:cpu_info:features=aes avx ...". Hosts with one processor share
 * one list. */
#pragma once
#include "common/arena.h"
#include "common/error.h"

#define CAPABILITIES_MAX 16 /* of one processor */

struct capabilities_cpu {
    const char *text; /* what it was read from */
    const char *items[CAPABILITIES_MAX];
    size_t count;
};
struct capabilities {
    struct arena arena;
    struct capabilities_cpu known[CAPABILITIES_MAX]; /* the last ones */
    size_t next;
};
void capabilities_init(struct capabilities *c);
void capabilities_done(struct capabilities *c);
/* Of such a processor (JSON object; NULL: nothing is known); lives until capabilities_done. ERR_INVALID. */
int capabilities_of_cpu(struct capabilities *c, const char *json, const struct capabilities_cpu **ret, struct error *e);
