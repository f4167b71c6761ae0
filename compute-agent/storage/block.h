/* Raw files as block devices of the kernel (loop devices), for hypervisors whose back end takes nothing else. All
 * functions block, may be repeated, and are for any thread. */
#pragma once
#include "common/error.h"

/* Every raw disk and the config drive in a server's folder gets a device, and a link to it with
 * DOMAIN_XML_BLOCK_SUFFIX beside it; those that have one keep it. ERR_IO, ERR_TIMEOUT, ERR_NOT_FOUND without losetup.
 */
int block_attach(const char *folder, struct error *e);
/* Gives them back; what is not there is no error. A device that a guest still has goes when the guest does. */
void block_detach(const char *folder);
