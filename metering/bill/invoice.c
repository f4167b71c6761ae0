/* An invoice as a whole: its number, its prices, its parts in their order, its total, and whether it can be made again.
 */
#include "common/model/money.h"
#include "db/store_usage.h"
#include "metering/bill/invoice_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "INV-"

char *invoice_number(int64_t number, char ret[INVOICE_NUMBER_SIZE])
{
    snprintf(ret, INVOICE_NUMBER_SIZE, PREFIX "%08" PRId64, number);
    return ret;
}

int64_t invoice_number_parse(const char *text)
{
    char *end = NULL;
    const char *digits = strncmp(text, PREFIX, strlen(PREFIX)) == 0 ? text + strlen(PREFIX) : text;
    long long number = *digits >= '0' && *digits <= '9' ? strtoll(digits, &end, 10) : 0;
    return end && !*end && number > 0 ? number : 0;
}

int64_t invoice_minor_unit(const char *currency)
{
    static const struct {
        const char *currency;
        int64_t parts; /* ISO 4217 */
    } others[] = {{"JPY", 1},    {"KRW", 1},    {"CLP", 1},    {"ISK", 1},    {"VND", 1},    {"XAF", 1},
                  {"XOF", 1},    {"PYG", 1},    {"UGX", 1},    {"BHD", 1000}, {"IQD", 1000}, {"JOD", 1000},
                  {"KWD", 1000}, {"LYD", 1000}, {"OMR", 1000}, {"TND", 1000}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(others[i].currency, currency) == 0) {
            return MONEY_UNIT / others[i].parts;
        }
    }
    return MONEY_UNIT / 100;
}

/* ---- prices ---- */

static int read_commitments(struct bill *b, const struct invoice_inputs *in, struct arena *a,
                            struct book_versions *books, struct error *e)
{
    struct rate_commitment *list = arena_array(a, in->commitment_count + 1, sizeof(*list));
    for (size_t i = 0; i < in->commitment_count; i++) {
        const struct invoice_commitment *c = &in->commitments[i];
        int resource = book_resource(&b->resources, c->resource);
        if (resource < 0) {
            return error_set(e, ERR_CORRUPT, "\"%s\" was committed and is no resource", c->resource);
        }
        list[i] = (struct rate_commitment){.id = c->id,
                                           .label = c->label,
                                           .project = *c->project ? c->project : NULL,
                                           .flavor = *c->flavor ? c->flavor : NULL,
                                           .resource = (size_t)resource,
                                           .units = c->units,
                                           .nano = c->nano,
                                           .from_us = c->from_us,
                                           .to_us = c->to_us};
    }
    books->commitments = list;
    books->commitment_count = in->commitment_count;
    return 0;
}

int invoice_books(struct bill *b, const struct invoice_inputs *in, struct arena *a, struct book_versions *ret,
                  struct error *e)
{
    int rc = book_load(b->conn, in->book, &b->resources, a, ret, e);
    rc = rc ? rc : read_commitments(b, in, a, ret, e);
    if (!rc) {
        book_cut(ret, a);
    }
    return rc;
}

int invoice_prices(struct bill *b, const struct invoice_inputs *in, const struct bill_period *period, struct arena *a,
                   struct book_versions *ret, struct error *e)
{
    int rc = invoice_books(b, in, a, ret, e);
    return rc ? rc : bill_terms(b, (const char *const *)in->projects, in->project_count, period, ret, a, e);
}

/* ---- the whole ---- */

static void write_credits(struct invoice_making *r)
{
    json_out_array(&r->out, "credits");
    for (size_t i = 0; i < r->in->credit_count; i++) {
        const struct invoice_credit *c = &r->in->credits[i];
        int64_t nano = c->left_nano < r->net ? c->left_nano : r->net;
        if (nano <= 0) {
            continue;
        }
        r->result->credits_used[i] = nano;
        r->net -= nano;
        json_out_object(&r->out, NULL);
        json_out_text(&r->out, "id", c->id);
        json_out_text(&r->out, "reason", c->reason);
        json_out_int(&r->out, "amount", -nano);
        json_out_object_end(&r->out);
    }
    json_out_array_end(&r->out);
}

