/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Bytes (1 to 4) of the valid character at `text`, of which `size` bytes are there; 0 when there is none. */
size_t utf8_step(const char *text, size_t size);
bool utf8_valid(const char *text, size_t size);
/* Characters in valid text. */
size_t utf8_count(const char *text, size_t size);
