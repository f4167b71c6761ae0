/* A weight of span / (span + fade) needs no exponential and is the same to a few percent for short spans. */
#include "common/model/load.h"

int64_t load_smooth(int64_t old, int64_t fresh, int64_t span_us)
{
    if (old < 0)
        return fresh;
    if (span_us <= 0)
        return old;
    int64_t difference = fresh - old, span_ms = span_us / 1000 + 1, fade_ms = LOAD_FADE_US / 1000;
    int64_t step = difference * span_ms / (span_ms + fade_ms);
    if (step == 0 && difference != 0) /* it gets there in the end */
        step = difference > 0 ? 1 : -1;
    return old + step;
}

int64_t load_cpu_milli(int64_t grown_ns, int64_t span_us)
{
    return span_us > 0 && grown_ns > 0 ? grown_ns / span_us : 0;
}
