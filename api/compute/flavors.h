/* What resources beside flavors need of them: loading one that the caller may see, and how it is shown. */
#pragma once
#include "api/http/handler.h"
#include "db/store_flavor.h"

/* ERR_NOT_FOUND "Flavor X could not be found." */
int flavors_load(struct request *request, const char *id, struct flavor_row *ret);
/* The flavor as member `key`, or as an item (NULL), for the negotiated microversion. */
void flavors_write(struct request *request, struct json_out *out, const char *key, const struct flavor_row *row);
