/* What members of elastic groups are asked by HTTP, and what their hosts' agents say of the answers. Inside the
 * caller's transaction. */
#pragma once
#include "db/db.h"

/* The check of the server's group as a JSON object, in the arena; NULL: none. */
int store_elastic_check_of(struct db_conn *c, const char *server_id, struct arena *a, const char **ret,
                           struct error *e);
/* The host's agent says how a server answers: "passing", "failing" or "unknown"; nothing when it is no member, or is on
 * another host. What is another state than before is looked at soon. */
int store_elastic_check_tell(struct db_conn *c, const char *host_id, const char *server_id, const char *state,
                             const char *message, int64_t now_us, struct error *e);
/* The group's check has changed: nothing is known of its members. */
int store_elastic_check_forget(struct db_conn *c, const char *group_id, struct error *e);
