/* /v3/budgets: an amount a month for a project or an account, thresholds in percent of it, and who is told when one is
 * reached. Budgets call and write out of the cloud: only administrators make them. A hard one stops new servers. */
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "db/store_budget.h"
#include <string.h>

#define CROSSINGS_SHOWN 100

struct body {
    const char *account, *project, *amount, *webhook, *email;
    bool hard;
    struct json_list thresholds;
};
static const struct json_field fields[] = {
    {.name = "account_id", .kind = JSON_TEXT, .offset = offsetof(struct body, account), .min = 1, .max = 63},
    {.name = "project_id", .kind = JSON_TEXT, .offset = offsetof(struct body, project), .min = 1, .max = 63},
    {.name = "amount", .kind = JSON_TEXT, .offset = offsetof(struct body, amount), .flags = JSON_REQUIRED},
    {.name = "webhook", .kind = JSON_TEXT, .offset = offsetof(struct body, webhook), .max = 1000},
    {.name = "email", .kind = JSON_TEXT, .offset = offsetof(struct body, email), .max = 1000},
    {.name = "hard", .kind = JSON_BOOL, .offset = offsetof(struct body, hard)},
    {.name = "thresholds",
     .kind = JSON_TEXTS,
     .offset = offsetof(struct body, thresholds),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 20},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

static int write_budget(struct request *request, struct json_out *out, const struct budget_row *row)
{
    struct budget_crossing *list = NULL;
    size_t count = 0;
    char money[MONEY_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
    int rc = store_budget_crossings(request->conn, row->id, CROSSINGS_SHOWN, &request->arena, &list, &count,
                                    &request->error);
    json_out_object(out, NULL);
    json_out_text(out, "id", row->id);
    json_out_text(out, "account_id", *row->account_id ? row->account_id : NULL);
    json_out_text(out, "project_id", *row->project_id ? row->project_id : NULL);
    json_out_text(out, "amount", money_text(row->amount_nano, money));
    json_out_raw(out, "thresholds", row->thresholds);
    json_out_text(out, "webhook", *row->webhook ? row->webhook : NULL);
    json_out_text(out, "email", *row->email ? row->email : NULL);
    json_out_bool(out, "hard", row->hard);
    json_out_array(out, "crossed");
    for (size_t i = 0; i < count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "month", list[i].month);
        json_out_text(out, "threshold", list[i].threshold);
        json_out_text(out, "spent", money_text(list[i].spent_nano, money));
        json_out_text(out, "at", clock_text(list[i].crossed_us, CLOCK_ISO_Z, time));
        json_out_int(out, "attempts", list[i].attempts);
        json_out_bool(out, "told", !*list[i].webhook);
        json_out_bool(out, "mailed", *row->email && !*list[i].email);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
    return rc;
}

static int budgets_list(struct request *request, struct reply *reply)
{
    struct budget_row *rows = NULL;
    size_t count = 0;
    bool all = request->credential.roles & (ROLE_ADMIN | ROLE_BILLING);
    int rc = store_budget_list(request->conn, request_query(request, "account_id"),
                               all ? request_query(request, "project_id") : request->credential.project_id,
                               &request->arena, &rows, &count, &request->error);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "budgets");
    for (size_t i = 0; !rc && i < count; i++) {
        rc = write_budget(request, &reply->out, &rows[i]);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static int read_thresholds(struct request *request, const struct json_list *list, char **ret)
{
    struct strbuf text;
    struct json_out out;
    char words[MONEY_TEXT_SIZE];
    int64_t percent = 0;
    int rc = 0;
    strbuf_init(&text, 4096);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < list->count && !rc; i++) {
        const char *item = ((const char *const *)list->items)[i];
        if (!money_parse(item, &percent) || percent <= 0 || percent > 1000 * MONEY_UNIT) {
            rc = error_set(&request->error, ERR_INVALID, "thresholds: \"%s\" is not a percentage above 0", item);
        }
        json_out_text(&out, NULL, money_text(percent, words)); /* "50.0" is no other threshold than "50" */
    }
    json_out_array_end(&out);
    *ret = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return rc;
}

/* "a@b.c,d@e.f", or nothing. What could end a line or an address in a mail is no part of one. */
static bool are_addresses(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+/=?^_`{|}~-@";
    bool good = true;
    while (good && *text) {
        size_t size = strcspn(text, ",");
        const char *at = memchr(text, '@', size);
        good = at && at > text && at < text + size - 1 && strspn(text, allowed) >= size &&
               !memchr(at + 1, '@', size - (size_t)(at + 1 - text));
        text += size;
        good = good && (!*text || text[1]);
        text += *text == ',';
    }
    return good;
}

static int budgets_put(struct request *request, struct reply *reply)
{
    const struct body *b = request->body;
    char *thresholds = NULL;
    struct budget_row row = {.id = request_param(request, "budget_id"),
                             .account_id = b->account ? b->account : "",
                             .project_id = b->project ? b->project : "",
                             .webhook = b->webhook ? b->webhook : "",
                             .email = b->email ? b->email : "",
                             .hard = b->hard,
                             .created_us = request->now_us};
    if ((b->account != NULL) == (b->project != NULL)) {
        return error_set(&request->error, ERR_INVALID, "a budget is about either a project_id or an account_id");
    }
    if (!money_parse(b->amount, &row.amount_nano) || row.amount_nano <= 0) {
        return error_set(&request->error, ERR_INVALID, "amount: \"%s\" is not an amount above 0", b->amount);
    }
    if (*row.webhook && strncmp(row.webhook, "https://", 8) != 0 && strncmp(row.webhook, "http://", 7) != 0) {
        return error_set(&request->error, ERR_INVALID, "webhook: \"%s\" is not a URL of http or https", row.webhook);
    }
    if (!are_addresses(row.email)) {
        return error_set(&request->error, ERR_INVALID, "email: \"%s\" is not a list of mail addresses with commas",
                         row.email);
    }
    int rc = read_thresholds(request, &b->thresholds, &thresholds);
    row.thresholds = thresholds;
    rc = rc ? rc : store_budget_put(request->conn, &row, &request->error);
    return rc ? rc : write_budget(request, &reply->out, &row);
}

static int budgets_delete(struct request *request, struct reply *reply)
{
    reply->status = 204;
    return store_budget_delete(request->conn, request_param(request, "budget_id"), &request->error);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v3/budgets", .permission = PERMISSION_BILLED, .handler = budgets_list},
    {.method = "PUT",
     .pattern = "/v3/budgets/{budget_id}",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct body),
     .handler = budgets_put},
    {.method = "DELETE",
     .pattern = "/v3/budgets/{budget_id}",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .handler = budgets_delete},
};
const struct route_table rating_budgets_routes = ROUTE_TABLE(rows);
