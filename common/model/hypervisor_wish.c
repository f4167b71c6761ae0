/* Tables of words, and who may say them. */
#include "common/model/hypervisor_wish.h"
#include "common/model/spec_match.h"
#include <stddef.h>
#include <string.h>
#include <strings.h>

const char *hypervisor_wish_trait(const char *word)
{
    static const struct {
        const char *word, *trait;
    } rows[] = {{"hvm", HYPERVISOR_WISH_MACHINE},
                {"hv", HYPERVISOR_WISH_MACHINE},
                {"xen", HYPERVISOR_WISH_XEN},
                {"pv", HYPERVISOR_WISH_XEN},
                {"exe", HYPERVISOR_WISH_CONTAINER}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcasecmp(rows[i].word, word) == 0)
            return rows[i].trait;
    return NULL;
}

static bool is_mode(const char *word)
{
    return hypervisor_wish_trait(word) != NULL;
}

/* Those that agents report; "fake" is that of hosts that only pretend. */
static bool is_driver(const char *word)
{
    static const char *const names[] = {"qemu", "kvm", "lxc", "xen", "vmware", "hyperv", "hyper-v", "test", "fake"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(names[i], word) == 0)
            return true;
    return false;
}

#define MODES   "hvm, xen, exe"
#define DRIVERS "qemu, kvm, lxc, xen, vmware, hyperv, test"

static const struct {
    bool flavor;
    const char *name;
    bool (*knows)(const char *word);
    const char *words;
} rows[] = {{false, "hypervisor_type", is_driver, DRIVERS},
            {false, "img_hv_type", is_driver, DRIVERS},
            {false, "vm_mode", is_mode, MODES},
            {false, "hw_vm_mode", is_mode, MODES},
            {true, "hypervisor_type", is_driver, DRIVERS},
            {true, "capabilities:hypervisor_type", is_driver, DRIVERS},
            {true, "vm_mode", is_mode, MODES},
            {true, "capabilities:vm_mode", is_mode, MODES},
            {true, "hw:vm_mode", is_mode, MODES}};

int hypervisor_wish_check(const struct machine_wish *w, struct error *e)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *word =
            rows[i].flavor ? w->flavor(w->flavor_arg, rows[i].name) : w->image(w->image_arg, rows[i].name);
        if (!word || (rows[i].flavor && spec_match_has_operator(word)) || rows[i].knows(word))
            continue;
        return error_set(e, ERR_INVALID, "Invalid value for %s of the %s: '%.60s' is not one of %s", rows[i].name,
                         rows[i].flavor ? "flavor" : "image", word, rows[i].words);
    }
    return 0;
}
