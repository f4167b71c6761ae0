/* RFC 4648 base64, in. Line breaks and blanks between the digits are allowed, as tools put them there. Pure. */
#pragma once
#include "common/strbuf.h"
#include <stdbool.h>

/* Appends the bytes; false when it is not base64. */
bool base64_decode(const char *text, struct strbuf *ret);