static void write_total(struct invoice_making *r)
{
    int64_t minor = invoice_minor_unit(r->result->currency);
    int64_t subtotal = r->net;
    write_credits(r);
    int64_t tax = rate_share(r->net, r->in->tax_ppm), total = r->net + tax;
    r->result->payable_nano = money_divide(total, minor) * minor;
    json_out_int(&r->out, "subtotal", subtotal);
    json_out_object(&r->out, "tax");
    json_out_int(&r->out, "ppm", r->in->tax_ppm);
    json_out_int(&r->out, "amount", tax);
    json_out_object_end(&r->out);
    json_out_int(&r->out, "rounding", r->result->payable_nano - total);
    json_out_int(&r->out, "payable", r->result->payable_nano);
}

static int write_body(struct invoice_making *r, int64_t number, int64_t issued_us, struct error *e)
{
    int rc = 0;
    json_out_object(&r->out, NULL);
    invoice_write_head(r, number, issued_us);
    invoice_write_books(r);
    invoice_write_units(r);
    invoice_write_commitments(r);
    invoice_write_columns(r);
    json_out_array(&r->out, "lines");
    for (size_t i = 0; !rc && i < r->in->project_count; i++) {
        rc = invoice_write_project(r, r->in->projects[i], e);
    }
    rc = rc ? rc : invoice_write_unused(r, e);
    json_out_array_end(&r->out);
    invoice_discount_whole(r);
    json_out_array(&r->out, "adjustments");
    for (size_t i = 0; !rc && i < r->in->earlier_count; i++) {
        rc = invoice_write_earlier(r, i, e);
    }
    invoice_write_corrections(r);
    json_out_array_end(&r->out);
    invoice_write_discounts(r);
    write_total(r);
    json_out_object_end(&r->out);
    return rc;
}

int invoice_render(struct bill *b, const struct invoice_inputs *in, int64_t number, int64_t issued_us, struct arena *a,
                   struct strbuf *body, struct invoice_result *ret, struct error *e)
{
    struct invoice_making r = {.bill = b, .in = in, .arena = a, .result = ret};
    r.last_discount = &r.discounts;
    *ret = (struct invoice_result){.currency = "",
                                   .credits_used = arena_array(a, in->credit_count + 1, sizeof(int64_t)),
                                   .adjusted = arena_array(a, in->earlier_count + 1, sizeof(bool))};
    int rc = invoice_prices(b, in, &in->period, a, &r.books, e);
    if (rc) {
        return rc;
    }
    if (r.books.count > 0) {
        ret->currency = r.books.items[0].currency;
    }
    arena_init(&r.project);
    json_out_init(&r.out, body);
    rc = write_body(&r, number, issued_us, e);
    arena_done(&r.project);
    return rc || !body->error ? rc : error_set(e, body->error, "the invoice is too large");
}

/* Whether retention dropped usage that the invoice, or an earlier one that it adjusts, was made from. */
static int is_forgotten(struct bill *b, int64_t number, const struct invoice_inputs *in, bool *ret, struct error *e)
{
    int64_t until = 0;
    int rc = store_usage_cursor(b->conn, STORE_USAGE_FORGOTTEN, &until, e);
    *ret = number <= until;
    for (size_t i = 0; i < in->earlier_count; i++) {
        *ret = *ret || in->earlier[i].number <= until;
    }
    return rc;
}

int invoice_verify(struct bill *b, int64_t number, struct arena *a, struct strbuf *body, bool *ret_same,
                   struct error *e)
{
    struct billing_invoice_row row;
    struct invoice_inputs in;
    struct invoice_result result;
    int rc = store_billing_invoice(b->conn, number, a, &row, e);
    if (!rc && strcmp(row.kind, "invoice") != 0) {
        return error_set(e, ERR_INVALID, "%" PRId64 " is a credit note: it was written by hand", number);
    }
    rc = rc ? rc : invoice_read_inputs(row.inputs, a, &in, e);
    rc = rc ? rc : invoice_render(b, &in, number, row.issued_us, a, body, &result, e);
    if (!rc) {
        *ret_same = strcmp(row.body, body->data) == 0 && strcmp(row.digest, book_digest(body->data, "", a)) == 0;
    }
    bool forgotten = false;
    bool intact = !rc && strcmp(row.digest, book_digest(row.body, "", a)) == 0;
    rc = rc || *ret_same || !intact ? rc : is_forgotten(b, number, &in, &forgotten, e);
    if (!rc && forgotten) {
        rc = error_set(e, ERR_GONE, "the counters that it was made from are no longer kept");
    }
    return rc;
}
