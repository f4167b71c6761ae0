/* What the host commands share. */
#pragma once
#include "cli/command.h"

/* The id of the host that the first argument names, by name or id. ERR_NOT_FOUND. */
int host_find_id(struct cli *cli, struct db_conn *c, const char **ret_id, struct error *e);
/* Opens the database and runs `fn` in one write transaction. */
int host_find_change(struct cli *cli, db_fn fn, void *arg, struct error *e);
