/* Old counters and amounts take less room: rows that differ only in their hour become one. Sums of a whole span stay
 * what they are, to the unit; what becomes known later lies beside, with its own generation. */
#pragma once
#include "db/db.h"

/* Within [from_us, to_us) a project's rows of the same subject, shape, host and generation become one per `bucket_us`
 * since 1970, at the earliest of their hours. *ret_gone: rows fewer than before. Run twice it changes nothing. */
int store_roll(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t bucket_us,
               int64_t *ret_gone, struct error *e);
/* Deletes a project's counters and amounts of the hours that begin in [from_us, to_us). */
int store_roll_forget(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t *ret_gone,
                      struct error *e);
