/* Months in time zones, daylight saving included. */
#include "common/clock.h"
#include "metering/bill/zone.h"
#include "tests/unit/check.h"

static void check_month(const char *zone, int year, int month, const char *from, const char *to)
{
    struct error e = {0};
    int64_t begin = 0, end = 0;
    char text[CLOCK_TEXT_SIZE];
    CHECK_INT(zone_month(zone, year, month, &begin, &end, &e), 0);
    CHECK_TEXT(clock_text(begin, CLOCK_ISO_Z, text), from);
    CHECK_TEXT(clock_text(end, CLOCK_ISO_Z, text), to);
}

TEST("months begin at the zone's midnight, summer and winter")
{
    check_month("UTC", 2026, 12, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
    check_month("Europe/Berlin", 2026, 10, "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z");
    check_month("Europe/Berlin", 2026, 3, "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z");
    check_month("America/New_York", 2026, 11, "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z");
    check_month("Asia/Kolkata", 2028, 2, "2028-01-31T18:30:00Z", "2028-02-29T18:30:00Z");
}

TEST("each month begins where the one before ends")
{
    static const char *const zones[] = {"Europe/Berlin", "America/Sao_Paulo", "Asia/Beirut", "Africa/Cairo",
                                        "Pacific/Apia",  "America/Havana",    "UTC"};
    for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]); z++) {
        int64_t before = 0;
        for (int month = 0; month < 40 * 12; month++) {
            struct error e = {0};
            int64_t begin = 0, end = 0;
            CHECK_INT(zone_month(zones[z], 1990 + month / 12, month % 12 + 1, &begin, &end, &e), 0);
            CHECK(end - begin >= (int64_t)27 * 86400 * CLOCK_SECOND_US);
            CHECK(end - begin <= (int64_t)32 * 86400 * CLOCK_SECOND_US);
            if (month > 0) {
                CHECK_INT(begin, before);
            }
            before = end;
        }
    }
}

TEST("an instant lies in the month that the zone's calendar shows")
{
    struct error e = {0};
    int64_t at = 0;
    int year = 0, month = 0;
    CHECK(clock_parse("2026-12-31T23:30:00Z", &at));
    CHECK_INT(zone_month_of("Europe/Berlin", at, &year, &month, &e), 0);
    CHECK_INT(year, 2027);
    CHECK_INT(month, 1);
    CHECK_INT(zone_month_of("America/New_York", at, &year, &month, &e), 0);
    CHECK_INT(year, 2026);
    CHECK_INT(month, 12);
}

TEST("what is no zone is refused")
{
    static const char *const bad[] = {"", "Mars/Base", "../../etc/passwd", "/etc/passwd", "Europe"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error e = {0};
        int64_t begin, end;
        CHECK_INT(zone_month(bad[i], 2026, 1, &begin, &end, &e), ERR_INVALID);
    }
}
