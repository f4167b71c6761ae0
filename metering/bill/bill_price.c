/* From quantities to amounts: commitments first, then the tiers of the rules, then one multiplication and rounding per
 * line. */
#include "metering/bill/bill_internal.h"
#include <string.h>

struct pricing {
    struct bill *bill;
    const char *project;
    const struct bill_period *period;
    const struct bill_terms *terms; /* NULL without */
    const struct bill_share *share; /* the project's, NULL without */
    struct arena *arena;
    struct bill_tiered *tiered;
    struct bill_line *lines;
    size_t count, room;
};

const char *bill_label(const struct bill_line *line)
{
    return line->commitment ? line->commitment->label : line->rule->label;
}

const char *bill_market(const struct bill_line *line)
{
    bool dynamic =
        line->rule && (line->shape->spot || line->rule->when.market == RATE_SPOT || line->rule->spot_count > 0);
    return dynamic && !line->commitment ? "spot" : "";
}

const char *bill_reservation(const struct bill_line *line)
{
    return strcmp(line->shape->facts.source, "reservation") == 0 ? line->subject : line->shape->reservation;
}

bool bill_has_tag(const struct bill_line *line, const char *tag)
{
    for (size_t i = 0; i < line->shape->tag_count; i++) {
        if (strcmp(line->shape->tags[i], tag) == 0) {
            return true;
        }
    }
    return false;
}

int bill_amount(const struct bill *b, struct bill_line *line, struct error *e)
{
    const struct rate_resource *resource = &b->resources.items[line->resource];
    if (!rate_amount(line->quantity, line->price_nano, rate_unit_base(resource), &line->amount_nano)) {
        return error_set(e, ERR_TOO_LARGE, "the charge for %s of %s is beyond 64 bits", resource->name, line->subject);
    }
    return 0;
}

__int128 bill_cover(const struct rate_commitment *commitments, size_t count, const char *project,
                    const struct bill_period *period, const struct bill_line *line, __int128 *left, __int128 *ret_parts)
{
    int64_t begin = line->book->from_us > period->from_us ? line->book->from_us : period->from_us;
    __int128 rest = line->quantity;
    for (size_t i = 0; i < count; i++) {
        bool covers = rate_covers(&commitments[i], line->resource, project, line->shape->facts.flavor, begin);
        ret_parts[i] = !covers ? 0 : rest < left[i] ? rest : left[i];
        left[i] -= ret_parts[i];
        rest -= ret_parts[i];
    }
    return rest;
}

/* Few labels have tiers. */
struct bill_tiered *bill_tiered_of(struct bill_tiered **list, const struct bill_line *line, struct arena *a)
{
    struct bill_tiered *t = *list;
    while (t && (t->resource != line->resource || t->per_account != line->rule->per_account ||
                 strcmp(t->label, line->rule->label) != 0)) {
        t = t->next;
    }
    if (!t) {
        t = arena_alloc(a, sizeof(*t));
        t->resource = line->resource;
        t->label = line->rule->label;
        t->per_account = line->rule->per_account;
        t->next = *list;
        *list = t;
    }
    return t;
}

/* The entry with what other projects have used, where tiers count over the account. */
static struct bill_tiered *tiered_of(struct pricing *p, const struct bill_line *line)
{
    struct bill_tiered *known = p->tiered, *t = bill_tiered_of(&p->tiered, line, p->arena);
    if (p->tiered != known && t->per_account && p->share) {
        for (const struct bill_tiered *x = p->share->tiered; x; x = x->next) {
            t->used += x->resource == t->resource && strcmp(x->label, t->label) == 0 ? x->used : 0;
        }
        for (const struct bill_tiered *x = p->terms->all; x; x = x->next) {
            t->total += x->resource == t->resource && strcmp(x->label, t->label) == 0 ? x->used : 0;
        }
    }
    return t;
}

