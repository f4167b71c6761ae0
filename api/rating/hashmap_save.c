/* From the view back to the book's JSON, as the version that holds from now on. */
#include "api/rating/hashmap.h"
#include "common/clock.h"
#include "common/model/money.h"
#include <string.h>

/* As prices call them; states are a list. */
static const char *const price_members[FIELD_COUNT] = {"flavor", "states", "zone", "region", "tag", "network"};

static void write_optional(struct json_out *out, const char *name, const char *text)
{
    if (text) {
        json_out_text(out, name, text);
    }
}

static void write_states(struct json_out *out, const char *states)
{
    json_out_array(out, price_members[FIELD_STATE]);
    while (*states) {
        size_t size = strcspn(states, ",");
        json_out_text_n(out, NULL, states, size);
        states += size + (states[size] == ',');
    }
    json_out_array_end(out);
}

static void write_tiers(struct json_out *out, const struct hashmap_price *p)
{
    char text[MONEY_TEXT_SIZE];
    if (p->tier_count == 1) {
        json_out_text(out, p->rate ? "rate" : "price", p->tiers[0].price);
        return;
    }
    json_out_text(out, "tiering", p->volume ? "volume" : "graduated");
    json_out_array(out, "tiers");
    for (size_t i = 0; i < p->tier_count; i++) {
        json_out_object(out, NULL);
        write_optional(out, "id", p->tiers[i].id);
        if (i + 1 < p->tier_count) {
            json_out_text(out, "up_to", money_text(p->tiers[i + 1].from_nano, text));
        }
        json_out_text(out, p->tiers[i].rate ? "rate" : "price", p->tiers[i].price);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void write_price(struct json_out *out, const struct hashmap_price *p)
{
    json_out_object(out, NULL);
    json_out_text(out, "id", p->id);
    json_out_text(out, "resource", p->resource);
    write_optional(out, "project", p->project);
    write_optional(out, "name", p->group);
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (i != FIELD_STATE) {
            write_optional(out, price_members[i], p->conditions[i]);
        } else if (p->conditions[i]) {
            write_states(out, p->conditions[i]);
        }
    }
    write_tiers(out, p);
    for (const struct hashmap_member *m = p->rest; m; m = m->next) {
        json_out_raw(out, m->name, m->raw);
    }
    json_out_object_end(out);
}

static void write_names(struct json_out *out, const char *name, const struct hashmap_name *list)
{
    json_out_array(out, name);
    for (; list; list = list->next) {
        json_out_text(out, NULL, list->text);
    }
    json_out_array_end(out);
}

static void write_prices(struct json_out *out, const char *name, const struct hashmap_view *v, bool rate)
{
    json_out_array(out, name);
    for (const struct hashmap_price *p = v->prices; p; p = p->next) {
        if (p->rate == rate) {
            write_price(out, p);
        }
    }
    json_out_array_end(out);
}

static void write_book(struct json_out *out, const struct hashmap_view *v, int64_t from_us)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "from", clock_text(from_us, CLOCK_ISO_MICRO_Z, text));
    write_prices(out, "prices", v, false);
    write_prices(out, "rates", v, true);
    for (const struct hashmap_member *m = v->rest; m; m = m->next) {
        json_out_raw(out, m->name, m->raw);
    }
    json_out_object(out, HASHMAP_MEMBER);
    write_names(out, "services", v->services);
    write_names(out, "fields", v->fields);
    write_names(out, "groups", v->groups);
    json_out_object_end(out);
    json_out_object_end(out);
}

static int put(struct hashmap_view *v, const char *text)
{
    struct request *request = v->request;
    struct json_doc doc;
    struct rate_book book;
    struct billing_book_row row;
    int rc = json_in_parse(text, strlen(text), &doc, &request->error);
    if (rc) {
        return rc;
    }
    rc = book_read(doc.root, v->name, v->currency, &v->resources, &request->arena, &book, &request->error);
    if (!rc) {
        book_row(doc.root, &book, &request->arena, &row);
        rc = store_billing_put_book(request->conn, &row, request->now_us, &request->error);
    }
    json_in_done(&doc);
    return rc;
}

int hashmap_save(struct hashmap_view *v)
{
    struct strbuf text;
    struct json_out out;
    int64_t from_us = v->request->now_us > v->from_us ? v->request->now_us : v->from_us + 1;
    if (!v->currency) {
        return error_set(&v->request->error, ERR_CONFLICT,
                         "there is no price book \"%s\" yet: add its first version, which says the currency, with POST "
                         "/rating/v3/books",
                         v->name);
    }
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    write_book(&out, v, from_us);
    int rc = put(v, text.data);
    strbuf_done(&text);
    return rc;
}
