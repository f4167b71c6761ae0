/* The machine code that the KVM probe runs. It is copied to GUEST_CODE and entered in 32-bit protected mode with flat
 * segments and paging off, in memory that kvm_probe_guest_prepare has laid out.
 *
 * Each stage writes its number to GUEST_PORT_STAGE first. A check that fails, or an exception that no stage waits for,
 * goes to GUEST_PORT_FAILURE and the guest halts. Sources: Intel SDM volume 3 (modes 9.8, paging 4.5, interrupts 6.14,
 * local APIC 10), AMD APM volume 2 (SYSCALL 6.1). */
#include "compute-agent/kvm_probe_guest.h"
#include <string.h>

const char *kvm_probe_guest_stage_name(enum guest_stage stage)
{
    static const char *const names[GUEST_STAGE_COUNT] = {
        [GUEST_STAGE_NONE] = "its first instruction",
        [GUEST_STAGE_START] = "the switch to long mode",
        [GUEST_STAGE_REGISTERS] = "CPUID and model-specific registers",
        [GUEST_STAGE_EXCEPTIONS] = "exception handling",
        [GUEST_STAGE_PAGING] = "page faults and page table changes",
        [GUEST_STAGE_SSE] = "SSE state",
        [GUEST_STAGE_USER] = "ring 3 and system calls",
        [GUEST_STAGE_TIMER] = "the local APIC's timer",
        [GUEST_STAGE_SPEED] = "a plain loop",
        [GUEST_STAGE_DONE] = "its end",
    };

    return stage < GUEST_STAGE_COUNT ? names[stage] : "an unknown stage";
}

#ifdef __x86_64__

/* clang-format off */
#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
/* The guest address of a label; a port write; a check. */
#define AT(label)              "(" #label " - guest_code + " TEXT(GUEST_CODE) ")"
#define STAGE(n)               "mov $" #n ", %al\n mov $" TEXT(GUEST_PORT_STAGE) ", %dx\n out %al, %dx\n"
#define FAIL_UNLESS(condition) "j" condition " 1f\n jmp guest_check_failed\n 1:\n"
/* Variables: how many exceptions came; the page table entry that the next page fault sets; its error code; ticks. */
#define COUNT      TEXT(GUEST_VARIABLES)
#define NEXT_ENTRY TEXT(GUEST_VARIABLES) " + 8"
#define FAULT_CODE TEXT(GUEST_VARIABLES) " + 16"
#define TICKS      TEXT(GUEST_VARIABLES) " + 24"
#define ENTRY      TEXT(GUEST_PT) " + 0x100"
#define PAGE       TEXT(GUEST_PAGE)

