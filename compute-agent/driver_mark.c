/* A file beside the identity holds the driver's name. */
#include "compute-agent/driver_mark.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int driver_mark_check(const char *folder, const char *driver, struct error *e)
{
    struct strbuf path, had;
    int code = 0;
    strbuf_init(&path, 0);
    strbuf_init(&had, 64);
    strbuf_appendf(&path, "%s/driver", folder);
    if (access(path.data, F_OK) != 0)
        code = file_replace(path.data, driver, strlen(driver), 0644, e);
    else
        code = file_read(path.data, &had, e);
    if (!code && had.size && strcmp(had.data, driver) != 0)
        code = error_set(e, ERR_INVALID,
                         "hypervisor_uri is of %s, but this host's servers are %s's: each hypervisor is a host of its "
                         "own, with a state_dir of its own (if none of its servers is left, remove %s)",
                         driver, had.data, path.data);
    strbuf_done(&path);
    strbuf_done(&had);
    return code;
}

void driver_mark_forget(const char *folder)
{
    char *path = strbuf_print("%s/driver", folder);
    unlink(path);
    free(path);
}
