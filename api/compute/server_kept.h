/* Answers to GET /servers/{id} that this thread has given before: clients ask for the same server again and again while
 * they wait for it. An answer is good as long as nothing was committed since it was last looked at, and after that as
 * long as the row says so: the server's revision, which every change of the row makes larger, and what is shown of its
 * host. Any thread; each has its own, some megabytes at most.
 */
#pragma once
#include "api/compute/compute.h"

struct server_kept;

/* The answer that was kept for this server, microversion, kind of caller and base URL; NULL when there is none. */
struct server_kept *server_kept_find(struct request *request, const char *id);
/* Whether nothing was committed since server_kept_confirm or server_kept_put, so that no row needs to be read.
 * `generation`: db_generation now. */
bool server_kept_is_current(const struct server_kept *kept, uint64_t generation, int64_t now_us);
/* Whether it is still what the row and its host would give. */
bool server_kept_fits(const struct server_kept *kept, const struct server_stamp *stamp, int64_t now_us);
/* It fits a stamp that was read after `generation` was asked for. */
void server_kept_confirm(struct server_kept *kept, const struct server_stamp *stamp, uint64_t generation);
const char *server_kept_body(const struct server_kept *kept, size_t *ret_size);
const char *server_kept_project(const struct server_kept *kept);
/* Keeps the answer that was made from `row`, read after `generation` was asked for, in the place of an older one; not
 * when it is very large. */
void server_kept_put(struct request *request, const struct server_row *row, uint64_t generation, const char *body,
                     size_t size);
