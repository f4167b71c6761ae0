/* GET /v3/prices: the price books, ascending by the time from which they hold. */
#include "api/http/handler.h"
#include "api/rating/books.h"
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"

static void write_price(struct json_out *out, const struct usage_price *p)
{
    char text[MONEY_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "resource", usage_resource_name(p->resource));
    json_out_text(out, "flavor", p->flavor[0] ? p->flavor : NULL);
    json_out_array(out, "states");
    for (int s = 0; s < SERVER_STATE_COUNT; s++) {
        if ((p->states & (1u << s)) && s != SERVER_STATE_NONE && s != SERVER_STATE_GONE) {
            json_out_text(out, NULL, server_state_name((enum server_state)s));
        }
    }
    json_out_array_end(out);
    json_out_text(out, "per_unit_hour", money_text(p->nano_per_hour, text));
    json_out_object_end(out);
}

static int prices_list(struct request *request, struct reply *reply)
{
    struct books books;
    char text[CLOCK_TEXT_SIZE];
    struct json_out *out = &reply->out;
    int rc = books_load(request->conn, &request->arena, &books, &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(out, NULL);
    json_out_text(out, "currency", books.currency);
    json_out_array(out, "books");
    for (size_t i = 0; i < books.count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "from", clock_text(books.items[i].from_us, CLOCK_ISO_Z, text));
        json_out_array(out, "prices");
        for (size_t k = 0; k < books.items[i].count; k++) {
            write_price(out, &books.items[i].prices[k]);
        }
        json_out_array_end(out);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v3/prices", .permission = PERMISSION_READER, .handler = prices_list},
};
const struct route_table prices_routes = ROUTE_TABLE(rows);
