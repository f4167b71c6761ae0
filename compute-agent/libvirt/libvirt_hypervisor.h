/* Real hosts: libvirt. The files of this folder are the only ones that know it. */
#pragma once
#include "common/error.h"
#include "compute-agent/hypervisor.h"

struct identity;
struct loop;
struct settings;
struct worker_pool;

struct libvirt_setup {
    const struct settings *settings; /* these outlive the hypervisor */
    struct loop *loop;
    struct worker_pool *files;       /* for images and disks */
    const struct identity *identity; /* joined */
    const char *url;                 /* the API's, for images */
};
/* Only one in a process: libvirt's event loop is registered once. ERR_INVALID, ERR_IO. */
int libvirt_hypervisor_new(const struct libvirt_setup *setup, struct hypervisor **ret, struct error *e);
/* Blocking, without a loop: removes every domain, disk and network of this host's from its hypervisor. What cannot be
 * removed is left, and told in the error. The host must have joined: its ids are how its things are known. */
int libvirt_purge(const struct settings *settings, const struct identity *identity, struct error *e);
