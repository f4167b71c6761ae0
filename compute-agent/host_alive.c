/* Two small files in the agent's folder: "alive" holds the present boot, and its time of change is moved on as long as
 * the agent lives; when a new boot finds it, it becomes "alive.before". A host that lost its power is thereby known to
 * have run until a few seconds before, whatever the API heard. */
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "compute-agent/host_internal.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void host_alive_path(const struct host *h, const char *name, struct strbuf *ret)
{
    strbuf_init(ret, 0);
    strbuf_appendf(ret, "%s/%s", h->identity->dir, name);
}

static void host_alive_read_boot(const char *path, char ret[JOURNAL_BOOT_SIZE])
{
    struct strbuf text;
    strbuf_init(&text, 4096);
    ret[0] = '\0';
    if (file_read(path, &text, NULL) == 0)
        snprintf(ret, JOURNAL_BOOT_SIZE, "%.*s", JOURNAL_BOOT_SIZE - 1, text.data);
    strbuf_done(&text);
}

static void host_alive_identify(struct host *h, const char *boot_id)
{
    struct strbuf text;
    strbuf_init(&text, 4096);
    if (boot_id)
        strbuf_append_text(&text, boot_id);
    else
        file_read("/proc/sys/kernel/random/boot_id", &text, NULL);
    snprintf(h->alive.boot_id, sizeof(h->alive.boot_id), "%.*s", (int)strcspn(text.data, "\n"), text.data);
    snprintf(h->alive.boot, sizeof(h->alive.boot), "%.*s", JOURNAL_BOOT_SIZE - 1, h->alive.boot_id);
    strbuf_done(&text);
}

void host_alive_open(struct host *h, const char *boot_id)
{
    struct strbuf now, before;
    struct error e = {0};
    struct stat info;
    char boot[JOURNAL_BOOT_SIZE];
    host_alive_identify(h, boot_id);
    host_alive_path(h, "alive", &now);
    host_alive_path(h, "alive.before", &before);
    host_alive_read_boot(now.data, boot);
    if (boot[0] && strcmp(boot, h->alive.boot) != 0)
        rename(now.data, before.data);
    if (strcmp(boot, h->alive.boot) != 0 && file_replace(now.data, h->alive.boot, strlen(h->alive.boot), 0600, &e))
        log_warn("no sign of life can be left", "error=\"%s\"", error_text(&e));
    host_alive_read_boot(before.data, h->alive.before);
    if (stat(before.data, &info) == 0)
        h->alive.before_us = (int64_t)info.st_mtim.tv_sec * CLOCK_SECOND_US + info.st_mtim.tv_nsec / 1000;
    strbuf_done(&now);
    strbuf_done(&before);
    host_alive_touch(h);
}

void host_alive_touch(struct host *h)
{
    struct strbuf path;
    int64_t now_us = clock_now_us();
    struct timespec at = {.tv_sec = (time_t)(now_us / CLOCK_SECOND_US),
                          .tv_nsec = (long)(now_us % CLOCK_SECOND_US) * 1000};
    struct timespec times[2] = {at, at};
    host_alive_path(h, "alive", &path);
    utimensat(AT_FDCWD, path.data, times, 0); /* when that fails, the last event's time stands for it */
    strbuf_done(&path);
}

bool host_alive_lost(const struct host *h, const struct journal_event *last)
{
    return last->boot[0] && h->alive.boot[0] && strcmp(last->boot, h->alive.boot) != 0;
}

int64_t host_alive_until_us(const struct host *h, const struct journal_event *last)
{
    bool known = strcmp(last->boot, h->alive.before) == 0;
    return known && h->alive.before_us > last->at_us ? h->alive.before_us : last->at_us;
}
