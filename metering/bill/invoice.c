/* Rendering an invoice. Projects are rated and written one after the other, so memory is that of the largest project
 * besides the body's text. */
#include "metering/bill/invoice.h"
#include "common/clock.h"
#include "common/json_out.h"
#include "common/model/money.h"
#include "db/store_usage.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "INV-"

/* A discount that came to something. */
struct discount {
    const char *name, *project; /* project NULL: of the whole invoice */
    int64_t nano;
    struct discount *next;
};

struct render {
    struct bill *bill;
    const struct invoice_inputs *in;
    struct book_versions books;
    struct arena *arena;  /* the invoice's */
    struct arena project; /* of the project at hand */
    struct json_out out;
    struct discount *discounts, **last_discount;
    int64_t net, gross_lines; /* gross_lines: the sum of usage before discounts */
    struct invoice_result *result;
};

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

/* ---- usage ---- */

static void write_quantity(struct json_out *o, __int128 quantity)
{
    char text[RATE_TEXT_SIZE];
    json_out_text(o, NULL, rate_text(quantity, text)); /* as text: readers of JSON have 53 or 64 bits */
}

static void write_line(struct render *r, const char *project, const struct bill_line *l, __int128 quantity,
                       int64_t amount_nano)
{
    const struct ledger_shape *f = &l->shape->facts;
    struct json_out *o = &r->out;
    json_out_array(o, NULL);
    json_out_text(o, NULL, project);
    json_out_text(o, NULL, r->bill->resources.items[l->resource].name);
    json_out_text(o, NULL, f->flavor);
    json_out_text(o, NULL, f->state);
    json_out_text(o, NULL, f->zone);
    json_out_text(o, NULL, f->region);
    json_out_text(o, NULL, l->subject);
    json_out_raw(o, NULL, f->tags);
    json_out_int(o, NULL, l->book->version);
    json_out_text(o, NULL, bill_label(l));
    if (r->in->form >= 2) {
        json_out_text(o, NULL, l->network);
        json_out_text(o, NULL, bill_market(l));
        json_out_text(o, NULL, bill_reservation(l));
    }
    json_out_uint(o, NULL, l->tier);
    write_quantity(o, quantity);
    json_out_int(o, NULL, l->price_nano);
    json_out_int(o, NULL, amount_nano);
    json_out_array_end(o);
}

/* What form 2 brought stands together. */
static const char *const columns[] = {"project", "resource", "flavor",       "state",      "zone", "region",
                                      "subject", "tags",     "book_version", "price_name", NULL};
static const char *const columns_later[] = {"network", "market", "reservation", NULL};
static const char *const columns_last[] = {"tier", "quantity", "price", "amount", NULL};

/* Lines are paid by a commitment when resource, name and price are its own. */
static void write_commitments(struct render *r)
{
    if (r->in->commitment_count == 0) {
        return;
    }
    json_out_array(&r->out, "commitments");
    for (size_t i = 0; i < r->in->commitment_count; i++) {
        const struct invoice_commitment *c = &r->in->commitments[i];
        json_out_object(&r->out, NULL);
        json_out_text(&r->out, "id", c->id);
        json_out_text(&r->out, "name", c->label);
        json_out_text(&r->out, "resource", c->resource);
        json_out_int(&r->out, "price", c->nano);
        json_out_object_end(&r->out);
    }
    json_out_array_end(&r->out);
}

static void write_names(struct json_out *o, const char *const *list)
{
    for (; *list; list++) {
        json_out_text(o, NULL, *list);
    }
}

static void write_columns(struct render *r)
{
    json_out_array(&r->out, "columns");
    write_names(&r->out, columns);
    if (r->in->form >= 2) {
        write_names(&r->out, columns_later);
    }
    write_names(&r->out, columns_last);
    json_out_array_end(&r->out);
}

static void add_discount(struct render *r, const char *name, const char *project, int64_t nano)
{
    if (nano == 0) {
        return;
    }
    struct discount *d = arena_alloc(r->arena, sizeof(*d));
    *d = (struct discount){name, project, nano, NULL};
    *r->last_discount = d;
    r->last_discount = &d->next;
    r->net -= nano;
}

