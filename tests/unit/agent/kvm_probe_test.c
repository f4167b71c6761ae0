/* The KVM probe: its guest is right, told by QEMU's TCG, which runs the same memory to its end wherever there is QEMU;
 * and it never says yes to what cannot be used. */
#include "common/child.h"
#include "common/clock.h"
#include "compute-agent/kvm_probe.h"
#include "compute-agent/kvm_probe_guest.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

static const char emulator[] = "/usr/bin/qemu-system-x86_64";

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

/* A file that a multiboot loader takes to 1 MiB: a header, a stub that moves the guest's memory down to where it
 * belongs, and that memory. It writes what lies below `used`. The stub masks the interrupt controllers that the
 * firmware has left on: a tick of its clock would be vector 8, which to the guest is a double fault. */
static void write_kernel(const char *path)
{
    enum { LOAD = 0x100000, STUB = 0x20, IMAGE = 0x100, FIRST = 0x1000, USED = 0x30000 };
    static uint8_t memory[GUEST_BYTES], file[IMAGE + USED];
    static const uint8_t gdt_pointer[] = {GUEST_GDT_BYTES - 1, 0, GUEST_GDT & 0xff, GUEST_GDT >> 8, 0, 0};
    uint8_t *stub = file + STUB;

    CHECK_INT(kvm_probe_guest_prepare(memory), 0);
    put32(file, 0x1badb002);
    put32(file + 4, 0x10000);
    put32(file + 8, 0U - 0x1badb002U - 0x10000U);
    put32(file + 12, LOAD);
    put32(file + 16, LOAD);
    put32(file + 28, LOAD + STUB);
    memcpy(file + 0xe0, gdt_pointer, sizeof gdt_pointer);
    memcpy(stub, "\xfa\xfc\xb0\xff\xe6\x21\xe6\xa1\xbe????\xbf????\xb9????\xf3\xa4\x0f\x01\x15????\xea????\x08\x00",
           38);
    put32(stub + 9, LOAD + IMAGE);  /* mov esi */
    put32(stub + 14, FIRST);        /* mov edi */
    put32(stub + 19, USED - FIRST); /* mov ecx; rep movsb */
    put32(stub + 28, LOAD + 0xe0);  /* lgdt */
    put32(stub + 33, GUEST_CODE);   /* ljmp 8:code */
    memcpy(file + IMAGE, memory + FIRST, USED - FIRST);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, file, sizeof file) == (ssize_t)sizeof file && close(fd) == 0);
}

/* The bytes of a file, or -1 while there is none. */
static ssize_t read_file(const char *path, uint8_t *bytes, size_t size)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, size);

    if (fd >= 0)
        close(fd);
    return n;
}

TEST("the guest runs to its end on an emulated processor, each stage in turn")
{
    char kernel[128], stages[128], failures[128], stage_port[160], failure_port[160];
    uint8_t seen[64];

    if (access(emulator, X_OK) != 0)
        return;
    snprintf(kernel, sizeof kernel, "%s/kernel", scratch_folder());
    snprintf(stages, sizeof stages, "%s/stages", scratch_folder());
    snprintf(failures, sizeof failures, "%s/failures", scratch_folder());
    snprintf(stage_port, sizeof stage_port, "file,id=stages,path=%s", stages);
    snprintf(failure_port, sizeof failure_port, "file,id=failures,path=%s", failures);
    write_kernel(kernel);
    /* The last stage's end is the guest's way to end QEMU: the deadline is for the case that it does not come there. */
    const char *const argv[] = {emulator,
                                "-nodefaults",
                                "-no-user-config",
                                "-display",
                                "none",
                                "-machine",
                                "pc,accel=tcg",
                                "-cpu",
                                "max",
                                "-m",
                                "16",
                                "-kernel",
                                kernel,
                                "-chardev",
                                stage_port,
                                "-chardev",
                                failure_port,
                                "-device",
                                "isa-debugcon,iobase=0x5f0,chardev=stages",
                                "-device",
                                "isa-debugcon,iobase=0x5f2,chardev=failures",
                                "-device",
                                "isa-debug-exit,iobase=0x5f4,iosize=1",
                                NULL};
    struct error e = {0};
    child_run(&(struct child){.argv = argv, .deadline_ms = 60000}, NULL, &e);
    CHECK_INT(read_file(failures, seen, sizeof seen), 0);
    CHECK_INT(read_file(stages, seen, sizeof seen), GUEST_STAGE_DONE);
    for (int i = 0; i < GUEST_STAGE_DONE; i++)
        CHECK_INT(seen[i], i + 1);
}

TEST("the probe says why")
{
    char reason[256] = "";
    int usable = kvm_probe_run(NULL, 2000, reason, sizeof reason);
    CHECK(usable == 0 || usable == 1);
    CHECK(reason[0] && reason[strlen(reason) - 1] != '.');
}

/* As long as nobody ends it. */
static void hang(void *context)
{
    volatile pid_t *pid = context;
    *pid = getpid();
    for (;;)
        pause();
}

static void finish(void *context)
{
    volatile pid_t *pid = context;
    *pid = getpid();
}

TEST("a guest that hangs is ended at its deadline, and nobody is left; one that ends is not waited for any longer")
{
    volatile pid_t *pid = mmap(NULL, sizeof *pid, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(pid != MAP_FAILED);
    int64_t start_us = clock_mono_us();
    CHECK_INT(kvm_probe_in_child(hang, (void *)pid, start_us / 1000 + 300), 0);
    CHECK(clock_mono_us() - start_us >= 299000);
    CHECK(*pid == 0 || (kill(*pid, 0) != 0 && errno == ESRCH)); /* a busy machine may not have let it begin */
    start_us = clock_mono_us();
    CHECK_INT(kvm_probe_in_child(finish, (void *)pid, start_us / 1000 + 3600 * 1000), 1);
    CHECK(kill(*pid, 0) != 0 && errno == ESRCH);
    CHECK_INT(kvm_probe_in_child(hang, (void *)pid, clock_mono_us() / 1000), 0);
    munmap((void *)pid, sizeof *pid);
}

TEST("an emulator that is not there makes KVM unusable")
{
    char reason[256] = "";

    CHECK_INT(kvm_probe_run("/nonexistent/qemu", 5000, reason, sizeof reason), 0);
}

TEST("a deadline of nothing makes KVM unusable")
{
    char reason[256] = "";

    CHECK_INT(kvm_probe_run(NULL, 0, reason, sizeof reason), 0);
}

TEST("a reason that does not fit is cut")
{
    char reason[8] = "";

    kvm_probe_run(NULL, 0, reason, sizeof reason);
    CHECK_INT(strlen(reason), 7);
}
