/* What a server's hypervisor cannot do is refused before anything happens. */
#pragma once
#include "api/compute/compute.h"
#include "db/store_server.h"

/* ERR_NOT_IMPLEMENTED, with the hypervisor's name, when the server's host has reported the trait `lack`. 0 also for a
 * server without a host. */
int server_ability_check(struct request *request, const struct server_row *row, const char *action, const char *lack);
/* The same for an imported server alone, whose machine is kept as it was, whether it runs or not. */
int server_ability_check_kept(struct request *request, const struct server_row *row, const char *action,
                              const char *lack);
