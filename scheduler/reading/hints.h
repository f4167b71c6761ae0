/* The scheduler hints of a server, in Nova's words: same_host, different_host, query, build_near_host_ip with cidr.
 * Others are not the scheduler's. */
#pragma once
#include "common/arena.h"
#include "db/db.h"
#include "scheduler/placement/placement.h"

/* Adds what the hints ask for (a JSON object) to the request; text lives in the arena. Looks servers and hosts up
 * through `c`. ERR_NO_VALID_HOST with a sentence when nothing can be as they say, ERR_INVALID when they cannot be read;
 * database errors as they come. */
int hints_read(struct db_conn *c, const struct placement *p, const char *json, struct arena *a,
               struct placement_request *ret, struct error *e);
