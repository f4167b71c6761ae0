/* A line is eight hex digits of CRC-32 (zlib's) over the text, a space, the text, a line feed. */
#include "compute-agent/journal_file.h"
#include "common/file.h"
#include "common/log.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define JOURNAL_FILE_HEAD 9 /* "01234567 " */

int journal_file_open(const char *path, int *ret_fd, struct error *e)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        *ret_fd = -1;
        return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    }
    *ret_fd = fd;
    return 0;
}

static bool journal_file_good(const char *line, size_t size)
{
    if (size < JOURNAL_FILE_HEAD || line[JOURNAL_FILE_HEAD - 1] != ' ')
        return false;
    char digits[JOURNAL_FILE_HEAD] = {0};
    memcpy(digits, line, JOURNAL_FILE_HEAD - 1);
    for (size_t i = 0; i < JOURNAL_FILE_HEAD - 1; i++) {
        if (!isxdigit((unsigned char)digits[i]))
            return false;
    }
    unsigned long sum = crc32(0, (const Bytef *)line + JOURNAL_FILE_HEAD, (uInt)(size - JOURNAL_FILE_HEAD));
    return strtoul(digits, NULL, 16) == sum;
}

/* Walks the lines; returns the size up to and with the last good one, counts good and bad (complete but damaged) ones.
 */
static size_t journal_file_walk(const char *data, size_t size, journal_file_take_fn take, void *arg, size_t *good,
                                size_t *bad)
{
    size_t at = 0, kept = 0, doubtful = 0;
    while (at < size) {
        const char *end = memchr(data + at, '\n', size - at);
        if (!end)
            break;
        size_t line = (size_t)(end - data) - at;
        if (journal_file_good(data + at, line) && take(arg, data + at + JOURNAL_FILE_HEAD, line - JOURNAL_FILE_HEAD)) {
            *bad += doubtful;
            doubtful = 0;
            (*good)++;
            kept = at + line + 1;
        } else {
            doubtful++;
        }
        at += line + 1;
    }
    return kept;
}

int journal_file_read(const char *path, int fd, journal_file_take_fn take, void *arg, int64_t *ret_size,
                      struct error *e)
{
    struct strbuf all;
    strbuf_init(&all, (size_t)1 << 30);
    int code = file_read(path, &all, e);
    size_t good = 0, bad = 0, kept = 0;
    if (!code)
        kept = journal_file_walk(all.data, all.size, take, arg, &good, &bad);
    if (!code && !good && memchr(all.data, '\n', all.size))
        code = error_set(e, ERR_CORRUPT, "%s is not a journal, or wholly damaged", path);
    if (!code && kept < all.size) {
        log_warn("torn end of the journal dropped", "path=%s bytes=%zu", path, all.size - kept);
        if (ftruncate(fd, (off_t)kept) || fdatasync(fd))
            code = error_set(e, ERR_IO, "%s cannot be cut to its good part: %s", path, strerror(errno));
    }
    if (bad)
        log_error("damaged lines in the journal left out", "path=%s lines=%zu", path, bad);
    *ret_size = (int64_t)kept;
    strbuf_done(&all);
    return code;
}

int journal_file_look(const char *path, journal_file_take_fn take, void *arg, struct error *e)
{
    struct strbuf all;
    size_t good = 0, bad = 0;
    strbuf_init(&all, (size_t)1 << 30);
    int code = file_read(path, &all, e);
    if (!code)
        journal_file_walk(all.data, all.size, take, arg, &good, &bad);
    strbuf_done(&all);
    return code;
}

void journal_file_print(struct strbuf *to, const char *text, size_t size)
{
    strbuf_appendf(to, "%08lx ", crc32(0, (const Bytef *)text, (uInt)size));
    strbuf_append(to, text, size);
    strbuf_append_char(to, '\n');
}

int journal_file_append(const char *path, int fd, int64_t size, const char *text, size_t text_size, int64_t *ret_size,
                        struct error *e)
{
    struct strbuf line;
    strbuf_init(&line, 0);
    journal_file_print(&line, text, text_size);
    ssize_t put = write(fd, line.data, line.size);
    int why = put < 0 ? errno : ENOSPC;
    bool whole = put == (ssize_t)line.size;
    if (whole)
        *ret_size = size + (int64_t)line.size;
    strbuf_done(&line);
    if (whole)
        return 0;
    if (ftruncate(fd, (off_t)size))
        log_error("journal cannot be cut back", "path=%s error=%s", path, strerror(errno));
    return error_set(e, why == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s cannot be written: %s", path, strerror(why));
}
