/* Quotas as a table of names and defaults, and the one check. */
#include "common/model/quota.h"
#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct quota_row {
    const char *name;
    int64_t fallback;
};
static const struct quota_row rows[QUOTA_KINDS] = {
    [QUOTA_CORES] = {"cores", 20},
    [QUOTA_FIXED_IPS] = {"fixed_ips", QUOTA_UNLIMITED},
    [QUOTA_FLOATING_IPS] = {"floating_ips", QUOTA_UNLIMITED},
    [QUOTA_INJECTED_FILE_CONTENT_BYTES] = {"injected_file_content_bytes", 10240},
    [QUOTA_INJECTED_FILE_PATH_BYTES] = {"injected_file_path_bytes", 255},
    [QUOTA_INJECTED_FILES] = {"injected_files", 5},
    [QUOTA_INSTANCES] = {"instances", 10},
    [QUOTA_KEY_PAIRS] = {"key_pairs", 100},
    [QUOTA_METADATA_ITEMS] = {"metadata_items", 128},
    [QUOTA_RAM] = {"ram", 51200},
    [QUOTA_SECURITY_GROUP_RULES] = {"security_group_rules", QUOTA_UNLIMITED},
    [QUOTA_SECURITY_GROUPS] = {"security_groups", QUOTA_UNLIMITED},
    [QUOTA_SERVER_GROUP_MEMBERS] = {"server_group_members", 10},
    [QUOTA_SERVER_GROUPS] = {"server_groups", 10},
};

const char *quota_name(enum quota q)
{
    assert(q < QUOTA_KINDS);
    return rows[q].name;
}

int quota_parse(const char *text)
{
    for (int q = 0; q < QUOTA_KINDS; q++) {
        if (text != NULL && strcmp(rows[q].name, text) == 0)
            return q;
    }
    return -1;
}

int64_t quota_default(enum quota q)
{
    assert(q < QUOTA_KINDS);
    return rows[q].fallback;
}

void quota_defaults(struct quota_set *ret)
{
    for (int q = 0; q < QUOTA_KINDS; q++)
        ret->amount[q] = rows[q].fallback;
}

static bool exceeds(int64_t limit, int64_t used, int64_t requested)
{
    int64_t sum;
    if (requested <= 0 || limit < 0)
        return false;
    return __builtin_add_overflow(used, requested, &sum) || sum > limit;
}

bool quota_allows(const struct quota_set *limit, const struct quota_set *used, const struct quota_set *requested,
                  struct arena *a, const char **ret_text)
{
    const char *over = "", *want = "", *have = "", *most = "";
    for (int q = 0; q < QUOTA_KINDS; q++) {
        const char *comma = *over == '\0' ? "" : ", ";
        if (!exceeds(limit->amount[q], used->amount[q], requested->amount[q]))
            continue;
        if (ret_text == NULL)
            return false;
        over = arena_printf(a, "%s%s%s", over, comma, rows[q].name);
        want = arena_printf(a, "%s%s%" PRId64, want, comma, requested->amount[q]);
        have = arena_printf(a, "%s%s%" PRId64, have, comma, used->amount[q]);
        most = arena_printf(a, "%s%s%" PRId64, most, comma, limit->amount[q]);
    }
    if (*over == '\0')
        return true;
    *ret_text = arena_printf(a, "Quota exceeded for %s: Requested %s, but already used %s of %s %s", over, want, have,
                             most, over);
    return false;
}
