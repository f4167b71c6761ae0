/* A dead host's server goes on with its disks: where this host reaches the storage that they lie on. Blocking; any
 * thread. */
#pragma once
#include "common/uuid.h"
#include "compute-agent/settings.h"
#include "compute-agent/spec.h"

struct profile;

/* Whether servers of that hypervisor can go on so. */
bool adopt_can(const struct profile *profile);
/* The name of the storage that instances_dir is on, which all hosts that share it find there: a file ".storage", made
 * by the first of them. False when it cannot be read or made: then nobody shares it. */
bool adopt_storage(const struct settings *settings, char ret[UUID_SIZE]);
/* The name goes with the last server's files: a host that shares the storage gives it another. */
void adopt_storage_forget(const struct settings *settings);

struct adopt {
    const struct settings *settings;
    const char *host_id;
    const struct spec *spec;
    const char *root; /* name of the root disk in the server's folder */
};
struct adopt_found {
    bool disks;    /* they are here, and this host's from now on */
    bool lost_tpm; /* what its TPM has stored was on the dead host alone */
};
/* The caller has proof that the server's host is off. May be repeated. Without disks nothing is done. ERR_NOT_FOUND:
 * the image that the disk is based on is not where the disk says. ERR_IO. */
int adopt_disks(const struct adopt *what, struct adopt_found *ret, struct error *e);
