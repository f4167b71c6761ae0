/* The printable invoice: one page of HTML without scripts or outside files. What each project comes to first, then
 * every line. Amounts are exact: the decimals beyond those that people pay in stand behind in grey. On a narrow screen
 * each line folds into two; on paper A4 pages are numbered. */
#include "common/clock.h"
#include "common/model/money.h"
#include "metering/bill/export_internal.h"
#include "metering/bill/zone.h"
#include <stdio.h>
#include <stdlib.h>
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
    struct project {
        const char *id, *name;
        struct project *next;
    } * projects, **last_project;
    struct sum *sums, **last;
    const char *lines_of; /* the project whose lines are being written */
};

static const char style[] =
    "*{box-sizing:border-box}body{font:14px/1.45 'DejaVu Sans',Verdana,sans-serif;max-width:62em;margin:2em auto;"
    "padding:0 1em;color:#1a1a1a}header{display:flex;flex-wrap:wrap;justify-content:space-between;gap:1em 3em;"
    "margin-bottom:1.5em}h1{font-size:1.6em;margin:0 0 .6em}h2{font-size:1.1em;margin:2em 0 .3em}p{margin:0}"
    "dl{display:grid;grid-template-columns:auto auto;gap:.15em 1em;margin:0}dt{color:#666}dd{margin:0;"
    "overflow-wrap:anywhere}.to{font-size:1.05em;white-space:pre-line}table{border-collapse:collapse;width:100%}"
    "td,th{padding:.3em .5em;border-bottom:1px solid #ddd;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere}thead th{border-bottom:2px solid #333;color:#444;font-weight:600}"
    ".p th{background:#f3f3f3;border-bottom:1px solid #bbb}.n,thead th.n{text-align:right;"
    "font-variant-numeric:tabular-nums;overflow-wrap:normal;white-space:nowrap}.f,.id{color:#767676;"
    "font-weight:normal}.f{font-size:.8em}.id{font-size:.8em;display:block}.tag{background:#eef;border-radius:.3em;"
    "padding:0 .35em;font-size:.8em}.total td{font-weight:bold;font-size:1.15em;border-top:2px solid #333;"
    "border-bottom:0}.u{table-layout:fixed}.u thead th:nth-child(1){width:22%}.u thead th:nth-child(2){width:30%}"
    ".u thead th:nth-child(3){width:29%}.u td:nth-child(3){white-space:normal}"
    "@media(max-width:44em){.u thead{display:none}.u tr{display:grid;grid-template-columns:1fr auto;"
    "border-bottom:1px solid #ddd}.u td,.u th{border:0;padding:.1em .4em}.u td:nth-child(4){grid-area:1/2}"
    ".u td:nth-child(3){grid-area:2/2}.u th{grid-column:1/3}}@page{size:A4;margin:16mm 14mm 18mm;"
    "@bottom-right{content:counter(page) ' / ' counter(pages);font:9pt sans-serif;color:#666}}"
    "@media print{body{margin:0;padding:0;max-width:none;font-size:9.5pt}tr{break-inside:avoid}"
    "thead{display:table-header-group}.p{break-after:avoid}h2{break-after:avoid}.p th{print-color-adjust:exact}}";

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

/* "-1 234.56" and, when exact, in grey what is beyond: all nine decimals, so that columns stand below each other. */
static void put_money(struct strbuf *to, int64_t nano, bool exact)
{
    uint64_t size = nano < 0 ? 0 - (uint64_t)nano : (uint64_t)nano;
    char digits[24];
    int count = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)(size / (uint64_t)MONEY_UNIT));
    strbuf_append_text(to, nano < 0 ? "&minus;" : "");
    for (int i = 0; i < count; i++) {
        strbuf_append_text(to, i > 0 && (count - i) % 3 == 0 ? "&#8239;" : "");
        strbuf_append_char(to, digits[i]);
    }
    unsigned long long rest = size % (uint64_t)MONEY_UNIT;
    strbuf_appendf(to, ".%02llu", rest / 10000000);
    if (exact) {
        strbuf_appendf(to, "<span class=f>%07llu</span>", rest % 10000000);
    }
}

