/* What containers are limited to by control groups: in a picture of the kernel's files, of either version. That the
 * kernel then does it is shown by tests/e2e/lxc. */
#include "common/file.h"
#include "compute-agent/cgroup.h"
#include "compute-agent/storage/disk.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCOPE "machine.slice/machine-lxc\\x2d7\\x2dbox.scope"
#define OLD   "machine/lxc-7-box.libvirt-lxc"

static char work[] = "/tmp/virga-cgroup.XXXXXX";
static char groups[64], processes[64];
static struct cgroup_places places = {groups, processes};

static const char *at(const char *name)
{
    static char path[4][300];
    static unsigned turn;
    char *to = path[turn++ % 4];
    snprintf(to, sizeof(path[0]), "%s/%s", work, name);
    return to;
}

static void put(const char *name, const char *text)
{
    struct error e = {0};
    char folder[300];
    snprintf(folder, sizeof(folder), "%s", at(name));
    *strrchr(folder, '/') = '\0';
    CHECK_OK(file_make_dirs(folder, 0755, &e), &e);
    CHECK_OK(file_replace(at(name), text, strlen(text), 0644, &e), &e);
}

static void check_says(const char *name, const char *text)
{
    struct error e = {0};
    struct strbuf now;
    strbuf_init(&now, 0);
    CHECK_OK(file_read(at(name), &now, &e), &e);
    CHECK_TEXT(now.data, text);
    strbuf_done(&now);
}

static void begin(void)
{
    memcpy(work + sizeof(work) - 7, "XXXXXX", 6);
    CHECK(mkdtemp(work) != NULL);
    snprintf(groups, sizeof(groups), "%s/groups", work);
    snprintf(processes, sizeof(processes), "%s/proc", work);
}

static void end(void)
{
    CHECK_INT(disk_remove_folder(work, NULL), 0);
}

TEST("version 2: the container's own group is limited, above what it can reach, and has no swap")
{
    struct error e = {0};
    begin();
    put("proc/7/cgroup", "0::/" SCOPE "/libvirt/init.scope\n");
    put("groups/" SCOPE "/pids.max", "max\n");
    put("groups/" SCOPE "/memory.swap.max", "max\n");
    CHECK_OK(cgroup_limit(&places, 7, "box", 100, &e), &e);
    check_says("groups/" SCOPE "/pids.max", "100");
    check_says("groups/" SCOPE "/memory.swap.max", "0");
    end();
}

TEST("version 2: a controller that was not handed on is handed on from the top down")
{
    struct error e = {0};
    begin();
    put("proc/7/cgroup", "0::/" OLD "\n");
    put("groups/cgroup.subtree_control", "");
    put("groups/machine/cgroup.subtree_control", "");
    put("groups/" OLD "/cgroup.subtree_control", "");
    CHECK_INT(cgroup_limit(&places, 7, "box", 100, &e), ERR_IO); /* this kernel makes no file of it */
    CHECK_CONTAINS(error_text(&e), "pids.max cannot be set to 100");
    check_says("groups/cgroup.subtree_control", "+pids");
    check_says("groups/machine/cgroup.subtree_control", "+pids");
    check_says("groups/" OLD "/cgroup.subtree_control", "");
    end();
}

TEST("version 1: the container's processes are moved into a group that is made, once")
{
    struct error e = {0};
    begin();
    put("proc/7/cgroup", "8:pids:/\n6:freezer:/" OLD "\n4:cpu,memory:/" OLD "/inner\n0::/\n");
    put("groups/pids/virga/box/pids.max", "max\n");
    put("groups/pids/virga/box/cgroup.procs", "");
    put("groups/pids/cgroup.procs", "");
    put("groups/freezer/" OLD "/freezer.state", "THAWED\n");
    put("groups/memory/" OLD "/cgroup.procs", "7\n");
    put("groups/memory/" OLD "/inner/cgroup.procs", "9\n");
    put("groups/memory/" OLD "/memory.limit_in_bytes", "67108864\n");
    put("groups/memory/" OLD "/memory.memsw.limit_in_bytes", "9223372036854771712\n");
    CHECK_OK(cgroup_limit(&places, 7, "box", 100, &e), &e);
    check_says("groups/pids/virga/box/pids.max", "100");
    check_says("groups/pids/virga/box/cgroup.procs", "7"); /* a picture keeps what was written last: libvirt's own */
    check_says("groups/pids/cgroup.procs", "7");           /* to where it was, before anything was frozen */
    check_says("groups/freezer/" OLD "/freezer.state", "THAWED");
    check_says("groups/memory/" OLD "/memory.memsw.limit_in_bytes", "67108864");
    put("proc/7/cgroup", "8:pids:/virga/box\n6:freezer:/" OLD "\n4:cpu,memory:/" OLD "\n");
    put("groups/pids/virga/box/cgroup.procs", "");
    CHECK_OK(cgroup_limit(&places, 7, "box", 100, &e), &e);
    check_says("groups/pids/virga/box/cgroup.procs", "");
    put("groups/freezer/" OLD "/freezer.state", "FROZEN\n"); /* an agent was killed before it thawed it */
    CHECK_OK(cgroup_limit(&places, 7, "box", 100, &e), &e);
    check_says("groups/freezer/" OLD "/freezer.state", "THAWED");
    end();
}

TEST("a host without the controller says so")
{
    struct error e = {0};
    begin();
    put("proc/7/cgroup", "4:memory:/x\n");
    CHECK_INT(cgroup_limit(&places, 7, "box", 100, &e), ERR_IO);
    CHECK_CONTAINS(error_text(&e), "no controller");
    end();
}
