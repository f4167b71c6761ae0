/* Names of hosts, and one transaction about one of them. */
#include "cli/host_find.h"
#include "db/store_host.h"
#include "db/store_host_admin.h"
#include "db/store_host_power.h"
#include <string.h>
#include <time.h>

#define WAIT_PAUSE_MS 100

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

int host_find_wait_power(struct cli *cli, struct host_power_job *ret, struct error *e)
{
    struct timespec pause = {.tv_nsec = WAIT_PAUSE_MS * 1000000L};
    const char *id = NULL;
    bool found = true, ended = false;
    int rc = host_find_id(cli, db_reader(cli->db), &id, e);
    while (!rc && !ended) {
        rc = store_host_power_job(db_reader(cli->db), id, &cli->arena, ret, &found, e);
        bool open = found && (ret->state == HOST_POWER_WAITING || ret->state == HOST_POWER_RUNNING);
        ended = !open || (ret->state == HOST_POWER_WAITING && ret->attempts > 0);
        if (!rc && !ended)
            nanosleep(&pause, NULL);
    }
    return rc;
}
