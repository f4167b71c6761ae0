/* What the forms of an invoice share: its body as rows, one per amount. */
#pragma once
#include "common/arena.h"
#include "common/json_in.h"
#include "common/strbuf.h"
#include "db/db.h"

enum export_kind {
    EXPORT_USAGE,
    EXPORT_ADJUSTMENT, /* usage of an earlier period */
    EXPORT_CORRECTION, /* of an earlier invoice, by hand */
    EXPORT_DISCOUNT,
    EXPORT_CREDIT,
    EXPORT_TAX,
    EXPORT_ROUNDING
};
const char *export_kind_name(enum export_kind kind); /* "usage", ... */

struct export_head {
    const char *invoice, *kind, *issued_at, *account_id, *account_name, *address, *begin, *end, *timezone, *currency,
        *reason, *about, *book;
    int64_t payable_nano;
};
/* Texts are "" where a kind has none. */
struct export_row {
    enum export_kind kind;
    const char *description, *begin, *end;
    const char *project, *project_name, *resource, *flavor, *state, *zone, *region, *subject, *name, *tags, *price_name,
        *unit, *network, *network_name, *market, *reservation,
        *commitment; /* the last: id of the one that pays for it */
    int64_t book_version, tier, unit_base, price_nano, amount_nano;
    __int128 quantity;
};
typedef int (*export_row_fn)(void *arg, const struct export_row *row, struct error *e);
/* Fills the head and calls `fn` for each amount; their sum is what is to be paid. ERR_CORRUPT. */
int export_rows(struct db_conn *c, json_value *body, struct arena *a, struct export_head *ret_head, export_row_fn fn,
                void *arg, struct error *e);

/* A quantity in its unit with as many decimals as asked for, half to even; trailing zeros are kept. In the arena. */
const char *export_quantity(const struct export_row *row, int decimals, struct arena *a);
/* An amount or price with 9 decimals at most. In the arena. */
const char *export_money(int64_t nano, struct arena *a);

/* The forms. */
int export_csv(struct db_conn *c, json_value *body, struct arena *a, struct strbuf *to, struct error *e);
int export_focus(struct db_conn *c, json_value *body, struct arena *a, struct strbuf *to, struct error *e);
int export_html(struct db_conn *c, json_value *body, struct arena *a, struct strbuf *to, struct error *e);
/* The text in quotes, its own doubled. */
void export_quoted(struct strbuf *to, const char *text);
/* A field of a CSV line (RFC 4180), with the comma or line end behind it. */
void export_field(struct strbuf *to, const char *text, bool last);
