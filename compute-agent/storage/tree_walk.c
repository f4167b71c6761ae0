/* A file is copied up by setting the time of access that it has: that needs no opening, so that it goes for programs
 * that run, for links and for sockets, and follows nothing. Two rounds, the first only counts. The overlay's own code
 * does the rest: holes stay holes, and a file appears in the upper layer whole or not at all.
 *
 * An overlay would make a file of its own of each name of a file. Therefore the first name gets another one in a folder
 * of ours in the overlay's root, called like the file's number below, and those that follow are replaced by it. Where a
 * walk was interrupted the next one finds them there.
 *
 * Between fork and exit only system calls are made, and no memory is taken: others may hold its lock. */
#include "compute-agent/storage/tree_walk.h"
#include "common/child_confine.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WALK_LINKS   ".virga-flatten" /* the folder of ours */
#define WALK_NEXT    "next"           /* in it: about to replace another */
#define WALK_DEPTH   200
#define WALK_NAMES   4096
#define WALK_FOLDER  4096 /* what a folder takes */
#define WALK_SLACK   ((int64_t)8 << 20)
#define WALK_LOOK_MS 100

/* A folder on the way: what the overlay shows, and the same in the upper layer, -1 where that has none. */
struct walk_level {
    int in, up;
    long size, at;
    _Alignas(8) char names[WALK_NAMES];
};
/* Shared between both processes. */
struct walk {
    _Atomic int64_t total, done;
    int64_t files, free_bytes;
    int why;          /* errno */
    const char *what; /* literal text */
    char name[NAME_MAX + 1];
    bool links, counting; /* in this round */
    bool tidies;          /* only what an interrupted walk has left is to go */
    int upper, linked;    /* linked: the folder of ours */
    int depth;
    struct walk_level levels[WALK_DEPTH];
};

/* ---- in the child ---- */

static bool walk_fail(struct walk *w, const char *what, const char *name)
{
    w->why = errno;
    w->what = what;
    snprintf(w->name, sizeof(w->name), "%s", name);
    return false;
}

static bool walk_is_gone(void)
{
    return errno == ENOENT || errno == ESTALE || errno == ENOTDIR;
}

static int64_t walk_cost(const struct stat *st)
{
    return S_ISDIR(st->st_mode) ? WALK_FOLDER : (int64_t)st->st_blocks * 512;
}

static bool walk_has_room(struct walk *w, int64_t bytes)
{
    struct statvfs fs;
    if (fstatvfs(w->upper, &fs) == 0) {
        w->free_bytes = (int64_t)(fs.f_bavail * fs.f_frsize);
        if (w->free_bytes >= bytes + WALK_SLACK)
            return true;
        errno = ENOSPC;
    }
    return false;
}

static void walk_count(struct walk *w, const struct stat *st)
{
    bool shared = !S_ISDIR(st->st_mode) && st->st_nlink > 1;
    w->total += shared ? walk_cost(st) / (int64_t)st->st_nlink : walk_cost(st);
    w->files++;
}

/* The folder's own time stays what it is. */
static bool walk_replace(struct walk *w, const struct walk_level *at, const char *name, const char *key)
{
    struct stat st;
    unlinkat(w->linked, WALK_NEXT, 0);
    if (fstat(at->in, &st) || linkat(w->linked, key, w->linked, WALK_NEXT, 0) ||
        renameat(w->linked, WALK_NEXT, at->in, name))
        return walk_fail(w, "another name of a file", name);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    return futimens(at->in, times) == 0 || walk_fail(w, "a folder", name);
}

static bool walk_link(struct walk *w, const struct walk_level *at, const char *name, const struct stat *st)
{
    struct stat known;
    char key[32];
    snprintf(key, sizeof(key), "%llx", (unsigned long long)st->st_ino);
    if (fstatat(w->linked, key, &known, AT_SYMLINK_NOFOLLOW) == 0)
        return walk_replace(w, at, name, key);
    if (!walk_has_room(w, walk_cost(st)) || linkat(at->in, name, w->linked, key, 0))
        return walk_fail(w, "a file with several names", name);
    w->done += walk_cost(st);
    return true;
}

