/* The printable invoice: one page of HTML without scripts or outside files. Sums by project and resource first, then
 * every line. */
#include "metering/bill/export_internal.h"
#include <stdio.h>
#include <string.h>

struct sum {
    const char *project, *label;
    int64_t nano;
    struct sum *next;
};
struct html {
    struct strbuf *to, lines;
    struct arena *arena;
    struct export_head head;
    struct sum *sums, **last;
};

static const char style[] =
    "body{font:13px/1.4 sans-serif;max-width:60em;margin:2em auto;color:#111}"
    "h1{font-size:20px}h2{font-size:15px;margin-top:2em}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.25em .5em;border-bottom:1px solid #ccc;text-align:left;"
    "vertical-align:top}th{border-bottom:2px solid #111}.n{text-align:right;font-variant-numeric:tabular-nums;"
    "white-space:nowrap}.id{color:#666;font-size:11px}tr.total td{font-weight:bold;border-top:2px solid #111}"
    "pre{font:inherit;margin:0}@media print{body{margin:0;max-width:none}tr{break-inside:avoid}thead{display:table-"
    "header-group}}";

static void escape(struct strbuf *to, const char *text)
{
    for (; *text; text++) {
        const char *word = *text == '&'   ? "&amp;"
                           : *text == '<' ? "&lt;"
                           : *text == '>' ? "&gt;"
                           : *text == '"' ? "&quot;"
                                          : NULL;
        strbuf_append(to, word ? word : text, word ? strlen(word) : 1);
    }
}

static void put(struct strbuf *to, const char *before, const char *text, const char *after)
{
    strbuf_append_text(to, before);
    escape(to, text);
    strbuf_append_text(to, after);
}

static void add_sum(struct html *x, const struct export_row *r)
{
    const char *label = r->kind == EXPORT_USAGE        ? r->resource
                        : r->kind == EXPORT_ADJUSTMENT ? "usage of earlier periods"
                                                       : r->description;
    struct sum *s = x->sums;
    while (s && (strcmp(s->project, r->project) != 0 || strcmp(s->label, label) != 0)) {
        s = s->next;
    }
    if (!s) {
        s = arena_alloc(x->arena, sizeof(*s));
        *s = (struct sum){.project = r->project, .label = label};
        *x->last = s;
        x->last = &s->next;
    }
    s->nano += r->amount_nano;
}

static int take_row(void *arg, const struct export_row *r, struct error *e)
{
    (void)e;
    struct html *x = arg;
    struct strbuf *to = &x->lines;
    add_sum(x, r);
    if (r->kind != EXPORT_USAGE && r->kind != EXPORT_ADJUSTMENT) {
        return 0;
    }
    put(to, "<tr><td>", *r->name ? r->name : r->subject, "");
    put(to, "<div class=id>", *r->name ? r->subject : "", "</div></td>");
    put(to, "<td>", r->description, "");
    put(to, "<div class=id>", strcmp(r->tags, "[]") == 0 ? "" : r->tags, "</div></td>");
    put(to, "<td class=n>", export_quantity(r, 6, x->arena), "");
    put(to, " ", r->unit, "</td>");
    put(to, "<td class=n>", export_money(r->price_nano, x->arena), "</td>");
    put(to, "<td class=n>", export_money(r->amount_nano, x->arena), "</td></tr>\n");
    return 0;
}

static void write_head(const struct html *x)
{
    const struct export_head *h = &x->head;
    struct strbuf *to = x->to;
    bool note = *h->about;
    put(to, "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>", h->invoice, "</title>\n<style>");
    strbuf_append_text(to, style);
    put(to, note ? "</style>\n<h1>Credit note " : "</style>\n<h1>Invoice ", *h->invoice ? h->invoice : "preview",
        "</h1>\n");
    put(to, "<p>", *h->account_name ? h->account_name : h->account_id, "</p>");
    put(to, "<pre>", h->address, "</pre>\n");
    put(to, "<p>Account ", h->account_id, "<br>");
    put(to, "Issued ", h->issued_at, "<br>");
    if (note) {
        put(to, "About invoice ", h->about, "</p>\n");
    } else {
        put(to, "Period ", h->begin, "");
        put(to, " to ", h->end, "");
        put(to, " (a month in ", h->timezone, ")</p>\n");
    }
}

static void write_sums(const struct html *x)
{
    struct strbuf *to = x->to;
    const char *project = NULL;
    put(to, "<table><thead><tr><th>Project</th><th>What</th><th class=n>", x->head.currency, "</th></tr></thead>\n");
    for (const struct sum *s = x->sums; s; s = s->next) {
        bool same = project && strcmp(project, s->project) == 0;
        put(to, "<tr><td>", same ? "" : s->project, "</td>");
        put(to, "<td>", s->label, "</td>");
        put(to, "<td class=n>", export_money(s->nano, x->arena), "</td></tr>\n");
        project = s->project;
    }
    put(to, "<tr class=total><td colspan=2>To be paid</td><td class=n>", export_money(x->head.payable_nano, x->arena),
        "");
    put(to, " ", x->head.currency, "</td></tr></table>\n");
}

int export_html(struct db_conn *c, json_value *body, struct arena *a, struct strbuf *to, struct error *e)
{
    struct html x = {.to = to, .arena = a};
    x.last = &x.sums;
    strbuf_init(&x.lines, to->ceiling);
    int rc = export_rows(c, body, a, &x.head, take_row, &x, e);
    if (!rc) {
        write_head(&x);
        write_sums(&x);
        put(to,
            "<h2>Usage</h2>\n<table><thead><tr><th>Server or other resource</th><th>What</th><th class=n>Quantity"
            "</th><th class=n>Price</th><th class=n>",
            x.head.currency, "</th></tr></thead>\n");
        strbuf_append(to, x.lines.data, x.lines.size);
        strbuf_append_text(to, "</table>\n</html>\n");
    }
    strbuf_done(&x.lines);
    return rc;
}
