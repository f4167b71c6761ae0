/* Inputs of an invoice as JSON. */
#include "common/json_out.h"
#include "metering/bill/invoice.h"
#include <string.h>

static void write_payer(struct json_out *o, const struct invoice_inputs *in)
{
    json_out_text(o, "account_id", in->account_id);
    json_out_text(o, "name", in->name);
    json_out_text(o, "address", in->address);
    json_out_text(o, "book", in->book);
    json_out_text(o, "timezone", in->timezone);
    json_out_int(o, "tax_ppm", in->tax_ppm);
    json_out_int(o, "from_us", in->period.from_us);
    json_out_int(o, "to_us", in->period.to_us);
    json_out_int(o, "position", in->period.position);
    json_out_int(o, "generation", in->period.generation);
    json_out_array(o, "projects");
    for (size_t i = 0; i < in->project_count; i++) {
        json_out_text(o, NULL, in->projects[i]);
    }
    json_out_array_end(o);
}

static void write_credit(struct json_out *o, const struct invoice_credit *c)
{
    json_out_object(o, NULL);
    json_out_text(o, "id", c->id);
    json_out_text(o, "reason", c->reason);
    json_out_int(o, "left_nano", c->left_nano);
    json_out_object_end(o);
}

static void write_earlier(struct json_out *o, const struct invoice_earlier *x)
{
    json_out_object(o, NULL);
    json_out_int(o, "number", x->number);
    json_out_int(o, "position", x->position);
    json_out_int(o, "generation", x->generation);
    json_out_object_end(o);
}

static void write_correction(struct json_out *o, const struct invoice_correction *c)
{
    json_out_object(o, NULL);
    json_out_text(o, "id", c->id);
    json_out_text(o, "reason", c->reason);
    json_out_int(o, "about", c->about);
    json_out_int(o, "amount_nano", c->amount_nano);
    json_out_object_end(o);
}

static void write_commitment(struct json_out *o, const struct invoice_commitment *c)
{
    json_out_object(o, NULL);
    json_out_text(o, "id", c->id);
    json_out_text(o, "label", c->label);
    json_out_text(o, "resource", c->resource);
    json_out_text(o, "project", c->project);
    json_out_text(o, "flavor", c->flavor);
    json_out_int(o, "units", c->units);
    json_out_int(o, "nano", c->nano);
    json_out_int(o, "from_us", c->from_us);
    json_out_int(o, "to_us", c->to_us);
    json_out_object_end(o);
}

#define LIST(name, items, count, write)                                                                                \
    json_out_array(&o, (name));                                                                                        \
    for (size_t i = 0; i < (count); i++) {                                                                             \
        write(&o, &(items)[i]);                                                                                        \
    }                                                                                                                  \
    json_out_array_end(&o)
char *invoice_write_inputs(const struct invoice_inputs *in, struct arena *a)
{
    struct strbuf text;
    struct json_out o;
    strbuf_init(&text, 0);
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    write_payer(&o, in);
    LIST("credits", in->credits, in->credit_count, write_credit);
    LIST("earlier", in->earlier, in->earlier_count, write_earlier);
    LIST("corrections", in->corrections, in->correction_count, write_correction);
    LIST("commitments", in->commitments, in->commitment_count, write_commitment);
    json_out_int(&o, "form", in->form);
    json_out_object_end(&o);
    char *copy = arena_strdup(a, text.data);
    strbuf_done(&text);
    return copy;
}

#define TEXT(member)                                                                                                   \
    {                                                                                                                  \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(struct stored, member), .flags = JSON_REQUIRED          \
    }
#define INT(type, member)                                                                                              \
    {                                                                                                                  \
        .name = #member, .kind = JSON_INT, .offset = offsetof(type, member), .flags = JSON_REQUIRED                    \
    }
