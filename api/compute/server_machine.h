/* Whether what a flavor and an image say of the machine can be. */
#pragma once
#include "api/http/handler.h"

/* JSON objects; NULL for none. ERR_INVALID naming the property. */
int server_machine_check(struct request *request, const char *flavor_extra, const char *image_properties);
