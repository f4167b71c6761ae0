/* Servers that take over room that their project has reserved. */
#pragma once
#include "api/compute/servers_create.h"

/* The server, whose row and ports are written, takes a free slot of wish->reservation_id whose host passes all filters
 * for it: at once, without the scheduler. ERR_CONFLICT with the reason when none does. */
int server_reservation_take(struct request *request, const struct servers_wish *wish, const struct servers_found *found,
                            const char *server_id);
