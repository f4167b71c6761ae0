/* Money and prices as integers. Amounts are in nano-units of the currency (1,000,000,000 are 1 EUR), products in 128
 * bits, rounding happens once, half to even, where a line of a bill is made. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define MONEY_UNIT ((int64_t)1000000000)

/* Reads "12", "0.005", "-3.25": at most 9 decimals. False for anything else or out of range. */
bool money_parse(const char *text, int64_t *ret_nano);
/* "0.005", "12.5", "0": shortest exact form. Returns ret. */
#define MONEY_TEXT_SIZE 32
char *money_text(int64_t nano, char ret[MONEY_TEXT_SIZE]);
/* numerator / denominator rounded half to even; denominator > 0. Saturates at the range of int64_t. */
int64_t money_divide(__int128 numerator, int64_t denominator);
