/* Amounts: what counters grew by and events that happened, by the hour. */
#pragma once
#include "db/db.h"

#define STORE_AMOUNT_HOUR_US ((int64_t)3600000000)

struct amount_row {
    int64_t project_no, hour_us, generation, subject_no, shape_no, host_no, amount;
    const char *resource;
};
/* Adds to the hour. */
int store_amount_add(struct db_conn *c, const struct amount_row *row, struct error *e);
typedef int (*amount_row_fn)(void *arg, const struct amount_row *row, struct error *e);
/* A project's amounts of the hours that begin in [from_us, to_us), known at `generation` or before; the resource is
 * borrowed. */
int store_amount_each(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t generation,
                      amount_row_fn fn, void *arg, struct error *e);
/* Whether amounts of those hours became known after `generation`. */
int store_amount_changed(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t generation,
                         bool *ret, struct error *e);
