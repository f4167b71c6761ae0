/* Raw files as block devices of the kernel (loop devices), for hypervisors whose back end takes nothing else. All
 * functions block, may be repeated, and are for any thread. */
#pragma once
#include "common/error.h"
#include <stdbool.h>

/* Every raw disk and the config drive in a server's folder gets a device, and a link to it beside it with
 * DOMAIN_XML_BLOCK_SUFFIX and this host's id; those that have one keep it. The host's page cache is passed by where the
 * file system can. ERR_IO, ERR_TIMEOUT, ERR_NOT_FOUND without losetup. */
int block_attach(const char *folder, const char *host_id, struct error *e);
/* This host's are given back; what is not there is no error. A device that a guest still has goes when the guest does.
 */
void block_detach(const char *folder, const char *host_id);
/* Whether no disk that is attached goes through this host's page cache: only then another host sees at once what is
 * written here. */
bool block_is_direct(const char *folder, const char *host_id);
