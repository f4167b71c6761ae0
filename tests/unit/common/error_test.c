/* errors.def and the detail that travels with a code. */
#include "common/error.h"
#include "tests/unit/check.h"

TEST("every error code has a name, a sentence and an HTTP error status")
{
    for (int code = ERR_NONE + 1; code < ERR_COUNT; code++) {
        CHECK(error_name(code)[0]);
        CHECK(error_sentence(code)[0]);
        CHECK(error_http_status(code) >= 400 && error_http_status(code) <= 599);
        for (const char *c = error_name(code); *c; c++)
            CHECK((*c >= 'A' && *c <= 'Z') || *c == '_');
        for (int other = ERR_NONE + 1; other < code; other++)
            CHECK(strcmp(error_name(code), error_name(other)) != 0);
    }
}

TEST("a code that is not in the list is an internal error")
{
    CHECK_INT(error_http_status(-1), 500);
    CHECK_INT(error_http_status(ERR_COUNT), 500);
    CHECK_TEXT(error_sentence(ERR_COUNT), error_sentence(ERR_INTERNAL));
    CHECK_TEXT(error_name(ERR_COUNT), "UNKNOWN");
}

TEST("the first writer of an error wins")
{
    struct error e = {0};
    CHECK_INT(error_set(&e, ERR_NOT_FOUND, "flavor %d is not there", 7), ERR_NOT_FOUND);
    CHECK_INT(error_set(&e, ERR_IO, "later"), ERR_IO);
    CHECK_INT(e.code, ERR_NOT_FOUND);
    CHECK_TEXT(error_text(&e), "flavor 7 is not there");
    error_clear(&e);
    CHECK_INT(e.code, 0);
    CHECK_TEXT(error_text(&e), error_sentence(ERR_NONE));
}

TEST("a prefix goes before the sentence, and nowhere when nothing is recorded")
{
    struct error e = {0};
    CHECK_INT(error_prefix(&e, "host %s", "a"), 0);
    CHECK_INT(e.text[0], 0);
    error_set(&e, ERR_IO, "disk gone");
    CHECK_INT(error_prefix(&e, "host %s", "a"), ERR_IO);
    CHECK_TEXT(error_text(&e), "host a: disk gone");
    CHECK_INT(error_prefix(NULL, "x"), 0);
    CHECK_INT(error_set(NULL, ERR_IO, "x"), ERR_IO);
}

TEST("a code without a sentence of its own speaks with the list's")
{
    struct error e = {.code = ERR_GONE};
    CHECK_TEXT(error_text(&e), error_sentence(ERR_GONE));
    error_prefix(&e, "image");
    CHECK_CONTAINS(error_text(&e), error_sentence(ERR_GONE));
}

TEST("sentences longer than the place for them are cut and stay terminated")
{
    struct error e = {0};
    char text[2 * sizeof(e.text)];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = 0;
    error_set(&e, ERR_IO, "%s", text);
    CHECK_INT(strlen(e.text), sizeof(e.text) - 1);
    error_prefix(&e, "%s", text);
    CHECK_INT(strlen(e.text), sizeof(e.text) - 1);
}
