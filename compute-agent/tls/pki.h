/* Keys, signing requests and certificates. The files of this folder are the only ones of the agent that know GnuTLS.
 * Any thread. */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes an ECDSA P-256 key in `path` (PEM, mode 0600) unless there is one that can be read. */
int pki_make_key(const char *path, struct error *e);
/* Appends a PKCS #10 request in PEM for the key in `key_path`, with the common name. */
int pki_make_request(const char *key_path, const char *common_name, struct strbuf *ret, struct error *e);
/* When a PEM certificate (the first in the text) is valid. ERR_INVALID when it is none. */
int pki_read_validity(const char *pem, int64_t *ret_not_before_us, int64_t *ret_not_after_us, struct error *e);
/* Whether servers may show the certificate. */
bool pki_can_serve(const char *pem);
/* The common name of the certificate that the other side of a TLS session (gnutls_session_t) has shown, when our trust
 * list verifies it; false otherwise. */
bool pki_peer_name(void *session, char *ret, size_t size);
/* Whether the certificate is for the key in `key_path`, and signed by the CA. ERR_INVALID when not. */
int pki_check_certificate(const char *pem, const char *ca_pem, const char *key_path, struct error *e);
/* Blocking: shakes hands with the server at `url`, sends nothing, and appends the certificate (PEM) out of its chain
 * whose SHA-256 over the DER form is `fingerprint` (64 hex digits), provided that the server's own certificate is
 * signed by it. ERR_UNAVAILABLE when nobody is there, ERR_FORBIDDEN when the one who is there cannot show that CA. */
int pki_fetch_ca(const char *host, const char *port, const char *fingerprint, int64_t deadline_ms, struct strbuf *ret,
                 struct error *e);
