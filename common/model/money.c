/* Money: decimal text and one rounding division. */
#include "common/model/money.h"
#include <stdio.h>
#include <string.h>

#define MONEY_DECIMALS 9

static bool read_digits(const char **text, int most, int64_t *value, int *count)
{
    for (*count = 0; **text >= '0' && **text <= '9'; (*text)++, (*count)++) {
        if (*count == most) {
            return false;
        }
        *value = *value * 10 + (**text - '0');
    }
    return *count > 0;
}

bool money_parse(const char *text, int64_t *ret_nano)
{
    bool negative = *text == '-';
    int64_t whole = 0, fraction = 0;
    int count;
    text += negative;
    if (!read_digits(&text, MONEY_DECIMALS, &whole, &count)) {
        return false;
    }
    if (*text == '.') {
        text++;
        if (!read_digits(&text, MONEY_DECIMALS, &fraction, &count)) {
            return false;
        }
        for (; count < MONEY_DECIMALS; count++) {
            fraction *= 10;
        }
    }
    if (*text) {
        return false;
    }
    int64_t nano = whole * MONEY_UNIT + fraction;
    *ret_nano = negative ? -nano : nano;
    return true;
}

char *money_text(int64_t nano, char ret[MONEY_TEXT_SIZE])
{
    uint64_t amount = nano < 0 ? 0 - (uint64_t)nano : (uint64_t)nano;
    int used = snprintf(ret, MONEY_TEXT_SIZE, "%s%llu.%09llu", nano < 0 ? "-" : "",
                        (unsigned long long)(amount / (uint64_t)MONEY_UNIT),
                        (unsigned long long)(amount % (uint64_t)MONEY_UNIT));
    while (ret[used - 1] == '0') {
        ret[--used] = '\0';
    }
    if (ret[used - 1] == '.') {
        ret[--used] = '\0';
    }
    return ret;
}

int64_t money_divide(__int128 numerator, int64_t denominator)
{
    __int128 quotient = numerator / denominator, rest = numerator % denominator;
    __int128 twice = (rest < 0 ? -rest : rest) * 2;
    if (twice > denominator || (twice == denominator && quotient % 2 != 0)) {
        quotient += numerator < 0 ? -1 : 1;
    }
    if (quotient > INT64_MAX) {
        return INT64_MAX;
    }
    return quotient < INT64_MIN ? INT64_MIN : (int64_t)quotient;
}
