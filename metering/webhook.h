/* One POST or mail at a time that never blocks the loop: started, then driven by calls until it has ended. The only
 * file of the meter with libcurl. */
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
/* A mail of plain text through an SMTP server; with smtp:// it goes on over TLS when the server offers that, and with a
 * user only so. */
struct webhook_mail {
    const char *server, *from, *user, *password; /* user, password NULL: none */
    const char *ca;                              /* file of whom the server's certificate is from; NULL: the system's */
    const char *to;                              /* addresses with commas */
    const char *subject, *text;
};
/* Sends it, with `id` as X-Virga-Delivery and, as its digest, the Message-ID. Not while busy. ERR_INVALID without a
 * server of smtp or smtps and a sender. */
int webhook_send_mail(struct webhook *w, const struct webhook_mail *mail, const char *id, struct error *e);
/* Goes on with it. True once it has ended: *ret_status is the answer's (250 for a mail that was taken), 0 when there
 * was none in 10 s. */
bool webhook_step(struct webhook *w, long *ret_status);
