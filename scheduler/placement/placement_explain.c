/* Why nothing fits. One pass over the hosts, off the fast path: each host counts under the first filter that removes
 * it; those that amounts alone remove compete for the nearest miss. */
#include "common/strbuf.h"
#include "scheduler/placement/placement_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const resource_reasons[RESOURCE_COUNT] = {"full (VCPU)", "full (MEMORY_MB)", "full (DISK_GB)"};
static const char *const resource_units[RESOURCE_COUNT] = {"VCPU", "MiB", "GiB of disk"};

#define CELLS_SCALE (1 << 20) /* what a lack in cells is a share of */

/* Filters in the order in which they are told: the host's state, those on kinds, amounts, cells, the request's own. */
enum { RANK_DISABLED, RANK_SILENT, RANK_KIND, RANK_AMOUNT = 100, RANK_CELLS = 200, RANK_OWN, RANK_OTHER };

static void note_removed(struct placement_explanation *x, int rank, const char *reason, const char *detail)
{
    size_t i = 0, at = 0;
    while (i < x->count && (x->removed[i].reason != reason || x->removed[i].detail != detail)) {
        i++;
    }
    if (i == x->count && i >= PLACEMENT_REASONS - 1) {
        i = PLACEMENT_REASONS - 1;
        rank = RANK_OTHER;
        reason = "for other reasons";
        detail = NULL;
    }
    if (i < x->count) {
        x->removed[i].hosts++;
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
    size_t count;
    double share; /* the sum of the shares of what was asked */
    int rank;
    const char *reason, *detail; /* the first in the order of the filters */
    struct placement_short items[RESOURCE_COUNT + PLACEMENT_CLASSES_MAX];
};

static void note_lack(struct lack *l, int rank, const char *reason, const char *detail, const char *unit,
                      int64_t amount, int64_t need)
{
    if (l->count == 0) {
        l->rank = rank;
        l->reason = reason;
        l->detail = detail;
    }
    l->items[l->count++] = (struct placement_short){unit, amount};
    l->share += (double)amount / (double)need;
}

/* A host that has enough of everything may still have it in the wrong cells. Of those that have not, the one that lacks
 * least is the nearest, whatever it lacks. */
static void measure_cells(const struct placement *p, int32_t slot, const struct placement_request *r, struct lack *ret)
{
    struct numa_lack lack;
    if (ret->count == 0 && r->extra.numa && placement_numa_lacks(p, slot, r->extra.numa, &lack)) {
        note_lack(ret, RANK_CELLS, "without room in NUMA cells", lack.what, lack.what, lack.amount, CELLS_SCALE);
    }
}

static void measure(const struct placement *p, int32_t slot, const struct placement_request *r,
                    const struct class_names *names, int64_t taken, struct lack *ret)
{
    const struct slot *s = &p->slots[slot];
    struct resources least = r->extra.numa ? placement_numa_least(&r->need, r->extra.numa) : r->need;
    int32_t values[TREE_DIMENSIONS_MAX];
    placement_values(p, s, values);
    *ret = (struct lack){0};
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        int64_t need = least.amount[i], have = values[i] - taken * need;
        if (need > 0 && need > have) {
            note_lack(ret, RANK_AMOUNT + i, resource_reasons[i], NULL, resource_units[i], need - have, need);
        }
    }
    for (size_t i = 0; i < r->extra.count; i++) {
        int32_t at = placement_class_dimension(p->kinds[s->kind]->key, r->extra.item[i].class);
        int64_t need = r->extra.item[i].amount, have = (at < 0 ? 0 : values[at]) - taken * need;
        if (need > have) {
            note_lack(ret, RANK_AMOUNT + RESOURCE_COUNT + (int)i, "full", names->text[i], names->text[i], need - have,
                      need);
        }
    }
    measure_cells(p, slot, r, ret);
}

static bool same_shortage(const struct placement_explanation *x, const struct lack *l)
{
    bool same = x->short_count == l->count;
    for (size_t i = 0; same && i < l->count; i++) {
        same = x->shortage[i].resource == l->items[i].resource && x->shortage[i].amount == l->items[i].amount;
    }
    return same;
}

/* Less is nearer; amounts of different resources are compared as shares of what was asked. */
static void note_miss(struct placement_explanation *x, const struct lack *l, double *nearest)
{
    if (same_shortage(x, l)) {
        x->short_hosts++;
    } else if (x->short_count == 0 || l->count < x->short_count ||
               (l->count == x->short_count && l->share < *nearest)) {
        x->short_count = l->count;
        memcpy(x->shortage, l->items, l->count * sizeof(l->items[0]));
        x->short_hosts = 1;
        *nearest = l->share;
    }
}

