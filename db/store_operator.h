/* What only the operator's command asks: figures of the whole cloud, and rows that contradict each other. */
#pragma once
#include "db/db.h"

/* One figure each: "hosts", "hosts up", "servers", ... in a fixed order. */
size_t store_operator_figure_count(void);
const char *store_operator_figure_name(size_t index);
int store_operator_figure(struct db_conn *c, size_t index, int64_t now_us, int64_t *ret, struct error *e);

/* Number of the last migration that was applied. */
int store_operator_level(struct db_conn *c, int64_t *ret, struct error *e);

/* Leases by name; texts are borrowed. */
typedef int (*store_operator_lease_fn)(void *arg, const char *name, const char *holder, int64_t epoch, int64_t until_us,
                                       struct error *e);
int store_operator_leases(struct db_conn *c, store_operator_lease_fn each, void *arg, struct error *e);

/* Contradictions. Each check has a sentence that is true of what it finds; `each` gets what the row is about and its
 * figures, both borrowed. */
size_t store_operator_check_count(void);
const char *store_operator_check_sentence(size_t index);
typedef int (*store_operator_finding_fn)(void *arg, const char *subject, const char *detail, struct error *e);
int store_operator_check(struct db_conn *c, size_t index, int64_t now_us, store_operator_finding_fn each, void *arg,
                         struct error *e);

/* Ids of servers that have this id or name, at most two. */
int store_operator_find_server(struct db_conn *c, const char *id_or_name, struct arena *a, const char *ret_ids[2],
                               size_t *ret_count, struct error *e);
/* A server of the queue. */
struct store_operator_waiting {
    int64_t since_us, attempts;
    int64_t until_us;   /* 0: it does not wait for room */
    const char *reason; /* why there was none when it was last looked for; NULL: not looked yet */
};
/* ERR_NOT_FOUND when it does not wait. */
int store_operator_waiting(struct db_conn *c, const char *server_id, struct arena *a,
                           struct store_operator_waiting *ret, struct error *e);
