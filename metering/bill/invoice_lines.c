/* The lines of an invoice, and what comes off them. */
#include "metering/bill/invoice_internal.h"

static void write_quantity(struct json_out *o, __int128 quantity)
{
    char text[RATE_TEXT_SIZE];
    json_out_text(o, NULL, rate_text(quantity, text)); /* as text: readers of JSON have 53 or 64 bits */
}

void invoice_write_line(struct invoice_making *r, const char *project, const struct bill_line *l, __int128 quantity,
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
void invoice_write_commitments(struct invoice_making *r)
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

void invoice_write_columns(struct invoice_making *r)
{
    json_out_array(&r->out, "columns");
    write_names(&r->out, columns);
    if (r->in->form >= 2) {
        write_names(&r->out, columns_later);
    }
    write_names(&r->out, columns_last);
    json_out_array_end(&r->out);
}

void invoice_add_discount(struct invoice_making *r, const char *name, const char *project, int64_t nano)
{
    if (nano == 0) {
        return;
    }
    struct invoice_discount *d = arena_alloc(r->arena, sizeof(*d));
    *d = (struct invoice_discount){name, project, nano, NULL};
    *r->last_discount = d;
    r->last_discount = &d->next;
    r->net -= nano;
}

static void discount_project(struct invoice_making *r, const char *project, const struct bill_lines *lines)
{
    const struct rate_book *book = book_last(&r->books, r->in->period.to_us);
    int64_t left = bill_sum(lines);
    for (size_t i = 0; book && i < book->discount_count; i++) {
        int64_t nano = bill_discount(&book->discounts[i], project, lines);
        nano = nano < left ? nano : left;
        left -= nano;
        invoice_add_discount(r, book->discounts[i].label, project, nano);
    }
}

int invoice_write_project(struct invoice_making *r, const char *project, struct error *e)
{
    struct bill_lines lines = {0};
    arena_reset(&r->project);
    int rc = bill_project(r->bill, project, &r->in->period, &r->books, false, &r->project, &lines, e);
    for (size_t i = 0; !rc && i < lines.count; i++) {
        invoice_write_line(r, project, &lines.items[i], lines.items[i].quantity, lines.items[i].amount_nano);
        r->net += lines.items[i].amount_nano;
    }
    if (!rc) {
        r->result->lines += lines.count;
        discount_project(r, project, &lines);
    }
    return rc;
}

int invoice_write_unused(struct invoice_making *r, struct error *e)
{
    struct bill_lines lines = {0};
    arena_reset(&r->project);
    int rc = bill_unused(r->bill, &r->in->period, &r->books, &r->project, &lines, e);
    for (size_t i = 0; !rc && i < lines.count; i++) {
        invoice_write_line(r, "", &lines.items[i], lines.items[i].quantity, lines.items[i].amount_nano);
        r->net += lines.items[i].amount_nano;
    }
    r->result->lines += rc ? 0 : lines.count;
    return rc;
}

void invoice_discount_whole(struct invoice_making *r)
{
    const struct rate_book *book = book_last(&r->books, r->in->period.to_us);
    for (size_t i = 0; book && i < book->discount_count; i++) {
        int64_t nano = book->discounts[i].nano < r->net ? book->discounts[i].nano : r->net;
        invoice_add_discount(r, book->discounts[i].label, NULL, nano > 0 ? nano : 0);
    }
}

void invoice_write_discounts(struct invoice_making *r)
{
    json_out_array(&r->out, "discounts");
    for (const struct invoice_discount *d = r->discounts; d; d = d->next) {
        json_out_object(&r->out, NULL);
        json_out_text(&r->out, "name", d->name);
        json_out_text(&r->out, "project", d->project);
        json_out_int(&r->out, "amount", -d->nano);
        json_out_object_end(&r->out);
    }
    json_out_array_end(&r->out);
}
