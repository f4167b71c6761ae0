/* What compute does without a request: deadlines, forgotten questions, figures for /metrics. */
#pragma once
#include "api/api.h"
#include "common/error.h"

/* For services_start. */
int background_start(struct api *api, struct error *e);
/* One round of the deadlines: at most `limit` servers; *ret_count is how many there were. For the timer and for tests.
 */
int background_expire(struct api *api, int64_t now_us, int64_t limit, int64_t *ret_count, struct error *e);
/* One round of images of servers that nobody will end any more. */
int background_give_up_images(struct api *api, int64_t now_us, struct error *e);
