/* A server's disks come from another host: fetched over mutual TLS, going on where an earlier try ended, checked by
 * their SHA-512, based on this host's copy of the image, grown to what the specification says. Blocking, idempotent. */
#pragma once
#include "compute-agent/identity.h"
#include "compute-agent/settings.h"
#include "compute-agent/spec.h"
#include <stdatomic.h>

struct receive {
    const struct settings *settings;
    const struct identity *identity;
    const struct spec *spec;
    const char *url;     /* of the other host's http_files; NULL: the files are here already */
    const char *peer_id; /* its certificate's name */
    bool running;        /* the guest runs there: its disks are made empty, as large, and filled by the hypervisor */
    const atomic_bool *stop;
};
/* ERR_UNAVAILABLE, ERR_NO_SPACE, ERR_IO, ERR_TIMEOUT (try again), ERR_CORRUPT (a checksum; what was fetched is
 * dropped), others for good. */
int receive_files(const struct receive *r, struct error *e);