static bool walk_copy(struct walk *w, const struct walk_level *at, const char *name, const struct stat *st)
{
    struct stat copied;
    const struct timespec times[2] = {st->st_atim, {.tv_nsec = UTIME_OMIT}};
    if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
        return !w->links || walk_link(w, at, name, st);
    if (!walk_has_room(w, walk_cost(st)))
        return walk_fail(w, "a file", name);
    if (utimensat(at->in, name, times, AT_SYMLINK_NOFOLLOW))
        return walk_is_gone() || walk_fail(w, "a file", name);
    w->done += walk_cost(st);
    if (fstatat(at->up, name, &copied, AT_SYMLINK_NOFOLLOW) == 0 ||
        fstatat(at->in, name, &copied, AT_SYMLINK_NOFOLLOW) != 0)
        return true;
    errno = EIO;
    return walk_fail(w, "what was copied, but is not there", name);
}

/* What cannot be opened and is there is a folder of the host's in the upper layer: nothing of the image's is in it. */
static bool walk_enter(struct walk *w, const struct walk_level *at, const char *name)
{
    int how = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (w->depth == WALK_DEPTH) {
        errno = EMLINK;
        return walk_fail(w, "folders in folders", name);
    }
    struct walk_level *next = &w->levels[w->depth];
    next->in = openat(at->in, name, how);
    if (next->in < 0)
        return walk_is_gone() || errno == EACCES || walk_fail(w, "a folder", name);
    next->up = at->up < 0 ? -1 : openat(at->up, name, how);
    next->size = next->at = 0;
    if (next->up < 0 && !w->counting) {
        bool gone = walk_is_gone();
        close(next->in);
        return gone || walk_fail(w, "a folder", name);
    }
    w->depth++;
    return true;
}

static bool walk_visit(struct walk *w, const struct walk_level *at, const char *name)
{
    struct stat st, up;
    if (fstatat(at->in, name, &st, AT_SYMLINK_NOFOLLOW))
        return walk_is_gone() || walk_fail(w, "a file", name);
    if (at->up < 0 || fstatat(at->up, name, &up, AT_SYMLINK_NOFOLLOW)) {
        if (w->counting)
            walk_count(w, &st);
        else if (!walk_copy(w, at, name, &st))
            return false;
    }
    return !S_ISDIR(st.st_mode) || walk_enter(w, at, name);
}

/* struct linux_dirent64 of getdents64(2). */
struct walk_entry {
    uint64_t number;
    int64_t next;
    unsigned short size;
    unsigned char type;
    char name[];
};

/* NULL: no more, or a failure. */
static const char *walk_next(struct walk *w, struct walk_level *at)
{
    if (at->at >= at->size) {
        at->size = syscall(SYS_getdents64, at->in, at->names, sizeof(at->names));
        at->at = 0;
        if (at->size < 0 && !walk_is_gone())
            walk_fail(w, "a folder", "");
        if (at->size <= 0)
            return NULL;
    }
    const struct walk_entry *entry = (const struct walk_entry *)(const void *)(at->names + at->at);
    at->at += entry->size;
    return entry->name;
}

static bool walk_is_ours(const struct walk *w, const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (w->depth == 1 && strcmp(name, WALK_LINKS) == 0);
}

static bool walk_round(struct walk *w)
{
    struct walk_level start = {.in = AT_FDCWD, .up = w->upper};
    w->depth = 0;
    if (!walk_enter(w, &start, "."))
        return false;
    while (w->depth > 0) {
        struct walk_level *at = &w->levels[w->depth - 1];
        const char *name = walk_next(w, at);
        if (w->why)
            return false;
        if (!name) {
            close(at->in);
            if (at->up >= 0)
                close(at->up);
            w->depth--;
        } else if (!walk_is_ours(w, name) && !walk_visit(w, at, name))
            return false;
    }
    return true;
}

