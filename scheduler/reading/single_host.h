/* One host before the filters of placement, for whoever binds a server to a host without the scheduler: room that was
 * reserved is taken over, an interface is attached. */
#pragma once
#include "common/arena.h"
#include "db/store_placement.h"

/* Whether the host passes all filters that `wish` asks for, as the scheduler would judge: traits, properties, image,
 * isolation, projects, reach, zone, enabled and alive. Room is not looked at: the caller holds it. *ret_refusal: why it
 * does not, in the arena; NULL: it passes. ERR_NOT_FOUND: no such host. */
int single_host_check(struct db_conn *c, const char *host_id, const struct placement_waiting_row *wish, int64_t now_us,
                      struct arena *a, const char **ret_refusal, struct error *e);
/* Whether it reaches the network (as store_host_reach_network says), by its own lists and by its aggregates'; nothing
 * else is looked at. */
int single_host_reaches(struct db_conn *c, const char *host_id, const char *network, struct arena *a, bool *ret,
                        struct error *e);
