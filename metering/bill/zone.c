/* Zones. A file is a header and a block of 32-bit times, then the same with 64 bits, which are read: transitions, the
 * kind of time that each begins, and the kinds' offsets. */
#include "metering/bill/zone.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FOLDER      "/usr/share/zoneinfo/"
#define HEADER_SIZE 44
#define KIND_SIZE   6

struct zone {
    struct strbuf file;
    const unsigned char *times, *indexes, *kinds;
    size_t time_count, kind_count;
};

static uint64_t number(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

/* The counts of a header: UTC flags, standard flags, leap seconds, transitions, kinds, characters. */
static void read_counts(const unsigned char *header, size_t counts[6])
{
    for (size_t i = 0; i < 6; i++) {
        counts[i] = number(header + 20 + 4 * i, 4);
    }
}

static bool lay_out(struct zone *z)
{
    const unsigned char *data = (const unsigned char *)z->file.data;
    size_t counts[6], at;
    if (z->file.size < 2 * HEADER_SIZE || memcmp(data, "TZif", 4) != 0 || data[4] < '2') {
        return false;
    }
    read_counts(data, counts);
    at = HEADER_SIZE + counts[3] * 5 + counts[4] * KIND_SIZE + counts[5] + counts[2] * 8 + counts[1] + counts[0];
    if (z->file.size < at + HEADER_SIZE) {
        return false;
    }
    read_counts(data + at, counts);
    z->time_count = counts[3];
    z->kind_count = counts[4];
    z->times = data + at + HEADER_SIZE;
    z->indexes = z->times + 8 * z->time_count;
    z->kinds = z->indexes + z->time_count;
    return z->kind_count > 0 && z->file.size >= at + HEADER_SIZE + z->time_count * 9 + z->kind_count * KIND_SIZE;
}

static int load(struct zone *z, const char *timezone, struct error *e)
{
    char path[256];
    memset(z, 0, sizeof(*z));
    strbuf_init(&z->file, 1 << 20);
    if (strcmp(timezone, "UTC") == 0) {
        return 0;
    }
    int size = snprintf(path, sizeof(path), FOLDER "%s", timezone);
    if (!*timezone || strstr(timezone, "..") || *timezone == '/' || size >= (int)sizeof(path) ||
        file_read(path, &z->file, NULL) || !lay_out(z)) {
        strbuf_done(&z->file);
        return error_set(e, ERR_INVALID, "\"%s\" is not a time zone that this machine knows", timezone);
    }
    return 0;
}

/* Seconds east of Greenwich at an instant (seconds since 1970). */
static int64_t offset_at(const struct zone *z, int64_t at)
{
    size_t low = 0, high = z->time_count;
    if (z->kind_count == 0) {
        return 0;
    }
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((int64_t)number(z->times + 8 * middle, 8) <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t kind = low > 0 ? z->indexes[low - 1] : 0;
    return kind < z->kind_count ? (int32_t)number(z->kinds + kind * KIND_SIZE, 4) : 0;
}

/* The instant at which the first of the month begins; of two, the earlier; of a skipped midnight, what follows it. */
static int64_t month_begin(const struct zone *z, int year, int month)
{
    char text[32];
    int64_t local = 0;
    year += (month - 1) / 12;
    month = (month - 1) % 12 + 1;
    snprintf(text, sizeof(text), "%04d-%02d-01T00:00:00", year, month);
    clock_parse(text, &local);
    local /= CLOCK_SECOND_US;
    int64_t early = local - offset_at(z, local - 86400), late = local - offset_at(z, local + 86400);
    int64_t at = early + offset_at(z, early) == local ? early : late;
    if (early + offset_at(z, early) == local && late + offset_at(z, late) == local && late < early) {
        at = late;
    }
    return (at + offset_at(z, at) == local ? at : early) * CLOCK_SECOND_US;
}

int zone_month(const char *timezone, int year, int month, int64_t *ret_from_us, int64_t *ret_to_us, struct error *e)
{
    struct zone z;
    int rc = load(&z, timezone, e);
    if (!rc) {
        *ret_from_us = month_begin(&z, year, month);
        *ret_to_us = month_begin(&z, year, month + 1);
        strbuf_done(&z.file);
    }
    return rc;
}

int zone_month_of(const char *timezone, int64_t at_us, int *ret_year, int *ret_month, struct error *e)
{
    struct zone z;
    char text[CLOCK_TEXT_SIZE];
    int rc = load(&z, timezone, e);
    if (!rc) {
        clock_text(at_us + offset_at(&z, at_us / CLOCK_SECOND_US) * CLOCK_SECOND_US, CLOCK_ISO, text);
        sscanf(text, "%4d-%2d", ret_year, ret_month);
        strbuf_done(&z.file);
    }
    return rc;
}
