/* An invoice: everything that it is made from besides ledger and price books (its inputs), and its body, a JSON object
 * whose bytes follow from them. Amounts are integers in nano-units of the currency; each line is rounded once; the sum
 * of lines, discounts, adjustments, credits, tax and rounding is what is to be paid, exactly. */
#pragma once
#include "common/strbuf.h"
#include "metering/bill/bill.h"

struct invoice_credit {
    const char *id, *reason;
    int64_t left_nano;
};
/* An earlier invoice whose period is looked at again: what was known of it last. */
struct invoice_earlier {
    int64_t number, position, generation;
};
/* What an earlier invoice had wrong, before tax. */
struct invoice_correction {
    const char *id, *reason;
    int64_t about, amount_nano;
};
/* As rate_commitment; project, flavor "" for any. */
struct invoice_commitment {
    const char *id, *label, *resource, *project, *flavor;
    int64_t units, nano, from_us, to_us;
};
#define INVOICE_FORM 2
struct invoice_inputs {
    const char *account_id, *name, *address, *book, *timezone;
    int64_t tax_ppm;
    struct bill_period period;
    const char **projects;
    size_t project_count;
    struct invoice_credit *credits; /* in the order in which they are used */
    size_t credit_count;
    struct invoice_earlier *earlier; /* by number */
    size_t earlier_count;
    struct invoice_correction *corrections; /* in the order in which they were made */
    size_t correction_count;
    struct invoice_commitment *commitments; /* in the order in which they are used */
    size_t commitment_count;
    int64_t form; /* INVOICE_FORM; below 2: lines have neither network, market nor reservation, as there were none */
};
/* The versions of the account's book, cut where its commitments begin and end. In the arena. */
int invoice_books(struct bill *b, const struct invoice_inputs *in, struct arena *a, struct book_versions *ret,
                  struct error *e);
/* The prices for the account's projects in a period, with its commitments and what counts over all of its projects. In
 * the arena. Run it in the snapshot in which bill_project is run with them. */
int invoice_prices(struct bill *b, const struct invoice_inputs *in, const struct bill_period *period, struct arena *a,
                   struct book_versions *ret, struct error *e);
/* Inputs as their row's JSON, and back (ERR_CORRUPT); in the arena. */
char *invoice_write_inputs(const struct invoice_inputs *in, struct arena *a);
int invoice_read_inputs(const char *json, struct arena *a, struct invoice_inputs *ret, struct error *e);

/* What came out, beside the body. */
struct invoice_result {
    const char *currency; /* "" without a price book */
    int64_t payable_nano;
    int64_t *credits_used; /* as inputs.credits */
    bool *adjusted;        /* as inputs.earlier: it had changed */
    size_t lines;
};
/* Appends the body to `body`. `number` 0: a preview, which has none. Run it in one snapshot. */
int invoice_render(struct bill *b, const struct invoice_inputs *in, int64_t number, int64_t issued_us, struct arena *a,
                   struct strbuf *body, struct invoice_result *ret, struct error *e);
/* "INV-00000012" */
#define INVOICE_NUMBER_SIZE 32
char *invoice_number(int64_t number, char ret[INVOICE_NUMBER_SIZE]);
/* Reads "INV-00000012" or "12"; 0 for anything else. */
int64_t invoice_number_parse(const char *text);
/* The smallest amount that the currency is paid in, in nano-units. */
int64_t invoice_minor_unit(const char *currency);

/* Makes the stored invoice again from its inputs, the ledger and the price books. *ret_same: every byte is equal.
 * ERR_GONE: retention dropped what it was made from, and its own bytes are those that were written. */
int invoice_verify(struct bill *b, int64_t number, struct arena *a, struct strbuf *body, bool *ret_same,
                   struct error *e);
