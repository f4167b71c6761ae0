/* Price books: from the JSON that files, the API and rows hold to what rating wants, with every mistake named.
 *
 *     {"from": "2026-01-01", "prices": [
 *         {"resource": "vcpu", "price": "0.008", "states": ["running", "paused"], "flavor": "m1.*", "zone": "az1",
 *          "region": "RegionOne", "project": "<id>", "tag": "spot", "name": "label on the bill",
 *          "minimum_seconds": "60", "granularity_seconds": "1",
 *          "free": "100", "tiers": [{"up_to": "1000", "price": "0.01"}, {"rate": "0.8"}], "tiering": "volume",
 *          "per": "account"},
 *         {"resource": "vcpu", "market": "spot", "price": "0.003",
 *          "spot": [{"from": "2026-01-01T10:00:00Z", "price": "0.0028"}, ...]}],
 *      "rates": [{"resource": "vcpu", "zone": "az2", "rate": "1.1", "name": "label of the prices that it multiplies"}],
 *      "discounts": [{"name": "partner", "percent": "10", "resource": "vcpu", "project": "<id>"},
 *                    {"name": "welcome", "amount": "5"}]}
 *
 * Prices, rates and tiers may have an "id", the book a member "hashmap": the API's view of that name keeps them there.
 * The first price that matches counts; all rates that match multiply it. Decimals are text, so that they are exact. */
#pragma once
#include "common/json_in.h"
#include "common/model/rate.h"
#include "db/store_billing.h"

struct book_resources {
    struct rate_resource *items; /* by name */
    size_t count;
};
/* What can be metered, from its table; in the arena. */
int book_resources_load(struct db_conn *c, struct arena *a, struct book_resources *ret, struct error *e);
/* The index of a resource, or -1. */
int book_resource(const struct book_resources *r, const char *name);

/* Reads one version (an object as above). ERR_INVALID naming the place. */
int book_read(json_value *value, const char *name, const char *currency, const struct book_resources *resources,
              struct arena *a, struct rate_book *ret, struct error *e);
/* The row of a version that was read: body and digest. */
void book_row(json_value *value, const struct rate_book *book, struct arena *a, struct billing_book_row *ret);
/* A digest as rows hold it: SHA-256 of the texts, hex; in the arena. */
const char *book_digest(const char *first, const char *second, struct arena *a);

/* All versions of a book (none: an empty list), ascending by from_us; in the arena. A version whose prices change
 * within its time ("spot") is several, with its number and digest. ERR_CORRUPT. */
struct bill_terms;
struct book_versions {
    struct rate_book *items;
    size_t count;
    const struct rate_commitment *commitments; /* of the account; versions are cut where their terms begin and end */
    size_t commitment_count;
    const struct bill_terms *terms; /* what counts over all projects of the account (bill_terms); NULL: nothing does */
};
int book_load(struct db_conn *c, const char *name, const struct book_resources *resources, struct arena *a,
              struct book_versions *ret, struct error *e);
/* Versions as they were read, ascending, as rating wants them: cut where spot prices change. In the arena. */
void book_expand(const struct rate_book *list, size_t count, struct arena *a, struct book_versions *ret);
/* Cuts the versions where a commitment's term begins or ends, so that it holds for the whole of a version or not at
 * all. */
void book_cut(struct book_versions *books, struct arena *a);
/* The version in effect just before to_us, or NULL: its discounts hold for a period that ends then. */
const struct rate_book *book_last(const struct book_versions *books, int64_t to_us);
