/* The guest of the KVM probe: its machine code, where it lies in guest memory, and how it talks. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Guest physical addresses; plain numbers, for the assembler reads them too. */
#define GUEST_PML4       0x1000
#define GUEST_PDPT       0x2000
#define GUEST_PD_LOW     0x3000 /* the first GiB: one table of pages, 2 MiB */
#define GUEST_PT         0x4000
#define GUEST_PD_APIC    0x5000 /* the fourth GiB: one large page with the local APIC */
#define GUEST_GDT        0x6000
#define GUEST_IDT        0x7000
#define GUEST_TSS        0x8000
#define GUEST_VARIABLES  0x9000
#define GUEST_CODE       0x10000
#define GUEST_STACK      0x18000 /* top */
#define GUEST_USER_STACK 0x1a000 /* top */
#define GUEST_PAGE       0x20000 /* absent at first; its page table entry is at GUEST_PT + 0x100 */
#define GUEST_FRAME_A    0x21000
#define GUEST_FRAME_B    0x22000
#define GUEST_FPU_AREA   0x23000
#define GUEST_BYTES      0x200000

#define GUEST_PORT_STAGE   0x5f0 /* a byte: the stage that begins */
#define GUEST_PORT_SLICE   0x5f1 /* a slice of the last stage is done */
#define GUEST_PORT_FAILURE 0x5f2 /* a byte: the exception nobody expected, or GUEST_FAILURE_CHECK */

#define GUEST_PORT_END 0x5f4 /* written after the last stage: whoever runs the guest may stop it */

#define GUEST_FAILURE_CHECK 0xfe
#define GUEST_SLICE_COUNT   640
#define GUEST_SLICE_LOOPS   100000 /* of three instructions each */
#define GUEST_TIMER_VECTOR  0x40

/* Segment selectors: as SYSCALL and SYSRET want them side by side. */
#define GUEST_CODE32      0x08
#define GUEST_CODE64      0x10
#define GUEST_DATA        0x18
#define GUEST_USER_CODE32 0x20
#define GUEST_USER_DATA   0x28
#define GUEST_USER_CODE64 0x30
#define GUEST_TASK        0x38
#define GUEST_GDT_BYTES   0x48

enum guest_stage {
    GUEST_STAGE_NONE,
    GUEST_STAGE_START,
    GUEST_STAGE_REGISTERS,
    GUEST_STAGE_EXCEPTIONS,
    GUEST_STAGE_PAGING,
    GUEST_STAGE_SSE,
    GUEST_STAGE_USER,
    GUEST_STAGE_TIMER,
    GUEST_STAGE_SPEED,
    GUEST_STAGE_DONE,
    GUEST_STAGE_COUNT,
};

/* Writes the guest, its page tables and its descriptor tables into its memory, GUEST_BYTES of zeroes. It starts at
 * GUEST_CODE in 32-bit protected mode with flat segments, paging and interrupts off, and the GDT loaded.
 * 0, or -1 where there is no such guest (not an x86-64 machine). */
int kvm_probe_guest_prepare(uint8_t *memory);
/* What the guest does in a stage, in words that fit after "in". */
const char *kvm_probe_guest_stage_name(enum guest_stage stage);
