/* What processors give guests: sets of features by libvirt's names, the traits that stand for them, and the model and
 * features that a guest is given. Pure. */
#pragma once
#include "common/arena.h"
#include "common/json_out.h"
#include <stdbool.h>
#include <stddef.h>

/* Names, each once; borrowed or in an arena. */
struct cpu_set {
    const char **names;
    size_t count;
};

/* A host that lacks features of its pool's baseline says so by this trait: guests do not move there while they run. */
#define CPU_TRAIT_BELOW_BASELINE "CUSTOM_CPU_BELOW_BASELINE"

bool cpu_set_has(const struct cpu_set *s, const char *name);
/* Grows it in the arena; a name that is there is left. `name` is copied. */
void cpu_set_add(struct cpu_set *s, const char *name, struct arena *a);
/* What is in `s` and not in `without`; what is in both; what is in one of them. Names are borrowed. */
struct cpu_set cpu_set_minus(const struct cpu_set *s, const struct cpu_set *without, struct arena *a);
struct cpu_set cpu_set_both(const struct cpu_set *s, const struct cpu_set *t, struct arena *a);
struct cpu_set cpu_set_either(const struct cpu_set *s, const struct cpu_set *t, struct arena *a);
/* Names too. */
struct cpu_set cpu_set_copy(const struct cpu_set *s, struct arena *a);
/* From a JSON array of names; what is none is left out. False: it is no array. */
bool cpu_set_read(const char *json, struct arena *a, struct cpu_set *ret);
void cpu_set_write(const struct cpu_set *s, struct json_out *o, const char *key);
/* "avx, avx2"; "" for none. In the arena. */
const char *cpu_set_text(const struct cpu_set *s, struct arena *a);

/* os-traits' name for a feature of x86 processors, as Nova maps them; NULL: none. What runs guests of guests (vmx, svm)
 * is not among them. Static. */
const char *cpu_trait(const char *feature);
/* The reverse. Static. */
const char *cpu_feature(const char *trait);

/* A model that guests may be given, and what they then have on this host. */
struct cpu_model {
    const char *name;
    struct cpu_set gives;
};
/* Nova's rule: the first of the models that has all features of `wanted`; without a wish the first. When none has all
 * of them, the last one, with what it lacks in *ret_more (as far as `host` has it). NULL: there are no models. */
const struct cpu_model *cpu_choose(const struct cpu_model *models, size_t count, const struct cpu_set *wanted,
                                   const struct cpu_set *host, struct arena *a, struct cpu_set *ret_more);
/* What flags say ("pcid,-vmx"): features that are asked for, and that are taken away. */
void cpu_flags_read(const char *flags, struct arena *a, struct cpu_set *ret_more, struct cpu_set *ret_without);
