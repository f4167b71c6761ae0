/* Lists of servers by several keys. The store walks in the order of the first key; servers that share its value are
 * gathered here, ordered by the other keys, and handed on. */
#pragma once
#include "api/compute/servers_filter.h"

/* Walks the page in order, by the filter's sorts, and calls `each` with rows that pass the filter; it ends the walk as
 * in store_server_list. `query`: the filter's, perhaps with another marker. */
int servers_sort_walk(struct request *request, const struct servers_filter *f, const struct server_query *query,
                      store_server_fn each, void *arg);
