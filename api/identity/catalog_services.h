/* What endpoints need of services. */
#pragma once
#include "api/identity/identity.h"
#include "db/store_service.h"

/* 404 with Keystone's sentence when there is none. */
int catalog_services_load(struct request *request, const char *id, struct service_row *ret);
