/* A server's disks come from another host: fetched over mutual TLS, going on where an earlier try ended, checked by
 * their SHA-512, based on this host's copy of the image, grown to what the specification says. Blocking, idempotent. */
#pragma once
#include "common/strbuf.h"
#include "compute-agent/identity.h"
#include "compute-agent/settings.h"
#include "compute-agent/spec.h"
#include <stdatomic.h>

struct receive {
    const struct settings *settings;
    const struct identity *identity;
    const char *server_id;
    const struct spec *spec; /* receive_files: what it is to be here */
    const char *url;         /* of the other host's http_files; NULL: the files are here already */
    const char *peer_id;     /* its certificate's name */
    int64_t patience_ms;     /* for the other host to hear that it is to serve */
    bool running;     /* the guest runs there: its disks are made empty, as large, and filled by the hypervisor */
    bool shared_only; /* the hypervisor fills none: it runs on only where both hosts reach its disks */
    const atomic_bool *stop;
};
/* *ret_shared: the other host's folder of the server is this host's too (shared storage): nothing was copied, and the
 * image that its disk is based on is at the same place here. Its owner is whoever it was before.
 * ERR_UNAVAILABLE, ERR_IO, ERR_TIMEOUT (try again), ERR_CORRUPT (a checksum; what was fetched is dropped), ERR_NO_SPACE
 * (before anything is fetched) and others for good. */
int receive_files(const struct receive *r, bool *ret_shared, struct error *e);
/* The other host's definition of the running guest. */
int receive_domain(const struct receive *r, struct strbuf *ret, struct error *e);
/* What the server's console has said on the other host goes before what it says here; nothing is done where the folder
 * is shared. */
int receive_console(const struct receive *r, struct error *e);
