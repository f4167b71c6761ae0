/* Reach of hosts: lists in the host's row, read by the scheduler with the row. */
#include "db/store_host_reach.h"
#include "db/store_host_admin.h"
#include <string.h>

bool store_host_reach_valid(const char *list)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
    if (strcmp(list, "*") == 0 || !*list)
        return true;
    for (const char *at = list;; at++) {
        size_t size = strspn(at, letters);
        if (size == 0 || size > 255)
            return false;
        at += size;
        if (*at != ',')
            return *at == '\0';
    }
}

const char *store_host_reach_of(const char *own, const char *told)
{
    const char *list = own != NULL ? own : told;
    return list != NULL && strcmp(list, "*") == 0 ? NULL : list;
}

DB_STATEMENT(host_reach_get,
             "SELECT reach_networks, reach_storage, told_networks, told_storage FROM host WHERE id = $1");
int store_host_reach_get(struct db_conn *c, const char *host_id, struct arena *a, struct host_reach *ret,
                         struct error *e)
{
    struct host_reach reach = {0};
    struct db_rows rows;
    int rc = db_query(c, &host_reach_get, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    if (found)
        reach = (struct host_reach){db_dup_text(&rows, 0, a), db_dup_text(&rows, 1, a), db_dup_text(&rows, 2, a),
                                    db_dup_text(&rows, 3, a)};
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "host %s is not known", host_id);
    if (!rc)
        *ret = reach;
    return rc;
}

DB_STATEMENT(host_reach_set, "UPDATE host SET reach_networks = $2, reach_storage = $3 WHERE id = $1");
int store_host_reach_set(struct db_conn *c, const char *host_id, const char *networks, const char *storage,
                         struct error *e)
{
    int rc = db_exec(c, &host_reach_set, NULL, e, DB_ARGS(db_text(host_id), db_text(networks), db_text(storage)));
    return rc ? rc : store_host_admin_touch(c, host_id, e);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

DB_STATEMENT(host_reach_tell, "UPDATE host SET told_networks = $2, told_storage = $3 WHERE id = $1");
int store_host_reach_tell(struct db_conn *c, const char *host_id, const char *networks, const char *storage,
                          struct error *e)
{
    struct host_reach was = {0};
    struct arena a;
    arena_init(&a);
    int rc = store_host_reach_get(c, host_id, &a, &was, e);
    bool same = is_same(was.told_networks, networks) && is_same(was.told_storage, storage);
    arena_done(&a);
    if (rc || same)
        return rc;
    rc = db_exec(c, &host_reach_tell, NULL, e, DB_ARGS(db_text(host_id), db_text(networks), db_text(storage)));
    return rc ? rc : store_host_admin_touch(c, host_id, e);
}

#define NETWORK "n.id, COALESCE(n.provider_physical, '-'), COALESCE(CAST(n.provider_segment AS TEXT), '-')"
DB_STATEMENT(host_reach_asked, "SELECT DISTINCT " NETWORK " FROM port p JOIN network n ON n.id = p.network_id "
                               "WHERE p.device_id = $1 AND p.device_id <> '' ORDER BY n.id");
DB_STATEMENT(host_reach_network, "SELECT " NETWORK " FROM network n WHERE n.id = $1");

static int read_asked(struct db_rows *rows, struct arena *a, const char **ret, struct error *e)
{
    const char *list = NULL;
    while (db_next(rows))
        list = arena_printf(a, "%s%s%s %s %s", list != NULL ? list : "", list != NULL ? "," : "", db_get_text(rows, 0),
                            db_get_text(rows, 1), db_get_text(rows, 2));
    int rc = db_rows_done(rows, e);
    if (!rc)
        *ret = list;
    return rc;
}

int store_host_reach_asked(struct db_conn *c, const char *server_id, struct arena *a, const char **ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &host_reach_asked, &rows, e, DB_ARGS(db_text(server_id)));
    return rc ? rc : read_asked(&rows, a, ret, e);
}

int store_host_reach_network(struct db_conn *c, const char *network_id, struct arena *a, const char **ret,
                             struct error *e)
{
    struct db_rows rows;
    const char *list = NULL;
    int rc = db_query(c, &host_reach_network, &rows, e, DB_ARGS(db_text(network_id)));
    rc = rc ? rc : read_asked(&rows, a, &list, e);
    if (!rc && list == NULL)
        rc = error_set(e, ERR_NOT_FOUND, "Network %s could not be found.", network_id);
    if (!rc)
        *ret = list;
    return rc;
}
