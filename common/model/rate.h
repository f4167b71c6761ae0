/* Rating: what a quantity costs by a price book. Pure integer arithmetic. Prices are nano-units of the currency per
 * unit (timed resources: per unit and hour), quantities are base units (timed: base units times microseconds) in 128
 * bits; a line's amount is rounded once, half to even, to a nano-unit. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATE_HOUR_US       ((int64_t)3600000000)
#define RATE_NO_LIMIT      INT64_MAX
#define RATE_ROUNDINGS_MAX 4
#define RATE_PPM           ((int64_t)1000000)

/* What can be priced. One unit are `scale` base units. */
struct rate_resource {
    const char *name, *source, *unit;
    bool timed;
    bool by_network; /* traffic: prices may look at the network it went over */
    int64_t scale;
};
/* Base units (timed: times microseconds) in one unit (unit-hour). */
int64_t rate_unit_base(const struct rate_resource *r);

/* A price up to a quantity of the period, in base (as quantities are); RATE_NO_LIMIT on the last. */
struct rate_tier {
    __int128 up_to;
    bool last;
    int64_t nano;
};
enum rate_tiers {
    RATE_LINEAR,    /* one price */
    RATE_GRADUATED, /* each part of the quantity at the price of its tier */
    RATE_VOLUME,    /* all of it at the price of the tier that the period's quantity reaches */
};
/* How time is counted at the end of a run: at least minimum_us of it, and whole granularity_us. */
struct rate_rounding {
    int64_t minimum_us, granularity_us;
};
/* A price that holds from an instant to the next one's. */
struct rate_spot {
    int64_t from_us, nano;
};
enum rate_market { RATE_ANY_MARKET, RATE_REGULAR, RATE_SPOT };
/* What usage must be for a price or a factor to count. */
struct rate_conditions {
    const char *flavor, *zone, *region, *project, *tag, *network; /* NULL: any; a flavor may end with '*' */
    const char *const *states;                                    /* NULL: any */
    size_t state_count;
    enum rate_market market; /* of servers that may be preempted, or of others */
};
struct rate_rule {
    size_t resource;   /* index of the resources it was read with */
    const char *label; /* shown on lines; tiers of equal labels count together */
    struct rate_conditions when;
    enum rate_tiers kind;
    const struct rate_tier *tiers;
    size_t tier_count;
    const struct rate_spot *spots; /* ascending; books have them as versions of their own (book_expand) */
    size_t spot_count;
    size_t rounding;  /* index into the book's roundings */
    bool per_account; /* tiers count over all projects of the account; else each project by itself */
};
/* What multiplies the prices of the same resource and label. */
struct rate_factor {
    size_t resource;
    const char *label;
    struct rate_conditions when;
    int64_t nano; /* 1,000,000,000 changes nothing */
};
/* Somebody has bound himself to pay for so much of a resource from one instant to another, whether he uses it or not.
 * What is used is paid by this price up to the time committed, before any rule is asked. */
struct rate_commitment {
    const char *id, *label, *project, *flavor; /* project, flavor NULL: any; a flavor may end with '*' */
    size_t resource;                           /* a timed one */
    int64_t units, nano;                       /* base units held; price of a unit and hour */
    int64_t from_us, to_us;                    /* [from, to) */
};
struct rate_discount {
    const char *label, *project; /* project NULL: any */
    bool any_resource;
    size_t resource;
    int64_t ppm;  /* of the amounts it applies to; 0: */
    int64_t nano; /* a fixed amount per invoice */
};
/* Prices of one version, from its date to the next version's. */
struct rate_book {
    const char *name, *currency, *digest;
    int64_t version, version_us, from_us; /* version_us: when the version took effect; from_us: this part of it */
    const struct rate_rule *rules;
    size_t rule_count;
    const struct rate_factor *factors;
    size_t factor_count;
    struct rate_rounding roundings[RATE_ROUNDINGS_MAX];
    size_t rounding_count;
    const struct rate_discount *discounts;
    size_t discount_count;
};

/* What prices look at. */
struct rate_facts {
    const char *project, *state, *flavor, *zone, *region;
    const char *const *tags;
    size_t tag_count;
    bool spot;           /* the server may be preempted */
    const char *network; /* id, of traffic; "" where none is known */
};
/* The first rule that matches, or NULL: not priced. */
const struct rate_rule *rate_match(const struct rate_book *book, size_t resource, const struct rate_facts *facts);
/* A price of the rule times all factors that match, one after the other in the book's order, each product rounded half
 * to even to a nano-unit. INT64_MAX when it leaves the range of int64_t. */
int64_t rate_price(const struct rate_book *book, const struct rate_rule *rule, const struct rate_facts *facts,
                   int64_t nano);

/* Whether what is used from at_us on falls under the commitment. */
bool rate_covers(const struct rate_commitment *c, size_t resource, const char *project, const char *flavor,
                 int64_t at_us);
/* The quantity committed for the part of its term within [from_us, to_us). */
__int128 rate_committed(const struct rate_commitment *c, int64_t from_us, int64_t to_us);

/* Microseconds that are charged at the end of a run beyond its length. */
int64_t rate_surplus_us(const struct rate_rounding *r, int64_t run_us);

/* quantity * nano / base of a unit, half to even. False when it leaves the range of int64_t. */
bool rate_amount(__int128 quantity, int64_t nano, int64_t unit_base, int64_t *ret_nano);
/* How much of `quantity`, when `used` went before it in the period, falls into tier `t`. */
__int128 rate_in_tier(const struct rate_rule *rule, size_t t, __int128 used, __int128 quantity);
/* The tier that a period's quantity reaches: the first whose limit is not below it. */
size_t rate_volume_tier(const struct rate_rule *rule, __int128 total);
/* The share of an amount: amount * ppm / 1,000,000, half to even. */
int64_t rate_share(int64_t nano, int64_t ppm);

/* Decimal text of 128 bits. Returns ret. */
#define RATE_TEXT_SIZE 48
char *rate_text(__int128 value, char ret[RATE_TEXT_SIZE]);
/* A quantity in millionths of its unit, half to even. */
int64_t rate_micro(__int128 quantity, int64_t unit_base);
