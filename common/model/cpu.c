/* Sets of a hundred names: a walk is as quick as anything. */
#include "common/model/cpu.h"
#include "common/json_in.h"
#include "common/strbuf.h"
#include <string.h>

bool cpu_set_has(const struct cpu_set *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->names[i], name) == 0)
            return true;
    return false;
}

/* Room is a power of two, or what the set was made with: growing copies. */
static void add(struct cpu_set *s, const char *name, struct arena *a)
{
    if ((s->count & (s->count - 1)) == 0) {
        const char **names = arena_array(a, s->count > 0 ? 2 * s->count : 1, sizeof(*names));
        if (s->count > 0)
            memcpy(names, s->names, s->count * sizeof(*names));
        s->names = names;
    }
    s->names[s->count++] = name;
}

void cpu_set_add(struct cpu_set *s, const char *name, struct arena *a)
{
    if (!cpu_set_has(s, name))
        add(s, arena_strdup(a, name), a);
}

struct cpu_set cpu_set_copy(const struct cpu_set *s, struct arena *a)
{
    struct cpu_set copy = {0};
    for (size_t i = 0; i < s->count; i++)
        add(&copy, arena_strdup(a, s->names[i]), a);
    return copy;
}

static struct cpu_set sift(const struct cpu_set *s, const struct cpu_set *by, bool kept, struct arena *a)
{
    struct cpu_set found = {0};
    for (size_t i = 0; i < s->count; i++)
        if (cpu_set_has(by, s->names[i]) == kept)
            add(&found, s->names[i], a);
    return found;
}

struct cpu_set cpu_set_minus(const struct cpu_set *s, const struct cpu_set *without, struct arena *a)
{
    return sift(s, without, false, a);
}

struct cpu_set cpu_set_both(const struct cpu_set *s, const struct cpu_set *t, struct arena *a)
{
    return sift(s, t, true, a);
}

struct cpu_set cpu_set_either(const struct cpu_set *s, const struct cpu_set *t, struct arena *a)
{
    struct cpu_set all = {0};
    for (size_t i = 0; i < s->count; i++)
        add(&all, s->names[i], a);
    for (size_t i = 0; i < t->count; i++)
        if (!cpu_set_has(s, t->names[i]))
            add(&all, t->names[i], a);
    return all;
}

bool cpu_set_read(const char *json, struct arena *a, struct cpu_set *ret)
{
    struct json_doc doc;
    *ret = (struct cpu_set){0};
    if (!json || json_in_parse(json, strlen(json), &doc, NULL))
        return false;
    bool good = json_in_is_array(doc.root);
    for (size_t i = 0; good && i < json_in_count(doc.root); i++) {
        const char *name = json_in_text(json_in_item(doc.root, i));
        if (name)
            cpu_set_add(ret, name, a);
    }
    json_in_done(&doc);
    return good;
}

void cpu_set_write(const struct cpu_set *s, struct json_out *o, const char *key)
{
    json_out_array(o, key);
    for (size_t i = 0; i < s->count; i++)
        json_out_text(o, NULL, s->names[i]);
    json_out_array_end(o);
}

const char *cpu_set_text(const struct cpu_set *s, struct arena *a)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    for (size_t i = 0; i < s->count; i++)
        strbuf_appendf(&text, "%s%s", i > 0 ? ", " : "", s->names[i]);
    const char *copy = arena_strdup(a, text.data ? text.data : "");
    strbuf_done(&text);
    return copy;
}