static struct project *project_of(struct html *x, const struct export_row *r)
{
    struct project *p = x->projects;
    while (p && strcmp(p->id, r->project) != 0) {
        p = p->next;
    }
    if (!p) {
        p = arena_alloc(x->arena, sizeof(*p));
        *p = (struct project){.id = r->project, .name = r->project_name};
        *x->last_project = p;
        x->last_project = &p->next;
    }
    return p;
}

static void add_sum(struct html *x, const struct export_row *r)
{
    const char *label = r->kind == EXPORT_USAGE        ? r->resource
                        : r->kind == EXPORT_ADJUSTMENT ? "Usage of earlier periods"
                        : r->kind == EXPORT_DISCOUNT   ? arena_printf(x->arena, "Discount: %s", r->description)
                        : r->kind == EXPORT_CREDIT     ? arena_printf(x->arena, "Credit: %s", r->description)
                        : r->kind == EXPORT_CORRECTION ? arena_printf(x->arena, "Correction of %s", r->description)
                        : r->kind == EXPORT_TAX        ? arena_printf(x->arena, "T%s", r->description + 1)
                                                       : "Rounding to what can be paid";
    const char *project = project_of(x, r)->id;
    struct sum *s = x->sums;
    while (s && (strcmp(s->project, project) != 0 || strcmp(s->label, label) != 0)) {
        s = s->next;
    }
    if (!s) {
        s = arena_alloc(x->arena, sizeof(*s));
        *s = (struct sum){.project = project, .label = label};
        *x->last = s;
        x->last = &s->next;
    }
    s->nano += r->amount_nano;
}

/* ---- lines ---- */

static void put_tags(struct html *x, const char *tags)
{
    struct json_doc doc;
    if (json_in_parse(tags, strlen(tags), &doc, NULL)) {
        return;
    }
    for (size_t i = 0; i < json_in_count(doc.root); i++) {
        put(&x->lines, " <span class=tag>", json_in_text(json_in_item(doc.root, i)), "</span>");
    }
    json_in_done(&doc);
}

static void put_project(struct strbuf *to, const char *id, const char *name, int columns)
{
    strbuf_appendf(to, "<tr class=p><th colspan=%d>", columns);
    if (!*id) {
        strbuf_append_text(to, "Account");
    } else {
        put(to, "Project ", *name ? name : id, "");
        put(to, *name ? " <span class=f>" : "", *name ? id : "", *name ? "</span>" : "");
    }
    strbuf_append_text(to, "</th></tr>\n");
}

static void put_quantity(struct html *x, const struct export_row *r)
{
    const char *star = strchr(r->unit, '*');
    put(&x->lines, "<td class=n>", export_quantity(r, 6, x->arena), " ");
    put(&x->lines, "", star ? arena_strndup(x->arena, r->unit, (size_t)(star - r->unit)) : r->unit, "");
    put(&x->lines, star ? "&middot;" : "", star ? star + 1 : "", "");
    put(&x->lines, " &times; ", export_money(r->price_nano, x->arena), "</td>");
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
    if (!x->lines_of || strcmp(x->lines_of, r->project) != 0) {
        put_project(to, r->project, r->project_name, 4);
        x->lines_of = r->project;
    }
    put(to, "<tr><td>", *r->name ? r->name : r->subject, "");
    put(to, "<span class=id>", *r->name ? r->subject : "", "</span></td>");
    put(to, "<td>", r->description, "");
    put_tags(x, r->tags);
    if (r->kind == EXPORT_ADJUSTMENT) {
        put(to, "<span class=id>late, of ", arena_strndup(x->arena, r->begin, 7), "</span>");
    }
    strbuf_append_text(to, "</td>");
    put_quantity(x, r);
    strbuf_append_text(to, "<td class=n>");
    put_money(to, r->amount_nano, true);
    strbuf_append_text(to, "</td></tr>\n");
    return 0;
}