__asm__(
    ".pushsection .rodata.kvm_probe_guest, \"a\"\n"
    ".balign 16\n"
    "guest_code:\n"

    /* 1: PAE, EFER.LME with NXE and SCE, paging with WP, into 64-bit code. */
    ".code32\n" STAGE(
        1) "mov %cr4, %eax\n or $0x20, %eax\n mov %eax, %cr4\n"
           "mov $" TEXT(
               GUEST_PML4) ", %eax\n mov %eax, %cr3\n"
                           "mov $0xc0000080, %ecx\n rdmsr\n or $0x901, %eax\n wrmsr\n"
                           "mov %cr0, %eax\n or $0x80010001, %eax\n mov %eax, %cr0\n"
                           "ljmp $" TEXT(GUEST_CODE64) ", $" AT(
                               guest_long_mode) "\n"
                                                ".code64\n"
                                                "guest_long_mode:\n"
                                                "mov $" TEXT(
                                                    GUEST_DATA) ", %ax\n mov %ax, %ds\n mov %ax, %es\n mov %ax, %ss\n"
                                                                "mov $" TEXT(
                                                                    GUEST_STACK) ", %rsp\n"
                                                                                 "lidt guest_idt_pointer(%rip)\n"
                                                                                 "mov $" TEXT(
                                                                                     GUEST_TASK) ", %ax\n ltr %ax\n"

    /* 2: CPUID up to long mode's bit; the registers of system calls, segment bases and PAT; the time stamp grows. */
    STAGE(2) "xor %eax, %eax\n cpuid\n cmp $1, %eax\n" FAIL_UNLESS(
        "ae") "mov $1, %eax\n xor %ecx, %ecx\n cpuid\n"
              "mov $0x80000001, %eax\n cpuid\n bt $29, %edx\n" FAIL_UNLESS("c") "mov $0xc0000080, %ecx\n rdmsr\n and "
                                                                                "$0xd01, %eax\n cmp $0xd01, "
                                                                                "%eax\n" FAIL_UNLESS(
                                                                                    "e") "mov $0xc0000081, %ecx\n xor "
                                                                                         "%eax, %eax\n mov "
                                                                                         "$0x00200010, %edx\n wrmsr\n"
                                                                                         "mov $0xc0000082, %ecx\n mov "
                                                                                         "$" AT(
                                                                                             guest_system_call) ", "
                                                                                                                "%eax\n"
                                                                                                                " xor "
                                                                                                                "%edx, "
                                                                                                                "%edx\n"
                                                                                                                " wrmsr"
                                                                                                                "\n"
                                                                                                                "mov "
                                                                                                                "$0xc00"
                                                                                                                "00084,"
                                                                                                                " %"
                                                                                                                "ecx\n "
                                                                                                                "mov "
                                                                                                                "$0x700"
                                                                                                                ", "
                                                                                                                "%eax\n"
                                                                                                                " xor "
                                                                                                                "%edx, "
                                                                                                                "%edx\n"
                                                                                                                " wrmsr"
                                                                                                                "\n"
                                                                                                                "mov "
                                                                                                                "$0xc00"
                                                                                                                "00102,"
                                                                                                                " %"
                                                                                                                "ecx\n "
                                                                                                                "mov "
                                                                                                                "$0x123"
                                                                                                                "4000, "
                                                                                                                "%eax\n"
                                                                                                                " mov "
                                                                                                                "$0xfff"
                                                                                                                "f8880,"
                                                                                                                " %"
                                                                                                                "edx\n "
                                                                                                                "wrmsr"
                                                                                                                "\n"
                                                                                                                "xor "
                                                                                                                "%eax, "
                                                                                                                "%eax\n"
                                                                                                                " xor "
                                                                                                                "%edx, "
                                                                                                                "%edx\n"
                                                                                                                " rdmsr"
                                                                                                                "\n "
                                                                                                                "cmp "
                                                                                                                "$0xfff"
                                                                                                                "f8880,"
                                                                                                                " %"
                                                                                                                "edx"
                                                                                                                "\n" FAIL_UNLESS("e") "swapgs\n mov $0xc0000101, %ecx\n rdmsr\n cmp $0x1234000, %eax\n" FAIL_UNLESS(
                                                                                                                    "e") "swapgs\n"
                                                                                                                         "mov $0x277, %ecx\n rdmsr\n wrmsr\n"
                                                                                                                         "rdtsc\n mov %eax, %esi\n mov %edx, %edi\n rdtsc\n"
                                                                                                                         "shl $32, %rdx\n or %rax, %rdx\n shl $32, %rdi\n or %rsi, %rdi\n cmp %rdi, %rdx\n" FAIL_UNLESS(
                                                                                                                             "a") "mov %cr4, %rax\n or $0x80, %rax\n mov %rax, %cr4\n mov %cr3, %rax\n mov %rax, %cr3\n wbinvd\n"

    /* 3: a trap and a fault, each with its way back. */
    STAGE(3) "int3\n"
             "cmpq $1, (" COUNT ")\n" FAIL_UNLESS("e") "ud2\n"
                                                       "cmpq $2, (" COUNT ")\n" FAIL_UNLESS("e")

    /* 4: a page comes in by its fault, gets dirty, is replaced, write-protected, made not executable. */
    STAGE(4) "movq $" TEXT(
        GUEST_FRAME_A) " + 3, (" NEXT_ENTRY ")\n"
                       "movq $0x5a5a, (" PAGE ")\n"
                       "cmpq $3, (" COUNT
                       ")\n" FAIL_UNLESS("e") "cmpq $2, (" FAULT_CODE ")\n" FAIL_UNLESS("e") "cmpq $0x5a5a, (" TEXT(GUEST_FRAME_A) ")\n" FAIL_UNLESS(
                           "e") "mov (" ENTRY
                                "), %rax\n and $0x60, %rax\n cmp $0x60, %rax\n" FAIL_UNLESS("e") "movq $" TEXT(
                                    GUEST_FRAME_B) " + 1, (" ENTRY ")\n invlpg (" PAGE ")\n"
                                                   "cmpq $0, (" PAGE ")\n" FAIL_UNLESS("e") "movq $" TEXT(
                                                       GUEST_FRAME_B) " + 3, (" NEXT_ENTRY ")\n"
                                                                      "movb $0xc3, (" PAGE ")\n" /* RET */
                                                                      "cmpq $4, (" COUNT ")\n" FAIL_UNLESS(
                                                                          "e") "cmpq $3, (" FAULT_CODE
                                                                               ")\n" FAIL_UNLESS(
                                                                                   "e") "mov $0x8000000000000003 "
                                                                                        "+ " TEXT(GUEST_FRAME_B) ", "
                                                                                                                 "%rax"
                                                                                                                 "\n "
                                                                                                                 "mov "
                                                                                                                 "%rax,"
                                                                                                                 " "
                                                                                                                 "(" ENTRY
                                                                                                                 ")\n "
                                                                                                                 "invlp"
                                                                                                                 "g "
                                                                                                                 "(" PAGE
                                                                                                                 ")\n"
                                                                                                                 "mov "
                                                                                                                 "$" PAGE
                                                                                                                 ", "
                                                                                                                 "%eax"
                                                                                                                 "\n "
                                                                                                                 "call "
                                                                                                                 "*%"
                                                                                                                 "rax\n"
                                                                                                                 "cmpq "
                                                                                                                 "$5, "
                                                                                                                 "(" COUNT
                                                                                                                 ")"
                                                                                                                 "\n" FAIL_UNLESS(
                                                                                                                     "e") "cmpq $0x11, (" FAULT_CODE
                                                                                                                          ")\n" FAIL_UNLESS(
                                                                                                                              "e")

    /* 5: FXSAVE and FXRSTOR bring back what was in a register; XSAVE's switch where there is one. */
    STAGE(5) "mov %cr0, %rax\n and $~0xc, %rax\n or $2, %rax\n mov %rax, %cr0\n"
             "mov %cr4, %rax\n or $0x600, %rax\n mov %rax, %cr4\n"
             "fninit\n mov $0x1122334455667788, %rax\n movq %rax, %xmm0\n"
             "fxsave (" TEXT(GUEST_FPU_AREA) ")\n pxor %xmm0, %xmm0\n fxrstor (" TEXT(
                 GUEST_FPU_AREA) ")\n"
                                 "movq %xmm0, %rbx\n cmp %rax, %rbx\n" FAIL_UNLESS(
                                     "e") "mov $1, %eax\n xor %ecx, %ecx\n cpuid\n bt $26, %ecx\n jnc 2f\n"
                                          "mov %cr4, %rax\n or $0x40000, %rax\n mov %rax, %cr4\n"
                                          "xor %ecx, %ecx\n mov $3, %eax\n xor %edx, %edx\n xsetbv\n xgetbv\n cmp $3, "
                                          "%eax\n" FAIL_UNLESS("e") "2:\n"

    /* 6: IRETQ to ring 3; a system call that returns, a trap, and a system call that ends it. */
    STAGE(6) "pushq $" TEXT(GUEST_USER_DATA) " + 3\n pushq $" TEXT(
        GUEST_USER_STACK) "\n pushq $2\n"
                          "pushq $" TEXT(GUEST_USER_CODE64) " + 3\n pushq $" AT(
                              guest_user) "\n"
                                          "xor %ebx, %ebx\n iretq\n"
                                          "guest_user:\n"
                                          "mov $1, %ebx\n push %rbx\n syscall\n pop %rax\n"
                                          "int3\n"
                                          "mov $2, %ebx\n syscall\n"
                                          "jmp guest_check_failed\n"
                                          "guest_system_call:\n"
                                          "cmp $2, %ebx\n je guest_user_ended\n sysretq\n"
                                          "guest_user_ended:\n"
                                          "mov $" TEXT(GUEST_STACK) ", %rsp\n"
                                                                    "cmpq $6, (" COUNT ")\n" FAIL_UNLESS("e")

    /* 7: the APIC answers; HLT is ended by its timer, twice. */
    STAGE(7) "mov $0xfee00000, %edi\n"
             "mov 0x30(%rdi), %eax\n test %eax, %eax\n" FAIL_UNLESS("nz") "movl $0x1ff, 0xf0(%rdi)\n movl $0xb, "
                                                                          "0x3e0(%rdi)\n movl $" TEXT(
                                                                              GUEST_TIMER_VECTOR) ", 0x320(%rdi)\n"
                                                                                                  "mov $1, %ebx\n"
                                                                                                  "3:\n movl $100000, "
                                                                                                  "0x380(%rdi)\n"
                                                                                                  "4:\n cli\n cmp "
                                                                                                  "%rbx, (" TICKS
                                                                                                  ")\n jae 5f\n sti\n "
                                                                                                  "hlt\n jmp 4b\n"
                                                                                                  "5:\n inc %ebx\n cmp "
                                                                                                  "$2, %ebx\n jbe 3b\n"

    /* 8: how fast it is; 9: the end. */
    STAGE(8) "mov $" TEXT(GUEST_PORT_SLICE) ", %dx\n mov $" TEXT(
        GUEST_SLICE_COUNT) ", %ebx\n"
                           "6:\n mov $" TEXT(
                               GUEST_SLICE_LOOPS) ", %ecx\n"
                                                  "7:\n add (" TEXT(
                                                      GUEST_VARIABLES) "), %rax\n dec %ecx\n jnz 7b\n"
                                                                       "out %al, %dx\n dec %ebx\n jnz 6b\n" STAGE(
                                                                           9) "guest_stop:\n"
                                                                              "mov $" TEXT(
                                                                                  GUEST_PORT_END) ", %dx\n out %al, "
                                                                                                  "%dx\n cli\n hlt\n "
                                                                                                  "jmp guest_stop\n"

                                                                                                  "guest_check_failed:"
                                                                                                  "\n"
                                                                                                  "mov $" TEXT(
                                                                                                      GUEST_FAILURE_CHECK) ", %al\n"
                                                                                                                           "guest_failed:\n"
                                                                                                                           "mov $" TEXT(
                                                                                                                               GUEST_PORT_FAILURE) ", %dx\n out %al, %dx\n jmp guest_stop\n"

                                                                                                                                                   "guest_on_breakpoint:\n"
                                                                                                                                                   "incq (" COUNT
                                                                                                                                                   ")\n iretq\n"
                                                                                                                                                   "guest_on_invalid_opcode:\n"
                                                                                                                                                   "incq (" COUNT
                                                                                                                                                   ")\n addq $2, (%rsp)\n iretq\n"
                                                                                                                                                   "guest_on_page_fault:\n"
                                                                                                                                                   "push %rax\n"
                                                                                                                                                   "mov %cr2, %rax\n cmp $" PAGE
                                                                                                                                                   ", %rax\n mov $14, %al\n jne guest_failed\n"
                                                                                                                                                   "mov 8(%rsp), %rax\n mov %rax, (" FAULT_CODE
                                                                                                                                                   ")\n"
                                                                                                                                                   "mov (" NEXT_ENTRY
                                                                                                                                                   "), %rax\n mov %rax, (" ENTRY
                                                                                                                                                   ")\n invlpg (" PAGE
                                                                                                                                                   ")\n"
                                                                                                                                                   "incq (" COUNT
                                                                                                                                                   ")\n pop %rax\n add $8, %rsp\n iretq\n"
                                                                                                                                                   "guest_on_timer:\n"
                                                                                                                                                   "push %rax\n incq (" TICKS
                                                                                                                                                   ")\n mov $0xfee00000, %eax\n movl $0, 0xb0(%rax)\n pop %rax\n iretq\n"
                                                                                                                                                   /* A stub for each exception that nobody expects, eight bytes apart. */
                                                                                                                                                   ".balign 8\n"
                                                                                                                                                   "guest_on_unexpected:\n"
                                                                                                                                                   ".set vector, 0\n"
                                                                                                                                                   ".rept 32\n .balign 8\n mov $vector, %al\n jmp guest_failed\n .set vector, vector + 1\n .endr\n"

                                                                                                                                                   "guest_idt_pointer:\n .word 4095\n .quad " TEXT(
                                                                                                                                                       GUEST_IDT) "\n"
                                                                                                                                                                  "guest_code_end:\n"
                                                                                                                                                                  ".popsection\n");
