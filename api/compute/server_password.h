/* The action changePassword. */
#pragma once
#include "api/http/handler.h"
#include "db/store_server.h"

/* {"adminPass": text}: asks the guest's agent, and answers when it has done so. ERR_CONFLICT when the server's image
 * brings none, it is not active, or the guest refuses. */
int server_password_change(struct request *request, struct server_row *row, json_value *value);