/* ---- head ---- */

/* "October 2026", as the account's months are. */
static const char *month_of(const struct html *x)
{
    static const char *const names[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};
    struct error e = {0};
    int64_t at_us = 0;
    int year = 0, month = 0;
    if (!clock_parse(x->head.begin, &at_us) || zone_month_of(x->head.timezone, at_us, &year, &month, &e)) {
        return x->head.begin;
    }
    return arena_printf(x->arena, "%s %d", names[month - 1], year);
}

static void put_fact(struct strbuf *to, const char *name, const char *value)
{
    put(to, "<dt>", name, "</dt>");
    put(to, "<dd>", value, "</dd>\n");
}

static void write_head(const struct html *x)
{
    const struct export_head *h = &x->head;
    struct strbuf *to = x->to;
    bool note = *h->about;
    put(to,
        "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>",
        *h->invoice ? h->invoice : "preview", "</title>\n<style>");
    strbuf_append_text(to, style);
    put(to, note ? "</style>\n<h1>Credit note " : "</style>\n<h1>Invoice ", *h->invoice ? h->invoice : "preview",
        "</h1>\n");
    put(to, "<header><p class=to><b>", *h->account_name ? h->account_name : h->account_id, "</b>\n");
    put(to, "", h->address, "</p>\n<dl>\n");
    put_fact(to, "Account", h->account_id);
    put_fact(to, "Issued", arena_printf(x->arena, "%.10s %.5s UTC", h->issued_at, h->issued_at + 11));
    if (note) {
        put_fact(to, "About invoice", h->about);
    } else {
        put_fact(to, "Period", arena_printf(x->arena, "%s (%s)", month_of(x), h->timezone));
        put_fact(to, "From", h->begin);
        put_fact(to, "To", h->end);
    }
    strbuf_append_text(to, "</dl></header>\n");
}

static void write_sums_of(const struct html *x, const struct project *p)
{
    put_project(x->to, p->id, p->name, 2);
    for (const struct sum *s = x->sums; s; s = s->next) {
        if (strcmp(s->project, p->id) == 0) {
            put(x->to, "<tr><td>", s->label, "</td><td class=n>");
            put_money(x->to, s->nano, true);
            strbuf_append_text(x->to, "</td></tr>\n");
        }
    }
}

/* Projects first, then what is about the account as a whole. */
static void write_sums(const struct html *x)
{
    struct strbuf *to = x->to;
    put(to, "<table><thead><tr><th>What</th><th class=n>", x->head.currency, "</th></tr></thead>\n");
    for (int whole = 0; whole < 2; whole++) {
        for (const struct project *p = x->projects; p; p = p->next) {
            if (whole == !*p->id) {
                write_sums_of(x, p);
            }
        }
    }
    strbuf_append_text(to, "<tr class=total><td>To be paid</td><td class=n>");
    put_money(to, x->head.payable_nano, false);
    put(to, " ", x->head.currency, "</td></tr></table>\n");
}

int export_html(struct db_conn *c, json_value *body, struct arena *a, struct strbuf *to, struct error *e)
{
    struct html x = {.to = to, .arena = a};
    x.last = &x.sums;
    x.last_project = &x.projects;
    strbuf_init(&x.lines, to->ceiling);
    int rc = export_rows(c, body, a, &x.head, take_row, &x, e);
    if (!rc) {
        write_head(&x);
        write_sums(&x);
    }
    if (!rc && x.lines.size > 0) {
        put(to,
            "<h2>Usage</h2>\n<table class=u><thead><tr><th>Server or other resource</th><th>What</th><th "
            "class=n>Quantity &times; price</th><th class=n>",
            x.head.currency, "</th></tr></thead>\n");
        strbuf_append(to, x.lines.data, x.lines.size);
        strbuf_append_text(to, "</table>\n");
    }
    strbuf_append_text(to, "</html>\n");
    strbuf_done(&x.lines);
    return rc;
}
