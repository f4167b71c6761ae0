/* Price books as the rating arithmetic wants them, read from their rows. */
#pragma once
#include "common/model/usage.h"
#include "db/db.h"

struct books {
    struct usage_book *items; /* ascending */
    size_t count;
    const char *currency; /* of the newest book; "" without books */
};
/* All in the arena. */
int books_load(struct db_conn *c, struct arena *a, struct books *ret, struct error *e);
