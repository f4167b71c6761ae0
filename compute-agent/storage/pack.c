/* qemu-img does it: it sees what is empty by the file system's map, and by looking at what is not. */
#include "compute-agent/storage/pack.h"
#include "common/child.h"
#include "common/strbuf.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACK_MS ((int64_t)3600 * 1000)

static int pack_convert(const char *from_format, const char *from, const char *to_format, const char *to,
                        struct error *e)
{
    struct strbuf partial;
    strbuf_init(&partial, 0);
    strbuf_appendf(&partial, "%s.part", to);
    const char *argv[] = {"qemu-img", "convert",   "-q", "-f", from_format,  "-O", to_format,
                          "-t",       "writeback", "--", from, partial.data, NULL};
    struct child child = {.argv = argv, .deadline_ms = PACK_MS};
    int code = child_run(&child, NULL, e);
    if (!code && rename(partial.data, to))
        code = error_set(e, ERR_IO, "%s: %s", to, strerror(errno));
    if (code)
        unlink(partial.data);
    strbuf_done(&partial);
    return code;
}

static bool pack_is_current(const char *packed, const char *disk)
{
    struct stat p, d;
    return stat(packed, &p) == 0 && stat(disk, &d) == 0 &&
           (p.st_mtim.tv_sec > d.st_mtim.tv_sec ||
            (p.st_mtim.tv_sec == d.st_mtim.tv_sec && p.st_mtim.tv_nsec > d.st_mtim.tv_nsec));
}

int pack_make(const char *disk, struct error *e)
{
    struct strbuf packed;
    strbuf_init(&packed, 0);
    strbuf_appendf(&packed, "%s" PACK_SUFFIX, disk);
    int code = pack_is_current(packed.data, disk) ? 0 : pack_convert("raw", disk, "qcow2", packed.data, e);
    strbuf_done(&packed);
    return code;
}

void pack_remove(const char *disk)
{
    struct strbuf packed;
    strbuf_init(&packed, 0);
    strbuf_appendf(&packed, "%s" PACK_SUFFIX, disk);
    unlink(packed.data);
    strbuf_done(&packed);
}

int pack_open(const char *packed, const char *disk, struct error *e)
{
    return pack_convert("qcow2", packed, "raw", disk, e);
}
