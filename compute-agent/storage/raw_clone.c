/* The guest goes on before the copy gets its name: whoever finds it by that name has nothing left to do. */
#include "compute-agent/storage/raw_clone.h"
#include "common/strbuf.h"
#include "compute-agent/storage/file_copy.h"
#include <stdlib.h>
#include <unistd.h>

#define RAW_CLONE_MS ((int64_t)6 * 3600 * 1000)

/* Whether the copy was made or not, the guest goes on. */
static int raw_clone_still(const char *from, const char *to, const struct raw_clone_guest *guest,
                           const atomic_bool *stop, struct error *e)
{
    int code = guest ? guest->stop(guest->arg) : 0;
    if (code)
        return code;
    code = file_copy_bytes(from, to, RAW_CLONE_MS, stop, e);
    int last = guest ? guest->go_on(guest->arg) : 0;
    return code ? code : last;
}

int raw_clone_copy(const char *from, const char *to, const struct raw_clone_guest *guest, const atomic_bool *stop,
                   struct error *e)
{
    unlink(to);
    int code = access(from, F_OK) ? error_set(e, ERR_NOT_FOUND, "The server's disk is missing on its host") : 0;
    if (!code && !file_copy_share(from, to))
        code = raw_clone_still(from, to, guest, stop, e);
    if (code)
        unlink(to);
    return code;
}

int raw_clone(const char *from, const char *to, const struct raw_clone_guest *guest, const atomic_bool *stop,
              struct error *e)
{
    if (access(to, F_OK) == 0)
        return 0;
    char *part = strbuf_print("%s.part", to);
    int code = raw_clone_copy(from, part, guest, stop, e);
    code = code ? code : file_copy_publish(part, to, e);
    if (code)
        unlink(part);
    free(part);
    return code;
}
