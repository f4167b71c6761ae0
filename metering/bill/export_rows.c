/* The body of an invoice as rows. */
#include "common/model/money.h"
#include "common/model/rate.h"
#include "db/store_ledger.h"
#include "db/store_network.h"
#include "db/store_project.h"
#include "db/store_usage.h"
#include "metering/bill/export_internal.h"
#include <stdio.h>
#include <string.h>

const char *export_kind_name(enum export_kind kind)
{
    static const char *const names[] = {"usage", "adjustment", "correction", "discount", "credit", "tax", "rounding"};
    return names[kind];
}

struct reading {
    struct db_conn *conn;
    json_value *body;
    struct arena *arena;
    const struct export_head *head;
    export_row_fn fn;
    void *arg;
    struct error *error;
    bool later; /* the invoice has the columns that form 2 brought */
    const char *last_subject, *last_name, *last_project, *last_project_name, *last_network, *last_network_name;
};

static const char *text_of(json_value *object, const char *name)
{
    const char *text = json_in_text(json_in_member(object, name));
    return text ? text : "";
}

static const char *cell(json_value *line, size_t index)
{
    const char *text = json_in_text(json_in_item(line, index));
    return text ? text : "";
}

static int64_t number(json_value *value)
{
    int64_t n = 0;
    json_in_int(value, &n);
    return n;
}

static __int128 read_quantity(const char *text)
{
    bool negative = *text == '-';
    __int128 value = 0;
    for (text += negative; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (*text - '0');
    }
    return negative ? -value : value;
}

/* A server's name is no part of what was closed: it is looked up, for people. Lines of a server come together. */
static const char *name_of(struct reading *r, const char *subject)
{
    const char *name = "";
    bool gone;
    struct error unknown = {0};
    if (r->last_subject && strcmp(r->last_subject, subject) == 0) {
        return r->last_name;
    }
    if (*subject && store_usage_server(r->conn, subject, r->arena, &name, &gone, &unknown)) {
        name = "";
    }
    r->last_subject = subject;
    r->last_name = name;
    return name;
}

/* Likewise of a project; "" for one that is gone. */
static const char *project_name_of(struct reading *r, const char *project)
{
    struct project_row row;
    struct error unknown = {0};
    if (!r->last_project || strcmp(r->last_project, project) != 0) {
        bool found = *project && !store_project_get(r->conn, project, r->arena, &row, &unknown);
        r->last_project = project;
        r->last_project_name = found ? row.name : "";
    }
    return r->last_project_name;
}

static const char *network_name_of(struct reading *r, const char *network)
{
    struct network_row row;
    struct error unknown = {0};
    if (!r->last_network || strcmp(r->last_network, network) != 0) {
        bool found = *network && !store_network_get(r->conn, network, NULL, r->arena, &row, &unknown);
        r->last_network = network;
        r->last_network_name = found ? row.name : "";
    }
    return r->last_network_name;
}

static void read_columns(struct reading *r)
{
    r->later = strcmp(cell(json_in_member(r->body, "columns"), 10), "network") == 0;
}

static void read_unit(struct reading *r, struct export_row *row)
{
    json_value *units = json_in_member(r->body, "units");
    for (size_t i = 0; i < json_in_count(units); i++) {
        json_value *unit = json_in_item(units, i);
        if (strcmp(text_of(unit, "resource"), row->resource) == 0) {
            row->unit = text_of(unit, "unit");
            row->unit_base = number(json_in_member(unit, "quantity_per_unit"));
        }
    }
}

static void read_commitment(struct reading *r, struct export_row *row)
{
    json_value *list = json_in_member(r->body, "commitments");
    for (size_t i = 0; i < json_in_count(list); i++) {
        json_value *item = json_in_item(list, i);
        const char *id = text_of(item, "id");
        bool own = strcmp(row->subject, id) == 0 || !*row->commitment;
        if (own && strcmp(text_of(item, "resource"), row->resource) == 0 &&
            strcmp(text_of(item, "name"), row->price_name) == 0 &&
            number(json_in_member(item, "price")) == row->price_nano) {
            row->commitment = id;
        }
    }
}

