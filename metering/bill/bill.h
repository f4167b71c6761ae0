/* What a project's usage costs in a period: ledger and amounts in, lines out. A line is one resource of one subject in
 * one state at one price. The same function makes month to date, dry runs, invoices and their recomputation, so they
 * cannot disagree: what differs is the period, the price book and how far the ledger counts as known. */
#pragma once
#include "db/store_ledger.h"
#include "metering/bill/book.h"

/* A shape of the ledger as rating wants it. */
struct bill_shape {
    struct ledger_shape facts;
    const char *const *tags;
    size_t tag_count;
    struct bill_units {
        size_t resource;
        int64_t units; /* base units held */
    } * units;
    size_t unit_count;
    bool spot;               /* it may be preempted: "spot" in facts.extra */
    const char *network;     /* where its counters counted: "network" in facts.extra; "" without */
    const char *reservation; /* whose room it took: "from_reservation" in facts.extra; "" without */
};

/* What runs share: connection, resources, shapes that were read. One thread at a time. */
struct bill {
    struct db_conn *conn;
    struct book_resources resources;
    struct arena arena;
    struct bill_shape_entry *shapes;
};
int bill_open(struct db_conn *c, struct bill *ret, struct error *e);
void bill_close(struct bill *b);

struct bill_period {
    int64_t from_us, to_us;       /* [from, to) */
    int64_t position, generation; /* the ledger as it was known then; INT64_MAX: all that is known */
};

struct bill_line {
    size_t resource, tier;
    const struct rate_book *book;
    const struct rate_rule *rule;             /* NULL: a commitment's unused part */
    const struct rate_commitment *commitment; /* that pays for it; NULL: the rule's price does */
    const struct bill_shape *shape; /* its state, flavor, zone, region and tags count; sizes may vary within a line */
    const char *network;            /* of traffic, "" for all else and where none is known */
    const char *subject, *host;     /* host NULL unless asked for */
    __int128 quantity;              /* base, exact */
    int64_t price_nano, amount_nano;
};
struct bill_lines {
    struct bill_line *items;
    size_t count;
};

/* The lines of a project by resource, book, rule, flavor, state, zone, region, tags, network, reservation, market,
 * subject and host, in that order; tiers count by project, resource and label through that order. Lines and texts in
 * the arena, shapes in `b`. Run it in one snapshot of the database. ERR_TOO_LARGE when an amount leaves 64 bits. */
int bill_project(struct bill *b, const char *project, const struct bill_period *period,
                 const struct book_versions *books, bool by_host, struct arena *a, struct bill_lines *ret,
                 struct error *e);
/* What counts over all projects of an account, into books->terms: what each has used of the commitments and of tiers
 * per account, in the order in which they are given. Of one period, position and generation; the books were cut
 * (book_cut). Without commitments and such tiers it reads nothing. In the arena. */
int bill_terms(struct bill *b, const char *const *projects, size_t count, const struct bill_period *period,
               struct book_versions *books, struct arena *a, struct error *e);
/* Lines of what was committed and not used, of state "unused", by commitment; of `books` with terms. */
int bill_unused(struct bill *b, const struct bill_period *period, const struct book_versions *books, struct arena *a,
                struct bill_lines *ret, struct error *e);
/* "spot" when the price follows a market: the server may be preempted, or the rule has prices by instants; else "". */
const char *bill_market(const struct bill_line *line);
/* The reservation that a line is about: its free slots, or a server that took one; "" without. */
const char *bill_reservation(const struct bill_line *line);
/* Whether the line is about something that had the tag. */
bool bill_has_tag(const struct bill_line *line, const char *tag);
/* The price's name on a line. */
const char *bill_label(const struct bill_line *line);
/* The order of lines, the tier last: below, equal to or above 0. Of runs with the same books. */
int bill_order(const struct bill_line *a, const struct bill_line *b);
/* The sum of the lines' amounts. */
int64_t bill_sum(const struct bill_lines *lines);
/* What a discount by percentage takes from these lines; commitments are paid in full. */
int64_t bill_discount(const struct rate_discount *d, const char *project, const struct bill_lines *lines);
