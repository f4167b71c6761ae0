/* What was closed: the database itself refuses to change it, whoever asks. */
#include "db/store_billing.h"
#include "db/store_close.h"
#include "tests/unit/db/fixture.h"
#include <string.h>

DB_STATEMENT(closed_test_change, "UPDATE invoice SET body = '{}' WHERE number = 1");
DB_STATEMENT(closed_test_remove, "DELETE FROM invoice WHERE number = 1");
DB_STATEMENT(closed_test_book, "UPDATE price_book SET body = '{}'");
DB_STATEMENT(closed_test_book_remove, "DELETE FROM price_book WHERE version = 1");
DB_STATEMENT(closed_test_book_unused, "DELETE FROM price_book WHERE version = 2");
DB_STATEMENT(closed_test_interval, "UPDATE usage_closed SET end_us = end_us + 1");
DB_STATEMENT(closed_test_event, "UPDATE lifecycle_event SET at_us = at_us + 1");
DB_STATEMENT(closed_test_correction, "UPDATE billing_correction SET amount_nano = 0");
DB_STATEMENT(closed_test_correction_remove, "DELETE FROM billing_correction");

#define INTERVAL                                                                                                       \
    "INSERT INTO usage_closed (project_no, end_us, subject_no, begin_us, shape_no, host_no, begin_event, end_event, "  \
    "run_us) VALUES (1, 20, 1, 10, 1, 1, 1, 2, 10)"
#define EVENT                                                                                                          \
    "INSERT INTO lifecycle_event (id, host_id, host_seq, server_id, project_id, state, flavor_name, vcpus, "           \
    "memory_mib, disk_gib, at_us, received_us) VALUES (1, 'h', 1, 's', 'p', 'running', 'f', 1, 1, 1, 10, 10)"

static const struct billing_book_row book = {
    .name = "default", .currency = "EUR", .body = "{\"prices\":[]}", .digest = "d", .from_us = 10};
static const struct billing_book_row later = {
    .name = "default", .currency = "EUR", .body = "{\"prices\":[]}", .digest = "l", .from_us = 1000};
static const struct billing_invoice_row invoice = {.number = 1,
                                                   .kind = "invoice",
                                                   .account_id = "a",
                                                   .book = "default",
                                                   .currency = "EUR",
                                                   .inputs = "{}",
                                                   .body = "{\"payable\":1}",
                                                   .digest = "d",
                                                   .from_us = 10,
                                                   .to_us = 20};
static const struct correction_row correction = {
    .id = "c", .account_id = "a", .reason = "wrong", .created_by = "u", .about = 1, .amount_nano = 5};

static int fill(struct db_conn *c, void *arg, struct error *e)
{
    (void)arg;
    int rc = store_billing_put_book(c, &book, 5, e);
    rc = rc ? rc : store_billing_put_book(c, &later, 5, e);
    rc = rc ? rc : store_billing_add_invoice(c, &invoice, e);
    return rc ? rc : store_close_add_correction(c, &correction, e);
}

static int bill(struct db_conn *c, void *arg, struct error *e)
{
    return store_close_bill_correction(c, arg, 2, e);
}

static int execute(struct db_conn *c, void *arg, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, arg, &changed, e, DB_NO_ARGS);
    return rc || changed > 0 ? rc : error_set(e, ERR_NOT_FOUND, "nothing to refuse");
}

