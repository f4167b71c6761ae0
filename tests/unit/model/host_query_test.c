/* Conditions on hosts in JSON, as nova/scheduler/filters/json_filter.py has them. */
#include "common/model/host_query.h"
#include "common/strbuf.h"
#include "tests/unit/check.h"

/* A host with 2000 MiB free, called "alpha", whose address is not known. */
static struct host_value value_of(void *arg, enum host_attribute attribute, const char *path)
{
    int *asked = arg;
    ++*asked;
    switch (attribute) {
    case HOST_ATTRIBUTE_FREE_RAM_MB:
        return (struct host_value){.kind = HOST_VALUE_NUMBER, .number = 2000};
    case HOST_ATTRIBUTE_HOST:
        return (struct host_value){.kind = HOST_VALUE_TEXT, .text = "alpha"};
    case HOST_ATTRIBUTE_CPU_INFO:
        return (struct host_value){.kind = HOST_VALUE_TEXT, .text = path ? path : ""};
    default:
        return (struct host_value){.kind = HOST_VALUE_NONE};
    }
}

TEST("conditions hold as Nova's do")
{
    static const struct {
        const char *text;
        bool passes;
    } cases[] = {
        {"[]", true},
        {"[\"=\", \"$free_ram_mb\", 2000]", true},
        {"[\"=\", \"$free_ram_mb\", 2000, 2000.0, 2001]", false},
        {"[\"<\", \"$free_ram_mb\", 2001, 3000]", true},
        {"[\"<\", \"$free_ram_mb\", 2001, 2000]", false},
        {"[\">=\", \"$free_ram_mb\", 1999.5]", true},
        {"[\"<=\", \"$free_ram_mb\", 1999.5]", false},
        {"[\">\", \"$free_ram_mb\", \"1\"]", false},
        {"[\"in\", \"$host\", \"beta\", \"alpha\"]", true},
        {"[\"in\", \"$host\", \"beta\", \"gamma\"]", false},
        {"[\"=\", \"$host_ip\", \"10.0.0.1\"]", false}, /* not known: less than two are left */
        {"[\"not\", [\"=\", \"$host_ip\", \"10.0.0.1\"]]", true},
        {"[\"=\", \"$cpu_info.vendor.x\", \"vendor.x\"]", true},
        {"[\"and\", [\"=\", \"$host\", \"alpha\"], [\">\", \"$free_ram_mb\", 1]]", true},
        {"[\"and\", [\"=\", \"$host\", \"alpha\"], [\">\", \"$free_ram_mb\", 3000]]", false},
        {"[\"or\", [\"=\", \"$host\", \"beta\"], [\">\", \"$free_ram_mb\", 1]]", true},
        {"[\"or\", [\"=\", \"$host\", \"beta\"], [\"not\", [\">\", \"$free_ram_mb\", 1]]]", false},
        {"[\"not\", [\"=\", \"$host\", \"beta\"], [\"=\", \"$host\", \"alpha\"]]", true}, /* one is enough */
        {"[\"and\"]", true},
        {"[\"or\"]", false},
        {"[\"=\", true, 1]", true},
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct host_query *q = NULL;
        struct error e = {0};
        int asked = 0;
        CHECK_OK(host_query_read(cases[i].text, &a, &q, &e), &e);
        if (host_query_passes(q, value_of, &asked) != cases[i].passes) {
            check_fail(__FILE__, __LINE__, "%s", cases[i].text);
        }
    }
    arena_done(&a);
}

TEST("what is no condition is refused with the reason")
{
    static const char *const cases[][2] = {
        {"", ""},
        {"{", ""},
        {"{\"=\": 1}", "a list that begins with an operator"},
        {"\"x\"", "a list that begins with an operator"},
        {"[1, 2]", "is none of"},
        {"[\"==\", 1, 2]", "is none of"},
        {"[\"=\", 1]", "compares two things"},
        {"[\"=\", \"$no_such\", 1]", "hosts have no $no_such"},
        {"[\"and\", [\"=\", {}, 1]]", "an object is no part"},
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct host_query *q = NULL;
        struct error e = {0};
        CHECK_INT(host_query_read(cases[i][0], &a, &q, &e), ERR_INVALID);
        CHECK(strstr(error_text(&e), cases[i][1]) != NULL);
    }
    struct strbuf deep;
    strbuf_init(&deep, 0);
    for (int i = 0; i < 40; i++) {
        strbuf_append_text(&deep, "[\"and\", ");
    }
    strbuf_append_text(&deep, "1");
    for (int i = 0; i < 40; i++) {
        strbuf_append_text(&deep, "]");
    }
    const struct host_query *q = NULL;
    struct error e = {0};
    CHECK_INT(host_query_read(deep.data, &a, &q, &e), ERR_INVALID);
    strbuf_done(&deep);
    arena_done(&a);
}

TEST("what a condition speaks of is known")
{
    struct arena a;
    const struct host_query *q = NULL;
    struct error e = {0};
    arena_init(&a);
    CHECK_OK(host_query_read("[\"and\", [\"not\", [\"=\", \"$host\", \"x\"]]]", &a, &q, &e), &e);
    CHECK(host_query_uses(q, HOST_ATTRIBUTE_HOST));
    CHECK(!host_query_uses(q, HOST_ATTRIBUTE_HOST_IP));
    arena_done(&a);
}
