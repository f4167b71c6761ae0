/* On which storage the servers' disks of a host lie. Hosts that say the same share it. Inside the caller's transaction.
 */
#pragma once
#include "db/db.h"

/* What its agent says; NULL or "" when it does not know. */
int store_host_storage_set(struct db_conn *c, const char *host_id, const char *storage, struct error *e);
/* Ids of the other hosts that share it, in the order of their names, into the arena; none when nobody knows. */
int store_host_storage_peers(struct db_conn *c, const char *host_id, struct arena *a, const char ***ret,
                             size_t *ret_count, struct error *e);
