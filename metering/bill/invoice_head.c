/* The head of an invoice: whose it is, for what time, by which prices and in which units. */
#include "common/clock.h"
#include "metering/bill/invoice_internal.h"

void invoice_write_head(struct invoice_making *r, int64_t number, int64_t issued_us)
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
static bool holds(const struct invoice_making *r, size_t i)
{
    const struct book_versions *b = &r->books;
    return b->items[i].from_us < r->in->period.to_us &&
           (i + 1 == b->count || b->items[i + 1].from_us > r->in->period.from_us);
}

void invoice_write_units(struct invoice_making *r)
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

void invoice_write_books(struct invoice_making *r)
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
