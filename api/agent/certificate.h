/* Hosts' certificates, signed by the cloud's own CA. Reads files: for worker threads. */
#pragma once
#include "common/arena.h"
#include "common/error.h"

struct certificate {
    const char *pem;         /* the host's */
    const char *fingerprint; /* SHA-256 of its DER form, hex */
    const char *ca_pem;      /* the CA's */
    const char *cloud_id;    /* 32 hex digits that are the same for all hosts of this cloud */
};
/* Signs the key of `csr` (PEM) for the host, whatever else the request asks for: common name host_id, client
 * authentication, 90 days. `pki_dir`: where ca.pem and ca.key are. Text is in the arena. ERR_INVALID for a bad request;
 * ERR_UNAVAILABLE when the CA cannot be read. */
int certificate_sign(const char *pki_dir, const char *csr, const char *host_id, struct arena *a,
                     struct certificate *ret, struct error *e);