void placement_explain_add(const struct placement_explanation *one, double share, struct placement_explanation *x,
                           double *nearest)
{
    struct lack lack = {.count = one->short_count, .share = share};
    for (size_t i = 0; i < one->count; i++) {
        note_removed(x, one->removed[i].rank, one->removed[i].reason, one->removed[i].detail);
    }
    if (lack.count > 0) {
        memcpy(lack.items, one->shortage, lack.count * sizeof(lack.items[0]));
        note_miss(x, &lack, nearest);
    }
}

void placement_asked_begin(const struct placement *p, const struct placement_request *r, struct asked *ret)
{
    memset(ret, 0, sizeof(*ret));
    placement_resolve(p, r, &ret->constraints);
    for (size_t i = 0; i < r->extra.count; i++) {
        ret->names.text[i] = placement_class_name(p, r->extra.item[i].class);
    }
}

void placement_explain_slot(const struct placement *p, int32_t slot, const struct placement_request *r,
                            const struct asked *asked, int64_t taken, struct placement_explanation *x, double *nearest)
{
    const struct slot *s = &p->slots[slot];
    struct judging j = {.p = p, .k = p->kinds[s->kind]->key, .c = &asked->constraints, .r = r};
    struct lack lack;
    const char *detail = NULL;
    int filter = 0;
    if (!s->enabled || !s->alive) {
        note_removed(x, s->enabled ? RANK_SILENT : RANK_DISABLED, s->enabled ? "not alive" : "disabled", NULL);
        return;
    }
    const char *reason = placement_kind_refusal(&j, &filter);
    if (reason) {
        note_removed(x, RANK_KIND + filter, reason, j.detail);
        return;
    }
    measure(p, slot, r, &asked->names, taken, &lack);
    const char *own = placement_own_refusal(p, r, slot, &detail);
    if (lack.count > 0) {
        note_removed(x, lack.rank, lack.reason, lack.detail);
        if (!own) {
            note_miss(x, &lack, nearest);
        }
    } else if (own) {
        note_removed(x, RANK_OWN, own, detail);
    }
}

void placement_explain(const struct placement *p, const struct placement_request *r, struct placement_explanation *ret)
{
    struct asked asked;
    double nearest = 0;
    placement_asked_begin(p, r, &asked);
    memset(ret, 0, sizeof(*ret));
    ret->hosts = p->host_count;
    for (int32_t i = 0; i < p->slot_count; i++) {
        if (p->slots[i].present) {
            placement_explain_slot(p, i, r, &asked, 0, ret, &nearest);
        }
    }
}

void placement_explain_each(const struct placement *p, const struct placement_request *r, size_t limit,
                            placement_explain_fn fn, void *arg)
{
    struct asked asked;
    placement_asked_begin(p, r, &asked);
    for (int32_t i = 0; i < p->slot_count && limit > 0; i++) {
        struct placement_explanation x = {0};
        double nearest = 0;
        if (!p->slots[i].present) {
            continue;
        }
        placement_explain_slot(p, i, r, &asked, 0, &x, &nearest);
        if (x.count > 0) {
            fn(arg, i, &x);
            limit--;
        }
    }
}

static void say_shortage(const struct placement_explanation *x, struct strbuf *out)
{
    strbuf_appendf(out, "; nearest: %lld host%s lack%s", (long long)x->short_hosts, x->short_hosts == 1 ? "" : "s",
                   x->short_hosts == 1 ? "s" : "");
    for (size_t i = 0; i < x->short_count; i++) {
        const char *before = i == 0 ? "" : i + 1 == x->short_count ? " and" : ",";
        strbuf_appendf(out, "%s %lld %s", before, (long long)x->shortage[i].amount, x->shortage[i].resource);
    }
}

char *placement_sentence(const struct placement_explanation *x, char *ret, size_t size)
{
    struct strbuf out;
    strbuf_init(&out, 0);
    strbuf_appendf(&out, "No valid host: %lld host%s", (long long)x->hosts, x->hosts == 1 ? "" : "s");
    for (size_t i = 0; i < x->count; i++) {
        const char *detail = x->removed[i].detail;
        strbuf_appendf(&out, ", %lld %s%s%s%s", (long long)x->removed[i].hosts, x->removed[i].reason,
                       detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
    }
    if (x->short_count > 0) {
        say_shortage(x, &out);
    }
    snprintf(ret, size, "%s", out.data);
    strbuf_done(&out);
    return ret;
}
