/* virga host remove: a host leaves the pool for good. */
#include "cli/commands.h"
#include "cli/host_find.h"
#include "common/clock.h"
#include "db/store_host_work.h"

static int remove_host(struct db_conn *c, void *arg, struct error *e)
{
    struct cli *cli = arg;
    const char *id = NULL;
    int rc = host_find_id(cli, c, &id, e);
    return rc ? rc : store_host_work_remove(c, id, clock_now_us(), e);
}

static int run(struct cli *cli, struct error *e)
{
    return host_find_change(cli, remove_host, cli, e);
}

const struct command host_remove_command = {
    .name = "host remove",
    .arguments = "HOST",
    .summary = "Forget an empty host (name or id) and its certificate",
    .help = "Drain it first. To come back it joins anew.",
    .options = NULL,
    .option_count = 0,
    .run = run,
};
