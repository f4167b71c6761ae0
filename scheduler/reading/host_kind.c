/* Hosts of containers, of paravirtual guests, of templates, and those that read no image take only what asks for them;
 * hosts of machines need not be asked for. */
#include "scheduler/reading/host_kind.h"
#include "common/model/hypervisor_wish.h"
#include "common/model/image_template.h"
#include "common/model/spec_match.h"
#include "scheduler/reading/feed.h"
#include <string.h>

#define NAME_SIZE 64
#define TEMPLATES "CUSTOM_IMAGE_TEMPLATES"
#define UNREAD    "CUSTOM_IMAGE_UNREAD"

static int take(const char **place, const char *value, const char *what, struct error *e)
{
    if (*place && strcmp(*place, value) != 0)
        return error_set(e, ERR_NO_VALID_HOST, "%s is asked for twice, and differs (image and flavor)", what);
    *place = value;
    return 0;
}

static int take_hypervisor(struct host_kind *k, const char *text, struct error *e)
{
    char *name = arena_alloc(k->arena, NAME_SIZE);
    return take(&k->hypervisor, feed_hypervisor(text, name, NAME_SIZE), "the hypervisor", e);
}

static int take_architecture(struct host_kind *k, const char *text, struct error *e)
{
    if (strcmp(text, "aarch64") == 0) /* that one is a trait: hosts of other kinds may emulate it */
        return 0;
    return take(&k->architecture, arena_strdup(k->arena, text), "the architecture", e);
}

static int take_vm_mode(struct host_kind *k, const char *text, struct error *e)
{
    const char *trait = hypervisor_wish_trait(text);
    if (!trait)
        return error_set(e, ERR_NO_VALID_HOST, "vm_mode '%.32s' is not one of hvm, xen, exe", text);
    return take(&k->vm_mode, trait, "vm_mode", e);
}

int host_kind_read_image(struct host_kind *k, const char *name, const char *text, struct error *e)
{
    if (strcmp(name, "hypervisor_type") == 0 || strcmp(name, "img_hv_type") == 0)
        return take_hypervisor(k, text, e);
    if (strcmp(name, "architecture") == 0 || strcmp(name, "hw_architecture") == 0)
        return take_architecture(k, text, e);
    if (strcmp(name, "vm_mode") == 0 || strcmp(name, "hw_vm_mode") == 0)
        return take_vm_mode(k, text, e);
    k->template = k->template || strcmp(name, IMAGE_TEMPLATE_PROPERTY) == 0;
    return 0;
}

int host_kind_read_flavor(struct host_kind *k, const char *name, const char *text, bool *ret, struct error *e)
{
    static const struct {
        const char *name;
        int (*take)(struct host_kind *k, const char *text, struct error *e);
    } rows[] = {{"hypervisor_type", take_hypervisor},
                {"capabilities:hypervisor_type", take_hypervisor},
                {"vm_mode", take_vm_mode},
                {"capabilities:vm_mode", take_vm_mode},
                {"hw:vm_mode", take_vm_mode},
                {"hw:architecture", take_architecture}};
    *ret = false;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, name) != 0 || spec_match_has_operator(text))
            continue;
        *ret = true;
        return rows[i].take(k, text, e);
    }
    return 0;
}

/* Whoever names a hypervisor wants just that one. */
static int forbid_others(const struct host_kind *k, bool any_mode, host_kind_fn each, void *arg)
{
    const struct {
        bool forbidden;
        const char *trait;
    } rows[] = {{any_mode, HYPERVISOR_WISH_CONTAINER},
                {any_mode, HYPERVISOR_WISH_XEN},
                {!k->template, TEMPLATES},
                {!k->template, UNREAD}};
    int rc = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !rc && !k->hypervisor; i++)
        rc = rows[i].forbidden ? each(arg, rows[i].trait, false) : 0;
    return rc;
}

int host_kind_each_trait(const struct host_kind *k, const char *image_kind, host_kind_fn each, void *arg,
                         struct error *e)
{
    bool archive = image_kind && (strcmp(image_kind, "root-tar") == 0 || strcmp(image_kind, "squashfs") == 0);
    const char *mode = archive ? HYPERVISOR_WISH_CONTAINER : k->vm_mode;
    bool machine = !mode || strcmp(mode, HYPERVISOR_WISH_MACHINE) == 0;
    if (archive && k->vm_mode && strcmp(k->vm_mode, HYPERVISOR_WISH_CONTAINER) != 0)
        return error_set(e, ERR_NO_VALID_HOST,
                         "the image holds a container's root, and asks for a vm_mode of machines");
    int rc = machine ? 0 : each(arg, mode, true);
    rc = rc || !k->template ? rc : each(arg, TEMPLATES, true);
    return rc ? rc : forbid_others(k, machine, each, arg);
}
