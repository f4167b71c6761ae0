/* The heap, for objects that outlive a request: never NULL, out of memory aborts (operations resume from their leases).
 * Release with free(). */
#pragma once
#include <stddef.h>

/* Zeroed memory. */
void *memory_new(size_t size);
/* `count` items of `size` bytes, zeroed; a product that overflows aborts. */
void *memory_array(size_t count, size_t size);
/* As realloc; what grew is not zeroed. */
void *memory_resize(void *old, size_t size);
/* A copy; NULL gives NULL. */
char *memory_strdup(const char *text);
