/* Sets of features, their traits, and the model that a guest gets. */
#include "common/model/cpu.h"
#include "tests/unit/check.h"
#include <string.h>

static struct arena arena;

static struct cpu_set set_of(const char *words)
{
    struct cpu_set on, off;
    cpu_flags_read(words, &arena, &on, &off);
    return on;
}

static const char *text(struct cpu_set s)
{
    return cpu_set_text(&s, &arena);
}

TEST("sets are joined, cut and subtracted; each name is there once")
{
    struct cpu_set a = set_of("avx,avx2,sse,avx"), b = set_of("sse,fma"), none = {0};
    CHECK_TEXT(text(a), "avx, avx2, sse");
    CHECK_TEXT(text(cpu_set_minus(&a, &b, &arena)), "avx, avx2");
    CHECK_TEXT(text(cpu_set_both(&a, &b, &arena)), "sse");
    CHECK_TEXT(text(cpu_set_either(&a, &b, &arena)), "avx, avx2, sse, fma");
    CHECK_TEXT(text(cpu_set_both(&a, &none, &arena)), "");
    CHECK_TEXT(text(cpu_set_either(&none, &b, &arena)), "sse, fma");
    CHECK_TEXT(text(cpu_set_copy(&a, &arena)), "avx, avx2, sse");
    struct cpu_set many = {0};
    char name[8];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "f%d", i % 100);
        cpu_set_add(&many, name, &arena);
    }
    CHECK_INT(many.count, 100);
    CHECK(cpu_set_has(&many, "f99") && cpu_set_has(&many, "f0") && !cpu_set_has(&many, "f100"));
    arena_done(&arena);
}

TEST("a set is read from JSON and written as it was; what is no list is none")
{
    struct cpu_set s;
    struct strbuf out;
    struct json_out o;
    CHECK(cpu_set_read("[\"avx\",3,\"sse4.2\",null,\"avx\"]", &arena, &s));
    strbuf_init(&out, 0);
    json_out_init(&o, &out);
    cpu_set_write(&s, &o, NULL);
    CHECK_TEXT(out.data, "[\"avx\",\"sse4.2\"]");
    strbuf_done(&out);
    CHECK(!cpu_set_read("{\"avx\":1}", &arena, &s) && s.count == 0);
    CHECK(!cpu_set_read("[\"avx\"", &arena, &s) && s.count == 0);
    CHECK(!cpu_set_read(NULL, &arena, &s) && s.count == 0);
    arena_done(&arena);
}

TEST("features have the names of os-traits, there and back")
{
    CHECK_TEXT(cpu_trait("avx2"), "HW_CPU_X86_AVX2");
    CHECK_TEXT(cpu_trait("pni"), "HW_CPU_X86_SSE3");
    CHECK_TEXT(cpu_feature("HW_CPU_X86_SSE42"), "sse4.2");
    CHECK(!cpu_trait("lahf_lm"));
    CHECK(!cpu_trait("vmx"));
    CHECK(!cpu_feature("HW_CPU_X86_VMX"));
    CHECK(!cpu_feature("CUSTOM_SSD"));
}

TEST("the first model that has what is required is chosen; else the last one and what it lacks")
{
    struct cpu_model models[] = {{"Penryn", set_of("sse4.1")},
                                 {"IvyBridge", set_of("sse4.1,avx,rdrand")},
                                 {"Haswell", set_of("sse4.1,avx,avx2")}};
    struct cpu_set host = set_of("sse4.1,avx,avx2,rdrand,clwb"), none = {0}, more, wanted;
    CHECK_TEXT(cpu_choose(models, 3, &none, &host, &arena, &more)->name, "Penryn");
    wanted = set_of("avx");
    CHECK_TEXT(cpu_choose(models, 3, &wanted, &host, &arena, &more)->name, "IvyBridge");
    wanted = set_of("avx,avx2");
    CHECK_TEXT(cpu_choose(models, 3, &wanted, &host, &arena, &more)->name, "Haswell");
    CHECK_INT(more.count, 0);
    wanted = set_of("avx2,rdrand,avx512f");
    CHECK_TEXT(cpu_choose(models, 3, &wanted, &host, &arena, &more)->name, "Haswell");
    CHECK_TEXT(text(more), "rdrand");
    CHECK(!cpu_choose(models, 0, &wanted, &host, &arena, &more));
    arena_done(&arena);
}

TEST("flags add and take away")
{
    struct cpu_set on, off;
    cpu_flags_read(" +pcid, -vmx,ssbd,,-", &arena, &on, &off);
    CHECK_TEXT(text(on), "pcid, ssbd");
    CHECK_TEXT(text(off), "vmx");
    cpu_flags_read(NULL, &arena, &on, &off);
    CHECK_INT(on.count + off.count, 0);
    arena_done(&arena);
}
