/* Which hosts say that their guests may run guests, by the kernel's word and the processor that guests get. */
#include "compute-agent/nested.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static void module(const char *name, const char *word)
{
    char line[300];
    snprintf(line, sizeof(line), "%s/%s", scratch_folder(), name);
    mkdir(line, 0755);
    snprintf(line, sizeof(line), "%s/%s/parameters", scratch_folder(), name);
    mkdir(line, 0755);
    snprintf(line, sizeof(line), "%s/%s/parameters/nested", scratch_folder(), name);
    FILE *file = fopen(line, "w");
    CHECK(file && fputs(word, file) >= 0 && fclose(file) == 0);
}

static const char *trait(bool kvm, const char *mode, const char *model, const char *flags)
{
    const char *found = nested_trait(scratch_folder(), kvm, mode, model, flags);
    return found ? found : "none";
}

TEST("nested virtualisation is said where the kernel allows it and guests get the feature, and nowhere else")
{
    CHECK_TEXT(trait(true, NULL, NULL, NULL), "none"); /* no such module */
    module("kvm_intel", "Y\n");
    CHECK_TEXT(trait(true, NULL, NULL, NULL), "HW_CPU_X86_VMX");
    CHECK_TEXT(trait(true, "auto", NULL, "pcid"), "HW_CPU_X86_VMX");
    CHECK_TEXT(trait(true, "host-model", NULL, NULL), "HW_CPU_X86_VMX");
    CHECK_TEXT(trait(false, NULL, NULL, NULL), "none"); /* emulated */
    CHECK_TEXT(trait(true, NULL, NULL, "pcid,-vmx"), "none");
    CHECK_TEXT(trait(true, "custom", "EPYC", NULL), "none");
    CHECK_TEXT(trait(true, NULL, "EPYC", "avx"), "none");
    CHECK_TEXT(trait(true, "custom", "Haswell", "+pcid, +vmx"), "HW_CPU_X86_VMX");
    CHECK_TEXT(trait(true, "custom", "Haswell", "vmx"), "HW_CPU_X86_VMX");
    CHECK_TEXT(trait(true, "custom", "Haswell", "vmx-other"), "none");
    module("kvm_intel", "N\n");
    CHECK_TEXT(trait(true, NULL, NULL, NULL), "none");
    module("kvm_amd", "1\n");
    CHECK_TEXT(trait(true, NULL, NULL, NULL), "HW_CPU_X86_SVM");
    CHECK_TEXT(trait(true, NULL, NULL, "-svm"), "none");
}
