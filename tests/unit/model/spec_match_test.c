/* Operators of extra specs, as nova/scheduler/filters/extra_specs_ops.py has them. */
#include "common/model/spec_match.h"
#include "tests/unit/check.h"

TEST("numbers, texts, parts and alternatives match as Nova says")
{
    static const struct {
        const char *value, *spec;
        bool matches;
    } cases[] = {
        {"1", "1", true},
        {"", "1", false},
        {"1", "", false},
        {"ssd", "SSD", false},
        {"123", "= 123", true},
        {"124", "= 123", true},
        {"122", "= 123", false},
        {"124", "== 123", false},
        {"123.0", "== 123", true},
        {"123", "!= 123", false},
        {"124", "!= 123", true},
        {"5", ">= 5.5", false},
        {"6", ">= 5.5", true},
        {"5", "<= 5", true},
        {"1000000000", ">= 999", true},
        {"abc", ">= 1", false},
        {"2 3", ">= 1", false},
        {"3", ">= abc", false},
        {"3", ">=", false},
        {"abc", "s== abc", true},
        {"abc", "s== ab", false},
        {"abc", "s!= ab", true},
        {"abc", "s< abd", true},
        {"abc", "s< ab", false},
        {"abc", "s<= abc", true},
        {"b", "s> abc", true},
        {"abc", "s>= abcd", false},
        {"12311321", "<in> 11", true},
        {"12310321", "<in> 11", false},
        {"aes mmx sse", "<all-in> aes sse", true},
        {"aes mmx sse", "<all-in> aes txt", false},
        {"12", "<or> 11 <or> 12", true},
        {"13", "<or> 11 <or> 12", false},
        {"12", "<or> 11 <or> 12 <or>", true},
        {"<or>", "<or> 11 <or> 12", false},
        {"> 5", "> 5", true}, /* is no operator */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(spec_match(cases[i].value, cases[i].spec), cases[i].matches);
    }
}

TEST("what can match nothing is told apart")
{
    CHECK(spec_match_valid("anything at all"));
    CHECK(spec_match_valid(">= 1e3"));
    CHECK(spec_match_valid("<or> a"));
    CHECK(!spec_match_valid(">= many"));
    CHECK(!spec_match_valid("s=="));
    CHECK(!spec_match_valid("<in> "));
    CHECK(spec_match_has_operator(" <in> a"));
    CHECK(!spec_match_has_operator("in a"));
}
