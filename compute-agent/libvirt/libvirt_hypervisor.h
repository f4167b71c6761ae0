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
