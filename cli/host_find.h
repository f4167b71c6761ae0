/* What the host commands share. */
#pragma once
#include "cli/command.h"

struct host_power_job;

/* The id of the host that the first argument names, by name or id. ERR_NOT_FOUND. */
int host_find_id(struct cli *cli, struct db_conn *c, const char **ret_id, struct error *e);
/* Opens the database and runs `fn` in one write transaction. */
int host_find_change(struct cli *cli, db_fn fn, void *arg, struct error *e);
/* Waits until what is being done to the power of the host that the first argument names has come to an end: a try that
 * failed is one, too. In the arena. */
int host_find_wait_power(struct cli *cli, struct host_power_job *ret, struct error *e);