/* clang-format on */

extern const uint8_t guest_code[], guest_code_end[], guest_on_breakpoint[], guest_on_invalid_opcode[];
extern const uint8_t guest_on_page_fault[], guest_on_timer[], guest_on_unexpected[];

static uint64_t *table_at(uint8_t *memory, size_t address)
{
    return (uint64_t *)(void *)(memory + address);
}

static void map_memory(uint8_t *memory)
{
    enum { PRESENT = 1, WRITABLE = 2, USER = 4, NO_CACHE = 0x18, LARGE = 0x80 };
    const uint64_t apic = 0xfee00000;
    uint64_t *pages = table_at(memory, GUEST_PT);

    table_at(memory, GUEST_PML4)[0] = GUEST_PDPT | PRESENT | WRITABLE | USER;
    table_at(memory, GUEST_PDPT)[0] = GUEST_PD_LOW | PRESENT | WRITABLE | USER;
    table_at(memory, GUEST_PDPT)[3] = GUEST_PD_APIC | PRESENT | WRITABLE;
    table_at(memory, GUEST_PD_LOW)[0] = GUEST_PT | PRESENT | WRITABLE | USER;
    table_at(memory, GUEST_PD_APIC)[apic >> 21 & 511] = (apic & ~0x1fffffULL) | PRESENT | WRITABLE | NO_CACHE | LARGE;
    for (size_t i = 0; i < GUEST_BYTES / 4096; i++)
        pages[i] = i * 4096 | PRESENT | WRITABLE | USER;
    pages[GUEST_PAGE / 4096] = 0;
}

