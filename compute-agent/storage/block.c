/* losetup does the work. A file has one device at most (--nooverlap), so nothing needs to be remembered: after a
 * restart of the agent the same call finds the same device, after one of the host it makes a new one. */
#include "compute-agent/storage/block.h"
#include "common/child.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "compute-agent/xml/domain_xml.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BLOCK_DEADLINE_MS 20000
#define BLOCK_DEVICE_SIZE 64

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

/* False: there is no such link. */
static bool block_read_link(const char *link, char ret[BLOCK_DEVICE_SIZE])
{
    ssize_t size = readlink(link, ret, BLOCK_DEVICE_SIZE - 1);
    ret[size > 0 ? size : 0] = '\0';
    return size > 0;
}

/* The file has been made anew: the device of the one before, which nobody finds by its name any more, is given back.
 */
static void block_drop_old(const char *path, const char *link, const char *device)
{
    char old[BLOCK_DEVICE_SIZE];
    if (!block_read_link(link, old))
        return;
    const char *argv[] = {"losetup", "--output", "BACK-FILE", "--noheadings", old, NULL};
    struct child child = {.argv = argv, .deadline_ms = BLOCK_DEADLINE_MS};
    struct strbuf file;
    strbuf_init(&file, 0);
    if (strcmp(old, device) != 0 && child_run(&child, &file, NULL) == 0 && strncmp(file.data, path, strlen(path)) == 0)
        block_drop(old);
    strbuf_done(&file);
}

/* A device that was there before has the size that the file had then; one that guests have cannot be told, nor need it.
 */
static void block_fit(const char *device)
{
    int fd = open(device, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && ioctl(fd, LOOP_SET_CAPACITY, 0) < 0)
        log_warn("a loop device keeps its size", "device=%s error=%s", device, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* tmpfs and some others do not know O_DIRECT. */
static bool block_can_direct(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int block_attach_one(const char *path, bool read_only, const char *link, struct error *e)
{
    const char *cache = block_can_direct(path) ? "--direct-io=on" : "--direct-io=off";
    const char *argv[] = {"losetup", "--find", "--show", "--nooverlap", cache, path, read_only ? "--read-only" : NULL,
                          NULL};
    struct child child = {.argv = argv, .deadline_ms = BLOCK_DEADLINE_MS};
    struct strbuf device;
    strbuf_init(&device, 0);
    int code = child_run(&child, &device, e);
    if (!code) {
        device.data[strcspn(device.data, "\n")] = 0;
        block_drop_old(path, link, device.data);
        block_fit(device.data);
        code = strncmp(device.data, "/dev/", 5) == 0 ? block_link(device.data, link, e)
                                                     : error_set(e, ERR_IO, "losetup names no device for %s", path);
    }
    strbuf_done(&device);
    return code;
}

/* One of the files that a folder may have. */
struct block {
    struct strbuf path, link;
    bool read_only;
};

static void block_begin(struct block *b, size_t number, const char *folder, const char *host_id)
{
    b->read_only = block_files[number].read_only;
    strbuf_init(&b->path, 0);
    strbuf_init(&b->link, 0);
    strbuf_appendf(&b->path, "%s/%s", folder, block_files[number].file);
    strbuf_appendf(&b->link, "%s" DOMAIN_XML_BLOCK_SUFFIX "%s", b->path.data, host_id);
}

static void block_end(struct block *b)
{
    strbuf_done(&b->path);
    strbuf_done(&b->link);
}

int block_attach(const char *folder, const char *host_id, struct error *e)
{
    int code = 0;
    for (size_t i = 0; i < BLOCK_FILE_COUNT && !code; i++) {
        struct block b;
        block_begin(&b, i, folder, host_id);
        if (access(b.path.data, F_OK) == 0)
            code = block_attach_one(b.path.data, b.read_only, b.link.data, e);
        block_end(&b);
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

void block_detach(const char *folder, const char *host_id)
{
    for (size_t i = 0; i < BLOCK_FILE_COUNT; i++) {
        struct block b;
        block_begin(&b, i, folder, host_id);
        if (unlink(b.link.data) == 0)
            block_detach_one(b.path.data);
        block_end(&b);
    }
}

static bool block_is_direct_one(const char *link)
{
    char device[BLOCK_DEVICE_SIZE];
    const char *argv[] = {"losetup", "--output", "DIO", "--noheadings", device, NULL};
    struct child child = {.argv = argv, .deadline_ms = BLOCK_DEADLINE_MS};
    struct strbuf said;
    strbuf_init(&said, 0);
    bool direct = block_read_link(link, device) && child_run(&child, &said, NULL) == 0 && strchr(said.data, '1');
    strbuf_done(&said);
    return direct;
}

bool block_is_direct(const char *folder, const char *host_id)
{
    bool direct = true;
    for (size_t i = 0; i < BLOCK_FILE_COUNT && direct; i++) {
        struct block b;
        block_begin(&b, i, folder, host_id);
        if (!b.read_only && access(b.path.data, F_OK) == 0)
            direct = block_is_direct_one(b.link.data);
        block_end(&b);
    }
    return direct;
}
