/* Why a server stays on a host that it should leave: told before anything is begun, and to those who ask. */
#pragma once
#include "db/store_host.h"
#include "db/store_host_work.h"
#include "db/store_server.h"

/* What keeps it there whatever is tried; *ret_reason NULL: nothing. `off`: the host is proved off, so that the server
 * would be built anew elsewhere. Text is constant or in the arena. */
int store_host_leave_bar(struct db_conn *c, const struct server_row *row, const struct host_row *host, bool off,
                         struct arena *a, const char **ret_reason, struct error *e);
/* Whether the host's hypervisor moves guests that run; others go cold. */
bool store_host_leave_lives(const struct host_row *host);
/* Why it is still on the host that is drained: a sentence, always. */
int store_host_leave_why(struct db_conn *c, const struct host_drain_row *drain, const struct server_row *row,
                         const struct host_row *host, bool off, struct arena *a, const char **ret_reason,
                         struct error *e);
