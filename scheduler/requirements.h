/* What a waiting server asks of a host, read from its flavor's extra specs, its image's properties, its hints and its
 * group. */
#pragma once
#include "common/arena.h"
#include "db/store_placement.h"
#include "scheduler/placement/placement.h"

/* Fills `ret` from the row; text lives in the row or the arena. Looks groups and hosts of other servers up through `c`.
 * ERR_NO_VALID_HOST with a sentence when it asks for something that cannot be (a group or server that is not there);
 * database errors as they come. */
int requirements_read(struct db_conn *c, struct placement *p, const struct placement_waiting_row *row, struct arena *a,
                      struct placement_request *ret, struct error *e);
/* What the server holds of its host once it is placed; names live in the library. */
void requirements_holding(const struct placement *p, const struct placement_request *r, struct store_holding *ret);
