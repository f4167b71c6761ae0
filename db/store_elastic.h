/* Elastic groups and their members: what tenants want and what the driver keeps. */
#pragma once
#include "common/model/elastic.h"
#include "common/model/server.h"
#include "db/db.h"
#include "db/page.h"

struct elastic_group_row {
    const char *id, *project_id, *user_id, *name;
    const char *template; /* JSON */
    int64_t version;
    const char *previous_template; /* NULL: none */
    int64_t minimum, maximum, desired;
    const char *zones;           /* JSON array */
    const char *server_group_id; /* NULL: none */
    int64_t cooldown_s, grace_s, batch;
    bool paused, deleting;
    int64_t numbered, scaled_us, failures, retry_us;
    const char *message;    /* NULL: none */
    const char *http_check; /* JSON object, NULL: none */
    int64_t next_us, created_us, updated_us;
};
/* Borrowed texts; a non-zero return ends the walk and is returned. */
typedef int (*store_elastic_fn)(void *arg, const struct elastic_group_row *row, struct error *e);

int store_elastic_insert(struct db_conn *c, const struct elastic_group_row *row, struct error *e);
/* ERR_NOT_FOUND, also for another project's unless project_id is NULL. Text is in the arena. */
int store_elastic_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                      struct elastic_group_row *ret, struct error *e);
/* Of a project, or of all when it is NULL, by id. */
int store_elastic_list(struct db_conn *c, const char *project_id, const struct page *page, store_elastic_fn each,
                       void *arg, struct error *e);
int store_elastic_count(struct db_conn *c, const char *project_id, int64_t *ret, struct error *e);
/* Writes everything but id, owner and creation. Both tenants and the driver write through the one writer, so the row
 * that was read in the transaction is the row that is replaced; on PostgreSQL the transaction is serializable. */
int store_elastic_write(struct db_conn *c, const struct elastic_group_row *row, struct error *e);
/* With its policies, metrics and events; its members must be gone. */
int store_elastic_delete(struct db_conn *c, const char *id, struct error *e);
/* Ids of groups whose time has come, at most `limit`, copied into the arena. */
int store_elastic_due(struct db_conn *c, int64_t now_us, int64_t limit, struct arena *a, const char **ret_ids,
                      size_t *ret_count, struct error *e);

struct elastic_member_row {
    const char *server_id, *group_id, *zone, *reason; /* zone, reason: NULL for none */
    int64_t version;
    enum elastic_health state;
    int64_t created_us, healthy_us, cpu_ns, cpu_at_us, cpu_permille;
    const char *check_state, *check_message; /* as store_elastic_check_tell; NULL: not told, nothing to say */
    /* Of its server and the host it is on. */
    bool is_there; /* the server is in the hot table; without it the rest is nothing */
    const char *name, *fault;
    struct server_situation situation;
    int64_t vcpus, host_seen_us;  /* host_seen_us: 0 without a host */
    int64_t sample_ns, sample_us; /* its counter on that host as last taken over; 0: none */
};
/* The members of a group in the order of their making, copied into the arena. */
int store_elastic_members(struct db_conn *c, const char *group_id, struct arena *a,
                          struct elastic_member_row **ret_rows, size_t *ret_count, struct error *e);
int store_elastic_add_member(struct db_conn *c, const struct elastic_member_row *row, struct error *e);
/* State, reason, times and CPU. */
int store_elastic_write_member(struct db_conn *c, const struct elastic_member_row *row, struct error *e);
int store_elastic_remove_member(struct db_conn *c, const char *server_id, struct error *e);
/* Looks at the group again no sooner than `next_us`. */
int store_elastic_postpone(struct db_conn *c, const char *id, int64_t next_us, struct error *e);
