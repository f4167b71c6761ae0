/* Why nothing fits. One pass over the hosts, off the fast path: each host counts under the first filter that removes
 * it; those that amounts alone remove compete for the nearest miss. */
#include "scheduler/placement/placement_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const resource_reasons[RESOURCE_COUNT] = {"full (VCPU)", "full (MEMORY_MB)", "full (DISK_GB)"};
static const char *const resource_units[RESOURCE_COUNT] = {"VCPU", "MiB", "GiB of disk"};

#define CELLS_SCALE (1 << 20) /* what a lack in cells is a share of */

/* Filters in the order in which they are told: the host's state, those on kinds, amounts, cells, the request's own. */
enum { RANK_DISABLED, RANK_SILENT, RANK_KIND, RANK_AMOUNT = 100, RANK_CELLS = 200, RANK_OWN };

static void note_removed(struct placement_explanation *x, int rank, const char *reason, const char *detail)
{
    size_t i = 0, at = 0;
    while (i < x->count && (x->removed[i].reason != reason || x->removed[i].detail != detail)) {
        i++;
    }
    if (i < x->count) {
        x->removed[i].hosts++;
        return;
    }
    if (x->count == PLACEMENT_REASONS) {
        return;
    }
    while (at < x->count && x->removed[at].rank <= rank) {
        at++;
    }
    memmove(&x->removed[at + 1], &x->removed[at], (x->count++ - at) * sizeof(x->removed[0]));
    x->removed[at].reason = reason;
    x->removed[at].detail = detail;
    x->removed[at].rank = rank;
    x->removed[at].hosts = 1;
}

/* What one host lacks. */
struct lack {
    int missing, rank;
    const char *first_reason, *first_detail; /* the first in the order of the filters */
    const char *unit;
    int64_t amount, need;
};

static void note_lack(struct lack *l, int rank, const char *reason, const char *detail, const char *unit,
                      int64_t amount, int64_t need)
{
    if (l->missing++ == 0) {
        *l = (struct lack){1, rank, reason, detail, unit, amount, need};
    }
}

/* A host that has enough of everything may still have it in the wrong cells. Of those that have not, the one that lacks
 * least is the nearest, whatever it lacks. */
static void measure_cells(const struct placement *p, int32_t slot, const struct placement_request *r, struct lack *ret)
{
    struct numa_lack lack;
    if (ret->missing == 0 && r->extra.numa && placement_numa_lacks(p, slot, r->extra.numa, &lack)) {
        note_lack(ret, RANK_CELLS, "without room in NUMA cells", lack.what, lack.what, lack.amount, CELLS_SCALE);
    }
}

static void measure(const struct placement *p, int32_t slot, const struct placement_request *r,
                    const struct class_names *names, struct lack *ret)
{
    const struct slot *s = &p->slots[slot];
    struct resources least = r->extra.numa ? placement_numa_least(&r->need, r->extra.numa) : r->need;
    int32_t values[TREE_DIMENSIONS_MAX];
    placement_values(p, s, values);
    *ret = (struct lack){0};
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        int64_t need = least.amount[i];
        if (need > 0 && need > values[i]) {
            note_lack(ret, RANK_AMOUNT + i, resource_reasons[i], NULL, resource_units[i], need - values[i], need);
        }
    }
    for (size_t i = 0; i < r->extra.count; i++) {
        int32_t at = placement_class_dimension(p->kinds[s->kind]->key, r->extra.item[i].class);
        int64_t need = r->extra.item[i].amount, have = at < 0 ? 0 : values[at];
        if (need > have) {
            note_lack(ret, RANK_AMOUNT + RESOURCE_COUNT + (int)i, "full", names->text[i], names->text[i], need - have,
                      need);
        }
    }
    measure_cells(p, slot, r, ret);
}

/* Less is nearer; amounts of different resources are compared as shares of what was asked. */
static void note_miss(struct placement_explanation *x, const struct lack *l, int64_t *nearest_need)
{
    if (l->missing != 1) {
        return;
    }
    if (x->short_resource) {
        double share = (double)l->amount / (double)l->need;
        double nearest = (double)x->short_amount / (double)*nearest_need;
        if (share > nearest) {
            return;
        }
        if (x->short_resource == l->unit && x->short_amount == l->amount) {
            x->short_hosts++;
            return;
        }
        if (share == nearest) {
            return;
        }
    }
    x->short_resource = l->unit;
    x->short_amount = l->amount;
    x->short_hosts = 1;
    *nearest_need = l->need;
}

