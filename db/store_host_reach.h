/* Which networks and storage a host reaches. An operator's word beats its agent's; without either it reaches all. Lists
 * are names with commas between; "*" is all, "" none. */
#pragma once
#include "db/db.h"

struct host_reach {
    const char *networks, *storage;           /* the operator's; NULL: as the agent says */
    const char *told_networks, *told_storage; /* the agent's; NULL: all */
};

/* Whether it is such a list: names of letters, digits and ._:- without spaces. */
bool store_host_reach_valid(const char *list);
/* What counts of both: NULL for all. */
const char *store_host_reach_of(const char *own, const char *told);
/* Text is in the arena. ERR_NOT_FOUND. */
int store_host_reach_get(struct db_conn *c, const char *host_id, struct arena *a, struct host_reach *ret,
                         struct error *e);
/* Writes the operator's word; counts the feed. */
int store_host_reach_set(struct db_conn *c, const char *host_id, const char *networks, const char *storage,
                         struct error *e);
/* Writes the agent's word; counts the feed when it is another one than before. */
int store_host_reach_tell(struct db_conn *c, const char *host_id, const char *networks, const char *storage,
                          struct error *e);
/* What the servers' ports ask for: for each network that the server has a port on, "id physical segment" with spaces
 * between ("-" for none), commas between networks; in the arena, NULL for none. */
int store_host_reach_asked(struct db_conn *c, const char *server_id, struct arena *a, const char **ret,
                           struct error *e);
/* The same of one network; ERR_NOT_FOUND. */
int store_host_reach_network(struct db_conn *c, const char *network_id, struct arena *a, const char **ret,
                             struct error *e);
