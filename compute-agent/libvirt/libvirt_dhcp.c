/* Files are named after the MAC and written under another name first: dnsmasq reads what is renamed into the folder,
 * and leaves out what begins with a dot. A lease that outlives its reservation would keep the address from the next
 * server, so it is released. */
#include "compute-agent/libvirt/libvirt_dhcp.h"
#include "common/child.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/disk.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBVIRT_DHCP_RELEASE_MS 5000
#define LIBVIRT_DHCP_END_MS     2000
#define LIBVIRT_DHCP_LOOK_MS    5
#define LIBVIRT_DHCP_PIDS       "/run/libvirt/network" /* where libvirt puts its dnsmasqs' process ids */
#define LIBVIRT_DHCP_DEFINITION ".definition"
#define LIBVIRT_DHCP_LINE       512

static char *libvirt_dhcp_join(const char *folder, const char *name)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/%s", folder, name);
    return strbuf_take(&path);
}

char *libvirt_dhcp_folder(const struct settings *settings, const struct names *names, const char *network_id)
{
    char name[NAMES_DOMAIN_SIZE];
    return libvirt_dhcp_join(settings->dhcp_dir, names_domain(names, network_id, name));
}

/* dnsmasq gives a name to one only: the first of several guests with the same name has it. */
static bool libvirt_dhcp_is_named(const struct network_plan *plan, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(plan->hosts[i].name, plan->hosts[index].name) == 0)
            return false;
    }
    return plan->hosts[index].name[0] != '\0';
}

static void libvirt_dhcp_line(const struct network_plan *plan, size_t index, char ret[LIBVIRT_DHCP_LINE])
{
    const struct network_host *host = &plan->hosts[index];
    bool named = libvirt_dhcp_is_named(plan, index);
    snprintf(ret, LIBVIRT_DHCP_LINE, "%s,%s%s%s\n", host->mac, host->ip, named ? "," : "", named ? host->name : "");
}

/* "fa:16:3e:00:00:01" without colons. */
static void libvirt_dhcp_file_name(const char *mac, char ret[24])
{
    size_t size = 0;
    for (; *mac && size < 23; mac++) {
        if (*mac != ':')
            ret[size++] = *mac;
    }
    ret[size] = '\0';
}

/* ---- what goes ---- */

static bool libvirt_dhcp_is_planned(const struct network_plan *plan, const char *line)
{
    for (size_t i = 0; i < plan->host_count; i++) {
        char wanted[LIBVIRT_DHCP_LINE];
        libvirt_dhcp_line(plan, i, wanted);
        if (strcmp(line, wanted) == 0)
            return true;
    }
    return false;
}

static void libvirt_dhcp_release(const char *bridge, char *line)
{
    char *save = NULL, *mac = strtok_r(line, ",\n", &save), *ip = strtok_r(NULL, ",\n", &save);
    struct error e = {0};
    if (!mac || !ip)
        return;
    const char *argv[] = {"dhcp_release", bridge, ip, mac, NULL};
    struct child child = {.argv = argv, .deadline_ms = LIBVIRT_DHCP_RELEASE_MS};
    if (child_run(&child, NULL, &e))
        log_warn("DHCP lease not released", "bridge=%s ip=%s error=\"%s\"", bridge, ip, error_text(&e));
}

/* True when the file went. */
static bool libvirt_dhcp_drop_stale(const char *folder, const char *file, const struct network_plan *plan,
                                    const char *bridge)
{
    char *path = libvirt_dhcp_join(folder, file);
    struct strbuf line;
    bool gone = false;
    strbuf_init(&line, LIBVIRT_DHCP_LINE);
    if (file_read(path, &line, NULL) || !libvirt_dhcp_is_planned(plan, line.data)) {
        gone = unlink(path) == 0;
        if (gone && bridge)
            libvirt_dhcp_release(bridge, line.data);
    }
    strbuf_done(&line);
    free(path);
    return gone;
}

static bool libvirt_dhcp_drop_all_stale(const char *folder, const struct network_plan *plan, const char *bridge)
{
    bool any = false;
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (d->d_name[0] != '.' && libvirt_dhcp_drop_stale(folder, d->d_name, plan, bridge))
            any = true;
    }
    if (dir)
        closedir(dir);
    return any;
}

/* The number in the file may be a dead process's, or by now another one's: only a dnsmasq with this network's
 * configuration is meant. */
