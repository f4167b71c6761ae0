/* Whether what a flavor and an image say about NUMA cells, pages and processors can be meant together. */
#pragma once
#include "api/http/handler.h"
#include "db/store_flavor.h"

/* ERR_INVALID with Nova's sentence when it cannot. `image_properties` is a JSON object, or NULL. */
int server_cells_check(struct request *request, const struct flavor_row *flavor, const char *image_properties);
