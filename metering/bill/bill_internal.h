/* Rating in two steps: what was used, then what it costs. */
#pragma once
#include "metering/bill/bill.h"

/* What of a label was used: before a project's first line, or in all. */
struct bill_tiered {
    size_t resource;
    const char *label;
    bool per_account;
    __int128 used, total;
    struct bill_tiered *next;
};
/* A project's part in what counts over the account. */
struct bill_share {
    const char *project;
    __int128 *left;             /* of each commitment, before its first line */
    struct bill_tiered *tiered; /* per account: used before its first line */
    struct bill_share *next;
};
struct bill_terms {
    const struct rate_commitment *commitments;
    size_t count;
    __int128 *left;          /* of each commitment, after all projects */
    struct bill_tiered *all; /* per account: `used` by all projects */
    struct bill_share *shares;
};

/* A project's lines without prices: quantities per rule, merged and in order. */
int bill_quantities(struct bill *b, const char *project, const struct bill_period *period,
                    const struct book_versions *books, bool by_host, struct arena *a, struct bill_lines *ret,
                    struct error *e);
/* Takes from `left` what commitments pay of a line: ret_parts of each, and returns what is left of the quantity. */
__int128 bill_cover(const struct rate_commitment *commitments, size_t count, const char *project,
                    const struct bill_period *period, const struct bill_line *line, __int128 *left,
                    __int128 *ret_parts);
/* The entry of the line's rule, made when it is new. */
struct bill_tiered *bill_tiered_of(struct bill_tiered **list, const struct bill_line *line, struct arena *a);
/* Splits lines by commitments and by the tiers of their rules and gives them their amounts. */
int bill_price(struct bill *b, const char *project, const struct bill_period *period, const struct book_versions *books,
               const struct bill_lines *lines, struct arena *a, struct bill_lines *ret, struct error *e);
/* What prices look at, of the line's shape and network. */
void bill_facts(const struct bill_line *line, const char *project, struct rate_facts *ret);
/* Price times quantity. ERR_TOO_LARGE. */
int bill_amount(const struct bill *b, struct bill_line *line, struct error *e);
