/* The words by which images and flavors ask for a kind of hypervisor: Nova's (nova/objects/fields.py, HVType and
 * VMMode). Pure. */
#pragma once
#include "common/error.h"
#include "common/model/machine.h"

/* Traits of hosts, by what runs there. */
#define HYPERVISOR_WISH_MACHINE   "CUSTOM_VM_MODE_HVM"
#define HYPERVISOR_WISH_XEN       "CUSTOM_VM_MODE_XEN"
#define HYPERVISOR_WISH_CONTAINER "CUSTOM_VM_MODE_EXE"

/* The trait that "hvm", "xen" or "exe" (in any case), or one of Nova's aliases, asks for; NULL: it is none of them. */
const char *hypervisor_wish_trait(const char *word);
/* ERR_INVALID naming the image property or extra spec that asks for a mode or a driver which no host can have. An extra
 * spec that compares ("<or> QEMU <or> LXC") is passed over. */
int hypervisor_wish_check(const struct machine_wish *w, struct error *e);
