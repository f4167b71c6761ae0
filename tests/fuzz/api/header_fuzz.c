/* The header readers: no value makes them read beyond it, and a range lies inside. */
#include "api/http/header.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size < 2)
        return 0;
    int64_t total = data[0] * data[1], from = -1, bytes = -1;
    char *text = strndup((const char *)data + 2, size - 2);
    if (header_read_range(text, total, &from, &bytes) == HEADER_RANGE_GIVEN)
        assert(from >= 0 && bytes >= 1 && from + bytes <= total);
    else
        assert(from == -1 && bytes == -1);
    header_accepts_json(text);
    header_accepts_gzip(text);
    header_read_media(text);
    assert(!header_is_request_id(text) || strlen(text) == 40);
    assert(header_read_length(text) >= -1);
    assert(!header_is_key(text) || strlen(text) <= 255);
    free(text);
    return 0;
}
