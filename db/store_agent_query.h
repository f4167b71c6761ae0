/* Questions to agents: asked by a tenant's request, answered by the host's agent, forgotten soon after. */
#pragma once
#include "db/db.h"

/* Asks; wakes "host:<host_id>". `args`: a JSON object. */
int store_agent_query_insert(struct db_conn *c, const char *id, const char *host_id, const char *server_id,
                             const char *kind, const char *args, int64_t now_us, int64_t expires_us, struct error *e);
/* The host answers; wakes "query:<id>". ERR_NOT_FOUND when nobody asked this host, or it was forgotten. An answer is
 * never replaced. */
int store_agent_query_answer(struct db_conn *c, const char *id, const char *host_id, const char *answer,
                             struct error *e);
/* The answer in the arena; NULL while there is none. ERR_NOT_FOUND. */
int store_agent_query_get(struct db_conn *c, const char *id, struct arena *a, const char **ret_answer, struct error *e);
/* Open questions to a host that were asked after `after_us`, in order; texts are borrowed. */
struct agent_query_row {
    const char *id, *server_id, *kind, *args;
    int64_t created_us;
};
typedef int (*store_agent_query_fn)(void *arg, const struct agent_query_row *row, struct error *e);
int store_agent_query_open(struct db_conn *c, const char *host_id, int64_t after_us, int64_t now_us,
                           store_agent_query_fn each, void *arg, struct error *e);
int store_agent_query_purge(struct db_conn *c, int64_t now_us, struct error *e);
