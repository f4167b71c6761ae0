/* The parts are read from the newest back to the limit and put in order: a line may go on over a rotation. */
#include "compute-agent/storage/console_log.h"
#include "common/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONSOLE_LOG_ROTATED 16                /* older parts that are looked for */
#define CONSOLE_LOG_MOST    ((size_t)4 << 20) /* bytes handed out at most */

/* The last `most` bytes of a file in memory of its own. False when there is no such file. */
static bool console_log_tail(const char *path, size_t most, char **ret, size_t *ret_size)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    size_t size = (size_t)st.st_size < most ? (size_t)st.st_size : most;
    char *data = memory_new(size + 1);
    ssize_t got = pread(fd, data, size, st.st_size - (off_t)size);
    close(fd);
    *ret = data;
    *ret_size = got > 0 ? (size_t)got : 0;
    return true;
}

/* Where the last `lines` lines begin. */
static size_t console_log_start(const char *data, size_t size, int64_t lines)
{
    size_t at = size;
    while (at > 0 && lines-- > 0) {
        const char *end = memrchr(data, '\n', at - 1); /* not the one that ends this line */
        at = end ? (size_t)(end - data) + 1 : 0;
    }
    return at;
}

/* All parts that are kept, in order. ERR_IO when there is a log that cannot be read. */
static int console_log_join(const char *path, struct strbuf *ret, struct error *e)
{
    char *parts[CONSOLE_LOG_ROTATED + 1];
    size_t sizes[CONSOLE_LOG_ROTATED + 1], count = 0, left = CONSOLE_LOG_MOST;
    int code = 0;
    while (count <= CONSOLE_LOG_ROTATED && left > 0) {
        struct strbuf name;
        strbuf_init(&name, 0);
        strbuf_append_text(&name, path);
        if (count > 0)
            strbuf_appendf(&name, ".%zu", count - 1);
        bool there = console_log_tail(name.data, left, &parts[count], &sizes[count]);
        int why = errno;
        strbuf_done(&name);
        if (!there && why != ENOENT)
            code = error_set(e, ERR_IO, "%s: %s", path, strerror(why));
        if (!there && (count > 0 || code))
            break;
        if (!there) { /* it comes from another host and has not said anything here yet */
            parts[0] = memory_new(1);
            sizes[0] = 0;
        }
        left -= sizes[count++];
    }
    while (count-- > 0) {
        strbuf_append(ret, parts[count], sizes[count]);
        free(parts[count]);
    }
    return ret->size ? 0 : code;
}

int console_log_read(const char *path, int64_t lines, struct strbuf *ret, struct error *e)
{
    struct strbuf all;
    strbuf_init(&all, CONSOLE_LOG_MOST + 1);
    int code = console_log_join(path, &all, e);
    size_t start = lines < 0 ? 0 : console_log_start(all.data, all.size, lines);
    if (!code)
        strbuf_append(ret, all.data + start, all.size - start);
    strbuf_done(&all);
    return code;
}
