/* Public keys of keypairs: checked and fingerprinted on their way in, made when asked. Pure but for randomness; any
 * thread. */
#pragma once
#include "common/arena.h"
#include "common/error.h"

/* "ssh-rsa AAAA... comment" of any OpenSSH type: MD5 over the key with colons, as Nova shows it. ERR_INVALID. */
int ssh_key_fingerprint(const char *public_key, struct arena *a, const char **ret, struct error *e);
/* A PEM certificate: SHA-1 with colons. ERR_INVALID. */
int ssh_key_fingerprint_x509(const char *certificate, struct arena *a, const char **ret, struct error *e);
/* A new RSA key of 2,048 bits (slow: a tenth of a second): PEM of the private one, OpenSSH form of the public one. */
int ssh_key_generate(struct arena *a, char **ret_private, const char **ret_public, struct error *e);
/* A new RSA key with a certificate that it signed itself, for ten years: PEM of both. `user_id` is its common name, and
 * user_id@localhost the principal by which WinRM knows it. */
int ssh_key_generate_x509(const char *user_id, struct arena *a, char **ret_private, const char **ret_certificate,
                          struct error *e);