static struct export_row empty_row(const struct reading *r, enum export_kind kind, const char *description)
{
    return (struct export_row){.kind = kind,
                               .description = description,
                               .begin = r->head->begin,
                               .end = r->head->end,
                               .project = "",
                               .project_name = "",
                               .resource = "",
                               .flavor = "",
                               .state = "",
                               .zone = "",
                               .region = "",
                               .subject = "",
                               .name = "",
                               .tags = "[]",
                               .price_name = "",
                               .network = "",
                               .network_name = "",
                               .market = "",
                               .reservation = "",
                               .commitment = "",
                               .unit = "",
                               .unit_base = 1};
}

static int give_line(struct reading *r, json_value *line, struct export_row *row)
{
    size_t rest = r->later ? 13 : 10;
    row->project = cell(line, 0);
    row->resource = cell(line, 1);
    row->flavor = cell(line, 2);
    row->state = cell(line, 3);
    row->zone = cell(line, 4);
    row->region = cell(line, 5);
    row->subject = cell(line, 6);
    row->tags = json_in_print(json_in_item(line, 7), r->arena);
    row->book_version = number(json_in_item(line, 8));
    row->price_name = cell(line, 9);
    row->network = r->later ? cell(line, 10) : "";
    row->market = r->later ? cell(line, 11) : "";
    row->reservation = r->later ? cell(line, 12) : "";
    row->network_name = network_name_of(r, row->network);
    row->tier = number(json_in_item(line, rest));
    row->quantity = read_quantity(cell(line, rest + 1));
    row->price_nano = number(json_in_item(line, rest + 2));
    row->amount_nano = number(json_in_item(line, rest + 3));
    row->name = name_of(r, row->subject);
    row->project_name = project_name_of(r, row->project);
    row->description = arena_printf(r->arena, "%s%s%s%s%s%s%s", row->price_name, *row->flavor ? " of " : "",
                                    row->flavor, *row->state ? ", " : "", row->state, *row->network ? ", network " : "",
                                    *row->network_name ? row->network_name : row->network);
    read_unit(r, row);
    read_commitment(r, row);
    return r->fn(r->arg, row, r->error);
}

static int give_correction(struct reading *r, json_value *change)
{
    struct export_row row = empty_row(
        r, EXPORT_CORRECTION, arena_printf(r->arena, "%s: %s", text_of(change, "invoice"), text_of(change, "reason")));
    row.amount_nano = number(json_in_member(change, "amount"));
    return r->fn(r->arg, &row, r->error);
}

static int give_usage(struct reading *r)
{
    json_value *lines = json_in_member(r->body, "lines"), *changes = json_in_member(r->body, "adjustments");
    int rc = 0;
    for (size_t i = 0; !rc && i < json_in_count(lines); i++) {
        struct export_row row = empty_row(r, EXPORT_USAGE, "");
        rc = give_line(r, json_in_item(lines, i), &row);
    }
    for (size_t i = 0; !rc && i < json_in_count(changes); i++) {
        json_value *change = json_in_item(changes, i);
        lines = json_in_member(change, "lines");
        for (size_t k = 0; !rc && k < json_in_count(lines); k++) {
            struct export_row row = empty_row(r, EXPORT_ADJUSTMENT, "");
            row.begin = text_of(change, "begin");
            row.end = text_of(change, "end");
            rc = give_line(r, json_in_item(lines, k), &row);
        }
        if (!rc && json_in_member(change, "amount")) {
            rc = give_correction(r, change);
        }
    }
    return rc;
}

static int give_list(struct reading *r, const char *list, const char *words, enum export_kind kind)
{
    json_value *items = json_in_member(r->body, list);
    int rc = 0;
    for (size_t i = 0; !rc && i < json_in_count(items); i++) {
        json_value *item = json_in_item(items, i);
        struct export_row row = empty_row(r, kind, text_of(item, words));
        row.project = text_of(item, "project");
        row.project_name = project_name_of(r, row.project);
        row.amount_nano = number(json_in_member(item, "amount"));
        rc = r->fn(r->arg, &row, r->error);
    }
    return rc;
}