struct stored {
    const char *account_id, *name, *address, *book, *timezone;
    int64_t tax_ppm, from_us, to_us, position, generation;
    struct json_list projects, credits, earlier, corrections, commitments;
    int64_t form;
};
static const struct json_field credit_fields[] = {
    {.name = "id", .kind = JSON_TEXT, .offset = offsetof(struct invoice_credit, id), .flags = JSON_REQUIRED},
    {.name = "reason", .kind = JSON_TEXT, .offset = offsetof(struct invoice_credit, reason), .flags = JSON_REQUIRED},
    INT(struct invoice_credit, left_nano),
};
static const struct json_table credit_table = {
    .fields = credit_fields, .count = JSON_COUNT(credit_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field earlier_fields[] = {
    INT(struct invoice_earlier, number),
    INT(struct invoice_earlier, position),
    INT(struct invoice_earlier, generation),
};
static const struct json_table earlier_table = {
    .fields = earlier_fields, .count = JSON_COUNT(earlier_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field correction_fields[] = {
    {.name = "id", .kind = JSON_TEXT, .offset = offsetof(struct invoice_correction, id), .flags = JSON_REQUIRED},
    {.name = "reason",
     .kind = JSON_TEXT,
     .offset = offsetof(struct invoice_correction, reason),
     .flags = JSON_REQUIRED},
    INT(struct invoice_correction, about),
    INT(struct invoice_correction, amount_nano),
};
static const struct json_table correction_table = {
    .fields = correction_fields, .count = JSON_COUNT(correction_fields), .seen_offset = JSON_NO_SEEN};
#define WORD(type, member)                                                                                             \
    {                                                                                                                  \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(type, member), .flags = JSON_REQUIRED                   \
    }
static const struct json_field commitment_fields[] = {
    WORD(struct invoice_commitment, id),       WORD(struct invoice_commitment, label),
    WORD(struct invoice_commitment, resource), WORD(struct invoice_commitment, project),
    WORD(struct invoice_commitment, flavor),   INT(struct invoice_commitment, units),
    INT(struct invoice_commitment, nano),      INT(struct invoice_commitment, from_us),
    INT(struct invoice_commitment, to_us),
};
static const struct json_table commitment_table = {
    .fields = commitment_fields, .count = JSON_COUNT(commitment_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field fields[] = {
    TEXT(account_id),
    TEXT(name),
    TEXT(address),
    TEXT(book),
    TEXT(timezone),
    INT(struct stored, tax_ppm),
    INT(struct stored, from_us),
    INT(struct stored, to_us),
    INT(struct stored, position),
    INT(struct stored, generation),
    {.name = "projects", .kind = JSON_TEXTS, .offset = offsetof(struct stored, projects), .flags = JSON_REQUIRED},
    {.name = "credits",
     .kind = JSON_LIST,
     .offset = offsetof(struct stored, credits),
     .flags = JSON_REQUIRED,
     .sub = &credit_table,
     .item_size = sizeof(struct invoice_credit)},
    {.name = "earlier",
     .kind = JSON_LIST,
     .offset = offsetof(struct stored, earlier),
     .flags = JSON_REQUIRED,
     .sub = &earlier_table,
     .item_size = sizeof(struct invoice_earlier)},
    {.name = "corrections", /* invoices of before there were any lack it */
     .kind = JSON_LIST,
     .offset = offsetof(struct stored, corrections),
     .sub = &correction_table,
     .item_size = sizeof(struct invoice_correction)},
    {.name = "commitments", /* likewise */
     .kind = JSON_LIST,
     .offset = offsetof(struct stored, commitments),
     .sub = &commitment_table,
     .item_size = sizeof(struct invoice_commitment)},
    {.name = "form", .kind = JSON_INT, .offset = offsetof(struct stored, form)}, /* likewise */
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

int invoice_read_inputs(const char *json, struct arena *a, struct invoice_inputs *ret, struct error *e)
{
    struct stored in = {0};
    struct json_doc doc;
    struct error detail = {0};
    int rc = json_in_parse(json, strlen(json), &doc, &detail);
    if (!rc) {
        rc = json_in_read(doc.root, &table, &in, a, &detail);
        json_in_done(&doc);
    }
    if (rc) {
        return error_set(e, ERR_CORRUPT, "the inputs of an invoice cannot be read: %s", error_text(&detail));
    }
    *ret = (struct invoice_inputs){.account_id = in.account_id,
                                   .name = in.name,
                                   .address = in.address,
                                   .book = in.book,
                                   .timezone = in.timezone,
                                   .tax_ppm = in.tax_ppm,
                                   .period = {in.from_us, in.to_us, in.position, in.generation},
                                   .projects = in.projects.items,
                                   .project_count = in.projects.count,
                                   .credits = in.credits.items,
                                   .credit_count = in.credits.count,
                                   .earlier = in.earlier.items,
                                   .earlier_count = in.earlier.count,
                                   .corrections = in.corrections.items,
                                   .correction_count = in.corrections.count,
                                   .commitments = in.commitments.items,
                                   .commitment_count = in.commitments.count,
                                   .form = in.form};
    return 0;
}
