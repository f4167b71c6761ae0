/* Domains are rows in memory. Their file is an append-only log of "id state traces disks plugged root ephemeral swap"
 * lines without any sync: it survives the process, which is all that a fake host can lose. */
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/fake_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAKE_LINE_SIZE (UUID_SIZE + 80)
#define FAKE_LOG_SIZE  ((size_t)1 << 20) /* beyond this a log is written anew on start */

struct fake_guest *fake_guest(struct fake *f, const char *id)
{
    struct fake_guest *g = idmap_get(&f->guests, id);
    if (g)
        return g;
    g = memory_new(sizeof(*g));
    memcpy(g->id, id, UUID_SIZE);
    idmap_put(&f->guests, g->id, g);
    return g;
}

static int fake_print_line(const struct fake_guest *g, char ret[FAKE_LINE_SIZE])
{
    return snprintf(ret, FAKE_LINE_SIZE, "%s %d %d %u %u %lld %lld %lld\n", g->id, (int)g->domain, (int)g->traces,
                    g->disks, g->plugged, (long long)g->root_gib, (long long)g->ephemeral_gib, (long long)g->swap_mib);
}

static void fake_write(struct fake *f, const struct fake_guest *g)
{
    char line[FAKE_LINE_SIZE];
    if (f->fd < 0)
        return;
    int size = fake_print_line(g, line);
    if (write(f->fd, line, (size_t)size) != size)
        log_error("fake domains cannot be written", "file=%s error=%s", f->setup.file, strerror(errno));
}

void fake_set(struct fake *f, struct fake_guest *g, enum hypervisor_domain domain, bool traces)
{
    int64_t now = clock_now_us();
    if (g->domain == HYPERVISOR_RUNNING && domain != HYPERVISOR_RUNNING)
        g->ran_us += now - g->since_us;
    if (g->domain != HYPERVISOR_RUNNING && domain == HYPERVISOR_RUNNING)
        g->since_us = now;
    g->domain = domain;
    g->traces = traces;
    fake_write(f, g);
    if (domain == HYPERVISOR_ABSENT && !traces) {
        idmap_remove(&f->guests, g->id);
        free(g);
    }
}

static int fake_load_line(struct fake *f, const char *line)
{
    char id[UUID_SIZE];
    int domain, traces;
    unsigned disks, plugged;
    long long root_gib, ephemeral_gib, swap_mib;
    if (sscanf(line, "%36s %d %d %u %u %lld %lld %lld", id, &domain, &traces, &disks, &plugged, &root_gib,
               &ephemeral_gib, &swap_mib) != 8 ||
        !uuid_valid(id) || domain < 0 || domain >= HYPERVISOR_DOMAIN_COUNT)
        return ERR_CORRUPT;
    struct fake_guest *g = fake_guest(f, id);
    g->disks = disks;
    g->plugged = plugged;
    g->root_gib = root_gib;
    g->ephemeral_gib = ephemeral_gib;
    g->swap_mib = swap_mib;
    int fd = f->fd;
    f->fd = -1; /* not written again */
    fake_set(f, g, (enum hypervisor_domain)domain, traces != 0);
    f->fd = fd;
    return 0;
}

/* Writes what is left of the log anew. A kill leaves the old one or the new one. */
static int fake_compact(struct fake *f, struct error *e)
{
    struct strbuf text;
    size_t at = 0;
    strbuf_init(&text, (size_t)1 << 30);
    for (struct fake_guest *g; (g = idmap_next(&f->guests, &at));) {
        char line[FAKE_LINE_SIZE];
        strbuf_append(&text, line, (size_t)fake_print_line(g, line));
    }
    int code = file_replace(f->setup.file, text.data, text.size, 0600, e);
    strbuf_done(&text);
    return code;
}

int fake_load(struct fake *f, struct error *e)
{
    struct strbuf text;
    strbuf_init(&text, (size_t)1 << 30);
    int code = file_read(f->setup.file, &text, NULL);
    size_t size = code ? 0 : text.size;
    char *save = NULL;
    for (char *line = size ? strtok_r(text.data, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        if (fake_load_line(f, line))
            log_warn("line of fake domains left out", "file=%s", f->setup.file);
    }
    strbuf_done(&text);
    code = size > FAKE_LOG_SIZE ? fake_compact(f, e) : 0;
    if (code)
        return code;
    f->fd = open(f->setup.file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return f->fd < 0 ? error_set(e, ERR_IO, "%s: %s", f->setup.file, strerror(errno)) : 0;
}