static int give_rest(struct reading *r)
{
    json_value *tax = json_in_member(r->body, "tax");
    int64_t ppm = number(json_in_member(tax, "ppm"));
    struct export_row row = empty_row(
        r, EXPORT_TAX, arena_printf(r->arena, "tax, %s%%", export_money(ppm * (MONEY_UNIT / 10000), r->arena)));
    int rc = 0;
    row.amount_nano = number(json_in_member(tax, "amount"));
    if (row.amount_nano != 0) {
        rc = r->fn(r->arg, &row, r->error);
    }
    row = empty_row(r, EXPORT_ROUNDING, "rounding to what can be paid");
    row.amount_nano = number(json_in_member(r->body, "rounding"));
    return rc || row.amount_nano == 0 ? rc : r->fn(r->arg, &row, r->error);
}

static void read_head(json_value *body, struct export_head *ret)
{
    json_value *account = json_in_member(body, "account"), *period = json_in_member(body, "period");
    *ret = (struct export_head){.invoice = text_of(body, "invoice"),
                                .kind = text_of(body, "kind"),
                                .issued_at = text_of(body, "issued_at"),
                                .account_id = text_of(account, "id"),
                                .account_name = text_of(account, "name"),
                                .address = text_of(account, "address"),
                                .begin = text_of(period, "begin"),
                                .end = text_of(period, "end"),
                                .timezone = text_of(period, "timezone"),
                                .currency = text_of(body, "currency"),
                                .reason = text_of(body, "reason"),
                                .about = text_of(body, "about"),
                                .book = text_of(json_in_item(json_in_member(body, "books"), 0), "name"),
                                .payable_nano = number(json_in_member(body, "payable"))};
}

int export_rows(struct db_conn *c, json_value *body, struct arena *a, struct export_head *ret_head, export_row_fn fn,
                void *arg, struct error *e)
{
    struct reading r = {.conn = c, .body = body, .arena = a, .head = ret_head, .fn = fn, .arg = arg, .error = e};
    read_head(body, ret_head);
    read_columns(&r);
    if (!*ret_head->kind || !*ret_head->currency) {
        return error_set(e, ERR_CORRUPT, "the body of an invoice cannot be read");
    }
    if (*ret_head->about) { /* a credit note has one amount */
        struct export_row row = empty_row(&r, EXPORT_CREDIT, ret_head->reason);
        row.amount_nano = ret_head->payable_nano;
        return fn(arg, &row, e);
    }
    int rc = give_usage(&r);
    rc = rc ? rc : give_list(&r, "discounts", "name", EXPORT_DISCOUNT);
    rc = rc ? rc : give_list(&r, "credits", "reason", EXPORT_CREDIT);
    return rc ? rc : give_rest(&r);
}

const char *export_quantity(const struct export_row *row, int decimals, struct arena *a)
{
    char text[RATE_TEXT_SIZE];
    __int128 size = row->quantity < 0 ? -row->quantity : row->quantity;
    __int128 whole = size / row->unit_base, rest = size % row->unit_base, scale = 1;
    for (int i = 0; i < decimals; i++) {
        scale *= 10;
    }
    __int128 fraction = rest * scale / row->unit_base, left = rest * scale % row->unit_base * 2;
    fraction += left > row->unit_base || (left == row->unit_base && fraction % 2 == 1);
    if (fraction == scale) {
        fraction = 0;
        whole++;
    }
    const char *head = arena_printf(a, "%s%s", row->quantity < 0 ? "-" : "", rate_text(whole, text));
    return arena_printf(a, "%s.%0*lld", head, decimals, (long long)fraction);
}

const char *export_money(int64_t nano, struct arena *a)
{
    char text[MONEY_TEXT_SIZE];
    return arena_strdup(a, money_text(nano, text));
}
