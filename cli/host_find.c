/* Names of hosts, and one transaction about one of them. */
#include "cli/host_find.h"
#include "db/store_host.h"
#include "db/store_host_admin.h"
#include <string.h>

int host_find_id(struct cli *cli, struct db_conn *c, const char **ret_id, struct error *e)
{
    const char *name = cli->arguments[0];
    struct host_row row;
    struct error none = {0};
    if (store_host_get(c, name, &cli->arena, &row, &none) == 0) {
        *ret_id = row.id;
        return 0;
    }
    return store_host_admin_find(c, name, &cli->arena, ret_id, e);
}

int host_find_change(struct cli *cli, db_fn fn, void *arg, struct error *e)
{
    struct db_conn *c = NULL;
    int rc = command_open(cli, false, e);
    rc = rc ? rc : db_conn_open(cli->db, &c, e);
    rc = rc ? rc : db_transact(c, fn, arg, e);
    db_conn_close(&c);
    return rc;
}
