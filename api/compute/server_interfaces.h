/* What changes a server's interfaces, for the files that do. */
#pragma once
#include "api/http/handler.h"
#include "common/model/operation.h"
#include "db/store_server.h"

/* The server may have its interfaces changed now (active, paused or stopped, nothing under way, and its hypervisor can
 * while it is on): notes the action. ERR_CONFLICT, ERR_NOT_IMPLEMENTED. */
int server_interfaces_begin(struct request *request, enum operation_kind kind, struct server_row *row);
/* The actions addFixedIp and removeFixedIp: one more address on the server's first port of a network, one less. Up to
 * 2.43. */
int server_fixed_ips_add(struct request *request, struct server_row *row, json_value *value);
int server_fixed_ips_remove(struct request *request, struct server_row *row, json_value *value);
