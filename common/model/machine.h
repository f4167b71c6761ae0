/* What images and flavors say about the machine that a server is: firmware, buses, models of devices, in Nova's words
 * (nova/objects/image_meta.py, nova/api/validation/extra_specs/hw.py). Pure. */
#pragma once
#include "common/error.h"
#include "common/model/numa_wish.h"
#include <stdbool.h>

struct machine_wish {
    numa_wish_fn flavor, image; /* extra specs, properties */
    void *flavor_arg, *image_arg;
};
/* Texts are static or borrowed from the wish; NULL: nothing was said. */
struct machine {
    bool uefi, secure_boot;
    bool guest_agent; /* the image brings QEMU's guest agent */
    bool hpet, boot_menu;
    const char *type;         /* "q35", "pc", "virt", or a version of these; "xenpv", "xenpvh", "xenfv" */
    const char *architecture; /* "x86_64", "aarch64" */
    const char *disk_bus;     /* "virtio", "scsi", "sata", "ide" (where the host's own machine is no PC: sata) */
    const char *vif_model;    /* "virtio", "e1000", "e1000e", "rtl8139" */
    const char *video_model;  /* "virtio", "vga", "cirrus", "qxl", "bochs", "none" */
    const char *tpm_model;    /* "tpm-tis", "tpm-crb": with a version */
    const char *tpm_version;  /* "1.2", "2.0"; NULL: no TPM */
    const char *watchdog;     /* "reset", "poweroff", "pause", "none" */
};
/* ERR_INVALID: a value that is none, flavor and image contradict, or one wish needs another; the sentence names the
 * property. *ret has all that is good in any case. */
int machine_read(const struct machine_wish *w, struct machine *ret, struct error *e);
/* "yes", "true", "on", "1" ... */
bool machine_word_is_on(const char *word);
/* Whether the machine is of that family: "q35", "pc", "virt". A type that was not said is of `fallback`. */
bool machine_is(const struct machine *m, const char *family, const char *fallback);
bool machine_is_arm(const struct machine *m);

/* Calls `each` for every trait that a host must have for it, in os-traits' names where there is one. Static text. */
typedef int (*machine_trait_fn)(void *arg, const char *trait);
/* Stops at the first result that is not 0, and returns it. */
int machine_each_trait(const struct machine *m, machine_trait_fn each, void *arg);

#define MACHINE_TRAIT_AARCH64     "COMPUTE_ARCH_AARCH64"
#define MACHINE_TRAIT_UEFI        "CUSTOM_FIRMWARE_UEFI"
#define MACHINE_TRAIT_SECURE_BOOT "COMPUTE_SECURITY_UEFI_SECURE_BOOT"
#define MACHINE_TRAIT_TPM_1_2     "COMPUTE_SECURITY_TPM_1_2"
#define MACHINE_TRAIT_TPM_2_0     "COMPUTE_SECURITY_TPM_2_0"
#define MACHINE_TRAIT_TPM_TIS     "COMPUTE_SECURITY_TPM_TIS"
#define MACHINE_TRAIT_TPM_CRB     "COMPUTE_SECURITY_TPM_CRB"
#define MACHINE_TRAIT_XENPVH      "CUSTOM_MACHINE_XENPVH"
#define MACHINE_TRAIT_XENFV       "CUSTOM_MACHINE_XENFV"
/* Guests are processes of emulators on the host ... */
#define MACHINE_TRAIT_EMULATORS "CUSTOM_EMULATOR_PROCESSES"
/* ... which these confine. */
#define MACHINE_TRAIT_APPARMOR "CUSTOM_CONFINED_APPARMOR"
#define MACHINE_TRAIT_SELINUX  "CUSTOM_CONFINED_SELINUX"
#define MACHINE_TRAIT_USER     "CUSTOM_CONFINED_USER"
#define MACHINE_TRAIT_SECCOMP  "CUSTOM_CONFINED_SECCOMP"
