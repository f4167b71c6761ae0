/* The certificate of a port, which may be exchanged while it serves: handshakes from then on show the new one,
 * connections that are there go on. */
#pragma once
#include "common/error.h"
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

struct tls;

/* PEM texts: the chain, the port's own certificate first, and its private key. ERR_INVALID when they are none or do not
 * belong together. */
int tls_new(const char *certificate, const char *key, struct tls **ret, struct error *e);
/* When no connection is left. NULL is fine. */
void tls_free(struct tls **t);
/* As tls_new; on an error nothing changes. Any thread. */
int tls_replace(struct tls *t, const char *certificate, const char *key, struct error *e);

/* The handshakes that the calling thread does from now on show the certificate of `t`. */
void tls_serve(struct tls *t);
/* libmicrohttpd's callback for a handshake (gnutls_certificate_retrieve_function2). */
int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                 const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_certificates,
                 unsigned *ret_count, gnutls_privkey_t *ret_key);
