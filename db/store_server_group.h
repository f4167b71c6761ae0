/* Server groups and who is in them. */
#pragma once
#include "db/db.h"
#include "db/page.h"

struct server_group_row {
    const char *id, *project_id, *user_id, *name, *policy;
    int64_t max_per_host, created_us;
};
typedef int (*server_group_fn)(void *arg, const struct server_group_row *row, struct error *e);
typedef int (*server_group_member_fn)(void *arg, const char *server_id, struct error *e);

/* ERR_NOT_FOUND "Instance group <id> could not be found.", also for another project's unless project_id is NULL. Text
 * is in the arena. */
int store_server_group_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                           struct server_group_row *ret, struct error *e);
int store_server_group_insert(struct db_conn *c, const struct server_group_row *row, struct error *e);
/* Members stay where they are, without a group. ERR_NOT_FOUND. */
int store_server_group_delete(struct db_conn *c, const char *id, const char *project_id, struct error *e);
/* In the order of creation; of all projects when project_id is NULL. Texts are borrowed. */
int store_server_group_list(struct db_conn *c, const char *project_id, int64_t limit,
                            const struct server_group_row *after, server_group_fn fn, void *arg, struct error *e);
int store_server_group_members(struct db_conn *c, const char *id, server_group_member_fn fn, void *arg,
                               struct error *e);
int store_server_group_count(struct db_conn *c, const char *project_id, int64_t *ret, struct error *e);
