/* Forms of an invoice by their name; CSV as we have it. */
#include "metering/bill/export.h"
#include "metering/bill/export_internal.h"
#include <string.h>

static const struct {
    const char *name, *content_type;
    int (*write)(struct db_conn *c, json_value *body, struct arena *a, struct strbuf *to, struct error *e);
} forms[] = {
    {"csv", "text/csv; charset=utf-8", export_csv},
    {"focus", "text/csv; charset=utf-8", export_focus},
    {"html", "text/html; charset=utf-8", export_html},
};

int export_write(struct db_conn *c, const char *body, const char *format, struct arena *a, struct strbuf *to,
                 const char **ret_content_type, struct error *e)
{
    struct json_doc doc;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (strcmp(forms[i].name, format) != 0) {
            continue;
        }
        if (json_in_parse(body, strlen(body), &doc, NULL)) {
            return error_set(e, ERR_CORRUPT, "the body of an invoice cannot be read");
        }
        int rc = forms[i].write(c, doc.root, a, to, e);
        json_in_done(&doc);
        *ret_content_type = forms[i].content_type;
        return rc || !to->error ? rc : error_set(e, to->error, "the invoice is too large for this form");
    }
    return error_set(e, ERR_INVALID, "format: \"%s\" is not one of json, csv, html, focus", format);
}

void export_quoted(struct strbuf *to, const char *text)
{
    strbuf_append_char(to, '"');
    for (; *text; text++) {
        strbuf_append(to, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    }
    strbuf_append_char(to, '"');
}

/* A cell that a spreadsheet would take for a formula is made text. */
void export_field(struct strbuf *to, const char *text, bool last)
{
    bool number = *text == '-' && text[1] >= '0' && text[1] <= '9';
    bool formula = *text && strchr("=+-@\t\r", *text) && !number;
    if (formula || strpbrk(text, ",\"\r\n")) {
        struct strbuf whole;
        strbuf_init(&whole, 0);
        strbuf_append_text(&whole, formula ? "'" : "");
        strbuf_append_text(&whole, text);
        export_quoted(to, whole.data);
        strbuf_done(&whole);
    } else {
        strbuf_append_text(to, text);
    }
    strbuf_append_text(to, last ? "\r\n" : ",");
}

struct csv {
    struct strbuf *to;
    struct arena *arena;
    struct export_head head;
};

static int write_row(void *arg, const struct export_row *r, struct error *e)
{
    (void)e;
    struct csv *x = arg;
    bool usage = r->kind == EXPORT_USAGE || r->kind == EXPORT_ADJUSTMENT;
    const char *cells[] = {x->head.invoice,
                           export_kind_name(r->kind),
                           x->head.account_id,
                           r->begin,
                           r->end,
                           r->project,
                           r->resource,
                           r->flavor,
                           r->state,
                           r->zone,
                           r->region,
                           r->subject,
                           r->name,
                           usage ? r->tags : "",
                           r->network,
                           r->description,
                           usage ? export_quantity(r, 9, x->arena) : "",
                           r->unit,
                           usage ? export_money(r->price_nano, x->arena) : "",
                           export_money(r->amount_nano, x->arena),
                           x->head.currency};
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        export_field(x->to, cells[i], i + 1 == sizeof(cells) / sizeof(cells[0]));
    }
    return 0;
}

int export_csv(struct db_conn *c, json_value *body, struct arena *a, struct strbuf *to, struct error *e)
{
    struct csv x = {.to = to, .arena = a};
    strbuf_append_text(to, "invoice,kind,account,begin,end,project,resource,flavor,state,zone,region,id,name,tags,"
                           "network,description,quantity,unit,price,amount,currency\r\n");
    return export_rows(c, body, a, &x.head, write_row, &x, e);
}
