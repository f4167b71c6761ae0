/* The processor that a guest gets: by settings, baseline and what its flavor requires; and libvirt's words for it. */
#include "compute-agent/guest_cpu.h"
#include "compute-agent/settings.h"
#include "compute-agent/xml/cpu_xml.h"
#include "tests/unit/agent/samples.h"
#include <string.h>

static struct arena arena;

static struct cpu_set set_of(const char *words)
{
    struct cpu_set on, off;
    cpu_flags_read(words, &arena, &on, &off);
    return on;
}

static char *copy(const char *text)
{
    return (char *)(uintptr_t)text;
}

static struct settings settings;
static struct cpu_model models[2];
static struct guest_cpu_baseline baseline;

/* A host of that mode. */
static struct guest_cpu_host host_of(const char *mode, const char *list, bool kvm)
{
    settings = (struct settings){.cpu_mode = copy(mode), .cpu_models = copy(list)};
    models[0] = (struct cpu_model){"Nehalem", set_of("sse4.2")};
    models[1] = (struct cpu_model){"Haswell", set_of("sse4.2,avx,avx2")};
    baseline = (struct guest_cpu_baseline){.id = 7, .description = "<cpu/>", .features = set_of("sse4.2,avx,clwb")};
    return (struct guest_cpu_host){.settings = &settings,
                                   .known = true,
                                   .kvm = kvm,
                                   .host = set_of("sse4.2,avx,avx2,sha-ni"),
                                   .models = models,
                                   .model_count = list ? 2 : 1};
}

static const char *gives(const struct guest_cpu_host *h)
{
    struct cpu_set s = guest_cpu_gives(h, &arena);
    return cpu_set_text(&s, &arena);
}

static const char *lacks(const struct guest_cpu_host *h)
{
    struct cpu_set s = guest_cpu_lacks(h, &arena);
    return cpu_set_text(&s, &arena);
}

static struct guest_cpu chosen(const struct guest_cpu_host *h, const char *extra)
{
    struct guest_cpu cpu;
    struct spec *spec = sample_read(extra);
    guest_cpu_choose(h, spec, &arena, &cpu);
    spec_free(&spec);
    return cpu;
}

#define WANTS_AVX2 SAMPLE("\"flavor_extra\":{\"trait:HW_CPU_X86_AVX2\":\"required\"},")
#define WANTS_GROUP                                                                                                    \
    SAMPLE("\"flavor_extra\":{\"trait_CPU:HW_CPU_X86_AVX\":\"required\",\"trait:HW_CPU_X86_SHA\":\"forbidden\"},")

TEST("without a word, guests under KVM have the host's processor, emulated ones a model that is quick")
{
    struct guest_cpu_host h = host_of("auto", NULL, true);
    struct guest_cpu cpu = chosen(&h, SAMPLE(""));
    CHECK_TEXT(cpu.mode, "auto");
    CHECK(!cpu.model);
    CHECK_TEXT(gives(&h), "sse4.2, avx, avx2, sha-ni");
    h = host_of("auto", NULL, false);
    cpu = chosen(&h, SAMPLE(""));
    CHECK_TEXT(cpu.mode, "custom");
    CHECK_TEXT(cpu.model, "Nehalem");
    CHECK_TEXT(gives(&h), "sse4.2");
    arena_done(&arena);
}

TEST("of several models a guest gets the first that has what its flavor requires, and all of them are told")
{
    struct guest_cpu_host h = host_of("custom", "Nehalem,Haswell", true);
    CHECK_TEXT(chosen(&h, SAMPLE("")).model, "Nehalem");
    CHECK_TEXT(chosen(&h, WANTS_AVX2).model, "Haswell");
    CHECK_TEXT(chosen(&h, WANTS_GROUP).model, "Haswell");
    CHECK_TEXT(gives(&h), "sse4.2, avx, avx2");
    h.model_count = 0; /* the hypervisor has said nothing yet */
    h.known = false;
    CHECK_TEXT(chosen(&h, SAMPLE("")).model, "Nehalem");
    CHECK_TEXT(gives(&h), "");
    arena_done(&arena);
}

