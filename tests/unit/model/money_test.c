/* Money: text forms read back, division rounds half to even. */
#include "common/model/money.h"
#include "tests/unit/check.h"

TEST("money reads and prints exactly")
{
    const struct {
        const char *text;
        int64_t nano;
    } rows[] = {{"0", 0},
                {"1", MONEY_UNIT},
                {"0.005", 5000000},
                {"-3.25", -3250000000},
                {"12.5", 12500000000},
                {"0.000000001", 1},
                {"999999999.999999999", 999999999999999999}};
    char text[MONEY_TEXT_SIZE];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t nano = 7;
        CHECK(money_parse(rows[i].text, &nano));
        CHECK_INT(nano, rows[i].nano);
        CHECK_TEXT(money_text(nano, text), rows[i].text);
    }
}

TEST("money refuses what is not an amount")
{
    const char *bad[] = {"", "-", ".5", "1.", "1.0000000001", "1e3", "1,5", " 1", "1 ", "9999999999", "--1", "0x1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t nano = 7;
        CHECK(!money_parse(bad[i], &nano));
        CHECK_INT(nano, 7);
    }
}

TEST("division rounds half to even and saturates")
{
    CHECK_INT(money_divide(5, 10), 0);
    CHECK_INT(money_divide(15, 10), 2);
    CHECK_INT(money_divide(25, 10), 2);
    CHECK_INT(money_divide(26, 10), 3);
    CHECK_INT(money_divide(-15, 10), -2);
    CHECK_INT(money_divide(-25, 10), -2);
    CHECK_INT(money_divide((__int128)INT64_MAX * 4, 2), INT64_MAX);
}
