/* What counts over all projects of an account. The projects' quantities are added up once more, in the order in which
 * an invoice has them, and what was used before each project's first line is kept: so a project can be priced by itself
 * and costs what it costs on the account's invoice. */
#include "metering/bill/bill_internal.h"
#include <string.h>

/* Unused lines look so. */
static const struct bill_shape unused_shape = {.facts = {.source = "commitment",
                                                         .state = "unused",
                                                         .flavor = "",
                                                         .zone = "",
                                                         .region = "",
                                                         .tags = "[]",
                                                         .extra = "{}"},
                                               .network = "",
                                               .reservation = ""};

/* Whether any version that holds in the period has tiers per account. */
static bool counts_together(const struct book_versions *books, const struct bill_period *period)
{
    for (size_t i = 0; i < books->count; i++) {
        const struct rate_book *b = &books->items[i];
        bool over = i + 1 < books->count && books->items[i + 1].from_us <= period->from_us;
        for (size_t k = 0; !over && b->from_us < period->to_us && k < b->rule_count; k++) {
            if (b->rules[k].per_account && b->rules[k].kind != RATE_LINEAR) {
                return true;
            }
        }
    }
    return false;
}

static struct bill_tiered *copy_list(const struct bill_tiered *list, struct arena *a)
{
    struct bill_tiered *first = NULL, **last = &first;
    for (; list; list = list->next, last = &(*last)->next) {
        *last = arena_alloc(a, sizeof(**last));
        **last = *list;
        (*last)->next = NULL;
    }
    return first;
}

static void take(struct bill_terms *t, const char *project, const struct bill_period *period,
                 const struct bill_lines *lines, __int128 *parts, struct arena *a)
{
    for (size_t i = 0; i < lines->count; i++) {
        const struct bill_line *l = &lines->items[i];
        __int128 rest = bill_cover(t->commitments, t->count, project, period, l, t->left, parts);
        if (l->rule->per_account && l->rule->kind != RATE_LINEAR) {
            bill_tiered_of(&t->all, l, a)->used += rest;
        }
    }
}

static int add_project(struct bill *b, struct bill_terms *t, const char *project, const struct bill_period *period,
                       const struct book_versions *books, struct arena *a, struct error *e)
{
    struct bill_share *s = arena_alloc(a, sizeof(*s));
    struct bill_lines lines = {0};
    struct arena scratch;
    *s = (struct bill_share){.project = arena_strdup(a, project),
                             .left = arena_array(a, t->count + 1, sizeof(*s->left)),
                             .tiered = copy_list(t->all, a),
                             .next = t->shares};
    memcpy(s->left, t->left, t->count * sizeof(*s->left));
    t->shares = s;
    arena_init(&scratch);
    int rc = bill_quantities(b, project, period, books, false, &scratch, &lines, e);
    if (!rc) {
        take(t, s->project, period, &lines, arena_array(&scratch, t->count + 1, sizeof(__int128)), a);
    }
    arena_done(&scratch);
    return rc;
}

int bill_terms(struct bill *b, const char *const *projects, size_t count, const struct bill_period *period,
               struct book_versions *books, struct arena *a, struct error *e)
{
    size_t commitment_count = books->commitment_count;
    int rc = 0;
    books->terms = NULL;
    if (commitment_count == 0 && !counts_together(books, period)) {
        return 0;
    }
    struct bill_terms *t = arena_alloc(a, sizeof(*t));
    t->commitments = books->commitments;
    t->count = commitment_count;
    t->left = arena_array(a, commitment_count + 1, sizeof(*t->left));
    for (size_t i = 0; i < commitment_count; i++) {
        t->left[i] = rate_committed(&t->commitments[i], period->from_us, period->to_us);
    }
    for (size_t i = 0; !rc && i < count; i++) {
        rc = add_project(b, t, projects[i], period, books, a, e);
    }
    books->terms = t;
    return rc;
}

int bill_unused(struct bill *b, const struct bill_period *period, const struct book_versions *books, struct arena *a,
                struct bill_lines *ret, struct error *e)
{
    const struct bill_terms *t = books->terms;
    const struct rate_book *book = book_last(books, period->to_us);
    size_t most = t && book ? t->count : 0;
    int rc = 0;
    *ret = (struct bill_lines){.items = arena_array(a, most + 1, sizeof(*ret->items))};
    for (size_t i = 0; !rc && i < most; i++) {
        struct bill_line *l = &ret->items[ret->count];
        *l = (struct bill_line){.resource = t->commitments[i].resource,
                                .book = book,
                                .commitment = &t->commitments[i],
                                .shape = &unused_shape,
                                .network = "",
                                .subject = t->commitments[i].id,
                                .quantity = t->left[i],
                                .price_nano = t->commitments[i].nano};
        rc = bill_amount(b, l, e);
        ret->count += t->left[i] > 0;
    }
    return rc;
}
