/* /v3/accounts: who pays, by which book, with which tax, for which projects; and credit given to them. */
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "common/uuid.h"
#include "db/store_billing.h"
#include "metering/bill/zone.h"
#include <string.h>

struct account_body {
    const char *name, *address, *book, *timezone, *tax;
    struct json_list projects;
    struct json_seen seen;
};
enum { SEEN_PROJECTS = 5 };
static const struct json_field account_fields[] = {
    {.name = "name",
     .kind = JSON_TEXT,
     .offset = offsetof(struct account_body, name),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 255},
    {.name = "address", .kind = JSON_TEXT, .offset = offsetof(struct account_body, address), .max = 2000},
    {.name = "book", .kind = JSON_TEXT, .offset = offsetof(struct account_body, book), .min = 1, .max = 63},
    {.name = "timezone", .kind = JSON_TEXT, .offset = offsetof(struct account_body, timezone), .min = 1, .max = 63},
    {.name = "tax_percent", .kind = JSON_TEXT, .offset = offsetof(struct account_body, tax), .max = 15},
    {.name = "projects", .kind = JSON_TEXTS, .offset = offsetof(struct account_body, projects), .max = 10000},
};
static const struct json_table account_table = {
    .fields = account_fields, .count = JSON_COUNT(account_fields), .seen_offset = offsetof(struct account_body, seen)};

int rating_may_see_account(struct request *request, const char *account_id)
{
    const char *own = NULL;
    const struct credential *c = &request->credential;
    if (c->roles & (ROLE_ADMIN | ROLE_BILLING)) {
        return 0;
    }
    int rc = store_billing_account_of(request->conn, c->project_id, &request->arena, &own, &request->error);
    if (!rc && strcmp(own ? own : c->project_id, account_id) != 0) {
        rc = error_set(&request->error, ERR_NOT_FOUND, "there is no billing account %s", account_id);
    }
    return rc;
}

static int write_project(void *arg, const char *text, struct error *e)
{
    (void)e;
    json_out_text(arg, NULL, text);
    return 0;
}

static int write_account(struct request *request, struct json_out *out, const struct billing_account_row *row)
{
    char text[MONEY_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "id", row->id);
    json_out_text(out, "name", row->name);
    json_out_text(out, "address", row->address);
    json_out_text(out, "book", row->book);
    json_out_text(out, "timezone", row->timezone);
    json_out_text(out, "tax_percent", money_text(row->tax_ppm * (MONEY_UNIT / 10000), text));
    json_out_array(out, "projects");
    int rc = store_billing_members(request->conn, row->id, write_project, out, &request->error);
    json_out_array_end(out);
    json_out_object_end(out);
    return rc;
}

