/* Which hosts share the storage of the servers' disks: see store_host_storage.h. */
#include "db/store_host_storage.h"

DB_STATEMENT(host_storage_set, "UPDATE host SET storage = $2 WHERE id = $1");
int store_host_storage_set(struct db_conn *c, const char *host_id, const char *storage, struct error *e)
{
    bool known = storage && storage[0];
    return db_exec(c, &host_storage_set, NULL, e, DB_ARGS(db_text(host_id), known ? db_text(storage) : db_null()));
}

DB_STATEMENT(host_storage_peers, "SELECT p.id FROM host h JOIN host p ON p.storage = h.storage AND p.id <> h.id "
                                 "WHERE h.id = $1 ORDER BY p.name");
int store_host_storage_peers(struct db_conn *c, const char *host_id, struct arena *a, const char ***ret,
                             size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    const char **ids = NULL;
    size_t count = 0, room = 0;
    int rc = db_query(c, &host_storage_peers, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc)
        return rc;
    while (db_next(&rows)) {
        ids = arena_more(a, ids, count, &room, sizeof(*ids));
        ids[count++] = db_dup_text(&rows, 0, a);
    }
    *ret = ids;
    *ret_count = count;
    return db_rows_done(&rows, e);
}
