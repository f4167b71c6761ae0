/* Rating arithmetic. Quantities are exact sums, so neither the order of intervals nor where they are cut matters. */
#include "common/model/rate.h"
#include "common/model/money.h"
#include <string.h>

int64_t rate_unit_base(const struct rate_resource *r)
{
    return r->timed ? r->scale * RATE_HOUR_US : r->scale;
}

static bool like(const char *pattern, const char *text)
{
    size_t size = pattern ? strlen(pattern) : 0;
    if (!pattern) {
        return true;
    }
    return size > 0 && pattern[size - 1] == '*' ? strncmp(pattern, text, size - 1) == 0 : strcmp(pattern, text) == 0;
}

static bool among(const char *const *items, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static bool is(const char *wanted, const char *text)
{
    return !wanted || strcmp(wanted, text) == 0;
}

static bool counts(const struct rate_conditions *c, const struct rate_facts *f)
{
    return like(c->flavor, f->flavor) && is(c->zone, f->zone) && is(c->region, f->region) &&
           is(c->project, f->project) && (!c->states || among(c->states, c->state_count, f->state)) &&
           (c->market == RATE_ANY_MARKET || (c->market == RATE_SPOT) == f->spot) && is(c->network, f->network) &&
           (!c->tag || among(f->tags, f->tag_count, c->tag));
}

const struct rate_rule *rate_match(const struct rate_book *book, size_t resource, const struct rate_facts *f)
{
    for (size_t i = 0; i < book->rule_count; i++) {
        if (book->rules[i].resource == resource && counts(&book->rules[i].when, f)) {
            return &book->rules[i];
        }
    }
    return NULL;
}

int64_t rate_price(const struct rate_book *book, const struct rate_rule *rule, const struct rate_facts *f, int64_t nano)
{
    for (size_t i = 0; i < book->factor_count && nano != INT64_MAX; i++) {
        const struct rate_factor *x = &book->factors[i];
        if (x->resource == rule->resource && strcmp(x->label, rule->label) == 0 && counts(&x->when, f)) {
            nano = money_divide((__int128)nano * x->nano, MONEY_UNIT);
        }
    }
    return nano;
}

bool rate_covers(const struct rate_commitment *c, size_t resource, const char *project, const char *flavor,
                 int64_t at_us)
{
    return c->resource == resource && is(c->project, project) && like(c->flavor, flavor) && c->from_us <= at_us &&
           at_us < c->to_us;
}

__int128 rate_committed(const struct rate_commitment *c, int64_t from_us, int64_t to_us)
{
    int64_t begin = c->from_us > from_us ? c->from_us : from_us, end = c->to_us < to_us ? c->to_us : to_us;
    return end > begin ? (__int128)c->units * (end - begin) : 0;
}

int64_t rate_surplus_us(const struct rate_rounding *r, int64_t run_us)
{
    int64_t charged = run_us < r->minimum_us ? r->minimum_us : run_us;
    int64_t rest = r->granularity_us > 0 ? charged % r->granularity_us : 0;
    return charged + (rest > 0 ? r->granularity_us - rest : 0) - run_us;
}

bool rate_amount(__int128 quantity, int64_t nano, int64_t unit_base, int64_t *ret_nano)
{
    __int128 product;
    if (__builtin_mul_overflow(quantity, (__int128)nano, &product)) {
        return false;
    }
    *ret_nano = money_divide(product, unit_base);
    return *ret_nano != INT64_MAX && *ret_nano != INT64_MIN;
}

__int128 rate_in_tier(const struct rate_rule *rule, size_t t, __int128 used, __int128 quantity)
{
    __int128 floor = t > 0 ? rule->tiers[t - 1].up_to : 0, end = used + quantity;
    __int128 begin = used > floor ? used : floor;
    if (!rule->tiers[t].last && end > rule->tiers[t].up_to) {
        end = rule->tiers[t].up_to;
    }
    return end > begin ? end - begin : 0;
}

size_t rate_volume_tier(const struct rate_rule *rule, __int128 total)
{
    size_t t = 0;
    while (!rule->tiers[t].last && total > rule->tiers[t].up_to) {
        t++;
    }
    return t;
}

int64_t rate_share(int64_t nano, int64_t ppm)
{
    return money_divide((__int128)nano * ppm, RATE_PPM);
}

char *rate_text(__int128 value, char ret[RATE_TEXT_SIZE])
{
    char digits[RATE_TEXT_SIZE];
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    size_t count = 0, used = 0;
    do {
        digits[count++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        ret[used++] = '-';
    }
    while (count > 0) {
        ret[used++] = digits[--count];
    }
    ret[used] = '\0';
    return ret;
}

int64_t rate_micro(__int128 quantity, int64_t unit_base)
{
    __int128 product;
    return __builtin_mul_overflow(quantity, (__int128)1000000, &product) ? INT64_MAX : money_divide(product, unit_base);
}
