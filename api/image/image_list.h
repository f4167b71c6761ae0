/* GET /v2/images. */
#pragma once
#include "api/image/image_service.h"

int image_list(struct request *request, struct reply *reply);
