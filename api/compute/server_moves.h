/* Moving a server to another host: what begins it, and what its tenant or an administrator says to it on the way. The
 * scheduler carries it out (scheduler/flows). */
#pragma once
#include "api/compute/compute.h"
#include "api/compute/server_life.h"
#include "db/store_migration_begin.h"

/* Actions of POST /servers/{id}/action; the server is loaded. */
int server_moves_migrate(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
int server_moves_live(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
int server_moves_resize(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
int server_moves_confirm(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
int server_moves_revert(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
int server_moves_evacuate(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
