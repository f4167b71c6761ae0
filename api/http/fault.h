/* Fault bodies that belong to no service: what an unknown prefix gets, and the 401 that looks the same everywhere. */
#pragma once
#include "api/http/handler.h"

/* {"error":{"code","title","message"}}: Keystone's shape; also for services that have no own. */
void fault_write(struct request *request, struct reply *reply, int status, const char *message);
/* The reason phrase of an HTTP status: "Not Found". Never NULL. */
const char *fault_title(int status);
