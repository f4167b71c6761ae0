/* virga run: all daemons of a single machine as children of this process, each with its configuration, log and pid file
 * at their places below the prefix. */
#include "cli/commands.h"
#include "cli/supervisor.h"
#include "common/config.h"
#include "common/daemon.h"
#include "common/file.h"
#include "common/log.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 20000

static const struct command_option options[] = {
    {"detach", NULL, "Go on in the background; the pid is in <prefix>/run/virga/virga.pid."},
    {"without", "DAEMON", "Leave one out: api, scheduler, metering or agent; may be given several times."},
    {"bin", "DIR", "Where the daemons' programs are. Default: beside this program, or ../sbin from there."},
};

/* Where the agent's host keeps its certificate once it has joined, by the agent's own configuration. NULL when that
 * cannot be read: the agent is started and says what is wrong with it. */
static const char *agent_certificate(struct cli *cli, const char *config)
{
    static const struct config_option rows[] = {{.name = "state_dir", .type = CONFIG_TEXT, .doc = "The agent's."}};
    static const struct config_spec spec = {.program = "virga-agent", .options = rows, .count = 1, .partial = true};
    char *argv[] = {(char *)"virga-agent", NULL}, *state_dir = NULL;
    enum config_outcome outcome;
    struct error e = {0};
    const char *certificate = NULL;
    if (config_load(&spec, &state_dir, config, 1, argv, NULL, &outcome, &e)) {
        log_warn("agent's configuration cannot be read", "error=\"%s\"", error_text(&e));
    } else {
        certificate = state_dir ? arena_printf(&cli->arena, "%s/cert.pem", state_dir)
                                : command_place(cli, "/var/lib/virga/agent/cert.pem");
        config_done(&spec, &state_dir);
    }
    return certificate;
}

/* One daemon: its program is told everything by flags, so that each prefix stays by itself. */
static int add_child(struct cli *cli, const char *bin, const char *daemon, struct supervisor_child *ret,
                     struct error *e)
{
    struct arena *a = &cli->arena;
    const char *name = arena_printf(a, "virga-%s", daemon);
    const char *path = arena_printf(a, "%s/%s", bin, name);
    if (access(path, X_OK) != 0) {
        return error_set(e, ERR_NOT_FOUND, "%s: %s (see --bin)", path, strerror(errno));
    }
    size_t n = 0;
    ret->name = name;
    ret->argv[n++] = path;
    ret->argv[n++] = "--config";
    ret->argv[n++] = command_place(cli, arena_printf(a, "/etc/virga/%s.conf", name));
    ret->argv[n++] = "--pid-file";
    ret->argv[n++] = command_place(cli, arena_printf(a, "/run/virga/%s.pid", name));
    if (*cli->prefix) {
        ret->argv[n++] = "--prefix";
        ret->argv[n++] = cli->prefix;
    }
    if (strcmp(daemon, "agent") == 0) {
        ret->wanted = agent_certificate(cli, ret->argv[2]);
    }
    return 0;
}

static bool left_out(const struct cli *cli, const char *daemon)
{
    const char *name;
    for (size_t i = 0; (name = command_value_at(cli, "without", i)); i++) {
        if (strcmp(name, daemon) == 0) {
            return true;
        }
    }
    return false;
}

static const char *programs(struct cli *cli)
{
    const char *bin = command_value(cli, "bin");
    if (bin) {
        return bin;
    }
    char *self = realpath("/proc/self/exe", NULL);
    const char *here = arena_strdup(&cli->arena, self ? dirname(self) : ".");
    free(self);
    const char *beside = arena_printf(&cli->arena, "%s/virga-api", here);
    return access(beside, X_OK) == 0 ? here : arena_printf(&cli->arena, "%s/../sbin", here);
}

/* The parent waits for the pid file's lock to be taken, so that its exit status tells whether it runs. */
static int detach(bool *ret_parent, int *ret_pipe, struct error *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) {
        return error_set(e, ERR_IO, "pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid < 0) {
        return error_set(e, ERR_IO, "fork: %s", strerror(errno));
    }
    *ret_parent = pid > 0;
    if (pid > 0) {
        char answer = 0;
        close(ends[1]);
        ssize_t got = read(ends[0], &answer, 1);
        close(ends[0]);
        return got == 1 ? 0 : error_set(e, ERR_CONFLICT, "it did not start; see virga.log");
    }
    setsid();
    close(ends[0]);
    *ret_pipe = ends[1];
    return 0;
}

static int supervise(struct cli *cli, int started, struct error *e)
{
    static const char *const daemons[] = {"api", "scheduler", "metering", "agent"};
    struct supervisor_child children[4] = {0};
    int count = 0;
    int rc = daemon_pid_file(command_place(cli, "/run/virga/virga.pid"), e);
    for (size_t i = 0; !rc && i < 4; i++) {
        if (!left_out(cli, daemons[i])) {
            rc = add_child(cli, programs(cli), daemons[i], &children[count++], e);
        }
    }
    if (rc) {
        return rc;
    }
    if (started >= 0 && write(started, "", 1) == 1) {
        close(started);
    }
    return supervisor_run(children, count, command_place(cli, "/var/log/virga"), GRACE_MS, e);
}

static int run(struct cli *cli, struct error *e)
{
    bool parent = false;
    int started = -1;
    int rc = file_make_dirs(command_place(cli, "/run/virga"), 0755, e);
    rc = rc ? rc : file_make_dirs(command_place(cli, "/var/log/virga"), 0750, e);
    if (!rc && command_flag(cli, "detach")) {
        rc = detach(&parent, &started, e);
        if (rc || parent) {
            return rc;
        }
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        log_init("virga", command_place(cli, "/var/log/virga/virga.log"), LOG_LEVEL_INFO);
    }
    rc = rc ? rc : supervise(cli, started, e);
    if (rc && started >= 0) {
        log_error("cannot run", "error=\"%s\"", error_text(e));
    }
    return rc;
}

const struct command run_command = {
    .name = "run",
    .arguments = "",
    .summary = "Run the daemons of a single machine as children of this process",
    .help =
        "Daemons that die are started again. The agent waits until the host has joined. SIGTERM or `virga stop` ends "
        "them in order; servers run on.",
    COMMAND_OPTIONS(options),
    .run = run,
};
