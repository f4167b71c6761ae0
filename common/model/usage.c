/* Rating arithmetic. Sums stay exact in 128 bits until a line is made of them, so that the order of intervals and where
 * they are cut do not matter. */
#include "common/model/usage.h"
#include "common/model/money.h"
#include <string.h>

static const struct {
    const char *name, *unit;
} resources[USAGE_RESOURCE_COUNT] = {
    [USAGE_SERVER] = {"server", "server*h"},
    [USAGE_VCPU] = {"vcpu", "vcpu*h"},
    [USAGE_MEMORY_MIB] = {"memory_mib", "MiB*h"},
    [USAGE_DISK_GIB] = {"disk_gib", "GiB*h"},
};

int64_t usage_within(const struct usage_interval *i, int64_t from_us, int64_t to_us)
{
    int64_t begin = i->begin_us > from_us ? i->begin_us : from_us;
    int64_t end = i->end_us < to_us ? i->end_us : to_us;
    return end > begin ? end - begin : 0;
}

const char *usage_resource_name(enum usage_resource r)
{
    return resources[r].name;
}

const char *usage_resource_unit(enum usage_resource r)
{
    return resources[r].unit;
}

int usage_resource_parse(const char *text)
{
    for (int r = 0; r < USAGE_RESOURCE_COUNT; r++) {
        if (strcmp(resources[r].name, text) == 0) {
            return r;
        }
    }
    return -1;
}

int64_t usage_units(const struct usage_interval *i, enum usage_resource r)
{
    switch (r) {
    case USAGE_SERVER:
        return 1;
    case USAGE_VCPU:
        return i->vcpus;
    case USAGE_MEMORY_MIB:
        return i->memory_mib;
    case USAGE_DISK_GIB:
        return i->disk_gib;
    case USAGE_RESOURCE_COUNT:
        break;
    }
    return 0;
}

int64_t usage_price_of(const struct usage_book *book, const struct usage_interval *i, enum usage_resource r)
{
    for (size_t k = 0; k < book->count; k++) {
        const struct usage_price *p = &book->prices[k];
        bool flavor = !p->flavor[0] || strcmp(p->flavor, i->flavor) == 0;
        if (p->resource == r && flavor && (p->states & (1u << i->state))) {
            return p->nano_per_hour;
        }
    }
    return 0;
}

void usage_add(struct usage_sum *sum, const struct usage_interval *i, enum usage_resource r, int64_t from_us,
               int64_t to_us, const struct usage_book *books, size_t count)
{
    int64_t units = usage_units(i, r);
    sum->unit_us += (__int128)units * usage_within(i, from_us, to_us);
    for (size_t k = 0; k < count; k++) {
        int64_t begin = books[k].from_us > from_us ? books[k].from_us : from_us;
        int64_t end = k + 1 < count && books[k + 1].from_us < to_us ? books[k + 1].from_us : to_us;
        if (end <= begin) {
            continue;
        }
        int64_t price = usage_price_of(&books[k], i, r);
        sum->charge += (__int128)units * usage_within(i, begin, end) * price;
    }
}

int64_t usage_charge_nano(const struct usage_sum *sum)
{
    return money_divide(sum->charge, USAGE_HOUR_US);
}

int64_t usage_quantity_micro(const struct usage_sum *sum)
{
    return money_divide(sum->unit_us, USAGE_HOUR_US / 1000000);
}
