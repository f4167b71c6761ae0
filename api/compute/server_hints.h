/* Scheduler hints of a server create that are Nova's: checked before anything is written. */
#pragma once
#include "api/http/request.h"
#include "common/json_in.h"

/* Whether same_host, different_host, query, build_near_host_ip and cidr are such; ERR_INVALID names the one that is
 * not. Hints that nobody knows are no error, as in Nova. */
int server_hints_check(struct request *request, json_value *hints);
