/* What a server of a flavor costs while it runs, by the price book that is in effect. */
#pragma once
#include "db/db.h"
#include "db/store_flavor.h"

struct price_rate {
    const char *currency; /* NULL: there is no price book */
    int64_t nano_per_hour;
};
/* Of one server, which may be a spot server; text is in the arena. */
int price_of_flavor(struct db_conn *c, const struct flavor_row *flavor, bool spot, int64_t now_us, struct arena *a,
                    struct price_rate *ret, struct error *e);
