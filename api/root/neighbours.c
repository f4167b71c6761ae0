/* Neighbours' figures. A file that is not rewritten any more belongs to a daemon that does not run: it is not shown. */
#include "api/root/neighbours.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FRESH_US  (60 * CLOCK_SECOND_US)
#define FILE_MOST ((size_t)1 << 20)

static void append_file(const char *path, int64_t now_us, struct strbuf *to)
{
    struct stat st;
    struct strbuf text;
    struct error ignored = {0};
    if (stat(path, &st) || now_us - st.st_mtim.tv_sec * CLOCK_SECOND_US > FRESH_US) {
        return;
    }
    strbuf_init(&text, FILE_MOST);
    if (file_read(path, &text, &ignored) == 0) {
        strbuf_append(to, text.data, text.size);
    }
    strbuf_done(&text);
}

static bool is_figures(const char *name)
{
    size_t size = strlen(name);
    return size > 5 && name[0] != '.' && strcmp(name + size - 5, ".prom") == 0;
}

void neighbours_append(const char *folder, int64_t now_us, struct strbuf *to)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        int size = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (is_figures(entry->d_name) && size > 0 && (size_t)size < sizeof(path)) {
            append_file(path, now_us, to);
        }
    }
    closedir(dir);
}