static void discount_project(struct render *r, const char *project, const struct bill_lines *lines)
{
    const struct rate_book *book = book_last(&r->books, r->in->period.to_us);
    int64_t left = bill_sum(lines);
    for (size_t i = 0; book && i < book->discount_count; i++) {
        int64_t nano = bill_discount(&book->discounts[i], project, lines);
        nano = nano < left ? nano : left;
        left -= nano;
        add_discount(r, book->discounts[i].label, project, nano);
    }
}

static int write_project(struct render *r, const char *project, struct error *e)
{
    struct bill_lines lines = {0};
    arena_reset(&r->project);
    int rc = bill_project(r->bill, project, &r->in->period, &r->books, false, &r->project, &lines, e);
    for (size_t i = 0; !rc && i < lines.count; i++) {
        write_line(r, project, &lines.items[i], lines.items[i].quantity, lines.items[i].amount_nano);
        r->net += lines.items[i].amount_nano;
    }
    if (!rc) {
        r->result->lines += lines.count;
        discount_project(r, project, &lines);
    }
    return rc;
}

static int write_unused(struct render *r, struct error *e)
{
    struct bill_lines lines = {0};
    arena_reset(&r->project);
    int rc = bill_unused(r->bill, &r->in->period, &r->books, &r->project, &lines, e);
    for (size_t i = 0; !rc && i < lines.count; i++) {
        write_line(r, "", &lines.items[i], lines.items[i].quantity, lines.items[i].amount_nano);
        r->net += lines.items[i].amount_nano;
    }
    r->result->lines += rc ? 0 : lines.count;
    return rc;
}

/* Fixed amounts come off the whole invoice, as far as there is something. */
static void discount_invoice(struct render *r)
{
    const struct rate_book *book = book_last(&r->books, r->in->period.to_us);
    for (size_t i = 0; book && i < book->discount_count; i++) {
        int64_t nano = book->discounts[i].nano < r->net ? book->discounts[i].nano : r->net;
        add_discount(r, book->discounts[i].label, NULL, nano > 0 ? nano : 0);
    }
}

static void write_discounts(struct render *r)
{
    json_out_array(&r->out, "discounts");
    for (const struct discount *d = r->discounts; d; d = d->next) {
        json_out_object(&r->out, NULL);
        json_out_text(&r->out, "name", d->name);
        json_out_text(&r->out, "project", d->project);
        json_out_int(&r->out, "amount", -d->nano);
        json_out_object_end(&r->out);
    }
    json_out_array_end(&r->out);
}

/* ---- earlier periods ---- */

/* One earlier invoice: as it was known, as it is known now. */
struct again {
    struct render *render;
    const struct invoice_inputs *in;
    struct book_versions *books;
    struct bill_lines before, after;
    int64_t changed; /* lines */
};

static void write_change(struct again *x, const char *project, const struct bill_line *l, __int128 quantity,
                         int64_t nano)
{
    if (quantity == 0 && nano == 0) {
        return;
    }
    write_line(x->render, project, l, quantity, nano);
    x->render->net += nano;
    x->changed++;
}

static void write_changes(struct again *x, const char *project)
{
    size_t i = 0, k = 0;
    while (i < x->before.count || k < x->after.count) {
        const struct bill_line *a = i < x->before.count ? &x->before.items[i] : NULL;
        const struct bill_line *b = k < x->after.count ? &x->after.items[k] : NULL;
        int order = !a ? 1 : !b ? -1 : bill_order(a, b);
        if (order < 0) {
            write_change(x, project, a, -a->quantity, -a->amount_nano);
        } else if (order > 0) {
            write_change(x, project, b, b->quantity, b->amount_nano);
        } else {
            write_change(x, project, b, b->quantity - a->quantity, b->amount_nano - a->amount_nano);
        }
        i += order <= 0;
        k += order >= 0;
    }
}

/* A percentage off what has changed. */
static void discount_changes(struct again *x, const char *project)
{
    const struct rate_book *book = book_last(x->books, x->in->period.to_us);
    for (size_t i = 0; book && i < book->discount_count; i++) {
        int64_t before = bill_discount(&book->discounts[i], project, &x->before);
        int64_t after = bill_discount(&book->discounts[i], project, &x->after);
        add_discount(x->render, book->discounts[i].label, project, after - before);
    }
}