static bool walk_open_links(struct walk *w)
{
    if (mkdirat(AT_FDCWD, WALK_LINKS, 0700) && errno != EEXIST)
        return walk_fail(w, "a folder", WALK_LINKS);
    w->linked = openat(AT_FDCWD, WALK_LINKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return w->linked >= 0 || walk_fail(w, "a folder", WALK_LINKS);
}

/* Whatever came of the walk: those names are nobody's. */
static void walk_drop_links(struct walk *w, const struct stat *root)
{
    const struct timespec times[2] = {root->st_atim, root->st_mtim};
    struct walk_level *at = &w->levels[0];
    *at = (struct walk_level){.in = w->linked, .up = -1};
    int why = w->why;
    for (const char *name; (name = walk_next(w, at));)
        unlinkat(w->linked, name, 0);
    w->why = why;
    unlinkat(AT_FDCWD, WALK_LINKS, AT_REMOVEDIR);
    utimensat(AT_FDCWD, ".", times, 0);
}

static bool walk_fits(struct walk *w)
{
    struct statvfs fs;
    if (!walk_has_room(w, w->total))
        return walk_fail(w, "all of them", "");
    bool fits = fstatvfs(w->upper, &fs) == 0 && (int64_t)fs.f_favail >= w->files;
    errno = ENOSPC;
    return fits || walk_fail(w, "all of them", "");
}

static bool walk_tidy(struct walk *w)
{
    struct stat root;
    if (stat(".", &root))
        return walk_fail(w, "a folder", ".");
    w->linked = openat(AT_FDCWD, WALK_LINKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (w->linked >= 0)
        walk_drop_links(w, &root);
    return true;
}

static bool walk_both(struct walk *w)
{
    struct stat root;
    if (w->tidies)
        return walk_tidy(w);
    w->counting = true;
    if (!walk_round(w) || !walk_fits(w))
        return false;
    w->counting = false;
    if (!w->links)
        return walk_round(w);
    if (stat(".", &root) || !walk_open_links(w))
        return w->why || walk_fail(w, "a folder", ".");
    bool good = walk_round(w);
    walk_drop_links(w, &root);
    return good;
}

static void walk_child(struct walk *w, const struct child_confine *c, const char *root, pid_t parent)
{
    if (child_confine_enter(c, root) || prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        walk_fail(w, "the confined process", "");
    else
        walk_both(w);
    _exit(0);
}

/* ---- in the agent ---- */

static int walk_tell(const struct walk *w, struct error *e)
{
    long long total = (long long)(w->total >> 20), left = (long long)(w->free_bytes >> 20);
    if (w->why == ENOSPC)
        return error_set(e, ERR_NO_SPACE,
                         "The server's disk has %lld MiB free: what it has of the image alone, %lld MiB, does not fit",
                         left, total + 1);
    return w->why ? error_set(e, ERR_IO, "The server's files cannot be copied: %s, %.64s: %s", w->what, w->name,
                              strerror(w->why))
                  : 0;
}

/* Until the child has closed its end: then it is gone. */
static bool walk_wait(const struct tree_walk *t, const struct walk *w, int gone, pid_t pid)
{
    bool killed = false;
    struct pollfd end = {.fd = gone, .events = POLLIN};
    do {
        *t->total = w->total;
        *t->done = w->done;
        if (t->stop && atomic_load(t->stop) && !killed)
            killed = kill(pid, SIGKILL) == 0;
    } while (poll(&end, 1, WALK_LOOK_MS) <= 0);
    return killed;
}

static int walk_run(const struct tree_walk *t, struct walk *w, struct error *e)
{
    struct child_confine c = {{-1, -1}, {-1, -1}};
    int status = 0;
    pid_t parent = getpid(), pid = child_confine_open(&c) == 0 ? fork() : -1;
    if (pid == 0)
        walk_child(w, &c, t->root, parent);
    if (pid < 0) {
        child_confine_close(&c);
        return error_set(e, ERR_IO, "No process can be started: %s", strerror(errno));
    }
    child_confine_admit(&c, pid, t->first);
    bool killed = walk_wait(t, w, c.asks[0], pid);
    child_confine_close(&c);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *t->total = w->total;
    *t->done = w->done;
    if (killed)
        return error_set(e, ERR_CONFLICT, "It was cancelled");
    return status ? error_set(e, ERR_IO, "The process that copies the server's files was ended") : walk_tell(w, e);
}

/* After a failure all is tidied up. One that was stopped is as one that was killed: the next goes on. */
static int walk_run_whole(const struct tree_walk *t, struct walk *w, struct error *e)
{
    struct tree_walk again = *t;
    int code = walk_run(t, w, e);
    if (code && code != ERR_CONFLICT && t->links) {
        again.stop = NULL;
        w->tidies = true;
        w->why = 0;
        walk_run(&again, w, NULL);
    }
    return code;
}

int tree_walk(const struct tree_walk *t, struct error *e)
{
    struct walk *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int upper = open(t->upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), code = 0;
    if (w == MAP_FAILED || upper < 0)
        code = error_set(e, ERR_IO, "%s: %s", t->upper, strerror(errno));
    else {
        w->links = t->links;
        w->upper = upper;
        w->linked = -1;
        code = walk_run_whole(t, w, e);
    }
    if (upper >= 0)
        close(upper);
    if (w != MAP_FAILED)
        munmap(w, sizeof(*w));
    return code;
}
