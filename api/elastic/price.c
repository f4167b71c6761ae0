/* Prices: an hour of running, rated by the same arithmetic as the bill. Tiers and allowances depend on what else a
 * project uses: the first price above 0 counts here. */
#include "api/elastic/price.h"
#include "common/json_in.h"
#include "metering/bill/book.h"
#include <stdlib.h>
#include <string.h>

static int64_t first_price(const struct rate_book *book, size_t resource, const struct rate_facts *facts)
{
    const struct rate_rule *rule = rate_match(book, resource, facts);
    for (size_t i = 0; rule && i < rule->tier_count; i++)
        if (rule->tiers[i].nano > 0)
            return rate_price(book, rule, facts, rule->tiers[i].nano);
    return 0;
}

struct summing {
    const char *resource;
    int64_t sum;
};

/* "resources:CUSTOM_GPU" and "resources1:CUSTOM_GPU" come down to their sum. */
static int add_custom(void *arg, const char *name, json_value *value)
{
    struct summing *s = arg;
    const char *colon = strchr(name, ':'), *text = json_in_text(value);
    if (strncmp(name, "resources", strlen("resources")) == 0 && colon != NULL && strcmp(colon + 1, s->resource) == 0)
        s->sum += text != NULL ? strtoll(text, NULL, 10) : 0;
    return 0;
}

static int64_t custom_units(const struct flavor_row *flavor, const char *resource)
{
    struct summing s = {resource, 0};
    struct json_doc doc;
    if (flavor->extra_specs == NULL || json_in_parse(flavor->extra_specs, strlen(flavor->extra_specs), &doc, NULL))
        return 0;
    json_in_each(doc.root, add_custom, &s);
    json_in_done(&doc);
    return s.sum;
}

static int64_t units_of(const struct flavor_row *flavor, const char *resource)
{
    return strcmp(resource, "server") == 0       ? 1
           : strcmp(resource, "vcpu") == 0       ? flavor->vcpus
           : strcmp(resource, "memory_mib") == 0 ? flavor->memory_mib
           : strcmp(resource, "disk_gib") == 0   ? flavor->root_gib + flavor->ephemeral_gib
                                                 : custom_units(flavor, resource);
}

int price_of_flavor(struct db_conn *c, const struct flavor_row *flavor, bool spot, int64_t now_us, struct arena *a,
                    struct price_rate *ret, struct error *e)
{
    const struct rate_facts facts = {.project = "",
                                     .state = "running",
                                     .flavor = flavor->name,
                                     .zone = "",
                                     .region = "",
                                     .spot = spot,
                                     .network = ""};
    const struct rate_book *book = NULL;
    struct book_resources resources;
    struct book_versions books;
    int rc = book_resources_load(c, a, &resources, e);
    rc = rc ? rc : book_load(c, "default", &resources, a, &books, e);
    if (rc)
        return rc;
    ret->currency = books.count > 0 ? books.items[0].currency : NULL;
    ret->nano_per_hour = 0;
    for (size_t i = 0; i < books.count && books.items[i].from_us <= now_us; i++)
        book = &books.items[i];
    for (size_t r = 0; book && r < resources.count; r++) {
        int64_t nano = 0, price = first_price(book, r, &facts);
        if (!rate_amount(units_of(flavor, resources.items[r].name), price, resources.items[r].scale, &nano))
            return error_set(e, ERR_TOO_LARGE, "an hour of %s costs more than 64 bits hold", flavor->name);
        ret->nano_per_hour += nano;
    }
    return 0;
}
