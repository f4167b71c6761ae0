/* An image as Glance v2 shows it. */
#pragma once
#include "api/image/image_service.h"

void image_view_write(const struct image_row *row, struct json_out *out, const char *key);