static int rate_projects(struct again *x, const struct bill_period *before, const struct bill_period *after,
                         const struct book_versions *now, struct error *e)
{
    struct render *r = x->render;
    int rc = 0;
    for (size_t i = 0; !rc && i < x->in->project_count; i++) {
        const char *project = x->in->projects[i];
        arena_reset(&r->project);
        rc = bill_project(r->bill, project, before, x->books, false, &r->project, &x->before, e);
        rc = rc ? rc : bill_project(r->bill, project, after, now, false, &r->project, &x->after, e);
        if (!rc) {
            write_changes(x, project);
            discount_changes(x, project);
        }
    }
    return rc;
}

/* What is used later of a commitment was charged as unused. */
static int rate_unused(struct again *x, const struct bill_period *before, const struct bill_period *after,
                       const struct book_versions *now, struct error *e)
{
    struct render *r = x->render;
    int rc = bill_unused(r->bill, before, x->books, &r->project, &x->before, e);
    rc = rc ? rc : bill_unused(r->bill, after, now, &r->project, &x->after, e);
    if (!rc) {
        write_changes(x, "");
    }
    return rc;
}

static int rate_again(struct again *x, const struct invoice_earlier *known, struct error *e)
{
    struct render *r = x->render;
    struct bill_period before = x->in->period, after = x->in->period;
    before.position = known->position;
    before.generation = known->generation;
    after.position = r->in->period.position;
    after.generation = r->in->period.generation;
    int rc = invoice_prices(r->bill, x->in, &before, r->arena, x->books, e);
    struct book_versions now = *x->books;
    const char *const *projects = (const char *const *)x->in->projects;
    rc = rc ? rc : bill_terms(r->bill, projects, x->in->project_count, &after, &now, r->arena, e);
    rc = rc ? rc : rate_projects(x, &before, &after, &now, e);
    return rc ? rc : rate_unused(x, &before, &after, &now, e);
}

static int write_earlier(struct render *r, size_t index, struct error *e)
{
    const struct invoice_earlier *known = &r->in->earlier[index];
    struct billing_invoice_row row;
    struct invoice_inputs in;
    struct book_versions books;
    struct again x = {.render = r, .in = &in, .books = &books};
    char number[INVOICE_NUMBER_SIZE], text[CLOCK_TEXT_SIZE];
    int rc = store_billing_invoice(r->bill->conn, known->number, r->arena, &row, e);
    rc = rc ? rc : invoice_read_inputs(row.inputs, r->arena, &in, e);
    if (rc) {
        return rc;
    }
    json_out_object(&r->out, NULL);
    json_out_text(&r->out, "invoice", invoice_number(known->number, number));
    json_out_text(&r->out, "reason", "usage that became known after that invoice was made");
    json_out_text(&r->out, "begin", clock_text(in.period.from_us, CLOCK_ISO_Z, text));
    json_out_text(&r->out, "end", clock_text(in.period.to_us, CLOCK_ISO_Z, text));
    json_out_array(&r->out, "lines");
    rc = rate_again(&x, known, e);
    json_out_array_end(&r->out);
    json_out_object_end(&r->out);
    r->result->adjusted[index] = x.changed > 0;
    return rc;
}

/* Corrections that somebody made, as they were told. */
static void write_corrections(struct render *r)
{
    char number[INVOICE_NUMBER_SIZE];
    for (size_t i = 0; i < r->in->correction_count; i++) {
        const struct invoice_correction *c = &r->in->corrections[i];
        json_out_object(&r->out, NULL);
        json_out_text(&r->out, "invoice", invoice_number(c->about, number));
        json_out_text(&r->out, "reason", c->reason);
        json_out_text(&r->out, "correction", c->id);
        json_out_int(&r->out, "amount", c->amount_nano);
        json_out_array(&r->out, "lines");
        json_out_array_end(&r->out);
        json_out_object_end(&r->out);
        r->net += c->amount_nano;
    }
}

/* ---- the whole ---- */

