/* Loads that are measured now and then, smoothed exponentially: old samples fade with a time constant. Pure. */
#pragma once
#include <stdint.h>

#define LOAD_FADE_US ((int64_t)300 * 1000000) /* a sample that holds for so long counts one half */

/* The smoothed value after `fresh`, which holds for the last `span_us`; `old` below 0: there was none. */
int64_t load_smooth(int64_t old, int64_t fresh, int64_t span_us);
/* Thousandths of a processor that were in use while a counter of nanoseconds grew. */
int64_t load_cpu_milli(int64_t grown_ns, int64_t span_us);
