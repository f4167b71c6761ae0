/* The files behind a domain's disk, as libvirt tells them. It believes in what it has seen: after a snapshot that took
 * a disk's name for the overlay, it names the disk's own file as what is behind. Pure. */
#pragma once
#include "common/error.h"
#include <stdbool.h>

/* Whether a file is the disk's, whatever name it goes by. */
typedef bool (*domain_chain_fn)(const char *disk, const char *file);
/* The disk whose file is `disk`: its file's name as libvirt has it, and what libvirt calls it (caller frees both, NULL
 * when there is no such disk). ERR_CORRUPT. */
int domain_chain_read(const char *domain, const char *disk, domain_chain_fn is, char **ret_file, char **ret_device,
                      struct error *e);
/* The same domain, with the disk by that name and without anything behind its disks: libvirt looks for itself at the
 * next start. NULL when nothing had to be changed, or it is no XML. Caller frees. */
char *domain_chain_plain(const char *domain, const char *disk, domain_chain_fn is);
/* A snapshot of that disk alone, whose overlay is there as `file`. Caller frees. */
char *domain_chain_snapshot(const char *domain, const char *device, const char *file);
