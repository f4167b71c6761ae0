/* /v3/books: the price books. GET shows all versions; POST adds one; POST dry-run tells what another book would have
 * charged for a period, beside what the present one did. */
#include "api/rating/rated.h"
#include "api/rating/rating.h"
#include "api/rating/sight.h"
#include "common/clock.h"
#include "common/model/money.h"
#include <string.h>

#define NAME_DEFAULT "default"

struct body {
    const char *name, *currency;
    json_value *book;
};
static const struct json_field fields[] = {
    {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct body, name), .min = 1, .max = 63},
    {.name = "currency",
     .kind = JSON_TEXT,
     .offset = offsetof(struct body, currency),
     .flags = JSON_REQUIRED,
     .min = 3,
     .max = 3},
    {.name = "book", .kind = JSON_ANY, .offset = offsetof(struct body, book), .flags = JSON_REQUIRED},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

/* ---- the list ---- */

struct shown {
    struct request *request;
    struct json_out *out;
    const struct sight *sight;
    size_t hidden;
};

/* Prices and discounts for projects that the caller may not see are left out. */
static void write_list(struct shown *x, const char *name, json_value *list)
{
    json_out_array(x->out, name);
    for (size_t i = 0; i < json_in_count(list); i++) {
        json_value *item = json_in_item(list, i);
        if (sight_allows(x->sight, json_in_text(json_in_member(item, "project")))) {
            json_out_raw(x->out, NULL, json_in_print(item, &x->request->arena));
        } else {
            x->hidden++;
        }
    }
    json_out_array_end(x->out);
}

/* "hashmap" has names alone, of what others agreed on too: it is of no use to who may not change it. */
static int write_member(void *arg, const char *name, json_value *value)
{
    struct shown *x = arg;
    if (json_in_is_array(value)) {
        write_list(x, name, value);
    } else if (strcmp(name, "hashmap") != 0) {
        json_out_raw(x->out, name, json_in_print(value, &x->request->arena));
    }
    return 0;
}

static int write_body(struct shown *x, const char *body)
{
    struct json_doc doc;
    int rc = json_in_parse(body, strlen(body), &doc, &x->request->error);
    if (rc) {
        return rc;
    }
    json_out_object(x->out, "book");
    json_in_each(doc.root, write_member, x);
    json_out_object_end(x->out);
    json_in_done(&doc);
    json_out_bool(x->out, "partial", x->hidden > 0);
    return 0;
}

static int write_book(struct request *request, struct json_out *out, const struct sight *sight,
                      const struct billing_book_row *row)
{
    char text[CLOCK_TEXT_SIZE];
    int rc = 0;
    json_out_object(out, NULL);
    json_out_text(out, "name", row->name);
    json_out_int(out, "version", row->version);
    json_out_text(out, "from", clock_text(row->from_us, CLOCK_ISO_Z, text));
    json_out_text(out, "currency", row->currency);
    json_out_text(out, "sha256", row->digest);
    if (sight->book) {
        rc = write_body(&(struct shown){.request = request, .out = out, .sight = sight}, row->body);
    } else {
        json_out_raw(out, "book", row->body);
    }
    json_out_object_end(out);
    return rc;
}

