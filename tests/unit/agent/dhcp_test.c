/* Reservations as files: what a plan holds is there, what it does not is gone, and each host has a folder of its own.
 */
#include "common/file.h"
#include "compute-agent/libvirt/libvirt_dhcp.h"
#include "compute-agent/settings.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

#define NETWORK "01890000-2222-7222-8333-00000000cafe"
#define FIRST   "fa163e000001"
#define SECOND  "fa163e000002"

static const struct network_host dhcp_hosts[] = {{"fa:16:3e:00:00:01", "10.0.0.5", "web"},
                                                 {"fa:16:3e:00:00:02", "10.0.0.6", "web"}};

static char *folder_of(const char *host_id)
{
    char *dir = scratch_file("dhcp");
    struct settings settings = {.dhcp_dir = dir};
    struct names names;
    names_init(&names, "cloud-1", host_id);
    char *folder = libvirt_dhcp_folder(&settings, &names, NETWORK);
    free(dir);
    return folder;
}

static void apply(const char *folder, const struct network_host *hosts, size_t count)
{
    struct network_plan plan = {
        .id = NETWORK, .name = "net", .hosts = (struct network_host *)hosts, .host_count = count};
    struct error e = {0};
    CHECK_OK(libvirt_dhcp_apply(folder, &plan, NULL, NULL, &e), &e);
}

/* The reservation's line, "" when there is none. */
static void check_line(const char *folder, const char *file, const char *expected)
{
    struct strbuf path, line;
    strbuf_init(&path, 0);
    strbuf_init(&line, 0);
    strbuf_appendf(&path, "%s/%s", folder, file);
    file_read(path.data, &line, NULL);
    CHECK_TEXT(line.data, expected);
    strbuf_done(&path);
    strbuf_done(&line);
}

TEST("a reservation that leaves the plan leaves the folder, and a name has one owner")
{
    char *folder = folder_of("01890000-9999-7222-8333-000000000001");
    apply(folder, dhcp_hosts, 2);
    check_line(folder, FIRST, "fa:16:3e:00:00:01,10.0.0.5,web\n");
    check_line(folder, SECOND, "fa:16:3e:00:00:02,10.0.0.6\n");
    apply(folder, dhcp_hosts + 1, 1);
    check_line(folder, FIRST, "");
    check_line(folder, SECOND, "fa:16:3e:00:00:02,10.0.0.6,web\n");
    free(folder);
}

TEST("two hosts whose agents share a folder keep each other's reservations on the same network")
{
    char *one = folder_of("01890000-9999-7222-8333-000000000001"),
         *two = folder_of("01890000-9999-7222-8333-000000000002");
    apply(one, dhcp_hosts, 1);
    apply(two, dhcp_hosts + 1, 1);
    check_line(one, FIRST, "fa:16:3e:00:00:01,10.0.0.5,web\n");
    check_line(two, SECOND, "fa:16:3e:00:00:02,10.0.0.6,web\n");
    struct error e = {0};
    CHECK_OK(libvirt_dhcp_remove(one, &e), &e);
    check_line(one, FIRST, "");
    check_line(two, SECOND, "fa:16:3e:00:00:02,10.0.0.6,web\n");
    free(one);
    free(two);
}
