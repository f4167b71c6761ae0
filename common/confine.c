/* Landlock's rules are made by the parent; the child only takes them on. Landlock says nothing about a file's mode and
 * owner, sockets of UDP and signals, hence the list of calls. Not on it is execve: the cage is entered before; what may
 * be run is said by Landlock. */
#include "common/confine.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONFINE_FILES 32 /* descriptors of the confined program */
/* Rights that later kernels know; the header may be older. */
#define CONFINE_REFER    (UINT64_C(1) << 13)
#define CONFINE_TRUNCATE (UINT64_C(1) << 14)
#define CONFINE_FIRST    ((UINT64_C(1) << 13) - 1) /* all of the first version */
#define CONFINE_LIBRARY  (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

#if defined(__x86_64__)
#define CONFINE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CONFINE_ARCH AUDIT_ARCH_AARCH64
#else
#error "confine.c: say this machine's AUDIT_ARCH"
#endif

/* ---- files ---- */

static uint64_t confine_rights(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return 0;
    return CONFINE_FIRST | (version >= 2 ? CONFINE_REFER : 0) | (version >= 3 ? CONFINE_TRUNCATE : 0);
}

static int confine_allow(int ruleset, int fd, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* What is not there needs no rule. */
static int confine_allow_path(int ruleset, const char *path, uint64_t rights)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    int failed = confine_allow(ruleset, fd, rights);
    close(fd);
    return failed;
}

static int confine_allow_all(const struct confine *c, uint64_t handled)
{
    static const char *const libraries[] = {"/usr", "/lib", "/lib64", "/bin"};
    uint64_t write = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | (handled & CONFINE_TRUNCATE);
    int failed = 0;
    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]) && !failed; i++)
        failed = confine_allow_path(c->ruleset, libraries[i], CONFINE_LIBRARY);
    if (!failed)
        failed = confine_allow_path(c->ruleset, "/etc/ld.so.cache", LANDLOCK_ACCESS_FS_READ_FILE);
    if (!failed)
        failed = confine_allow_path(c->ruleset, "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE);
    if (!failed && c->read_fd >= 0)
        failed = confine_allow(c->ruleset, c->read_fd, LANDLOCK_ACCESS_FS_READ_FILE);
    if (!failed && c->write_fd >= 0)
        failed = confine_allow(c->ruleset, c->write_fd, write);
    return failed;
}

int confine_open(int read_fd, int write_fd, struct confine *ret, struct error *e)
{
    struct landlock_ruleset_attr all = {.handled_access_fs = confine_rights()};
    struct confine c = {.read_fd = read_fd, .write_fd = write_fd};
    if (!all.handled_access_fs)
        return error_set(e, ERR_NOT_IMPLEMENTED, "The kernel of this machine cannot confine a program (Landlock)");
    c.ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    if (c.ruleset < 0)
        return error_set(e, ERR_IO, "Landlock: %s", strerror(errno));
    if (confine_allow_all(&c, all.handled_access_fs)) {
        int why = errno;
        close(c.ruleset);
        return error_set(e, ERR_IO, "Landlock: %s", strerror(why));
    }
    *ret = c;
    return 0;
}

void confine_close(struct confine *c)
{
    close(c->ruleset);
    c->ruleset = -1;
}

/* ---- calls ---- */

#define CONFINE_REFUSE(name)                                                                                           \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (SYS_##name), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static const struct sock_filter confine_calls[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CONFINE_ARCH, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), /* x32 */
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    /* network */
    CONFINE_REFUSE(socket),
    CONFINE_REFUSE(socketpair),
    CONFINE_REFUSE(connect),
    CONFINE_REFUSE(bind),
    CONFINE_REFUSE(listen),
    CONFINE_REFUSE(sendto),
    CONFINE_REFUSE(sendmsg),
    CONFINE_REFUSE(sendmmsg),
    /* other processes */
    CONFINE_REFUSE(kill),
    CONFINE_REFUSE(tkill),
    CONFINE_REFUSE(ptrace),
    CONFINE_REFUSE(process_vm_readv),
    CONFINE_REFUSE(process_vm_writev),
    CONFINE_REFUSE(pidfd_open),
    CONFINE_REFUSE(pidfd_getfd),
    CONFINE_REFUSE(pidfd_send_signal),
    CONFINE_REFUSE(shmget),
    CONFINE_REFUSE(shmat),
    CONFINE_REFUSE(msgget),
    CONFINE_REFUSE(mq_open),
    /* modes, owners and times of files, which Landlock leaves alone */
    CONFINE_REFUSE(fchmod),
    CONFINE_REFUSE(fchmodat),
    CONFINE_REFUSE(fchown),
    CONFINE_REFUSE(fchownat),
    CONFINE_REFUSE(setxattr),
    CONFINE_REFUSE(lsetxattr),
    CONFINE_REFUSE(fsetxattr),
    CONFINE_REFUSE(removexattr),
    CONFINE_REFUSE(lremovexattr),
    CONFINE_REFUSE(fremovexattr),
    CONFINE_REFUSE(utimensat),
    CONFINE_REFUSE(open_by_handle_at),
#ifdef SYS_chmod
    CONFINE_REFUSE(chmod),
    CONFINE_REFUSE(chown),
    CONFINE_REFUSE(lchown),
    CONFINE_REFUSE(utime),
    CONFINE_REFUSE(utimes),
    CONFINE_REFUSE(futimesat),
#endif
    /* the kernel's wide doors */
    CONFINE_REFUSE(unshare),
    CONFINE_REFUSE(setns),
    CONFINE_REFUSE(mount),
    CONFINE_REFUSE(umount2),
    CONFINE_REFUSE(pivot_root),
    CONFINE_REFUSE(chroot),
    CONFINE_REFUSE(bpf),
    CONFINE_REFUSE(perf_event_open),
    CONFINE_REFUSE(userfaultfd),
    CONFINE_REFUSE(io_uring_setup),
    CONFINE_REFUSE(add_key),
    CONFINE_REFUSE(request_key),
    CONFINE_REFUSE(keyctl),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static int confine_drop_root(void)
{
    if (geteuid() != 0)
        return 0;
    return setgroups(0, NULL) || setresgid(CONFINE_NOBODY, CONFINE_NOBODY, CONFINE_NOBODY) ||
           setresuid(CONFINE_NOBODY, CONFINE_NOBODY, CONFINE_NOBODY);
}

int confine_enter(const struct confine *c)
{
    struct sock_fprog program = {sizeof(confine_calls) / sizeof(confine_calls[0]),
                                 (struct sock_filter *)(uintptr_t)confine_calls};
    struct rlimit files = {CONFINE_FILES, CONFINE_FILES}, none = {0, 0};
    if ((c->read_fd >= 0 && fcntl(c->read_fd, F_SETFD, 0)) || (c->write_fd >= 0 && fcntl(c->write_fd, F_SETFD, 0)))
        return errno;
    if (setrlimit(RLIMIT_CORE, &none) || confine_drop_root() || prctl(PR_SET_PDEATHSIG, SIGKILL) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, c->ruleset, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) || setrlimit(RLIMIT_NOFILE, &files))
        return errno;
    return 0;
}
