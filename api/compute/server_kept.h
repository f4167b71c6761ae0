/* Answers to GET /servers/{id} that this thread has given before: clients ask for the same server again and again while
 * they wait for it. An answer is good as long as the row says so: each request reads the server's revision, which every
 * change of the row makes larger, and what is shown of its host. Any thread; each has its own, some megabytes at most.
 */
#pragma once
#include "api/compute/compute.h"

struct server_kept;

/* The answer that was kept for this server, microversion, kind of caller and base URL; NULL when there is none. */
const struct server_kept *server_kept_find(struct request *request, const char *id);
/* Whether it is still what the row and its host would give. */
bool server_kept_fits(const struct server_kept *kept, const struct server_stamp *stamp, int64_t now_us);
const char *server_kept_body(const struct server_kept *kept);
/* Keeps the answer that was made from `row`, in the place of an older one; not when it is very large. */
void server_kept_put(struct request *request, const struct server_row *row, const char *body, size_t size);
