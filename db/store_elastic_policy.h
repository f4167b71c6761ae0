/* What scales elastic groups: policies, posted metrics; and what happened to them: events. */
#pragma once
#include "db/db.h"

struct elastic_policy_row {
    const char *id, *group_id, *kind;
    const char *body;      /* JSON */
    const char *hook_hash; /* NULL: no hook */
    int64_t fired_us, created_us;
    int64_t hook_busy_us; /* of a hook: until when its calls so far would take, were they evenly spread */
};
int store_elastic_policy_insert(struct db_conn *c, const struct elastic_policy_row *row, struct error *e);
/* Of a group, by id, copied into the arena. */
int store_elastic_policy_list(struct db_conn *c, const char *group_id, struct arena *a,
                              struct elastic_policy_row **ret_rows, size_t *ret_count, struct error *e);
/* ERR_NOT_FOUND. */
int store_elastic_policy_get(struct db_conn *c, const char *id, struct arena *a, struct elastic_policy_row *ret,
                             struct error *e);
int store_elastic_policy_fired(struct db_conn *c, const char *id, int64_t now_us, int64_t hook_busy_us,
                               struct error *e);
/* ERR_NOT_FOUND. */
int store_elastic_policy_delete(struct db_conn *c, const char *id, const char *group_id, struct error *e);

/* server_id "" for the whole group; `value` in thousandths. */
int store_elastic_policy_metric_put(struct db_conn *c, const char *group_id, const char *name, const char *server_id,
                                    int64_t value, int64_t now_us, struct error *e);
/* Those posted since `since_us`: what was posted for the whole group (*ret_count 1), else the sum over members and
 * their count. *ret_count 0: nothing. */
int store_elastic_policy_metric_sum(struct db_conn *c, const char *group_id, const char *name, int64_t since_us,
                                    bool whole_group, int64_t *ret_sum, int64_t *ret_count, struct error *e);
int store_elastic_policy_metric_purge(struct db_conn *c, const char *group_id, int64_t before_us, struct error *e);

struct elastic_event_row {
    const char *id, *kind, *message;
    int64_t at_us;
};
int store_elastic_policy_event_add(struct db_conn *c, const char *group_id, const char *kind, const char *message,
                                   int64_t now_us, struct error *e);
/* Newest first, at most `limit`, older than the event `before` (NULL: from the newest); texts are borrowed. */
typedef int (*store_elastic_policy_event_fn)(void *arg, const struct elastic_event_row *row, struct error *e);
int store_elastic_policy_event_list(struct db_conn *c, const char *group_id, const char *before, int64_t limit,
                                    store_elastic_policy_event_fn each, void *arg, struct error *e);
int store_elastic_policy_event_purge(struct db_conn *c, const char *group_id, int64_t before_us, struct error *e);
