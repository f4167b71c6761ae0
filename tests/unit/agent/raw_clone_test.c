/* Clones of raw disks, on a file system that shares blocks and on one that does not. Needs root and loop devices, as
 * hypervisors with raw disks do. */
#include "common/child.h"
#include "compute-agent/storage/raw_clone.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <sys/mount.h>
#include <sys/stat.h>

static char source[300], target[300], part[320];
static atomic_bool go_on, cancelled = true;

static void shell(const char *text)
{
    char script[1024];
    struct child child = {.argv = (const char *[]){"sh", "-ec", script, NULL}, .deadline_ms = 60000};
    struct error e = {0};
    snprintf(script, sizeof(script), "cd %s; %s", scratch_folder(), text);
    CHECK_OK(child_run(&child, NULL, &e), &e);
}

/* `make` mounts a file system on "host". */
static void begin(const char *make)
{
    static bool alone; /* others' mount namespaces would hold on to our mounts */
    if (!alone)
        CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    alone = true;
    scratch_clear(scratch_folder());
    CHECK(mkdir(scratch_folder(), 0700) == 0);
    snprintf(source, sizeof(source), "%s/host/source.raw", scratch_folder());
    snprintf(target, sizeof(target), "%s/host/clone.raw", scratch_folder());
    snprintf(part, sizeof(part), "%s.part", target);
    shell("mkdir host");
    shell(make);
    shell("head -c 20M /dev/urandom >host/source.raw; truncate -s 1G host/source.raw; sync -f host");
}

static void end(void)
{
    shell("umount host");
}

#define SHARES_NOTHING "mount -t tmpfs -o size=200m none host"
#define SHARES_BLOCKS  "truncate -s 2G disk; mkfs.xfs -q -m reflink=1 disk; mount -o loop disk host"

/* A guest that counts what is asked of it, and writes while it may. */
struct guest {
    int stops, goes, stop_code, go_code;
    bool still, named;
};

static int guest_stop(void *arg)
{
    struct guest *g = arg;
    g->stops++;
    g->still = !g->stop_code;
    return g->stop_code;
}

static int guest_go_on(void *arg)
{
    struct guest *g = arg;
    g->goes++;
    g->still = false;
    g->named = access(target, F_OK) == 0;
    shell("printf later | dd of=host/source.raw conv=notrunc status=none");
    return g->go_code;
}

static int make(struct guest *g, const atomic_bool *stop, struct error *e)
{
    const struct raw_clone_guest guest = {guest_stop, guest_go_on, g};
    return raw_clone(source, target, g ? &guest : NULL, stop, e);
}

static void check_nothing(void)
{
    CHECK(access(target, F_OK) != 0 && access(part, F_OK) != 0);
}

TEST("the disk of one that is off is copied with its holes, once")
{
    struct error e = {0};
    struct stat st;
    begin(SHARES_NOTHING);
    CHECK_OK(make(NULL, &go_on, &e), &e);
    shell("cmp host/source.raw host/clone.raw; printf mine | dd of=host/clone.raw conv=notrunc status=none");
    CHECK_INT(stat(target, &st), 0);
    CHECK(st.st_blocks * 512 < 40 << 20);
    CHECK_OK(make(NULL, &go_on, &e), &e);
    shell("test $(head -c 4 host/clone.raw) = mine; ! cmp -s host/source.raw host/clone.raw");
    CHECK(access(part, F_OK) != 0);
    end();
}

TEST("a guest stands still for its copy, and goes on before that has its name")
{
    struct guest g = {0};
    struct error e = {0};
    begin(SHARES_NOTHING);
    shell("cp --sparse=always host/source.raw host/was.raw");
    CHECK_OK(make(&g, &go_on, &e), &e);
    CHECK(g.stops == 1 && g.goes == 1 && !g.still && !g.named);
    shell("cmp host/was.raw host/clone.raw; test $(head -c 5 host/source.raw) = later");
    CHECK_OK(make(&g, &go_on, &e), &e);
    CHECK_INT(g.stops, 1);
    end();
}

TEST("where blocks are shared a guest is not stopped, and the clone takes no room")
{
    struct guest g = {0};
    struct error e = {0};
    begin(SHARES_BLOCKS);
    shell("df --output=avail host | tail -n 1 >before");
    CHECK_OK(make(&g, &go_on, &e), &e);
    CHECK(g.stops == 0 && g.goes == 0);
    shell(
        "test $(($(cat before) - $(df --output=avail host | tail -n 1))) -lt 4096; cmp host/source.raw host/clone.raw");
    shell("printf later | dd of=host/source.raw conv=notrunc status=none; ! cmp -s host/source.raw host/clone.raw");
    end();
}

TEST("what a crash left is made anew, on either kind of file system")
{
    static const char *const kinds[] = {SHARES_NOTHING, SHARES_BLOCKS};
    for (size_t i = 0; i < 2; i++) {
        struct error e = {0};
        begin(kinds[i]);
        shell("head -c 25M /dev/zero >host/clone.raw.part");
        CHECK_OK(make(NULL, &go_on, &e), &e);
        shell("cmp host/source.raw host/clone.raw");
        CHECK(access(part, F_OK) != 0);
        end();
    }
}

TEST("a clone that cannot be made leaves nothing, and its source's guest goes on")
{
    static const struct {
        struct guest guest;
        const char *before, *sentence;
        bool cancelled;
        int code, goes;
    } rows[] = {{{0}, "rm host/source.raw", "disk is missing", false, ERR_NOT_FOUND, 0},
                {{0}, "head -c 120M /dev/zero >host/others", "no space left", false, ERR_NO_SPACE, 1},
                {{0}, "true", "was stopped", true, ERR_TIMEOUT, 1},
                {{.stop_code = ERR_HYPERVISOR}, "true", NULL, false, ERR_HYPERVISOR, 0},
                {{.go_code = ERR_HYPERVISOR}, "true", NULL, false, ERR_HYPERVISOR, 1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct guest g = rows[i].guest;
        struct error e = {0};
        begin(SHARES_NOTHING);
        shell(rows[i].before);
        CHECK_INT(make(&g, rows[i].cancelled ? &cancelled : &go_on, &e), rows[i].code);
        if (rows[i].sentence)
            CHECK_CONTAINS(error_text(&e), rows[i].sentence);
        CHECK_INT(g.goes, rows[i].goes);
        check_nothing();
        end();
    }
}
