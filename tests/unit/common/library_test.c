/* Libraries that are loaded when they are needed. */
#include "common/library.h"
#include "tests/unit/check.h"
#include <math.h>

struct functions {
    __typeof__(cos) *cos;
    __typeof__(pow) *pow;
};

TEST("functions are found by name and can be called")
{
    static const char *const names[] = {"cos", "pow"};
    struct functions f;
    struct error e = {0};
    for (int i = 0; i < 2; i++) {
        f = (struct functions){0};
        CHECK_OK(library_load("libm.so.6", names, 2, &f, &e), &e);
        CHECK(f.cos(0) == 1 && f.pow(2, 10) == 1024);
    }
}

TEST("a library or a function that is not there is named, and nothing is changed")
{
    static const char *const names[] = {"cos", "virga_has_no_such_function"};
    struct functions f = {0};
    struct error e = {0};
    CHECK_INT(library_load("libvirga-none.so.1", names, 1, &f, &e), ERR_UNAVAILABLE);
    CHECK(strstr(error_text(&e), "libvirga-none.so.1"));
    error_clear(&e);
    CHECK_INT(library_load("libm.so.6", names, 2, &f, &e), ERR_UNAVAILABLE);
    CHECK(strstr(error_text(&e), "virga_has_no_such_function"));
    CHECK(!f.cos && !f.pow);
}