/* The price of the tier, with what multiplies it for such usage. */
static int price_of(struct pricing *p, struct bill_line *l, struct error *e)
{
    struct rate_facts facts;
    bill_facts(l, p->project, &facts);
    l->price_nano =
        l->commitment ? l->commitment->nano : rate_price(l->book, l->rule, &facts, l->rule->tiers[l->tier].nano);
    return l->price_nano == INT64_MAX
               ? error_set(e, ERR_TOO_LARGE, "a price of %s with its rates is beyond 64 bits", bill_label(l))
               : 0;
}

static int emit(struct pricing *p, const struct bill_line *line, size_t tier, __int128 quantity, struct error *e)
{
    struct bill_line l = *line;
    l.tier = tier;
    l.quantity = quantity;
    int rc = price_of(p, &l, e);
    rc = rc ? rc : bill_amount(p->bill, &l, e);
    if (!rc) {
        p->lines = arena_more(p->arena, p->lines, p->count, &p->room, sizeof(*p->lines));
        p->lines[p->count++] = l;
    }
    return rc;
}

static int emit_covered(struct pricing *p, const struct bill_line *line, const __int128 *parts, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; p->share && !rc && i < p->terms->count; i++) {
        struct bill_line l = *line;
        l.commitment = &p->terms->commitments[i];
        rc = parts[i] > 0 ? emit(p, &l, 0, parts[i], e) : 0;
    }
    return rc;
}

static int emit_tiers(struct pricing *p, const struct bill_line *line, __int128 rest, struct error *e)
{
    const struct rate_rule *rule = line->rule;
    struct bill_tiered *t = rule->kind == RATE_LINEAR ? NULL : tiered_of(p, line);
    int rc = 0;
    if (rest == 0) {
        return 0;
    }
    if (rule->kind != RATE_GRADUATED) {
        return emit(p, line, t ? rate_volume_tier(rule, t->total) : 0, rest, e);
    }
    for (size_t k = 0; !rc && k < rule->tier_count; k++) {
        __int128 part = rate_in_tier(rule, k, t->used, rest);
        rc = part > 0 ? emit(p, line, k, part, e) : 0;
    }
    t->used += rest;
    return rc;
}

static const struct bill_share *share_of(const struct bill_terms *terms, const char *project)
{
    const struct bill_share *s = terms ? terms->shares : NULL;
    while (s && strcmp(s->project, project) != 0) {
        s = s->next;
    }
    return s;
}

int bill_price(struct bill *b, const char *project, const struct bill_period *period, const struct book_versions *books,
               const struct bill_lines *lines, struct arena *a, struct bill_lines *ret, struct error *e)
{
    struct pricing p = {.bill = b, .project = project, .period = period, .terms = books->terms, .arena = a};
    p.share = share_of(books->terms, project);
    size_t commitments = p.share ? p.terms->count : 0;
    __int128 *parts = arena_array(a, lines->count * commitments + 1, sizeof(*parts));
    __int128 *rest = arena_array(a, lines->count + 1, sizeof(*rest));
    __int128 *left = arena_array(a, commitments + 1, sizeof(*left));
    int rc = 0;
    if (commitments > 0) {
        memcpy(left, p.share->left, commitments * sizeof(*left));
    }
    for (size_t i = 0; i < lines->count; i++) {
        const struct bill_line *l = &lines->items[i];
        rest[i] = commitments > 0
                      ? bill_cover(p.terms->commitments, commitments, project, period, l, left, &parts[i * commitments])
                      : l->quantity;
        if (l->rule->kind != RATE_LINEAR && !(l->rule->per_account && p.share)) {
            tiered_of(&p, l)->total += rest[i];
        }
    }
    for (size_t i = 0; !rc && i < lines->count; i++) {
        rc = emit_covered(&p, &lines->items[i], &parts[i * commitments], e);
        rc = rc ? rc : emit_tiers(&p, &lines->items[i], rest[i], e);
    }
    if (!rc) {
        *ret = (struct bill_lines){p.lines, p.count};
    }
    return rc;
}
