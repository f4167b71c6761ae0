/* The actions addSecurityGroup and removeSecurityGroup, for the table of actions. */
#pragma once
#include "api/compute/compute.h"

/* `value`: {"name": name or id}. On every port of the server. ERR_INVALID, ERR_NOT_FOUND, ERR_CONFLICT (the name is not
 * unique). */
int server_security_groups_add(struct request *request, const struct server_row *row, json_value *value);
int server_security_groups_remove(struct request *request, const struct server_row *row, json_value *value);
