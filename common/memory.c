/* The heap that does not fail: what the allocator refuses ends the process, because no caller could do better. */
#include "common/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *memory_check(void *p, size_t size)
{
    if (p)
        return p;
    fprintf(stderr, "out of memory (%zu bytes)\n", size);
    abort();
}

void *memory_new(size_t size)
{
    return memory_check(calloc(1, size ? size : 1), size);
}

void *memory_array(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = (size_t)-1;
    return memory_check(bytes == (size_t)-1 ? NULL : calloc(1, bytes ? bytes : 1), bytes);
}

void *memory_resize(void *old, size_t size)
{
    return memory_check(realloc(old, size ? size : 1), size);
}

char *memory_strdup(const char *text)
{
    return text ? memory_check(strdup(text), strlen(text)) : NULL;
}
