/* Rules of fake faults: which call they fit, and lines that are none. */
#include "common/file.h"
#include "compute-agent/fake_rules.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

static int load(const char *text, struct fake_rules **ret, struct error *e)
{
    char path[96];
    struct error unused = {0};
    snprintf(path, sizeof(path), "%s/rules", scratch_folder());
    CHECK_INT(file_replace(path, text, strlen(text), 0600, &unused), 0);
    return fake_rules_load(path, ret, e);
}

TEST("without rules every call is good")
{
    struct fake_rules *r = NULL;
    struct error e = {0};
    CHECK_INT(fake_rules_choose(NULL, 1, "create"), FAKE_GOOD);
    CHECK_INT(load("", &r, &e), 0);
    CHECK_INT(fake_rules_choose(r, 1, "create"), FAKE_GOOD);
    fake_rules_free(&r);
}

TEST("the first rule that fits host and call decides")
{
    struct fake_rules *r = NULL;
    struct error e = {0};
    CHECK_INT(load("# faults\n2 list good\n2 * hang\n\n* create final # all\n", &r, &e), 0);
    CHECK_INT(fake_rules_choose(r, 2, "list"), FAKE_GOOD);
    CHECK_INT(fake_rules_choose(r, 2, "create"), FAKE_HANGS);
    CHECK_INT(fake_rules_choose(r, 1, "create"), FAKE_FINAL);
    CHECK_INT(fake_rules_choose(r, 1, "remove"), FAKE_GOOD);
    fake_rules_free(&r);
}

TEST("a percentage is kept over many calls")
{
    struct fake_rules *r = NULL;
    struct error e = {0};
    int lost = 0;
    CHECK_INT(load("* * lost 25\n", &r, &e), 0);
    for (int i = 0; i < 1000; i++)
        lost += fake_rules_choose(r, 1, "start") == FAKE_DONE_BUT_FAILED;
    CHECK(lost > 200 && lost < 300);
    fake_rules_free(&r);
}

TEST("a line that is no rule is refused and named")
{
    static const char *const bad[] = {"1 create",         "0 create hang",     "x create hang",
                                      "1 create explode", "1 create hang 101", "1 create hang 5 more"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fake_rules *r = NULL;
        struct error e = {0};
        CHECK_INT(load(bad[i], &r, &e), ERR_INVALID);
        CHECK(strstr(error_text(&e), bad[i]) != NULL);
    }
}
