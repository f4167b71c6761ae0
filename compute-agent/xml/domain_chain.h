/* The files behind a domain's disk, as libvirt tells them. It believes in what it has seen: after a snapshot that took
 * a disk's name for the overlay, it names the disk's own file as what is behind. Pure. */
#pragma once
#include "common/error.h"
#include <stddef.h>

/* The disk whose file is `file`: how many files are behind it, and what libvirt calls it (caller frees, NULL when there
 * is no such disk). ERR_CORRUPT. */
int domain_chain_read(const char *domain, const char *file, size_t *ret_depth, char **ret_device, struct error *e);
/* The same without any: libvirt looks for itself at the next start. NULL when nothing had to go, or it is no XML.
 * Caller frees. */
char *domain_chain_drop(const char *domain);
/* A snapshot of that disk alone, whose overlay is there as `file`. Caller frees. */
char *domain_chain_snapshot(const char *domain, const char *device, const char *file);
