/* The list of profiles, and what follows from each by rule. Traits have os-traits' names where it has one. */
#include "compute-agent/profile/profile.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PROFILE_TRAIT_SIZE 128

static const struct profile *const profiles[] = {&profile_qemu, &profile_lxc, &profile_xen,
                                                 &profile_test, &profile_esx, &profile_hyperv};
#define PROFILE_COUNT (sizeof(profiles) / sizeof(profiles[0]))

/* What a host says when its driver cannot do what the API knows under that name. */
static const struct {
    enum hypervisor_action action;
    const char *trait;
} profile_lacks[] = {{HYPERVISOR_PAUSE, "CUSTOM_LACKS_PAUSE"},
                     {HYPERVISOR_SAVE, "CUSTOM_LACKS_SUSPEND"},
                     {HYPERVISOR_ADJUST, "CUSTOM_LACKS_NIC_PLUG"}};

/* "qemu" of "qemu+ssh://host/system". */
static size_t profile_scheme_size(const char *uri)
{
    return strcspn(uri, "+:");
}

const struct profile *profile_find(const char *uri)
{
    size_t size = profile_scheme_size(uri);
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        const char *const schemes[] = {profiles[i]->scheme, profiles[i]->also};
        for (size_t k = 0; k < 2; k++)
            if (schemes[k] && strlen(schemes[k]) == size && strncmp(schemes[k], uri, size) == 0)
                return profiles[i];
    }
    return NULL;
}

const char *profile_schemes(void)
{
    return "qemu, lxc, xen, test, esx, vpx, hyperv";
}

bool profile_can(const struct profile *p, enum hypervisor_action action)
{
    return (p->actions & PROFILE_ACTION(action)) != 0;
}

bool profile_boots(const struct profile *p, const char *disk_format)
{
    for (size_t i = 0; p->image_formats[i]; i++) {
        if (strcmp(p->image_formats[i], disk_format) == 0)
            return true;
    }
    return false;
}

const char *profile_type(const struct profile *p, bool accelerated)
{
    return accelerated && p->accelerated ? p->accelerated : p->driver;
}

static void profile_trait(profile_trait_fn each, void *arg, const char *prefix, const char *word)
{
    char trait[PROFILE_TRAIT_SIZE];
    snprintf(trait, sizeof(trait), "%s%s", prefix, word);
    for (char *at = trait; *at; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    each(arg, trait);
}

static void profile_traits_of(profile_trait_fn each, void *arg, const char *prefix, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        profile_trait(each, arg, prefix, words[i]);
}

void profile_each_trait(const struct profile *p, bool accelerated, profile_trait_fn each, void *arg)
{
    each(arg, "COMPUTE_NODE");
    if (p->root == PROFILE_ROOT_DISK)
        each(arg, "COMPUTE_DEVICE_TAGGING");
    profile_traits_of(each, arg, p->root == PROFILE_ROOT_TREE ? "CUSTOM_IMAGE_TYPE_" : "COMPUTE_IMAGE_TYPE_",
                      p->image_formats);
    profile_traits_of(each, arg, "COMPUTE_NET_VIF_MODEL_", p->nics);
    profile_traits_of(each, arg, "COMPUTE_STORAGE_BUS_", p->disk_buses);
    profile_trait(each, arg, "CUSTOM_VIRT_", profile_type(p, accelerated));
    profile_trait(each, arg, "CUSTOM_VM_MODE_", p->vm_mode);
    if (p->growth != PROFILE_GROWTH_NONE)
        each(arg, "CUSTOM_LIVE_RESIZE");
    if (p->plugs_disks)
        each(arg, "CUSTOM_LIVE_DISK");
    for (size_t i = 0; i < sizeof(profile_lacks) / sizeof(profile_lacks[0]); i++) {
        if (!profile_can(p, profile_lacks[i].action))
            each(arg, profile_lacks[i].trait);
    }
    if (!p->snapshots)
        each(arg, "CUSTOM_LACKS_SNAPSHOT");
    if (p->clones)
        each(arg, "CUSTOM_CLONE");
    if (p->flattens)
        each(arg, "CUSTOM_FLATTEN");
    if (p->root == PROFILE_ROOT_VOLUME)
        each(arg, "CUSTOM_IMAGE_TEMPLATES");
    if (p->root == PROFILE_ROOT_NONE)
        each(arg, "CUSTOM_IMAGE_UNREAD");
    if (p->console == PROFILE_CONSOLE_NONE)
        each(arg, "CUSTOM_LACKS_CONSOLE");
    if (!p->guest_agent)
        each(arg, "CUSTOM_LACKS_GUEST_AGENT");
    if (!(p->moves & PROFILE_MOVES_OFF))
        each(arg, "CUSTOM_LACKS_MIGRATE");
    if (p->rigid)
        each(arg, "CUSTOM_LACKS_RESIZE");
    if (!(p->moves & PROFILE_MOVES_LIVE))
        each(arg, "CUSTOM_LACKS_LIVE_MIGRATION");
    if (p->moves & PROFILE_MOVES_SHARED)
        each(arg, "CUSTOM_LACKS_BLOCK_MIGRATION");
}
