/* virga db migrate: brings the schema up to date; what daemons do at their start as well. */
#include "cli/commands.h"
#include "db/store_operator.h"
#include <inttypes.h>
#include <stdio.h>

static int db_migrate_run(struct cli *cli, struct error *e)
{
    int64_t level = 0;
    int rc = command_open(cli, true, e);
    if (!rc)
        rc = store_operator_level(db_reader(cli->db), &level, e);
    if (!rc)
        printf("The database is at migration %" PRId64 ".\n", level);
    return rc;
}

const struct command db_migrate_command = {
    .name = "db migrate",
    .arguments = "",
    .summary = "Apply the migrations that the database lacks",
    .run = db_migrate_run,
};
