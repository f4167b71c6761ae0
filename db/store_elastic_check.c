/* HTTP checks of members: see store_elastic_check.h. */
#include "db/store_elastic_check.h"

DB_STATEMENT(elastic_check_of, "SELECT g.http_check FROM elastic_member m JOIN elastic_group g ON g.id = m.group_id "
                               "WHERE m.server_id = $1 AND g.http_check IS NOT NULL");
int store_elastic_check_of(struct db_conn *c, const char *server_id, struct arena *a, const char **ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &elastic_check_of, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc)
        return rc;
    *ret = db_next(&rows) ? db_dup_text(&rows, 0, a) : NULL;
    return db_rows_done(&rows, e);
}

DB_STATEMENT(elastic_check_tell,
             "UPDATE elastic_member SET check_state = $3, check_message = $4, check_us = $5 WHERE server_id = $1 AND "
             "(check_state IS NULL OR check_state <> $3 OR COALESCE(check_message, '') <> COALESCE($4, '')) AND "
             "EXISTS (SELECT 1 FROM server s WHERE s.id = $1 AND s.host_id = $2)");
DB_STATEMENT(elastic_check_hurry, "UPDATE elastic_group SET next_us = $2 WHERE next_us > $2 AND id IN (SELECT group_id "
                                  "FROM elastic_member WHERE server_id = $1)");
int store_elastic_check_tell(struct db_conn *c, const char *host_id, const char *server_id, const char *state,
                             const char *message, int64_t now_us, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &elastic_check_tell, &changed, e,
                     DB_ARGS(db_text(server_id), db_text(host_id), db_text(state), db_text(message), db_int(now_us)));
    if (rc || changed == 0)
        return rc;
    return db_exec(c, &elastic_check_hurry, NULL, e, DB_ARGS(db_text(server_id), db_int(now_us)));
}

DB_STATEMENT(elastic_check_forget, "UPDATE elastic_member SET check_state = NULL, check_message = NULL, check_us = 0 "
                                   "WHERE group_id = $1 AND check_us <> 0");
int store_elastic_check_forget(struct db_conn *c, const char *group_id, struct error *e)
{
    return db_exec(c, &elastic_check_forget, NULL, e, DB_ARGS(db_text(group_id)));
}
