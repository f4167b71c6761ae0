/* The kind of host that an image or a flavor asks for: whose hypervisor, which mode of virtualisation, which
 * architecture; and where images go that ask for nothing. Names are Nova's. Pure. */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include <stdbool.h>

struct host_kind {
    struct arena *arena;
    const char *hypervisor, *architecture; /* NULL: any */
    const char *vm_mode;                   /* a trait; NULL: none asked for */
    bool template;                         /* the image is a name for a template on a hypervisor's storage */
};
/* Image properties "hypervisor_type" (or "img_hv_type"), "vm_mode", "architecture" (both also with "hw_"),
 * IMAGE_TEMPLATE_PROPERTY; others are passed over. ERR_NO_VALID_HOST: what cannot be, or contradicts what was read
 * before. */
int host_kind_read_image(struct host_kind *k, const char *name, const char *text, struct error *e);
/* Extra specs "hypervisor_type", "vm_mode" (both also with "capabilities:"), "hw:vm_mode", "hw:architecture". *ret:
 * whether it was one of them, with one word for a value ("<or> QEMU <or> LXC" compares with capabilities). The same
 * errors. */
int host_kind_read_flavor(struct host_kind *k, const char *name, const char *text, bool *ret, struct error *e);
/* Calls `each` for the traits that follow, to be had or not. `image_kind`: its disk format ("root-tar" ...); NULL: not
 * known. Stops at the first result that is not 0, and returns it. */
typedef int (*host_kind_fn)(void *arg, const char *trait, bool wanted);
int host_kind_each_trait(const struct host_kind *k, const char *image_kind, host_kind_fn each, void *arg,
                         struct error *e);