static void write_segments(uint8_t *memory)
{
    uint64_t *gdt = table_at(memory, GUEST_GDT);
    uint64_t stack = GUEST_STACK;

    gdt[GUEST_CODE32 / 8] = 0x00cf9b000000ffff;
    gdt[GUEST_CODE64 / 8] = 0x00af9b000000ffff;
    gdt[GUEST_DATA / 8] = 0x00cf93000000ffff;
    gdt[GUEST_USER_CODE32 / 8] = 0x00cffb000000ffff;
    gdt[GUEST_USER_DATA / 8] = 0x00cff3000000ffff;
    gdt[GUEST_USER_CODE64 / 8] = 0x00affb000000ffff;
    gdt[GUEST_TASK / 8] = 0x0000890000000067 | (uint64_t)GUEST_TSS << 16;
    memcpy(memory + GUEST_TSS + 4, &stack, sizeof stack); /* for entries from ring 3 */
    memory[GUEST_TSS + 0x66] = 0x68;                      /* no I/O permissions */
}

static void set_gate(uint8_t *memory, size_t vector, const uint8_t *label)
{
    uint64_t address = GUEST_CODE + (uint64_t)(label - guest_code);
    const uint64_t interrupt_gate_for_all_rings = 0xee00;

    table_at(memory, GUEST_IDT)[vector * 2] =
        (address & 0xffff) | (uint64_t)GUEST_CODE64 << 16 | interrupt_gate_for_all_rings << 32 | address >> 16 << 48;
}

static int guest_prepare(uint8_t *memory)
{
    map_memory(memory);
    write_segments(memory);
    for (size_t vector = 0; vector < 32; vector++)
        set_gate(memory, vector, guest_on_unexpected + vector * 8);
    set_gate(memory, 3, guest_on_breakpoint);
    set_gate(memory, 6, guest_on_invalid_opcode);
    set_gate(memory, 14, guest_on_page_fault);
    set_gate(memory, GUEST_TIMER_VECTOR, guest_on_timer);
    memcpy(memory + GUEST_CODE, guest_code, (size_t)(guest_code_end - guest_code));
    return 0;
}

#else

static int guest_prepare(uint8_t *memory)
{
    (void)memory;
    return -1;
}

#endif

int kvm_probe_guest_prepare(uint8_t *memory)
{
    return guest_prepare(memory);
}
