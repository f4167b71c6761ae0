/* The newest file first, going back while more is wanted; then the parts are put in order. */
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

/* Where the last `*lines` lines begin; *lines becomes how many are still wanted from older parts. */
static size_t console_log_start(const char *data, size_t size, int64_t *lines)
{
    size_t at = size;
    while (at > 0 && *lines > 0) {
        const char *end = memrchr(data, '\n', at - (data[at - 1] == '\n' ? 1 : 0));
        at = end ? (size_t)(end - data) + 1 : 0;
        if (at > 0 || size == 0)
            (*lines)--;
    }
    return at;
}

int console_log_read(const char *path, int64_t lines, struct strbuf *ret, struct error *e)
{
    char *parts[CONSOLE_LOG_ROTATED + 1];
    size_t sizes[CONSOLE_LOG_ROTATED + 1], starts[CONSOLE_LOG_ROTATED + 1], count = 0, left = CONSOLE_LOG_MOST;
    int64_t wanted = lines < 0 ? INT64_MAX : lines;
    while (count <= CONSOLE_LOG_ROTATED && wanted > 0 && left > 0) {
        struct strbuf name;
        strbuf_init(&name, 0);
        strbuf_append_text(&name, path);
        if (count > 0)
            strbuf_appendf(&name, ".%zu", count - 1);
        bool there = console_log_tail(name.data, left, &parts[count], &sizes[count]);
        int why = errno;
        strbuf_done(&name);
        if (!there && why != ENOENT)
            error_set(e, ERR_IO, "%s: %s", path, strerror(why));
        if (!there)
            break;
        starts[count] = console_log_start(parts[count], sizes[count], &wanted);
        left -= sizes[count] - starts[count];
        count++;
    }
    int code = e && e->code && !count ? e->code : 0;
    while (count-- > 0) {
        strbuf_append(ret, parts[count] + starts[count], sizes[count] - starts[count]);
        free(parts[count]);
    }
    return code;
}
