/* For this folder. */
#pragma once
#include "compute-agent/tls/pki.h"
#include <gnutls/gnutls.h>

/* Out of the chain that the peer of `session` has shown. */
int pki_pick_ca(gnutls_session_t session, const char *fingerprint, struct strbuf *ret, struct error *e);