static int books_list(struct request *request, struct reply *reply)
{
    struct billing_book_row *rows = NULL;
    struct sight sight;
    size_t count = 0;
    int rc = sight_read(request, &sight);
    rc = rc ? rc
            : store_billing_books(request->conn, request_query(request, "name"), &request->arena, &rows, &count,
                                  &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "books");
    for (size_t i = 0; i < count && !rc; i++) {
        if (!sight.book || strcmp(rows[i].name, sight.book) == 0) {
            rc = write_book(request, &reply->out, &sight, &rows[i]);
        }
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

/* ---- a new version ---- */

static int read_book(struct request *request, struct book_resources *resources, struct rate_book *ret)
{
    const struct body *b = request->body;
    int rc = book_resources_load(request->conn, &request->arena, resources, &request->error);
    return rc ? rc
              : book_read(b->book, b->name ? b->name : NAME_DEFAULT, b->currency, resources, &request->arena, ret,
                          &request->error);
}

static int books_add(struct request *request, struct reply *reply)
{
    const struct body *b = request->body;
    struct book_resources resources;
    struct rate_book book;
    struct billing_book_row row;
    struct sight sight;
    int rc = read_book(request, &resources, &book);
    rc = rc ? rc : sight_read(request, &sight);
    if (rc) {
        return rc;
    }
    book_row(b->book, &book, &request->arena, &row);
    rc = store_billing_put_book(request->conn, &row, request->now_us, &request->error);
    struct billing_book_row *rows = NULL;
    size_t count = 0;
    rc = rc ? rc : store_billing_books(request->conn, row.name, &request->arena, &rows, &count, &request->error);
    for (size_t i = 0; !rc && i < count; i++) {
        if (rows[i].from_us == row.from_us) {
            rc = write_book(request, &reply->out, &sight, &rows[i]);
        }
    }
    reply->status = 201;
    return rc;
}

/* ---- dry run ---- */

struct charges {
    struct request *request;
    struct charge {
        const char *project;
        int64_t nano[2]; /* present books, the new one */
        struct charge *next;
    } * list;
    int which;
    const char *currency;
};

static int add_charge(void *arg, const struct rated *r)
{
    struct charges *x = arg;
    struct charge **at = &x->list;
    while (*at && strcmp((*at)->project, r->project) < 0) {
        at = &(*at)->next;
    }
    if (!*at || strcmp((*at)->project, r->project) != 0) {
        struct charge *c = arena_alloc(&x->request->arena, sizeof(*c));
        c->project = arena_strdup(&x->request->arena, r->project);
        c->next = *at;
        *at = c;
    }
    (*at)->nano[x->which] = bill_sum(&r->lines) - r->discount_nano;
    return 0;
}

static void write_charges(struct json_out *out, const struct charges *x)
{
    char text[MONEY_TEXT_SIZE];
    int64_t total[2] = {0};
    json_out_array(out, "projects");
    for (const struct charge *c = x->list; c; c = c->next) {
        json_out_object(out, NULL);
        json_out_text(out, "project_id", c->project);
        json_out_text(out, "present", money_text(c->nano[0], text));
        json_out_text(out, "proposed", money_text(c->nano[1], text));
        json_out_object_end(out);
        total[0] += c->nano[0];
        total[1] += c->nano[1];
    }
    json_out_array_end(out);
    json_out_text(out, "present", money_text(total[0], text));
    json_out_text(out, "proposed", money_text(total[1], text));
}

/* The book is taken as if it had held through all of the period. */
static int books_dry_run(struct request *request, struct reply *reply)
{
    struct charges x = {.request = request};
    struct book_resources resources;
    struct rate_book book;
    struct book_versions only = {.count = 0};
    const char *project = NULL;
    struct period period;
    char text[CLOCK_TEXT_SIZE];
    int rc = period_read_last_month(request, &period);
    rc = rc ? rc : rating_project(request, &project);
    rc = rc ? rc : read_book(request, &resources, &book);
    rc = rc ? rc : rated_each(request, project, &period, false, NULL, add_charge, &x);
    book.from_us = period.from_us;
    book_expand(&book, rc ? 0 : 1, &request->arena, &only);
    x.which = 1;
    rc = rc ? rc : rated_each(request, project, &period, false, &only, add_charge, &x);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "begin", clock_text(period.from_us, CLOCK_ISO_Z, text));
    json_out_text(&reply->out, "end", clock_text(period.to_us, CLOCK_ISO_Z, text));
    json_out_text(&reply->out, "currency", book.currency);
    write_charges(&reply->out, &x);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v3/books", .permission = PERMISSION_BILLED, .handler = books_list},
    {.method = "POST",
     .pattern = "/v3/books",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct body),
     .handler = books_add},
    {.method = "POST",
     .pattern = "/v3/books/dry-run",
     .permission = PERMISSION_BILLING,
     .body = &table,
     .body_size = sizeof(struct body),
     .handler = books_dry_run},
};
const struct route_table rating_books_routes = ROUTE_TABLE(rows);
