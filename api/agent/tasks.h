/* What a host is asked to do once for a server on its way between hosts (docs/agent-protocol.md, TASK). */
#pragma once
#include "api/http/handler.h"
#include "db/store_host.h"

/* The member "tasks" of the answer: the host's above `since`; counts them. ERR_* of the database, in request->error. */
int tasks_write(struct db_conn *c, struct request *request, const struct host_row *host, int64_t since,
                struct json_out *out, int64_t *ret_count);
