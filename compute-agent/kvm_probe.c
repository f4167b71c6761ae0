/* Runs the probe's guest on /dev/kvm and judges how it fared.
 *
 * All of it happens in a forked child, for a KVM that hangs can only be left by killing who called it; what the child
 * finds lies in memory shared with its parent, so that a child that had to be killed still tells how far it came. The
 * child makes a virtual machine of 2 MiB with one processor, enters the guest and reads its writes to three ports.
 *
 * KVM is unusable if the device or a call on it fails, if the guest stops short of its end or not in time, or if its
 * plain loop runs slower than TCG would run it. Speed counts the child's processor time, so a busy machine does not
 * distort it. */
#include "compute-agent/kvm_probe.h"
#include "common/clock.h"
#include "compute-agent/kvm_probe_guest.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    REASON_BYTES = 256,
    CPUID_ENTRIES = 256,
    /* Millions of instructions a second. Processors do thousands, TCG hundreds, an emulator in the kernel single ones.
     */
    LEAST_SPEED = 200,
    /* Processor time after which a loop that is slower than that needs not be waited for. */
    ENOUGH_CPU_US = 150 * 1000,
};

/* Shared by parent and child. The reason is there if the child ended by itself. */
struct finding {
    volatile int stage, usable, told;
    char reason[REASON_BYTES];
};

struct machine {
    int kvm, vm, vcpu;
    uint8_t *memory;
    struct kvm_run *run;
};

static __attribute__((format(printf, 2, 3))) int finding_tell(struct finding *f, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(f->reason, sizeof f->reason, format, arguments);
    va_end(arguments);
    f->told = 1;
    return -1;
}

static int finding_tell_call(struct finding *f, const char *call)
{
    return finding_tell(f, "%s on /dev/kvm fails: %s", call, strerror(errno));
}

static int machine_create(struct machine *m, struct finding *f)
{
    m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (m->kvm < 0)
        return finding_tell(f, errno == ENOENT ? "there is no /dev/kvm" : "/dev/kvm does not open: %s",
                            strerror(errno));
    if (ioctl(m->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return finding_tell(f, "/dev/kvm speaks another version of its interface");
    m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
    if (m->vm < 0)
        return finding_tell_call(f, "KVM_CREATE_VM");
    if (ioctl(m->vm, KVM_SET_TSS_ADDR, 0xfffbd000UL) < 0)
        return finding_tell_call(f, "KVM_SET_TSS_ADDR");
    if (ioctl(m->vm, KVM_CREATE_IRQCHIP, 0) < 0)
        return finding_tell_call(f, "KVM_CREATE_IRQCHIP");
    m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
    return m->vcpu < 0 ? finding_tell_call(f, "KVM_CREATE_VCPU") : 0;
}

static int machine_give_memory(struct machine *m, struct finding *f)
{
    m->memory = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m->memory == MAP_FAILED)
        return finding_tell(f, "no memory for a guest");
    struct kvm_userspace_memory_region region = {.memory_size = GUEST_BYTES,
                                                 .userspace_addr = (uint64_t)(uintptr_t)m->memory};
    if (ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return finding_tell_call(f, "KVM_SET_USER_MEMORY_REGION");
    int run_bytes = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (run_bytes < (int)sizeof *m->run)
        return finding_tell_call(f, "KVM_GET_VCPU_MMAP_SIZE");
    m->run = mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
    return m->run == MAP_FAILED ? finding_tell_call(f, "mmap") : 0;
}

/* The guest sees the processor that KVM offers, as a server with host-passthrough would. */
static int machine_set_cpuid(struct machine *m, struct finding *f)
{
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + CPUID_ENTRIES * sizeof cpuid->entries[0]);

    if (!cpuid)
        return finding_tell(f, "no memory for a guest");
    cpuid->nent = CPUID_ENTRIES;
    int status = ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 ? finding_tell_call(f, "KVM_GET_SUPPORTED_CPUID")
                 : ioctl(m->vcpu, KVM_SET_CPUID2, cpuid) < 0       ? finding_tell_call(f, "KVM_SET_CPUID2")
                                                                   : 0;
    free(cpuid);
    return status;
}

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type)
{
    return (struct kvm_segment){
        .selector = selector, .limit = 0xffffffff, .type = type, .present = 1, .db = 1, .s = 1, .g = 1};
}

