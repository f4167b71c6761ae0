/* Which processor a guest gets, and what guests of this host therefore have: by the agent's settings (cpu_mode,
 * cpu_models, cpu_model_extra_flags), the baseline of the host's pool, and what the server's flavor and image require
 * by traits. Pure. */
#pragma once
#include "common/model/cpu.h"
#include "compute-agent/spec.h"

struct settings;

/* Of the host's pool: what every host of it can give. */
struct guest_cpu_baseline {
    int64_t id;
    const char *description; /* as the hypervisor words it */
    struct cpu_set features; /* all that it has */
};
/* Everything is borrowed. */
struct guest_cpu_host {
    const struct settings *settings;
    bool known;                     /* the hypervisor has said what it can do: the next three */
    bool kvm;                       /* guests have the host's own processor unless told otherwise */
    struct cpu_set host;            /* what its guests can have at most */
    const struct cpu_model *models; /* those of cpu_models that the hypervisor knows, in their order */
    size_t model_count;
    const struct guest_cpu_baseline *baseline; /* NULL: none */
};
struct guest_cpu {
    const char *mode;  /* as in domain_xml.h */
    const char *model; /* NULL: the hypervisor's choice */
    bool baseline;     /* it is the baseline, less `without` */
    struct cpu_set more, without;
};

/* cpu_models, or cpu_model; NULL: neither is set. */
const char *guest_cpu_models(const struct settings *s);
/* How guests' processors are chosen: "auto", "host-passthrough", "host-model", "custom". Only "auto" takes a baseline.
 * Static. */
const char *guest_cpu_mode(const struct settings *s);
/* The baseline is what guests of this host get. */
bool guest_cpu_takes_baseline(const struct guest_cpu_host *h);
/* What the host has not of the baseline that it takes. */
struct cpu_set guest_cpu_lacks(const struct guest_cpu_host *h, struct arena *a);
/* What guests can have here, some of it only if they ask for it: what its traits say. */
struct cpu_set guest_cpu_gives(const struct guest_cpu_host *h, struct arena *a);
/* Features that flavor and image require by traits. */
struct cpu_set guest_cpu_wanted(const struct spec *spec, struct arena *a);
void guest_cpu_choose(const struct guest_cpu_host *h, const struct spec *spec, struct arena *a, struct guest_cpu *ret);

/* Calls `each` for every trait: features, and CPU_TRAIT_BELOW_BASELINE. */
void guest_cpu_each_trait(const struct guest_cpu_host *h, void (*each)(void *arg, const char *trait), void *arg);
/* "guest_cpu" of the inventory (docs/agent-protocol.md); nothing when it is not known. `kind`: "x86_64 kvm". */
void guest_cpu_print(const struct guest_cpu_host *h, const char *kind, const char *model, const char *description,
                     struct json_out *o);
