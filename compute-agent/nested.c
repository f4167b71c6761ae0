/* The kernel must allow it (kvm_intel's or kvm_amd's parameter "nested"), and the guest must be given the feature: with
 * the host's own processor it is, with a named model only when the flags say so. Emulated guests never count. */
#include "compute-agent/nested.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool nested_is_allowed(const char *modules, const char *module)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s/parameters/nested", modules, module);
    FILE *file = fopen(path, "re");
    int first = file ? fgetc(file) : EOF;
    if (file)
        fclose(file);
    return first == 'Y' || first == '1';
}

/* 1: the flags ask for the feature, -1: they take it away, 0: they do not say. */
static int nested_flagged(const char *flags, const char *feature)
{
    size_t length = strlen(feature);
    for (const char *at = flags ? flags : ""; *at;) {
        at += strspn(at, ", ");
        size_t word = strcspn(at, ", ");
        bool off = *at == '-', sign = off || *at == '+';
        if (word == length + sign && strncmp(at + sign, feature, length) == 0)
            return off ? -1 : 1;
        at += word;
    }
    return 0;
}

static bool nested_is_given(const char *mode, const char *model, const char *flags, const char *feature)
{
    int flagged = nested_flagged(flags, feature);
    bool automatic = !mode || strcmp(mode, "auto") == 0;
    bool whole = (mode && strncmp(mode, "host-", 5) == 0) || (automatic && !model);
    return flagged > 0 || (flagged == 0 && whole);
}

const char *nested_trait(const char *modules, bool kvm, const char *cpu_mode, const char *cpu_model,
                         const char *cpu_flags)
{
    static const struct {
        const char *module, *feature, *trait;
    } kinds[] = {{"kvm_intel", "vmx", "HW_CPU_X86_VMX"}, {"kvm_amd", "svm", "HW_CPU_X86_SVM"}};
    for (size_t i = 0; kvm && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (nested_is_allowed(modules, kinds[i].module) &&
            nested_is_given(cpu_mode, cpu_model, cpu_flags, kinds[i].feature))
            return kinds[i].trait;
    return NULL;
}
