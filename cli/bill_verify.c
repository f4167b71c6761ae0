/* virga bill verify: makes invoices again from ledger and price books and compares every byte. */
#include "cli/commands.h"
#include "metering/bill/invoice.h"
#include <inttypes.h>
#include <stdio.h>

struct check {
    struct cli *cli;
    struct bill bill;
    int64_t number; /* the one at hand */
    bool same;
    size_t checked, differ;
};
struct list {
    struct arena *arena;
    int64_t *numbers;
    size_t count, room;
};

static int add_number(void *arg, const struct billing_invoice_row *row, struct error *e)
{
    (void)e;
    struct list *l = arg;
    if (*row->kind == 'i') {
        l->numbers = arena_more(l->arena, l->numbers, l->count, &l->room, sizeof(*l->numbers));
        l->numbers[l->count++] = row->number;
    }
    return 0;
}

static int check_one(struct db_conn *c, void *arg, struct error *e)
{
    (void)c;
    struct check *x = arg;
    struct arena a;
    struct strbuf body;
    arena_init(&a);
    strbuf_init(&body, (size_t)900 << 20);
    int rc = invoice_verify(&x->bill, x->number, &a, &body, &x->same, e);
    if (!rc && command_flag(x->cli, "print")) {
        printf("%s\n", body.data);
    }
    strbuf_done(&body);
    arena_done(&a);
    return rc;
}

static int check_all(struct check *x, const struct list *l, struct error *e)
{
    char number[INVOICE_NUMBER_SIZE];
    int rc = 0;
    for (size_t i = 0; !rc && i < l->count; i++) {
        x->number = l->numbers[i];
        struct error why = {0};
        rc = db_snapshot(db_reader(x->cli->db), check_one, x, &why);
        x->checked += !rc;
        if (rc == ERR_GONE) {
            printf("%s cannot be made again: %s\n", invoice_number(x->number, number), error_text(&why));
            rc = 0;
            continue;
        }
        rc = rc ? error_set(e, rc, "%s", error_text(&why)) : 0;
        if (!rc && !x->same) {
            x->differ++;
            printf("%s differs from what its inputs make\n", invoice_number(x->number, number));
        }
    }
    return rc;
}

static int bill_verify_run(struct cli *cli, struct error *e)
{
    struct check x = {.cli = cli};
    struct list l = {.arena = &cli->arena};
    int64_t only = cli->argument_count > 0 ? invoice_number_parse(cli->arguments[0]) : 0;
    if (cli->argument_count > 0 && only == 0) {
        return error_set(e, ERR_INVALID, "\"%s\" is not an invoice's number", cli->arguments[0]);
    }
    int rc = command_open(cli, false, e);
    if (!rc && only > 0) {
        add_number(&l, &(struct billing_invoice_row){.number = only, .kind = "invoice"}, e);
    } else if (!rc) {
        rc = store_billing_invoices(db_reader(cli->db), NULL, INT64_MIN, INT64_MAX, 0, INT64_MAX, add_number, &l, e);
    }
    rc = rc ? rc : bill_open(db_reader(cli->db), &x.bill, e);
    if (rc) {
        return rc;
    }
    rc = check_all(&x, &l, e);
    bill_close(&x.bill);
    if (!rc && !command_flag(cli, "print")) {
        printf("%zu invoices checked, %zu differ\n", x.checked, x.differ);
    }
    cli->status = x.differ > 0;
    return rc;
}

static const struct command_option options[] = {
    {"print", NULL, "Print what was made again."},
};
const struct command bill_verify_command = {
    .name = "bill verify",
    .arguments = "[INVOICE]",
    .summary = "Make invoices again from ledger and price books, and compare every byte",
    COMMAND_OPTIONS(options),
    .run = bill_verify_run,
};
