/* Whether KVM can run guests here, told by running one: a /dev/kvm that opens, even one that runs firmware, may belong
 * to an implementation that emulates a stock kernel's instructions one by one, and that is slower than QEMU's TCG.
 *
 * The guest (kvm_probe_guest.c) goes the way of a kernel that starts: from 32-bit protected mode into long mode, then
 * exceptions, page faults, SSE, ring 3 and back, the local APIC's timer, and at last enough plain instructions to tell
 * a processor from an emulator. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Blocks for at most about `deadline_ms`: for start-up or a worker thread; safe beside other threads (forks a child
 * that is killed at the deadline). `emulator` is the QEMU that will use KVM; it is asked whether it can. NULL: not
 * asked. Returns 1 if KVM is usable, else 0; both times with a sentence, without a full stop, in `reason`. */
int kvm_probe_run(const char *emulator, unsigned deadline_ms, char *reason, size_t reason_size);
/* What it does that with: forks, calls `work` in the child, kills it when the monotonic clock is at `end_ms`. 1 if the
 * child ended by itself, 0 if it was killed, -1 if there was none. */
int kvm_probe_in_child(void (*work)(void *context), void *context, int64_t end_ms);
