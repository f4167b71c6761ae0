/* dlopen counts how often a library was loaded and gives the same one again, so nothing needs to be remembered here. */
#include "common/library.h"
#include "common/memory.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

int library_load(const char *file, const char *const *names, size_t count, void *ret_functions, struct error *e)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(e, ERR_UNAVAILABLE, "a library that is needed here is not installed: %s", dlerror());
    void **found = memory_array(count, sizeof(*found));
    int rc = 0;
    for (size_t i = 0; i < count && !rc; i++) {
        found[i] = dlsym(library, names[i]);
        if (!found[i])
            rc = error_set(e, ERR_UNAVAILABLE, "%s has no %s: it is too old or too new", file, names[i]);
    }
    if (!rc)
        memcpy(ret_functions, found, count * sizeof(*found));
    else
        dlclose(library);
    free(found);
    return rc;
}