TEST("flags change what guests have, as far as the host has it")
{
    struct guest_cpu_host h = host_of("custom", "Nehalem,Haswell", false);
    settings.cpu_flags = copy("sha-ni,avx512f,-avx2");
    CHECK_TEXT(gives(&h), "sse4.2, avx, sha-ni");
    arena_done(&arena);
}

TEST("a baseline goes before the host's own processor, not before a mode that was set")
{
    struct guest_cpu_host h = host_of("auto", NULL, true);
    h.baseline = &baseline;
    struct guest_cpu cpu = chosen(&h, SAMPLE(""));
    CHECK(cpu.baseline);
    CHECK_TEXT(cpu.mode, "custom");
    CHECK_TEXT(cpu_set_text(&cpu.without, &arena), "clwb");
    CHECK_TEXT(gives(&h), "sse4.2, avx");
    CHECK_TEXT(lacks(&h), "clwb");
    static const char *const set[][2] = {
        {"host-passthrough", NULL}, {"host-model", NULL}, {"custom", NULL}, {"auto", "Haswell"}};
    for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
        h = host_of(set[i][0], set[i][1], true);
        h.baseline = &baseline;
        CHECK(!chosen(&h, SAMPLE("")).baseline);
        CHECK_TEXT(lacks(&h), "");
    }
    arena_done(&arena);
}

static void note(void *arg, const char *trait)
{
    cpu_set_add(arg, trait, &arena);
}

TEST("traits say what guests can have, and that some of the baseline is missing")
{
    struct guest_cpu_host h = host_of("auto", NULL, true);
    struct cpu_set traits = {0};
    guest_cpu_each_trait(&h, note, &traits);
    CHECK_TEXT(cpu_set_text(&traits, &arena), "HW_CPU_X86_SSE42, HW_CPU_X86_AVX, HW_CPU_X86_AVX2, HW_CPU_X86_SHA");
    traits.count = 0;
    h.baseline = &baseline;
    guest_cpu_each_trait(&h, note, &traits);
    CHECK_TEXT(cpu_set_text(&traits, &arena), "HW_CPU_X86_SSE42, HW_CPU_X86_AVX, CUSTOM_CPU_BELOW_BASELINE");
    arena_done(&arena);
}

#define CAPABILITIES                                                                                                   \
    "<domainCapabilities><cpu><mode name='host-passthrough' supported='yes'/>"                                         \
    "<mode name='host-model' supported='yes'><model fallback='forbid'>EPYC</model><vendor>AMD</vendor>"                \
    "<feature policy='require' name='clwb'/><feature policy='disable' name='vme'/></mode></cpu></domainCapabilities>"

TEST("libvirt's host-model is described by itself, and read again")
{
    struct cpu_xml x;
    const char *text = cpu_xml_host_model(CAPABILITIES, &arena);
    CHECK(text != NULL);
    CHECK(!strstr(text, "<arch>")); /* a host's processor would have all its features */
    CHECK(cpu_xml_read(text, &arena, &x));
    CHECK_TEXT(x.model, "EPYC");
    CHECK_TEXT(x.vendor, "AMD");
    CHECK_TEXT(cpu_set_text(&x.has, &arena), "clwb");
    CHECK_TEXT(cpu_set_text(&x.lacks, &arena), "vme");
    CHECK(cpu_xml_read(cpu_xml_model("a<b", &arena), &arena, &x));
    CHECK_TEXT(x.model, "a<b");
    CHECK(!cpu_xml_host_model("<domainCapabilities><cpu/></domainCapabilities>", &arena));
    CHECK(!cpu_xml_host_model(NULL, &arena));
    CHECK(!cpu_xml_read("<cpu/>", &arena, &x));
    CHECK(!cpu_xml_read("<cpu", &arena, &x));
    arena_done(&arena);
}
