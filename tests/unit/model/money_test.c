/* Money: text forms read back, division rounds half to even, charges do not depend on how intervals are cut. */
#include "common/model/money.h"
#include "common/model/usage.h"
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

static const struct usage_price prices[] = {{USAGE_VCPU, 1u << SERVER_STATE_RUNNING, "", 3600000000}};
static const struct usage_price dearer[] = {{USAGE_VCPU, 1u << SERVER_STATE_RUNNING, "", 7200000000}};
static const struct usage_book books[] = {{0, prices, 1}, {1000000000, dearer, 1}};

TEST("a price change splits the charge at its instant")
{
    struct usage_interval i = {SERVER_STATE_RUNNING, "f", 2, 0, 0, 999000000, 1001000000};
    struct usage_sum sum = {0};
    usage_add(&sum, &i, USAGE_VCPU, 0, USAGE_OPEN, books, 2);
    CHECK_INT(usage_charge_nano(&sum), 2 * 1000000 + 2 * 2000000);
    CHECK_INT(usage_quantity_micro(&sum), 1111);
}

TEST("a state without a price costs nothing but is counted")
{
    struct usage_interval i = {SERVER_STATE_STOPPED, "f", 2, 0, 0, 0, USAGE_HOUR_US};
    struct usage_sum sum = {0};
    usage_add(&sum, &i, USAGE_VCPU, 0, USAGE_OPEN, books, 2);
    CHECK_INT(usage_charge_nano(&sum), 0);
    CHECK_INT(usage_quantity_micro(&sum), 2000000);
}

TEST("however an interval is cut, the exact sum stays the same")
{
    unsigned seed = 11;
    for (int round = 0; round < 1000; round++) {
        int64_t begin = rand_r(&seed) % 2000000000, end = begin + 1 + rand_r(&seed) % 1000000000;
        struct usage_interval whole = {SERVER_STATE_RUNNING, "f", 1 + rand_r(&seed) % 8, 0, 0, begin, end};
        struct usage_sum once = {0}, cut = {0};
        usage_add(&once, &whole, USAGE_VCPU, 0, USAGE_OPEN, books, 2);
        for (int64_t at = begin; at < end;) {
            struct usage_interval part = whole;
            part.begin_us = at;
            at += 1 + rand_r(&seed) % 300000000;
            part.end_us = at < end ? at : end;
            usage_add(&cut, &part, USAGE_VCPU, 0, USAGE_OPEN, books, 2);
        }
        CHECK(once.charge == cut.charge);
        CHECK(once.unit_us == cut.unit_us);
    }
}
