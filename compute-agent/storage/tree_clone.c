/* The order is: the clone's users, whose the files are on the disk, the volume, and last the link that says that all is
 * there; each on disk before the next. */
#include "compute-agent/storage/tree_clone.h"
#include "common/strbuf.h"
#include "compute-agent/storage/file_copy.h"
#include "compute-agent/storage/id_range.h"
#include "compute-agent/storage/tree.h"
#include "compute-agent/storage/tree_copy.h"
#include "compute-agent/storage/tree_flatten.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tree_clone_volume(const char *from, const char *to, const atomic_bool *stop, struct error *e)
{
    char *volume = strbuf_print("%s/" TREE_LAYER_FILE, to), *part = strbuf_print("%s.part", volume);
    unlink(part);
    int code = tree_copy(from, part, stop, e);
    code = code ? code : file_copy_publish(part, volume, e);
    if (code)
        unlink(part);
    free(volume);
    free(part);
    return code;
}

int tree_clone(const char *instances, const char *from, const char *to, const atomic_bool *stop, struct error *e)
{
    char *base = NULL;
    uid_t first, owners = tree_owners(from);
    if (tree_base(to, &base)) {
        free(base);
        return 0;
    }
    if (!owners || !tree_base(from, &base))
        return error_set(e, ERR_NOT_FOUND, "The files of the server to be cloned are missing on its host");
    int code = id_range_take(instances, to, &first, e);
    code = code ? code : id_range_write(to, TREE_OWNERS, owners, e);
    code = code ? code : tree_clone_volume(from, to, stop, e);
    code = code ? code : tree_flatten_inherit(from, to, e);
    code = code ? code : tree_link(to, base, e);
    code = code ? code : file_copy_sync(to, e);
    free(base);
    return code;
}
