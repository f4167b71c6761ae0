/* Version 2: the container's group is libvirt's, and has all controllers; the limit is written into it, at the level
 * that the container itself cannot reach. Version 1: libvirt makes no group in the hierarchy of pids, so one is made,
 * and the container's processes are moved into it while the freezer holds them, or one that forks would be faster than
 * we. The first move after a while takes the kernel until all processors have been through its scheduler (10 to 30 ms),
 * those behind it nothing: so something is moved to where it is before anything is frozen. */
#include "compute-agent/cgroup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CGROUP_OURS      "virga"
#define CGROUP_FREEZE_US 25000000 /* a host that is busy beyond measure lets a process wait for long */
#define CGROUP_TRY_US    20000    /* the first time; each further one twice as long */
#define CGROUP_END_US    2000000
#define CGROUP_PAUSE_US  200

const struct cgroup_places cgroup_host = {"/sys/fs/cgroup", "/proc"};

/* Files of the kernel: written in one piece, as they are. */
static int cgroup_write(const char *folder, const char *name, const char *text, struct error *e)
{
    char *path = strbuf_print("%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int code = good ? 0 : error_set(e, ERR_IO, "%s cannot be set to %s: %s", path, text, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(path);
    return code;
}

static bool cgroup_says(const char *folder, const char *name, const char *text)
{
    struct strbuf now;
    char *path = strbuf_print("%s/%s", folder, name);
    strbuf_init(&now, 0);
    bool same = file_read(path, &now, NULL) == 0 && strncmp(now.data, text, strlen(text)) == 0 &&
                strchr("\n", now.data[strlen(text)]) != NULL;
    strbuf_done(&now);
    free(path);
    return same;
}

static bool cgroup_has(const char *folder, const char *name)
{
    char *path = strbuf_print("%s/%s", folder, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

/* The group of a process in a hierarchy: lines "4:memory:/path"; "0::/path" for version 2, whose name is "". NULL when
 * there is no such hierarchy. Caller frees. */
static char *cgroup_of(const char *lines, const char *controller)
{
    for (const char *line = lines; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *names = line + strcspn(line, ":\n");
        if (*names++ != ':')
            continue;
        const char *path = names + strcspn(names, ":\n");
        if (*path != ':')
            continue;
        size_t size = strlen(controller), room = (size_t)(path - names);
        for (const char *at = names; at <= path; at += strcspn(at, ",:") + 1) {
            if (strcspn(at, ",:") == size && strncmp(at, controller, size) == 0 && (size > 0 || room == 0))
                return strbuf_print("%.*s", (int)strcspn(path + 1, "\n"), path + 1);
        }
    }
    return NULL;
}

/* Without what the container may have made below its own group: libvirt's names end like this (vircgroup.c, systemd's
 * scopes). */
static void cgroup_cut(char *path)
{
    static const char *const ends[] = {".libvirt-lxc/", ".scope/"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char *end = strstr(path, ends[i]);
        if (end)
            end[strlen(ends[i]) - 1] = '\0';
    }
}

/* ---- version 2 ---- */

/* From the top down: a group hands on only what it has been handed. */
static int cgroup_enable_pids(const struct cgroup_places *at, const char *path, struct error *e)
{
    int code = 0;
    for (const char *end = path; !code && *end; end += strcspn(end + 1, "/") + 1) {
        char *parent = strbuf_print("%s%.*s", at->groups, (int)(end - path), path);
        code = cgroup_write(parent, "cgroup.subtree_control", "+pids", e);
        free(parent);
    }
    return code;
}

static int cgroup_limit_unified(const struct cgroup_places *at, char *path, const char *processes, struct error *e)
{
    cgroup_cut(path);
    char *folder = strbuf_print("%s%s", at->groups, path);
    int code = cgroup_has(folder, "pids.max") ? 0 : cgroup_enable_pids(at, path, e);
    if (!code && !cgroup_says(folder, "pids.max", processes))
        code = cgroup_write(folder, "pids.max", processes, e);
    if (!code && cgroup_has(folder, "memory.swap.max") && !cgroup_says(folder, "memory.swap.max", "0"))
        code = cgroup_write(folder, "memory.swap.max", "0", e);
    free(folder);
    return code;
}

/* ---- version 1 ---- */

static _Thread_local const char *cgroup_move_to, *cgroup_move_last;

/* Each number of a list of processes is written by itself. One that has ended meanwhile is no failure. */
static int cgroup_move_list(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    if (kind != FTW_F || strcmp(path + ftw->base, "cgroup.procs") != 0)
        return 0;
    struct strbuf list;
    strbuf_init(&list, 0);
    file_read(path, &list, NULL);
    int failed = 0;
    for (char *line = list.data, *end; *line && !failed; line = end + (*end == '\n')) {
        end = line + strcspn(line, "\n");
        char number[24];
        struct error e = {0};
        snprintf(number, sizeof(number), "%.*s", (int)(end - line), line);
        if (strcmp(number, cgroup_move_last) != 0 && cgroup_write(cgroup_move_to, "cgroup.procs", number, &e) &&
            errno != ESRCH)
            failed = -1;
    }
    strbuf_done(&list);
    return failed;
}

static bool cgroup_freezes_until(const char *folder, int64_t end)
{
    bool frozen = cgroup_says(folder, "freezer.state", "FROZEN");
    while (!frozen && clock_mono_us() < end) {
        usleep(CGROUP_PAUSE_US);
        frozen = cgroup_says(folder, "freezer.state", "FROZEN");
    }
    return frozen;
}

/* One that waits for another which is frozen already (libvirt's own, who answers for /proc/meminfo) never gets there:
 * so all are let go between two attempts. */
static int cgroup_freeze(const char *folder, struct error *e)
{
    int64_t end = clock_mono_us() + CGROUP_FREEZE_US, patience = CGROUP_TRY_US;
    int code = cgroup_write(folder, "freezer.state", "FROZEN", e);
    while (!code) {
        int64_t now = clock_mono_us();
        if (cgroup_freezes_until(folder, now + patience < end ? now + patience : end))
            return 0;
        if (clock_mono_us() >= end)
            return error_set(e, ERR_IO, "%s: its processes cannot be frozen", folder);
        patience *= 2;
        code = cgroup_write(folder, "freezer.state", "THAWED", e);
        code = code ? code : cgroup_write(folder, "freezer.state", "FROZEN", e);
    }
    return code;
}

/* Where one process goes, all that it is moved with have gone: libvirt's own, `pid`, is the last. */
static int cgroup_move_all(const char *freezer, const char *memory, const char *to, const char *pid, struct error *e)
{
    cgroup_move_to = to;
    cgroup_move_last = pid;
    int code = cgroup_freeze(freezer, e);
    if (!code && nftw(memory, cgroup_move_list, 16, FTW_PHYS))
        code = error_set(e, ERR_IO, "%s: the container's processes cannot be moved: %s", to, strerror(errno));
    return code ? code : cgroup_write(to, "cgroup.procs", pid, e);
}

static int cgroup_make(const char *folder, const char *processes, struct error *e)
{
    int code = file_make_dirs(folder, 0755, e);
    return code || cgroup_says(folder, "pids.max", processes) ? code : cgroup_write(folder, "pids.max", processes, e);
}

/* A freeze that an agent's death has left is undone in any case: whom its tenant has paused is not limited now. */
static int cgroup_move_into(const struct cgroup_places *at, const char *lines, const char *to, bool there,
                            const char *pid, struct error *e)
{
    char *freezer_path = cgroup_of(lines, "freezer"), *memory_path = cgroup_of(lines, "memory");
    int code = 0;
    if (!freezer_path || !memory_path) {
        code = error_set(e, ERR_IO, "The host has no freezer or memory controller");
    } else {
        cgroup_cut(freezer_path);
        cgroup_cut(memory_path);
        char *freezer = strbuf_print("%s/freezer%s", at->groups, freezer_path);
        char *memory = strbuf_print("%s/memory%s", at->groups, memory_path);
        code = there ? 0 : cgroup_move_all(freezer, memory, to, pid, e);
        if (!cgroup_says(freezer, "freezer.state", "THAWED"))
            cgroup_write(freezer, "freezer.state", "THAWED", NULL);
        free(freezer);
        free(memory);
    }
    free(freezer_path);
    free(memory_path);
    return code;
}

/* Memory and swap together may be as much as memory. */
static int cgroup_limit_swap(const struct cgroup_places *at, const char *lines, struct error *e)
{
    struct strbuf most;
    char *path = cgroup_of(lines, "memory");
    if (!path)
        return 0;
    strbuf_init(&most, 0);
    cgroup_cut(path);
    char *folder = strbuf_print("%s/memory%s", at->groups, path),
         *limit = strbuf_print("%s/memory.limit_in_bytes", folder);
    int code = 0;
    if (cgroup_has(folder, "memory.memsw.limit_in_bytes") && (code = file_read(limit, &most, e)) == 0) {
        most.data[strcspn(most.data, "\n")] = '\0';
        if (!cgroup_says(folder, "memory.memsw.limit_in_bytes", most.data))
            code = cgroup_write(folder, "memory.memsw.limit_in_bytes", most.data, e);
    }
    strbuf_done(&most);
    free(limit);
    free(folder);
    free(path);
    return code;
}

static int cgroup_limit_old(const struct cgroup_places *at, const char *lines, const char *name, const char *processes,
                            const char *pid, struct error *e)
{
    char *is = cgroup_of(lines, "pids"), *ours = strbuf_print("/" CGROUP_OURS "/%s", name);
    char *folder = strbuf_print("%s/pids%s", at->groups, ours), *old = strbuf_print("%s/pids%s", at->groups, is);
    bool there = strcmp(is, ours) == 0;
    int code = cgroup_make(folder, processes, e);
    if (!code && !there)
        cgroup_write(old, "cgroup.procs", pid, NULL);
    code = code ? code : cgroup_move_into(at, lines, folder, there, pid, e);
    code = code ? code : cgroup_limit_swap(at, lines, e);
    free(old);
    free(folder);
    free(ours);
    free(is);
    return code;
}

/* ---- either ---- */

static int cgroup_limit_by(const struct cgroup_places *at, const char *lines, const char *name, const char *processes,
                           const char *pid, struct error *e)
{
    char *old = cgroup_of(lines, "pids"), *unified = cgroup_of(lines, "");
    int code;
    if (old)
        code = cgroup_limit_old(at, lines, name, processes, pid, e);
    else if (unified)
        code = cgroup_limit_unified(at, unified, processes, e);
    else
        code = error_set(e, ERR_IO, "The host has no controller of control groups for processes");
    free(old);
    free(unified);
    return code;
}

int cgroup_limit(const struct cgroup_places *at, pid_t pid, const char *name, int64_t processes, struct error *e)
{
    char most[24], number[24];
    struct strbuf lines;
    char *path = strbuf_print("%s/%d/cgroup", at->processes, (int)pid);
    snprintf(most, sizeof(most), "%lld", (long long)processes);
    snprintf(number, sizeof(number), "%d", (int)pid);
    strbuf_init(&lines, 0);
    int code = file_read(path, &lines, e);
    code = code ? code : cgroup_limit_by(at, lines.data, name, most, number, e);
    strbuf_done(&lines);
    free(path);
    return code ? ERR_IO : 0;
}

/* False when nothing was left. */
static bool cgroup_kill(const char *folder)
{
    struct strbuf list;
    char *path = strbuf_print("%s/cgroup.procs", folder);
    strbuf_init(&list, 0);
    bool some = file_read(path, &list, NULL) == 0 && list.size > 0;
    for (char *line = list.data, *end; some && *line; line = end + (*end == '\n')) {
        long pid = strtol(line, &end, 10);
        if (end == line)
            break;
        if (pid > 1)
            kill((pid_t)pid, SIGKILL);
    }
    strbuf_done(&list);
    free(path);
    return some;
}

void cgroup_forget(const struct cgroup_places *at, const char *name)
{
    char *folder = strbuf_print("%s/pids/" CGROUP_OURS "/%s", at->groups, name);
    int64_t end = clock_mono_us() + CGROUP_END_US;
    while (cgroup_kill(folder) && clock_mono_us() < end)
        usleep(CGROUP_PAUSE_US);
    while (rmdir(folder) && errno == EBUSY && clock_mono_us() < end)
        usleep(CGROUP_PAUSE_US);
    free(folder);
}