TEST("invoices, what they were made from and billed corrections are never changed or removed")
{
    static const struct {
        const struct db_statement *statement;
        const char *words;
    } refused[] = {
        {&closed_test_change, "an invoice never changes"},
        {&closed_test_remove, "an invoice is never removed"},
        {&closed_test_book, "a version of a price book never changes"},
        {&closed_test_book_remove, "invoices were made with this version"},
        {&closed_test_interval, "a closed interval never changes"},
        {&closed_test_event, "a lifecycle event never changes"},
        {&closed_test_correction, "a correction that was billed never changes"},
        {&closed_test_correction_remove, "a correction that was billed is never removed"},
    };
    struct error e = {0};
    struct db *db;
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    struct db_conn *c = fixture_conn(db);
    fixture_script(db, INTERVAL);
    fixture_script(db, EVENT);
    CHECK_OK(db_transact(c, fill, NULL, &e), &e);
    CHECK_OK(db_transact(c, bill, (void *)"c", &e), &e);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct error why = {0};
        CHECK(db_transact(c, execute, (void *)refused[i].statement, &why) != 0);
        CHECK_CONTAINS(error_text(&why), refused[i].words);
    }
    CHECK_OK(db_transact(c, execute, (void *)&closed_test_book_unused, &e), &e);
    db_conn_close(&c);
    db_close(&db);
}

TEST("a correction is billed once")
{
    struct error e = {0};
    struct db *db;
    struct arena a;
    struct correction_row *rows = NULL;
    size_t count = 0;
    arena_init(&a);
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    struct db_conn *c = fixture_conn(db);
    CHECK_OK(db_transact(c, fill, NULL, &e), &e);
    CHECK_OK(store_close_corrections(c, "a", true, &a, &rows, &count, &e), &e);
    CHECK_INT(count, 1);
    CHECK_OK(db_transact(c, bill, (void *)"c", &e), &e);
    CHECK_OK(store_close_corrections(c, "a", true, &a, &rows, &count, &e), &e);
    CHECK_INT(count, 0);
    CHECK_OK(store_close_corrections(c, "a", false, &a, &rows, &count, &e), &e);
    CHECK_INT(rows[0].invoice, 2);
    CHECK_INT(db_transact(c, bill, (void *)"c", &e), ERR_CONFLICT);
    db_conn_close(&c);
    db_close(&db);
    arena_done(&a);
}

static int ask(struct db_conn *c, void *arg, struct error *e)
{
    return store_close_ask(c, arg, e);
}

static int end(struct db_conn *c, void *arg, struct error *e)
{
    return store_close_end(c, arg, e);
}

static int count_row(void *arg, const struct close_row *row, struct error *e)
{
    (void)row, (void)e;
    ++*(int *)arg;
    return 0;
}

TEST("closes wait in their order until each has ended")
{
    struct error e = {0};
    struct db *db;
    struct arena a;
    struct close_row rows[2] = {{.id = "1", .month = "2026-09", .account_id = "", .asked_by = "u", .asked_us = 1},
                                {.id = "2", .month = "2026-10", .account_id = "a", .asked_by = "u", .asked_us = 2}};
    struct close_row seen;
    bool found = false;
    int count = 0;
    arena_init(&a);
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    struct db_conn *c = fixture_conn(db);
    CHECK_OK(db_transact(c, ask, &rows[1], &e), &e);
    CHECK_OK(db_transact(c, ask, &rows[0], &e), &e);
    CHECK_OK(store_close_waiting(c, &a, &seen, &found, &e), &e);
    CHECK(found);
    CHECK_TEXT(seen.month, "2026-09");
    seen.state = "done";
    seen.invoices = 7;
    CHECK_OK(db_transact(c, end, &seen, &e), &e);
    CHECK_OK(store_close_waiting(c, &a, &seen, &found, &e), &e);
    CHECK_TEXT(seen.id, "2");
    CHECK_OK(store_close_get(c, "1", &a, &seen, &e), &e);
    CHECK_TEXT(seen.state, "done");
    CHECK_INT(seen.invoices, 7);
    CHECK_OK(store_close_list(c, NULL, 10, count_row, &count, &e), &e);
    CHECK_INT(count, 2);
    CHECK_INT(store_close_get(c, "3", &a, &seen, &e), ERR_NOT_FOUND);
    db_conn_close(&c);
    db_close(&db);
    arena_done(&a);
}
