/* Adjustments: each earlier invoice that may still change is rated twice, as it was known and as it is known now; what
 * differs is a line. */
#include "common/clock.h"
#include "metering/bill/invoice_internal.h"

/* One earlier invoice: as it was known, as it is known now. */
struct again {
    struct invoice_making *render;
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
    invoice_write_line(x->render, project, l, quantity, nano);
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
        invoice_add_discount(x->render, book->discounts[i].label, project, after - before);
    }
}

static int rate_projects(struct again *x, const struct bill_period *before, const struct bill_period *after,
                         const struct book_versions *now, struct error *e)
{
    struct invoice_making *r = x->render;
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
    struct invoice_making *r = x->render;
    int rc = bill_unused(r->bill, before, x->books, &r->project, &x->before, e);
    rc = rc ? rc : bill_unused(r->bill, after, now, &r->project, &x->after, e);
    if (!rc) {
        write_changes(x, "");
    }
    return rc;
}

static int rate_again(struct again *x, const struct invoice_earlier *known, struct error *e)
{
    struct invoice_making *r = x->render;
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

int invoice_write_earlier(struct invoice_making *r, size_t index, struct error *e)
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

void invoice_write_corrections(struct invoice_making *r)
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
