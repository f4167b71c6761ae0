/* What is to be done to a domain that is on for it to have the devices of its new definition. Pure. */
#pragma once
#include "common/error.h"
#include <stddef.h>
#include <stdint.h>

enum domain_diff_kind {
    DOMAIN_DIFF_UNPLUG, /* text is the device as the domain has it */
    DOMAIN_DIFF_PLUG,   /* text is the device of the definition, here and below */
    DOMAIN_DIFF_UPDATE, /* it is there; what it may send may differ */
};
struct domain_diff_device {
    enum domain_diff_kind kind;
    char *text; /* an XML element */
    char *name; /* a nic's MAC address, a disk's target */
};
struct domain_diff {
    struct domain_diff_device *devices; /* what goes first */
    size_t count, unplugs;
};
/* Compares the nics of what libvirt says of the domain with those of our definition: a nic is the same when its MAC
 * address and its network are. One to be plugged gets another name inside where that of the definition is taken.
 * ERR_CORRUPT when either is no XML. The caller frees *ret with domain_diff_done. */
int domain_diff_nics(const char *live, const char *wanted, struct domain_diff *ret, struct error *e);
/* The same of ephemeral and swap disks. Plugged are those that neither the running domain nor the definition that
 * libvirt has of it has, with another target where that of the definition is taken; unplugged those that only the
 * running domain has. */
int domain_diff_disks(const char *live, const char *defined, const char *wanted, struct domain_diff *ret,
                      struct error *e);
/* What the domain calls the disk whose file has that name; NULL: it has none. Caller frees. */
char *domain_diff_target(const char *domain, const char *name);
/* What a domain has now, or starts with. ERR_CORRUPT. */
struct domain_diff_sizes {
    int64_t vcpus, memory_mib;
    int64_t current_mib; /* what of it the guest may use: less where a balloon holds the rest */
};
int domain_diff_read_sizes(const char *domain, struct domain_diff_sizes *ret, struct error *e);
/* A piece of memory to be plugged. Caller frees. */
char *domain_diff_memory(int64_t size_mib);
void domain_diff_done(struct domain_diff *diff);
