/* Hosts whose clock is wrong: a row while it is. */
#pragma once
#include "db/db.h"

#define STORE_HOST_CLOCK_MOST_US ((int64_t)5000000) /* off by less is right: reports take their time */

/* The host's clock is ahead by off_us at now_us. *ret_turned: it was right and is wrong, or the reverse. */
int store_host_clock_note(struct db_conn *c, const char *host_id, int64_t off_us, int64_t now_us, bool *ret_turned,
                          struct error *e);
