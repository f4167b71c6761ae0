/* Prices: an hour of running, rated by the same arithmetic as the bill. */
#include "api/elastic/price.h"
#include "api/rating/books.h"

int price_of_flavor(struct db_conn *c, const struct flavor_row *flavor, int64_t now_us, struct arena *a,
                    struct price_rate *ret, struct error *e)
{
    struct usage_interval hour = {.state = SERVER_STATE_RUNNING,
                                  .flavor = flavor->name,
                                  .vcpus = flavor->vcpus,
                                  .memory_mib = flavor->memory_mib,
                                  .disk_gib = flavor->root_gib + flavor->ephemeral_gib,
                                  .begin_us = now_us,
                                  .end_us = now_us + USAGE_HOUR_US};
    struct books books;
    int rc = books_load(c, a, &books, e);
    if (rc)
        return rc;
    ret->currency = books.count > 0 ? books.currency : NULL;
    ret->nano_per_hour = 0;
    /* The book of now for the whole hour, though another may begin within it. */
    while (books.count > 0 && books.items[books.count - 1].from_us > now_us)
        books.count--;
    for (int r = 0; r < USAGE_RESOURCE_COUNT; r++) {
        struct usage_sum sum = {0};
        usage_add(&sum, &hour, (enum usage_resource)r, hour.begin_us, hour.end_us, books.items, books.count);
        ret->nano_per_hour += usage_charge_nano(&sum);
    }
    return 0;
}
