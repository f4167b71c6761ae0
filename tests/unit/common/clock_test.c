/* Time and its text forms. */
#include "common/clock.h"
#include "tests/unit/check.h"
#include <time.h>

TEST("real clocks move forward and agree with the system's")
{
    clock_real();
    int64_t before = time(NULL), wall = clock_now_us() / CLOCK_SECOND_US, after = time(NULL), mono = clock_mono_us();
    CHECK(clock_mono_us() >= mono);
    CHECK(before <= wall && wall <= after + 1); /* time() is a tick behind */
}

TEST("a warped clock stands still and moves only when it is told to")
{
    clock_fake(1000);
    CHECK_INT(clock_now_us(), 1000);
    CHECK_INT(clock_mono_us(), 1000);
    clock_advance(CLOCK_SECOND_US);
    CHECK_INT(clock_now_us(), 1001000);
    CHECK_INT(clock_mono_us(), 1001000);
    clock_advance(-1000);
    CHECK_INT(clock_now_us(), 1000000);
    clock_real();
    CHECK(clock_now_us() > 1700000000 * CLOCK_SECOND_US);
}

TEST("each form spells a time as its API does")
{
    char text[CLOCK_TEXT_SIZE];
    int64_t us = 1136214245 * CLOCK_SECOND_US + 42;
    CHECK_TEXT(clock_text(us, CLOCK_ISO_Z, text), "2006-01-02T15:04:05Z");
    CHECK_TEXT(clock_text(us, CLOCK_ISO_MICRO, text), "2006-01-02T15:04:05.000042");
    CHECK_TEXT(clock_text(us, CLOCK_ISO_MICRO_Z, text), "2006-01-02T15:04:05.000042Z");
    CHECK_TEXT(clock_text(us, CLOCK_ISO, text), "2006-01-02T15:04:05");
}

TEST("times before 1970 and at the ends of the calendar are spelled right")
{
    char text[CLOCK_TEXT_SIZE];
    CHECK_TEXT(clock_text(-1, CLOCK_ISO_MICRO, text), "1969-12-31T23:59:59.999999");
    CHECK_TEXT(clock_text(INT64_MIN, CLOCK_ISO_Z, text), "0000-01-01T00:00:00Z");
    CHECK_TEXT(clock_text(INT64_MAX, CLOCK_ISO_Z, text), "9999-12-31T23:59:59Z");
}

TEST("every day of eight centuries reads back and agrees with the C library")
{
    for (int64_t day = -200 * 366; day < 600 * 365; day++) {
        char text[CLOCK_TEXT_SIZE], expected[CLOCK_TEXT_SIZE];
        int64_t us = day * 86400 * CLOCK_SECOND_US + 45296123456, back;
        time_t seconds = day * 86400 + 45296;
        struct tm parts;
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
        CHECK_TEXT(clock_text(us, CLOCK_ISO_Z, text), expected);
        CHECK(clock_parse(clock_text(us, CLOCK_ISO_MICRO, text), &back));
        CHECK_INT(back, us);
    }
}

TEST("all spellings of one moment are the same moment")
{
    static const char *const spellings[] = {
        "2024-02-29T12:30:00Z",      "2024-02-29T12:30:00",           "2024-02-29 12:30:00",
        "2024-02-29T12:30",          "2024-02-29T12:30:00.0",         "2024-02-29T12:30:00.000000Z",
        "2024-02-29T14:30:00+02:00", "2024-02-29T14:30:00+0200",      "2024-02-29T14:30:00+02",
        "2024-02-29 07:00:00-05:30", "2024-02-29T12:30:00.000000000",
    };
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        int64_t us = 0;
        if (!clock_parse(spellings[i], &us) || us != 1709209800 * CLOCK_SECOND_US)
            check_fail(__FILE__, __LINE__, "%s gives %" PRId64, spellings[i], us);
    }
    int64_t us;
    CHECK(clock_parse("1970-01-02", &us));
    CHECK_INT(us, 86400 * CLOCK_SECOND_US);
    CHECK(clock_parse("1970-01-01T00:00:00.1234567", &us));
    CHECK_INT(us, 123456);
}

TEST("what is no time is refused and leaves the result alone")
{
    static const char *const wrong[] = {
        "",
        "2024",
        "2024-1-1",
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-01",
        "2024-01-00",
        "2024-04-31",
        "2024-01-01T",
        "2024-01-01T24:00:00",
        "2024-01-01T12",
        "yesterday",
        "2024-01-01T12:60:00",
        "2024-01-01T12:00:60",
        "2024-01-01T12:00:00.",
        "2024-01-01T12:00:00z",
        "2024-01-01T12:00:00+",
        "2024-01-01T12:00:00+02:",
        "2024-01-01T12:00:00+02:0",
        "2024-01-01T12:00:00Zx",
        "2024-01-01Z",
        "+024-01-01",
        "2024-01-01T12:00:00+24:00",
        "2024-01-01T12:00:00,5",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t us = 77;
        if (clock_parse(wrong[i], &us) || us != 77)
            check_fail(__FILE__, __LINE__, "\"%s\" was taken for a time", wrong[i]);
    }
    int64_t us;
    CHECK(!clock_parse(NULL, &us));
}
