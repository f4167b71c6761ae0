/* Shared libraries of others that a program needs only where it is set up so: they are loaded when they are first used,
 * so that nobody else carries them and what they depend on. */
#pragma once
#include "common/error.h"
#include <stddef.h>

/* Loads `file` (its soname, searched as the linker would) and finds `count` functions in it by name. `ret_functions` is
 * an array of as many pointers to functions, or a struct of nothing else. The library stays for as long as the process
 * lives. ERR_UNAVAILABLE, and nothing is changed, when the library or one of the functions is not there: the text says
 * which. Any thread; may be called again. */
int library_load(const char *file, const char *const *names, size_t count, void *ret_functions, struct error *e);
