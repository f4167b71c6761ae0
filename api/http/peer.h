/* One client connection: its deadline, its address, its certificate. A deadline that passes shuts the socket down,
 * whatever trickles in. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct http_server;
struct peer;
struct MHD_Connection;

/* When a connection opens and closes, on its HTTP thread. */
struct peer *peer_new(struct http_server *s, struct MHD_Connection *connection);
void peer_free(struct peer **p);
/* The connection is shut down when this moment (clock_mono_us) has passed; INT64_MAX: never. */
void peer_set_deadline(struct peer *p, int64_t mono_us);
/* While the client has to send something (between requests, within a body), from `mono_us` on: as above, and the
 * connection is looked at for a client that has closed its side. */
void peer_set_idle(struct peer *p, int64_t mono_us, int64_t deadline_mono_us);
/* The same wait goes on: the client sent something at `mono_us`. */
void peer_touch(struct peer *p, int64_t mono_us);
/* Shuts down the connections whose time is up, and those of which we wait for a client that is gone. Any thread. */
void peer_sweep(struct http_server *s, int64_t mono_us);

const char *peer_address(const struct peer *p);
/* The certificate that the client showed, verified once per connection against the trusted CA: its common name and the
 * SHA-256 of its DER form in hex. False when there is none, it was not signed by the CA, or it has expired by `now_us`.
 * HTTP thread only. */
bool peer_identify(struct peer *p, int64_t now_us);
const char *peer_name(const struct peer *p);        /* "" unless identified */
const char *peer_fingerprint(const struct peer *p); /* NULL unless identified */
