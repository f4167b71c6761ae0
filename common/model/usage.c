/* Time within a period. */
#include "common/model/usage.h"

int64_t usage_within(const struct usage_interval *i, int64_t from_us, int64_t to_us)
{
    int64_t begin = i->begin_us > from_us ? i->begin_us : from_us;
    int64_t end = i->end_us < to_us ? i->end_us : to_us;
    return end > begin ? end - begin : 0;
}