static int machine_set_registers(struct machine *m, struct finding *f)
{
    enum { CR0_PROTECTED = 0x11, SEGMENT_CODE = 11, SEGMENT_DATA = 3, FLAGS_RESERVED = 2 };
    struct kvm_regs registers = {.rip = GUEST_CODE, .rsp = GUEST_STACK, .rflags = FLAGS_RESERVED};
    struct kvm_sregs special;

    if (ioctl(m->vcpu, KVM_GET_SREGS, &special) < 0)
        return finding_tell_call(f, "KVM_GET_SREGS");
    special.cs = flat_segment(GUEST_CODE32, SEGMENT_CODE);
    special.ds = special.es = special.fs = special.gs = special.ss = flat_segment(GUEST_DATA, SEGMENT_DATA);
    special.gdt.base = GUEST_GDT;
    special.gdt.limit = GUEST_GDT_BYTES - 1;
    special.cr0 = CR0_PROTECTED;
    if (ioctl(m->vcpu, KVM_SET_SREGS, &special) < 0)
        return finding_tell_call(f, "KVM_SET_SREGS");
    return ioctl(m->vcpu, KVM_SET_REGS, &registers) < 0 ? finding_tell_call(f, "KVM_SET_REGS") : 0;
}

static int64_t cpu_time_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A slice of the plain loop is done: -1 if it is too slow. */
static int judge_speed(struct finding *f, int64_t slices, int64_t cpu_us)
{
    int64_t speed = slices * GUEST_SLICE_LOOPS * 3 / (cpu_us > 0 ? cpu_us : 1);

    if (speed >= LEAST_SPEED || (cpu_us < ENOUGH_CPU_US && slices < GUEST_SLICE_COUNT))
        return 0;
    return finding_tell(f,
                        "/dev/kvm emulates guests instead of running them: %lld million instructions a second in long "
                        "mode, at least %d are expected",
                        (long long)speed, LEAST_SPEED);
}

static int judge_exit(struct finding *f, const struct kvm_run *run)
{
    const char *stage = kvm_probe_guest_stage_name((enum guest_stage)f->stage);

    switch (run->exit_reason) {
    case KVM_EXIT_SHUTDOWN:
        return finding_tell(f, "a long-mode guest on /dev/kvm crashes in %s", stage);
    case KVM_EXIT_INTERNAL_ERROR:
        if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
            return finding_tell(f, "/dev/kvm emulates guests and does not know an instruction in %s", stage);
        return finding_tell(f, "/dev/kvm cannot run a long-mode guest: internal error %u in %s", run->internal.suberror,
                            stage);
    case KVM_EXIT_FAIL_ENTRY:
        return finding_tell(f, "/dev/kvm cannot run a long-mode guest: the processor refuses it (%llx) in %s",
                            (unsigned long long)run->fail_entry.hardware_entry_failure_reason, stage);
    default:
        return finding_tell(f, "a long-mode guest on /dev/kvm leaves its way (exit %u) in %s", run->exit_reason, stage);
    }
}

static int judge_failure(struct finding *f, uint8_t failure)
{
    const char *stage = kvm_probe_guest_stage_name((enum guest_stage)f->stage);

    if (failure == GUEST_FAILURE_CHECK)
        return finding_tell(f, "a long-mode guest on /dev/kvm sees wrong results in %s", stage);
    return finding_tell(f, "a long-mode guest on /dev/kvm gets exception %u in %s", failure, stage);
}

/* Runs the guest to its end. 0, or -1 and the reason. */
static int machine_run(struct machine *m, struct finding *f)
{
    int64_t slices = 0, speed_start_us = 0;
    int status = 0;

    while (status == 0 && f->stage != GUEST_STAGE_DONE) {
        if (ioctl(m->vcpu, KVM_RUN, 0) < 0 && errno != EINTR && errno != EAGAIN)
            return finding_tell(f, "/dev/kvm cannot run a long-mode guest: %s in %s", strerror(errno),
                                kvm_probe_guest_stage_name((enum guest_stage)f->stage));
        if (m->run->exit_reason == KVM_EXIT_INTR)
            continue;
        if (m->run->exit_reason != KVM_EXIT_IO)
            return judge_exit(f, m->run);
        uint8_t byte = ((const uint8_t *)m->run)[m->run->io.data_offset];
        if (m->run->io.port == GUEST_PORT_SLICE) {
            status = judge_speed(f, ++slices, cpu_time_us() - speed_start_us);
        } else if (m->run->io.port == GUEST_PORT_STAGE) {
            f->stage = byte;
            speed_start_us = cpu_time_us();
        } else {
            status = judge_failure(f, byte);
        }
    }
    return status;
}