static void write_head(struct render *r, int64_t number, int64_t issued_us)
{
    const struct invoice_inputs *in = r->in;
    struct json_out *o = &r->out;
    char text[CLOCK_TEXT_SIZE], name[INVOICE_NUMBER_SIZE];
    json_out_text(o, "invoice", number ? invoice_number(number, name) : NULL);
    json_out_text(o, "kind", "invoice");
    json_out_text(o, "issued_at", clock_text(issued_us, CLOCK_ISO_MICRO_Z, text));
    json_out_object(o, "account");
    json_out_text(o, "id", in->account_id);
    json_out_text(o, "name", in->name);
    json_out_text(o, "address", in->address);
    json_out_object_end(o);
    json_out_object(o, "period");
    json_out_text(o, "begin", clock_text(in->period.from_us, CLOCK_ISO_Z, text));
    json_out_text(o, "end", clock_text(in->period.to_us, CLOCK_ISO_Z, text));
    json_out_text(o, "timezone", in->timezone);
    json_out_object_end(o);
    json_out_text(o, "currency", r->result->currency);
    json_out_text(o, "amounts_in", "nano-units of the currency: 1000000000 are 1");
    json_out_object(o, "known");
    json_out_int(o, "position", in->period.position);
    json_out_int(o, "generation", in->period.generation);
    json_out_object_end(o);
}

/* Resources that come later do not show in old invoices. */
static bool is_priced(const struct rate_book *b, size_t resource)
{
    for (size_t i = 0; i < b->rule_count; i++) {
        if (b->rules[i].resource == resource) {
            return true;
        }
    }
    return false;
}

/* Whether the version holds at some time of the period. */
static bool holds(const struct render *r, size_t i)
{
    const struct book_versions *b = &r->books;
    return b->items[i].from_us < r->in->period.to_us &&
           (i + 1 == b->count || b->items[i + 1].from_us > r->in->period.from_us);
}

static void write_units(struct render *r)
{
    json_out_array(&r->out, "units");
    for (size_t i = 0; i < r->bill->resources.count; i++) {
        const struct rate_resource *x = &r->bill->resources.items[i];
        bool shown = false;
        for (size_t k = 0; !shown && k < r->books.count; k++) {
            shown = holds(r, k) && is_priced(&r->books.items[k], i);
        }
        for (size_t k = 0; !shown && k < r->books.commitment_count; k++) {
            shown = r->books.commitments[k].resource == i;
        }
        if (!shown) {
            continue;
        }
        json_out_object(&r->out, NULL);
        json_out_text(&r->out, "resource", x->name);
        json_out_text(&r->out, "unit", x->unit);
        json_out_int(&r->out, "quantity_per_unit", rate_unit_base(x));
        json_out_object_end(&r->out);
    }
    json_out_array_end(&r->out);
}

static void write_books(struct render *r)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t shown = -1; /* a version may be cut into several */
    json_out_array(&r->out, "books");
    for (size_t i = 0; i < r->books.count; i++) {
        const struct rate_book *b = &r->books.items[i];
        if (!holds(r, i) || b->version == shown) {
            continue;
        }
        shown = b->version;
        json_out_object(&r->out, NULL);
        json_out_text(&r->out, "name", b->name);
        json_out_int(&r->out, "version", b->version);
        json_out_text(&r->out, "from", clock_text(b->version_us, CLOCK_ISO_Z, text));
        json_out_text(&r->out, "sha256", b->digest);
        json_out_object_end(&r->out);
    }
    json_out_array_end(&r->out);
}

static void write_credits(struct render *r)
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

static void write_total(struct render *r)
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

static int write_body(struct render *r, int64_t number, int64_t issued_us, struct error *e)
{
    int rc = 0;
    json_out_object(&r->out, NULL);
    write_head(r, number, issued_us);
    write_books(r);
    write_units(r);
    write_commitments(r);
    write_columns(r);
    json_out_array(&r->out, "lines");
    for (size_t i = 0; !rc && i < r->in->project_count; i++) {
        rc = write_project(r, r->in->projects[i], e);
    }
    rc = rc ? rc : write_unused(r, e);
    json_out_array_end(&r->out);
    discount_invoice(r);
    json_out_array(&r->out, "adjustments");
    for (size_t i = 0; !rc && i < r->in->earlier_count; i++) {
        rc = write_earlier(r, i, e);
    }
    write_corrections(r);
    json_out_array_end(&r->out);
    write_discounts(r);
    write_total(r);
    json_out_object_end(&r->out);
    return rc;
}

int invoice_render(struct bill *b, const struct invoice_inputs *in, int64_t number, int64_t issued_us, struct arena *a,
                   struct strbuf *body, struct invoice_result *ret, struct error *e)
{
    struct render r = {.bill = b, .in = in, .arena = a, .result = ret};
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
