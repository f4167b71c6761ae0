/* An invoice in the making, for the files that write its parts. Projects are rated and written one after the other, so
 * memory is that of the largest project besides the body's text. */
#pragma once
#include "common/json_out.h"
#include "metering/bill/invoice.h"

/* A discount that came to something. */
struct invoice_discount {
    const char *name, *project; /* project NULL: of the whole invoice */
    int64_t nano;
    struct invoice_discount *next;
};

struct invoice_making {
    struct bill *bill;
    const struct invoice_inputs *in;
    struct book_versions books;
    struct arena *arena;  /* the invoice's */
    struct arena project; /* of the project at hand */
    struct json_out out;
    struct invoice_discount *discounts, **last_discount;
    int64_t net, gross_lines; /* gross_lines: the sum of usage before discounts */
    struct invoice_result *result;
};

/* ---- invoice_head.c: whose it is, for what time, by which prices and in which units ---- */
void invoice_write_head(struct invoice_making *r, int64_t number, int64_t issued_us);
void invoice_write_books(struct invoice_making *r);
void invoice_write_units(struct invoice_making *r);

/* ---- invoice_lines.c: what was used ---- */
void invoice_write_commitments(struct invoice_making *r);
/* The names of the lines' columns. */
void invoice_write_columns(struct invoice_making *r);
/* A line with that quantity and amount, which is not added to the invoice. */
void invoice_write_line(struct invoice_making *r, const char *project, const struct bill_line *l, __int128 quantity,
                        int64_t amount_nano);
/* A project's lines and what comes off them by percentage; what was committed and not used; both count. */
int invoice_write_project(struct invoice_making *r, const char *project, struct error *e);
int invoice_write_unused(struct invoice_making *r, struct error *e);
/* Takes an amount off and remembers it for invoice_write_discounts; 0 does nothing. `name` stays the caller's. */
void invoice_add_discount(struct invoice_making *r, const char *name, const char *project, int64_t nano);
/* Fixed amounts come off the whole invoice, as far as there is something. */
void invoice_discount_whole(struct invoice_making *r);
void invoice_write_discounts(struct invoice_making *r);

/* ---- invoice_earlier.c: adjustments ---- */
/* What has become known of the earlier invoice in->earlier[index] since. */
int invoice_write_earlier(struct invoice_making *r, size_t index, struct error *e);
/* Corrections that somebody made, as they were told. */
void invoice_write_corrections(struct invoice_making *r);
