/* Two clocks, one fake that replaces both, and the calendar (Gregorian, proleptic) computed by hand: no locale, no time
 * zone, no lock. */
#include "common/clock.h"
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

static atomic_bool clock_is_fake;
static _Atomic int64_t clock_fake_us;

static int64_t clock_read(clockid_t id)
{
    if (atomic_load_explicit(&clock_is_fake, memory_order_relaxed))
        return atomic_load(&clock_fake_us);
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * CLOCK_SECOND_US + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return clock_read(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

void clock_fake(int64_t now_us)
{
    atomic_store(&clock_fake_us, now_us);
    atomic_store(&clock_is_fake, true);
}

void clock_advance(int64_t delta_us)
{
    atomic_fetch_add(&clock_fake_us, delta_us);
}

void clock_real(void)
{
    atomic_store(&clock_is_fake, false);
}

/* Days since 1970-01-01 and back: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static int64_t clock_days(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void clock_civil(int64_t days, int64_t *ret_year, int64_t *ret_month, int64_t *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *ret_day = of_year - (153 * shifted + 2) / 5 + 1;
    *ret_month = shifted < 10 ? shifted + 3 : shifted - 9;
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

static char *clock_two(char *at, uint32_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    memcpy(at, pairs + 2 * (size_t)value, 2);
    return at + 2;
}

static char *clock_date(char *at, int64_t days)
{
    int64_t year, month, day;
    clock_civil(days, &year, &month, &day);
    at = clock_two(at, (uint32_t)year / 100);
    at = clock_two(at, (uint32_t)year % 100);
    *at++ = '-';
    at = clock_two(at, (uint32_t)month);
    *at++ = '-';
    return clock_two(at, (uint32_t)day);
}

char *clock_text(int64_t us, enum clock_form form, char ret[CLOCK_TEXT_SIZE])
{
    static const int64_t first = -62167219200 * CLOCK_SECOND_US, last = 253402300800 * CLOCK_SECOND_US - 1;
    us = us < first ? first : us > last ? last : us; /* the years 0000 to 9999, which is what the forms can say */
    int64_t day_us = 86400 * CLOCK_SECOND_US;
    int64_t days = us / day_us - (us % day_us < 0), rest = us - days * day_us;
    uint32_t seconds = (uint32_t)(rest / CLOCK_SECOND_US), micro = (uint32_t)(rest % CLOCK_SECOND_US);

    char *at = clock_date(ret, days);
    *at++ = 'T';
    at = clock_two(at, seconds / 3600);
    *at++ = ':';
    at = clock_two(at, seconds / 60 % 60);
    *at++ = ':';
    at = clock_two(at, seconds % 60);
    if (form == CLOCK_ISO_MICRO || form == CLOCK_ISO_MICRO_Z) {
        *at++ = '.';
        at = clock_two(at, micro / 10000);
        at = clock_two(at, micro / 100 % 100);
        at = clock_two(at, micro % 100);
    }
    if (form == CLOCK_ISO_Z || form == CLOCK_ISO_MICRO_Z)
        *at++ = 'Z';
    *at = 0;
    return ret;
}

/* Exactly `width` digits at *at; moves it past them. */
static bool clock_number(const char **at, int width, int64_t low, int64_t high, int64_t *ret)
{
    int64_t value = 0;
    for (int i = 0; i < width; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    if (value < low || value > high)
        return false;
    *at += width;
    *ret = value;
    return true;
}

static bool clock_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static bool clock_parse_date(const char **at, int64_t *ret_days)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    if (!clock_number(at, 4, 0, 9999, &year) || !clock_char(at, '-') || !clock_number(at, 2, 1, 12, &month) ||
        !clock_char(at, '-') || !clock_number(at, 2, 1, 31, &day))
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (month == 2 && leap))
        return false;
    *ret_days = clock_days(year, month, day);
    return true;
}

/* HH:MM, then :SS and a fraction of which six digits count. */
static bool clock_parse_time(const char **at, int64_t *ret_us)
{
    int64_t hours, minutes, seconds = 0, fraction = 0;
    if (!clock_number(at, 2, 0, 23, &hours) || !clock_char(at, ':') || !clock_number(at, 2, 0, 59, &minutes))
        return false;
    if (clock_char(at, ':')) {
        if (!clock_number(at, 2, 0, 59, &seconds))
            return false;
        if (clock_char(at, '.')) {
            int64_t unit = CLOCK_SECOND_US, digit;
            if (**at < '0' || **at > '9')
                return false;
            while (clock_number(at, 1, 0, 9, &digit))
                fraction += digit * (unit /= 10);
        }
    }
    *ret_us = ((hours * 60 + minutes) * 60 + seconds) * CLOCK_SECOND_US + fraction;
    return true;
}

/* Z, +HH:MM, +HHMM, +HH or nothing. */
static bool clock_parse_offset(const char **at, int64_t *ret_us)
{
    *ret_us = 0;
    if (!**at || clock_char(at, 'Z'))
        return true;
    int64_t sign = **at == '-' ? -1 : 1, hours, minutes = 0;
    if (!clock_char(at, '+') && !clock_char(at, '-'))
        return false;
    if (!clock_number(at, 2, 0, 23, &hours))
        return false;
    if (**at && ((clock_char(at, ':') && !**at) || !clock_number(at, 2, 0, 59, &minutes)))
        return false;
    *ret_us = sign * (hours * 60 + minutes) * 60 * CLOCK_SECOND_US;
    return true;
}

bool clock_parse(const char *text, int64_t *ret_us)
{
    int64_t days, time_us = 0, offset_us = 0;
    if (!text || !clock_parse_date(&text, &days))
        return false;
    if (*text) {
        if (!clock_char(&text, 'T') && !clock_char(&text, ' '))
            return false;
        if (!clock_parse_time(&text, &time_us) || !clock_parse_offset(&text, &offset_us) || *text)
            return false;
    }
    *ret_us = days * 86400 * CLOCK_SECOND_US + time_us - offset_us;
    return true;
}
