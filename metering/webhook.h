/* One POST at a time that never blocks the loop: started, then driven by calls until it has ended. The only file of the
 * meter with libcurl. */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stddef.h>

struct webhook;
/* `secret` NULL or "": unsigned. */
struct webhook *webhook_new(const char *secret);
void webhook_free(struct webhook **w);
bool webhook_busy(const struct webhook *w);
/* Sends `body` as JSON with "X-Virga-Delivery: id" and, signed, "X-Virga-Signature: sha256=<HMAC-SHA256 of the body,
 * hex>". Not while busy. ERR_INVALID for a URL that is none of http and https;
 * ERR_UNAVAILABLE when libcurl is not installed. */
int webhook_send(struct webhook *w, const char *url, const char *id, const char *body, struct error *e);
/* Goes on with it. True once it has ended: *ret_status is the answer's, 0 when there was none in 10 s. */
bool webhook_step(struct webhook *w, long *ret_status);
