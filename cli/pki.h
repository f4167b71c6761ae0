/* The cloud's own certificates (ECDSA P-256, by gnutls): a CA that signs hosts and nothing else, and the certificate
 * that the agents' port shows.
 *
 *   <prefix>/etc/virga/pki/ca.pem, ca.key         CN "Virga CA <random>", 20 years
 *   <prefix>/etc/virga/pki/agents.pem, agents.key  names: localhost, 127.0.0.1, ::1, the machine's name,
 * --agent-address Keys have mode 0600. */
#pragma once
#include "cli/command.h"

/* Makes what is missing in `folder`. `names` are further names or addresses that agents use; the agents' certificate is
 * made anew when it lacks one of them. */
int pki_ensure(const char *folder, const char *const *names, size_t count, struct error *e);
/* When the certificate `name` in `folder` ends. */
int pki_expiry(const char *folder, const char *name, int64_t *ret_us, struct error *e);
/* SHA-256 of the CA certificate's DER form, in hex. */
#define PKI_FINGERPRINT_SIZE 65
int pki_fingerprint(const char *folder, char ret[PKI_FINGERPRINT_SIZE], struct error *e);
