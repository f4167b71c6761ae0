/* OpenAPI 3.1 of a service, made from its route tables: what is served is what is described. */
#pragma once
#include "api/http/route.h"
#include "common/json_out.h"

/* The whole document. `base`: the service's URL. */
void openapi_write(struct json_out *out, const struct service *service, const char *title, const char *base);