static bool libvirt_dhcp_is_server(long pid, const char *name)
{
    struct strbuf path, line, conf;
    bool is = false;
    strbuf_init(&path, 0);
    strbuf_init(&line, 65536);
    strbuf_init(&conf, 0);
    strbuf_appendf(&path, "/proc/%ld/cmdline", pid);
    strbuf_appendf(&conf, "/%s.conf", name);
    if (pid > 1 && file_read(path.data, &line, NULL) == 0)
        is = memmem(line.data, line.size, conf.data, conf.size) != NULL;
    strbuf_done(&path);
    strbuf_done(&line);
    strbuf_done(&conf);
    return is;
}

/* The one that libvirt noted, if it lives; else 0. */
static pid_t libvirt_dhcp_server(const char *name)
{
    struct strbuf path, text;
    strbuf_init(&path, 0);
    strbuf_init(&text, 64);
    strbuf_appendf(&path, LIBVIRT_DHCP_PIDS "/%s.pid", name);
    long pid = file_read(path.data, &text, NULL) ? 0 : strtol(text.data, NULL, 10);
    strbuf_done(&path);
    strbuf_done(&text);
    return libvirt_dhcp_is_server(pid, name) ? (pid_t)pid : 0;
}

static void libvirt_dhcp_reload(const char *name)
{
    pid_t pid = libvirt_dhcp_server(name);
    if (pid == 0 || kill(pid, SIGHUP))
        log_warn("DHCP server not told of a reservation that went", "network=%s pid=%d", name, (int)pid);
}

void libvirt_dhcp_end_server(const char *name)
{
    pid_t pid = libvirt_dhcp_server(name);
    if (pid == 0)
        return;
    log_info("DHCP server of a network that is off is ended", "network=%s pid=%d", name, (int)pid);
    kill(pid, SIGKILL);
    for (int ms = 0; ms < LIBVIRT_DHCP_END_MS && libvirt_dhcp_is_server(pid, name); ms += LIBVIRT_DHCP_LOOK_MS)
        poll(NULL, 0, LIBVIRT_DHCP_LOOK_MS);
}

/* ---- what comes ---- */

static int libvirt_dhcp_write(const char *folder, const char *name, const char *text, struct error *e)
{
    struct strbuf partial;
    char *path = libvirt_dhcp_join(folder, name);
    size_t size = strlen(text);
    strbuf_init(&partial, 0);
    strbuf_appendf(&partial, "%s/.part.%s", folder, name);
    int fd = open(partial.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good =
        fd >= 0 && fchmod(fd, 0644) == 0 && write(fd, text, size) == (ssize_t)size && rename(partial.data, path) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    int code = good ? 0 : error_set(e, why == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s: %s", path, strerror(why));
    strbuf_done(&partial);
    free(path);
    return code;
}

static int libvirt_dhcp_add_missing(const char *folder, const struct network_plan *plan, struct error *e)
{
    int code = 0;
    for (size_t i = 0; i < plan->host_count && !code; i++) {
        char file[24], line[LIBVIRT_DHCP_LINE];
        libvirt_dhcp_file_name(plan->hosts[i].mac, file);
        libvirt_dhcp_line(plan, i, line);
        char *path = libvirt_dhcp_join(folder, file);
        if (access(path, F_OK))
            code = libvirt_dhcp_write(folder, file, line, e);
        free(path);
    }
    return code;
}

int libvirt_dhcp_apply(const char *folder, const struct network_plan *plan, const char *name, const char *bridge,
                       struct error *e)
{
    int code = file_make_dirs(folder, 0755, e);
    if (code)
        return code;
    bool dropped = libvirt_dhcp_drop_all_stale(folder, plan, bridge);
    code = libvirt_dhcp_add_missing(folder, plan, e);
    if (dropped && name) /* after the new ones: then it knows them in any case */
        libvirt_dhcp_reload(name);
    return code;
}

void libvirt_dhcp_read_definition(const char *folder, struct strbuf *ret)
{
    char *path = libvirt_dhcp_join(folder, LIBVIRT_DHCP_DEFINITION);
    file_read(path, ret, NULL);
    free(path);
}

int libvirt_dhcp_write_definition(const char *folder, const char *xml, struct error *e)
{
    return libvirt_dhcp_write(folder, LIBVIRT_DHCP_DEFINITION, xml, e);
}

int libvirt_dhcp_remove(const char *folder, struct error *e)
{
    return disk_remove_folder(folder, e);
}