static const char *kind_refusal(const struct placement *p, const struct kind_key *k, const struct constraints *c,
                                int *ret_rank, const char **ret_detail)
{
    for (size_t i = 0; i < placement_kind_filter_count; i++) {
        if (!placement_kind_filters[i].passes(p, k, c, ret_detail)) {
            *ret_rank = RANK_KIND + (int)i;
            return placement_kind_filters[i].reason;
        }
    }
    return NULL;
}

static void explain_slot(const struct placement *p, int32_t slot, const struct placement_request *r,
                         const struct constraints *c, const struct class_names *names, struct placement_explanation *x,
                         int64_t *nearest_need)
{
    const struct slot *s = &p->slots[slot];
    struct lack lack;
    const char *detail = NULL;
    int rank = !s->enabled ? RANK_DISABLED : RANK_SILENT;
    const char *reason = !s->enabled ? "disabled"
                         : !s->alive ? "not alive"
                                     : kind_refusal(p, p->kinds[s->kind]->key, c, &rank, &detail);
    if (reason) {
        note_removed(x, rank, reason, detail);
        return;
    }
    measure(p, slot, r, names, &lack);
    const char *own = placement_own_refusal(p, r, slot);
    if (lack.missing > 0) {
        note_removed(x, lack.rank, lack.first_reason, lack.first_detail);
        if (!own) {
            note_miss(x, &lack, nearest_need);
        }
    } else if (own) {
        note_removed(x, RANK_OWN, own, NULL);
    }
}

/* What explain_slot needs, once for a request. */
struct asked {
    struct constraints constraints;
    struct class_names names;
};

static void resolve(const struct placement *p, const struct placement_request *r, struct asked *ret)
{
    memset(ret, 0, sizeof(*ret));
    placement_resolve(p, r, &ret->constraints);
    for (size_t i = 0; i < r->extra.count; i++) {
        ret->names.text[i] = placement_class_name(p, r->extra.item[i].class);
    }
}

void placement_explain(const struct placement *p, const struct placement_request *r, struct placement_explanation *ret)
{
    struct asked asked;
    int64_t nearest_need = 1;
    resolve(p, r, &asked);
    memset(ret, 0, sizeof(*ret));
    ret->hosts = p->host_count;
    for (int32_t i = 0; i < p->slot_count; i++) {
        if (p->slots[i].present) {
            explain_slot(p, i, r, &asked.constraints, &asked.names, ret, &nearest_need);
        }
    }
}

void placement_explain_each(const struct placement *p, const struct placement_request *r, size_t limit,
                            placement_explain_fn fn, void *arg)
{
    struct asked asked;
    resolve(p, r, &asked);
    for (int32_t i = 0; i < p->slot_count && limit > 0; i++) {
        struct placement_explanation x = {0};
        int64_t nearest_need = 1;
        if (!p->slots[i].present) {
            continue;
        }
        explain_slot(p, i, r, &asked.constraints, &asked.names, &x, &nearest_need);
        if (x.count > 0) {
            fn(arg, i, &x);
            limit--;
        }
    }
}

char *placement_sentence(const struct placement_explanation *x, char *ret, size_t size)
{
    int used = snprintf(ret, size, "No valid host: %lld host%s", (long long)x->hosts, x->hosts == 1 ? "" : "s");
    for (size_t i = 0; i < x->count && used > 0 && (size_t)used < size; i++) {
        const char *detail = x->removed[i].detail;
        used += snprintf(ret + used, size - (size_t)used, ", %lld %s%s%s%s", (long long)x->removed[i].hosts,
                         x->removed[i].reason, detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
    }
    if (x->short_resource && used > 0 && (size_t)used < size) {
        snprintf(ret + used, size - (size_t)used, "; nearest: %lld host%s lack%s %lld %s", (long long)x->short_hosts,
                 x->short_hosts == 1 ? "" : "s", x->short_hosts == 1 ? "s" : "", (long long)x->short_amount,
                 x->short_resource);
    }
    return ret;
}
