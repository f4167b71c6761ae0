/* Quotas of a project: limits, usage, and the sentence that Nova says when they are exceeded. Pure. */
#pragma once
#include "common/arena.h"
#include <stdbool.h>
#include <stdint.h>

enum quota {
    QUOTA_CORES,
    QUOTA_FIXED_IPS,
    QUOTA_FLOATING_IPS,
    QUOTA_INJECTED_FILE_CONTENT_BYTES,
    QUOTA_INJECTED_FILE_PATH_BYTES,
    QUOTA_INJECTED_FILES,
    QUOTA_INSTANCES,
    QUOTA_KEY_PAIRS,
    QUOTA_METADATA_ITEMS,
    QUOTA_RAM,
    QUOTA_SECURITY_GROUP_RULES,
    QUOTA_SECURITY_GROUPS,
    QUOTA_SERVER_GROUP_MEMBERS,
    QUOTA_SERVER_GROUPS,
    QUOTA_KINDS
};
#define QUOTA_UNLIMITED ((int64_t)-1)
/* "cores", "instances", "ram" (MiB) ... in the order of the alphabet, as Nova lists them. */
const char *quota_name(enum quota q);
int quota_parse(const char *text); /* -1 when unknown */
/* Nova's defaults (nova/conf/quota.py). */
int64_t quota_default(enum quota q);

struct quota_set {
    int64_t amount[QUOTA_KINDS];
};
void quota_defaults(struct quota_set *ret);

/* Whether used + requested stays within the limits, for every quota of which something is requested; a negative limit
 * is none. When it does not, *ret_text (in the arena; may be NULL) is "Quota exceeded for cores, instances: Requested
 * 2, 1, but already used 20, 10 of 20, 10 cores, instances". */
bool quota_allows(const struct quota_set *limit, const struct quota_set *used, const struct quota_set *requested,
                  struct arena *a, const char **ret_text);