static void probe_in_child(struct finding *f)
{
    struct machine m = {.kvm = -1};

    if (machine_create(&m, f) != 0 || machine_give_memory(&m, f) != 0 || machine_set_cpuid(&m, f) != 0 ||
        machine_set_registers(&m, f) != 0)
        return;
    if (kvm_probe_guest_prepare(m.memory) != 0) {
        finding_tell(f, "this is no x86-64 machine");
        return;
    }
    if (machine_run(&m, f) != 0)
        return;
    f->usable = 1;
    finding_tell(f, "a long-mode guest ran to its end");
}

/* Waits until the child has closed its end of the pipe, that is, has ended: true, or false at `end_ms`. */
static bool wait_for_end(int pipe_end, int64_t end_ms)
{
    struct pollfd p = {.fd = pipe_end, .events = POLLIN};

    for (;;) {
        int64_t left = end_ms - clock_mono_us() / 1000;
        if (left <= 0)
            return false;
        if (poll(&p, 1, (int)left) > 0)
            return true;
    }
}

int kvm_probe_in_child(void (*work)(void *context), void *context, int64_t end_ms)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            work(context);
        _exit(0);
    }
    close(ends[1]);
    bool ended = child > 0 && wait_for_end(ends[0], end_ms);
    if (child > 0) {
        kill(child, SIGKILL);
        /* One that the kernel does not let go is left behind. */
        if (ended || wait_for_end(ends[0], clock_mono_us() / 1000 + 1000))
            waitpid(child, NULL, 0);
    }
    close(ends[0]);
    return child > 0 ? ended : -1;
}

static void probe_work(void *context)
{
    probe_in_child(context);
}

/* Asks an emulator over QMP; its answer goes to the finding. Without KVM it ends with a message before it answers. */
struct question {
    const char *emulator;
    struct finding *finding;
};

static void exec_emulator(const char *emulator, int input, int output)
{
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execl(emulator, emulator, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "none,accel=kvm",
          "-qmp", "stdio", (char *)NULL);
    dprintf(STDOUT_FILENO, "%s\n", strerror(errno));
    _exit(127);
}

static void question_work(void *context)
{
    static const char commands[] =
        "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-kvm\"}\n{\"execute\":\"quit\"}\n";
    struct question *q = context;
    char said[8192];
    size_t size = 0;
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return;
    pid_t emulator = fork();
    if (emulator == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        exec_emulator(q->emulator, in[0], out[1]);
    }
    close(out[1]);
    signal(SIGPIPE, SIG_IGN);
    ssize_t n = write(in[1], commands, sizeof commands - 1);
    while (n > 0 && size < sizeof said - 1 && (n = read(out[0], said + size, sizeof said - 1 - size)) > 0)
        size += (size_t)n;
    said[size] = '\0';
    if (strstr(said, "\"enabled\": true")) {
        q->finding->usable = 1;
        return;
    }
    said[strcspn(said, "\r\n")] = '\0';
    finding_tell(q->finding, "%s cannot use KVM: %.150s", q->emulator, size > 0 ? said : "it says nothing");
}

static void ask_emulator(const char *emulator, int64_t end_ms, struct finding *f)
{
    struct question question = {.emulator = emulator, .finding = f};

    f->usable = 0;
    f->told = 0;
    if (kvm_probe_in_child(question_work, &question, end_ms) <= 0 && !f->told)
        finding_tell(f, "%s does not say in time whether it can use KVM", emulator);
    else if (f->usable)
        finding_tell(f, "a long-mode guest ran to its end and %s can use KVM", emulator);
}

int kvm_probe_run(const char *emulator, unsigned deadline_ms, char *reason, size_t reason_size)
{
    int64_t end_ms = clock_mono_us() / 1000 + deadline_ms;
    struct finding *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (f == MAP_FAILED) {
        snprintf(reason, reason_size, "no memory for a guest");
        return 0;
    }
    int ended = kvm_probe_in_child(probe_work, f, end_ms);
    const char *stage = kvm_probe_guest_stage_name((enum guest_stage)f->stage);
    if (ended < 0)
        finding_tell(f, "no process to probe /dev/kvm in: %s", strerror(errno));
    else if (!f->told && ended)
        finding_tell(f, "the probe of /dev/kvm broke off in %s", stage);
    else if (!f->told)
        finding_tell(f, "a long-mode guest on /dev/kvm does not get through %s in %u ms", stage, deadline_ms);
    if (f->usable && emulator)
        ask_emulator(emulator, end_ms, f);
    int usable = f->usable;
    snprintf(reason, reason_size, "%s", f->reason);
    munmap(f, sizeof *f);
    return usable;
}