static int accounts_list(struct request *request, struct reply *reply)
{
    struct billing_account_row *rows = NULL;
    size_t count = 0;
    int rc = store_billing_accounts(request->conn, &request->arena, &rows, &count, &request->error);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "accounts");
    for (size_t i = 0; !rc && i < count; i++) {
        if (rating_may_see_account(request, rows[i].id)) {
            error_clear(&request->error);
            continue;
        }
        rc = write_account(request, &reply->out, &rows[i]);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static int accounts_show(struct request *request, struct reply *reply)
{
    struct billing_account_row row;
    const char *id = request_param(request, "account_id");
    int rc = rating_may_see_account(request, id);
    rc = rc ? rc : store_billing_account(request->conn, id, &request->arena, &row, &request->error);
    return rc ? rc : write_account(request, &reply->out, &row);
}

static int read_account(struct request *request, struct billing_account_row *ret)
{
    const struct account_body *b = request->body;
    int64_t tax = 0, from, to;
    *ret = (struct billing_account_row){.id = request_param(request, "account_id"),
                                        .name = b->name,
                                        .address = b->address ? b->address : "",
                                        .book = b->book ? b->book : "default",
                                        .timezone = b->timezone ? b->timezone : "UTC",
                                        .created_us = request->now_us};
    if (b->tax &&
        (!money_parse(b->tax, &tax) || tax < 0 || tax > 100 * MONEY_UNIT || tax % (MONEY_UNIT / 10000) != 0)) {
        return error_set(&request->error, ERR_INVALID,
                         "tax_percent: \"%s\" is not a percentage of 0 to 100 with at most 4 decimals", b->tax);
    }
    ret->tax_ppm = tax / (MONEY_UNIT / 10000);
    return zone_month(ret->timezone, 2026, 1, &from, &to, &request->error);
}

/* Leaves whoever is not listed any more, joins the others. */
struct leaving {
    struct request *request;
    const struct json_list *stay;
};

static int leave(void *arg, const char *project, struct error *e)
{
    const struct leaving *l = arg;
    for (size_t i = 0; i < l->stay->count; i++) {
        if (strcmp(((const char *const *)l->stay->items)[i], project) == 0) {
            return 0;
        }
    }
    return store_billing_join(l->request->conn, arena_strdup(&l->request->arena, project), NULL, e);
}

static int put_projects(struct request *request, const char *account_id)
{
    const struct account_body *b = request->body;
    int rc = 0;
    if (!(b->seen.present & (1u << SEEN_PROJECTS))) {
        return 0;
    }
    rc = store_billing_members(request->conn, account_id, leave, &(struct leaving){request, &b->projects},
                               &request->error);
    for (size_t i = 0; !rc && i < b->projects.count; i++) {
        rc =
            store_billing_join(request->conn, ((const char *const *)b->projects.items)[i], account_id, &request->error);
    }
    return rc;
}

static int accounts_put(struct request *request, struct reply *reply)
{
    struct billing_account_row row;
    int rc = read_account(request, &row);
    rc = rc ? rc : store_billing_put_account(request->conn, &row, &request->error);
    rc = rc ? rc : put_projects(request, row.id);
    return rc ? rc : write_account(request, &reply->out, &row);
}

/* ---- credit ---- */

struct credit_body {
    const char *amount, *until, *reason;
};
static const struct json_field credit_fields[] = {
    {.name = "amount", .kind = JSON_TEXT, .offset = offsetof(struct credit_body, amount), .flags = JSON_REQUIRED},
    {.name = "until", .kind = JSON_TEXT, .offset = offsetof(struct credit_body, until)},
    {.name = "reason",
     .kind = JSON_TEXT,
     .offset = offsetof(struct credit_body, reason),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 255},
};
static const struct json_table credit_table = {
    .fields = credit_fields, .count = JSON_COUNT(credit_fields), .seen_offset = JSON_NO_SEEN};

static void write_credit(struct json_out *out, const struct billing_credit_row *row)
{
    char text[MONEY_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "id", row->id);
    json_out_text(out, "amount", money_text(row->amount_nano, text));
    json_out_text(out, "used", money_text(row->used_nano, text));
    json_out_text(out, "until", row->until_us == INT64_MAX ? NULL : clock_text(row->until_us, CLOCK_ISO_Z, time));
    json_out_text(out, "reason", row->reason);
    json_out_object_end(out);
}

static int credits_list(struct request *request, struct reply *reply)
{
    struct billing_credit_row *rows = NULL;
    size_t count = 0;
    const char *id = request_param(request, "account_id");
    int rc = rating_may_see_account(request, id);
    rc = rc ? rc : store_billing_credits(request->conn, id, 0, &request->arena, &rows, &count, &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "credits");
    for (size_t i = 0; i < count; i++) {
        write_credit(&reply->out, &rows[i]);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int credits_add(struct request *request, struct reply *reply)
{
    const struct credit_body *b = request->body;
    char id[UUID_SIZE];
    struct billing_credit_row row = {.id = id,
                                     .account_id = request_param(request, "account_id"),
                                     .reason = b->reason,
                                     .until_us = INT64_MAX,
                                     .created_us = request->now_us};
    uuid_random(id);
    if (!money_parse(b->amount, &row.amount_nano) || row.amount_nano <= 0) {
        return error_set(&request->error, ERR_INVALID, "amount: \"%s\" is not an amount above 0", b->amount);
    }
    if (b->until && !clock_parse(b->until, &row.until_us)) {
        return error_set(&request->error, ERR_INVALID, "until: \"%s\" is not a time", b->until);
    }
    int rc = store_billing_add_credit(request->conn, &row, &request->error);
    if (!rc) {
        reply->status = 201;
        write_credit(&reply->out, &row);
    }
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v3/accounts", .permission = PERMISSION_BILLED, .handler = accounts_list},
    {.method = "GET",
     .pattern = "/v3/accounts/{account_id}",
     .permission = PERMISSION_BILLED,
     .handler = accounts_show},
    {.method = "PUT",
     .pattern = "/v3/accounts/{account_id}",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .body = &account_table,
     .body_size = sizeof(struct account_body),
     .handler = accounts_put},
    {.method = "GET",
     .pattern = "/v3/accounts/{account_id}/credits",
     .permission = PERMISSION_BILLED,
     .handler = credits_list},
    {.method = "POST",
     .pattern = "/v3/accounts/{account_id}/credits",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .body = &credit_table,
     .body_size = sizeof(struct credit_body),
     .handler = credits_add},
};
const struct route_table rating_accounts_routes = ROUTE_TABLE(rows);
