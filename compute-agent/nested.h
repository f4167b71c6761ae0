/* Whether guests of this host can run guests of their own with the processor's help. Pure, but for one small file. */
#pragma once
#include <stdbool.h>

#define NESTED_MODULES "/sys/module"

/* The trait that says so, in os-traits' words ("HW_CPU_X86_VMX", "HW_CPU_X86_SVM"); NULL: they cannot. `modules`: where
 * the kernel tells about its modules; the others as in settings.h (NULL: not set). */
const char *nested_trait(const char *modules, bool kvm, const char *cpu_mode, const char *cpu_model,
                         const char *cpu_flags);
