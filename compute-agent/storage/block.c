/* losetup does the work. A file has one device at most (--nooverlap), so nothing needs to be remembered: after a
 * restart of the agent the same call finds the same device, after one of the host it makes a new one. */
#include "compute-agent/storage/block.h"
#include "common/child.h"
#include "common/strbuf.h"
#include "compute-agent/xml/domain_xml.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_DEADLINE_MS 20000

static const struct {
    const char *file;
    bool read_only;
} block_files[] = {{DOMAIN_XML_RAW_ROOT, false},
                   {DOMAIN_XML_RAW_EPHEMERAL, false},
                   {DOMAIN_XML_RAW_SWAP, false},
                   {DOMAIN_XML_CONFIG, true}};
#define BLOCK_FILE_COUNT (sizeof(block_files) / sizeof(block_files[0]))

/* The link is changed in one step: a start that comes between finds the old one or the new one. */
static int block_link(const char *device, const char *link, struct error *e)
{
    struct strbuf partial;
    strbuf_init(&partial, 0);
    strbuf_appendf(&partial, "%s.part", link);
    unlink(partial.data);
    int code = symlink(device, partial.data) || rename(partial.data, link)
                   ? error_set(e, ERR_IO, "%s: %s", link, strerror(errno))
                   : 0;
    strbuf_done(&partial);
    return code;
}

static void block_drop(const char *device)
{
    const char *argv[] = {"losetup", "--detach", device, NULL};
    struct child child = {.argv = argv, .deadline_ms = BLOCK_DEADLINE_MS};
    child_run(&child, NULL, NULL);
}

/* The file has been made anew: the device of the one before, which nobody finds by its name any more, is given back.
 */
static void block_drop_old(const char *path, const char *link, const char *device)
{
    char old[64];
    ssize_t size = readlink(link, old, sizeof(old) - 1);
    if (size < 0)
        return;
    old[size] = 0;
    const char *argv[] = {"losetup", "--output", "BACK-FILE", "--noheadings", old, NULL};
    struct child child = {.argv = argv, .deadline_ms = BLOCK_DEADLINE_MS};
    struct strbuf file;
    strbuf_init(&file, 0);
    if (strcmp(old, device) != 0 && child_run(&child, &file, NULL) == 0 && strncmp(file.data, path, strlen(path)) == 0)
        block_drop(old);
    strbuf_done(&file);
}

static int block_attach_one(const char *path, bool read_only, const char *link, struct error *e)
{
    const char *argv[] = {"losetup", "--find", "--show", "--nooverlap", path, read_only ? "--read-only" : NULL, NULL};
    struct child child = {.argv = argv, .deadline_ms = BLOCK_DEADLINE_MS};
    struct strbuf device;
    strbuf_init(&device, 0);
    int code = child_run(&child, &device, e);
    if (!code) {
        device.data[strcspn(device.data, "\n")] = 0;
        block_drop_old(path, link, device.data);
        code = strncmp(device.data, "/dev/", 5) == 0 ? block_link(device.data, link, e)
                                                     : error_set(e, ERR_IO, "losetup names no device for %s", path);
    }
    strbuf_done(&device);
    return code;
}

int block_attach(const char *folder, struct error *e)
{
    int code = 0;
    for (size_t i = 0; i < BLOCK_FILE_COUNT && !code; i++) {
        struct strbuf path, link;
        strbuf_init(&path, 0);
        strbuf_init(&link, 0);
        strbuf_appendf(&path, "%s/%s", folder, block_files[i].file);
        strbuf_appendf(&link, "%s" DOMAIN_XML_BLOCK_SUFFIX, path.data);
        if (access(path.data, F_OK) == 0)
            code = block_attach_one(path.data, block_files[i].read_only, link.data, e);
        strbuf_done(&path);
        strbuf_done(&link);
    }
    return code;
}

static void block_detach_one(const char *path)
{
    const char *find[] = {"losetup", "--associated", path, "--output", "NAME", "--noheadings", NULL};
    struct child child = {.argv = find, .deadline_ms = BLOCK_DEADLINE_MS};
    struct strbuf device;
    strbuf_init(&device, 0);
    if (child_run(&child, &device, NULL) == 0 && strncmp(device.data, "/dev/", 5) == 0) {
        device.data[strcspn(device.data, " \n")] = 0;
        block_drop(device.data);
    }
    strbuf_done(&device);
}

void block_detach(const char *folder)
{
    for (size_t i = 0; i < BLOCK_FILE_COUNT; i++) {
        struct strbuf path, link;
        strbuf_init(&path, 0);
        strbuf_init(&link, 0);
        strbuf_appendf(&path, "%s/%s", folder, block_files[i].file);
        strbuf_appendf(&link, "%s" DOMAIN_XML_BLOCK_SUFFIX, path.data);
        if (unlink(link.data) == 0)
            block_detach_one(path.data);
        strbuf_done(&path);
        strbuf_done(&link);
    }
}