/* nova/virt/libvirt/utils.py (CPU_TRAITS_MAPPING), with libvirt's own name for SSE3; beyond it os_traits/hw/cpu/x86. */
static const struct {
    const char *feature, *trait;
} traits[] = {
    {"3dnow", "HW_CPU_X86_3DNOW"},
    {"abm", "HW_CPU_X86_ABM"},
    {"aes", "HW_CPU_X86_AESNI"},
    {"amd-ssbd", "HW_CPU_X86_AMD_SSBD"},
    {"avx", "HW_CPU_X86_AVX"},
    {"avx2", "HW_CPU_X86_AVX2"},
    {"avx512-vpopcntdq", "HW_CPU_X86_AVX512VPOPCNTDQ"},
    {"avx512bitalg", "HW_CPU_X86_AVX512BITALG"},
    {"avx512bw", "HW_CPU_X86_AVX512BW"},
    {"avx512cd", "HW_CPU_X86_AVX512CD"},
    {"avx512dq", "HW_CPU_X86_AVX512DQ"},
    {"avx512er", "HW_CPU_X86_AVX512ER"},
    {"avx512f", "HW_CPU_X86_AVX512F"},
    {"avx512ifma", "HW_CPU_X86_AVX512IFMA"},
    {"avx512pf", "HW_CPU_X86_AVX512PF"},
    {"avx512vbmi", "HW_CPU_X86_AVX512VBMI"},
    {"avx512vbmi2", "HW_CPU_X86_AVX512VBMI2"},
    {"avx512vl", "HW_CPU_X86_AVX512VL"},
    {"avx512vnni", "HW_CPU_X86_AVX512VNNI"},
    {"bmi1", "HW_CPU_X86_BMI"},
    {"bmi2", "HW_CPU_X86_BMI2"},
    {"f16c", "HW_CPU_X86_F16C"},
    {"fma", "HW_CPU_X86_FMA3"},
    {"fma4", "HW_CPU_X86_FMA4"},
    {"gfni", "HW_CPU_X86_AVX512GFNI"},
    {"ibpb", "HW_CPU_X86_AMD_IBPB"},
    {"md-clear", "HW_CPU_X86_INTEL_MD_CLEAR"},
    {"mmx", "HW_CPU_X86_MMX"},
    {"mpx", "HW_CPU_X86_MPX"},
    {"pcid", "HW_CPU_X86_INTEL_PCID"},
    {"pclmuldq", "HW_CPU_X86_CLMUL"},
    {"pdpe1gb", "HW_CPU_X86_PDPE1GB"},
    {"pni", "HW_CPU_X86_SSE3"},
    {"rtm", "HW_CPU_X86_TSX"},
    {"sha-ni", "HW_CPU_X86_SHA"},
    {"spec-ctrl", "HW_CPU_X86_INTEL_SPEC_CTRL"},
    {"ssbd", "HW_CPU_X86_INTEL_SSBD"},
    {"sse", "HW_CPU_X86_SSE"},
    {"sse2", "HW_CPU_X86_SSE2"},
    {"sse4.1", "HW_CPU_X86_SSE41"},
    {"sse4.2", "HW_CPU_X86_SSE42"},
    {"sse4a", "HW_CPU_X86_SSE4A"},
    {"ssse3", "HW_CPU_X86_SSSE3"},
    {"stibp", "HW_CPU_X86_STIBP"},
    {"tbm", "HW_CPU_X86_TBM"},
    {"vaes", "HW_CPU_X86_AVX512VAES"},
    {"virt-ssbd", "HW_CPU_X86_AMD_VIRT_SSBD"},
    {"vpclmulqdq", "HW_CPU_X86_AVX512VPCLMULQDQ"},
    {"xop", "HW_CPU_X86_XOP"},
};

const char *cpu_trait(const char *feature)
{
    for (size_t i = 0; i < sizeof(traits) / sizeof(traits[0]); i++)
        if (strcmp(traits[i].feature, feature) == 0)
            return traits[i].trait;
    return NULL;
}

const char *cpu_feature(const char *trait)
{
    for (size_t i = 0; i < sizeof(traits) / sizeof(traits[0]); i++)
        if (strcmp(traits[i].trait, trait) == 0)
            return traits[i].feature;
    return NULL;
}

const struct cpu_model *cpu_choose(const struct cpu_model *models, size_t count, const struct cpu_set *wanted,
                                   const struct cpu_set *host, struct arena *a, struct cpu_set *ret_more)
{
    *ret_more = (struct cpu_set){0};
    for (size_t i = 0; i < count; i++)
        if (cpu_set_minus(wanted, &models[i].gives, a).count == 0)
            return &models[i];
    if (count == 0)
        return NULL;
    struct cpu_set lacks = cpu_set_minus(wanted, &models[count - 1].gives, a);
    *ret_more = cpu_set_both(&lacks, host, a);
    return &models[count - 1];
}

void cpu_flags_read(const char *flags, struct arena *a, struct cpu_set *ret_more, struct cpu_set *ret_without)
{
    *ret_more = *ret_without = (struct cpu_set){0};
    char *copy = arena_strdup(a, flags ? flags : ""), *rest = copy;
    for (char *word; (word = strsep(&rest, ", "));) {
        bool off = *word == '-';
        word += off || *word == '+';
        if (*word)
            cpu_set_add(off ? ret_without : ret_more, word, a);
    }
}
