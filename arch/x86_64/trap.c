/*
 * trap.c: sorts what the assembly entries hand over.
 *
 * What:       interrupts go to their handler, faults of the program become signals above, faults of
 *             the kernel are resolved, fixed up (program memory) or the end.
 * Invariants: (1) interrupts are off. (2) From the program, the frame is the bottom of the thread's
 *             kernel stack, so sleeping here is allowed.
 * Locking:    none.
 * Failure:    a fault of the kernel outside program-memory access: kernel_panic_trap.
 * Source:     Intel SDM 3A 6.15.
 */
#include "arch/arch.h"
#include "arch/x86_64/cpu_priv.h"
#include "arch/x86_64/regs.h"
#include "base/assert.h"

STATIC_ASSERT(sizeof(struct trapframe) == FRAME_BYTES, "regs.h");
STATIC_ASSERT(__builtin_offsetof(struct trapframe, rax) == FRAME_RAX, "regs.h");
STATIC_ASSERT(__builtin_offsetof(struct trapframe, rcx) == FRAME_RCX, "regs.h");
STATIC_ASSERT(__builtin_offsetof(struct trapframe, r11) == FRAME_R11, "regs.h");
STATIC_ASSERT(__builtin_offsetof(struct trapframe, rip) == FRAME_RIP, "regs.h");
STATIC_ASSERT(__builtin_offsetof(struct trapframe, rflags) == FRAME_RFLAGS, "regs.h");
STATIC_ASSERT(__builtin_offsetof(struct trapframe, rsp) == FRAME_RSP, "regs.h");

static uint64_t fault_address(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr2, %0" : "=r"(v));
	return v;
}

static void handle_interrupt(uint32_t vector)
{
	switch (vector) {
	case VECTOR_SPURIOUS:
		return; /* not in service: no EOI (SDM 3A 10.9) */
	case VECTOR_TIMER:
		lapic_eoi();
		kernel_handle_timer();
		return;
	case VECTOR_RESCHEDULE:
		lapic_eoi();
		kernel_handle_reschedule();
		return;
	case VECTOR_TLB:
		arch_poll_requests();
		lapic_eoi();
		return;
	default:
		kernel_handle_irq(vector);
		lapic_eoi();
	}
}

void arch_trap_program(struct trapframe *tf)
{
	if (tf->vector >= TRAP_IRQ_FIRST)
		handle_interrupt((uint32_t)tf->vector);
	else if (tf->vector == VECTOR_PAGE_FAULT)
		(void)kernel_handle_page_fault(tf, fault_address(), true);
	else
		kernel_handle_exception(tf);
}

bool arch_debug_was_step(void)
{
	uint64_t status;

	__asm__ volatile("movq %%dr6, %0" : "=r"(status));
	__asm__ volatile("movq %0, %%dr6" : : "r"(DR6_INITIAL)); /* the CPU only ever sets bits */
	return status & DR6_BS;
}

static bool in_range(uint64_t rip, const char *start, const char *end)
{
	return rip >= (uint64_t)start && rip < (uint64_t)end;
}

void arch_trap_kernel(struct trapframe *tf)
{
	bool uaccess = in_range(tf->rip, uaccess_start, uaccess_end);

	if (tf->vector >= TRAP_IRQ_FIRST) {
		handle_interrupt((uint32_t)tf->vector);
		return;
	}
	if (tf->vector == VECTOR_PAGE_FAULT) {
		if (uaccess && kernel_handle_page_fault(tf, fault_address(), false))
			return;
		if (uaccess || in_range(tf->rip, peek_start, peek_end)) {
			tf->rip = (uint64_t)uaccess_fault;
			return;
		}
	}
	/* A non-canonical pointer of the program's: #GP, or #SS by RSP-relative access. */
	if ((tf->vector == 13 || tf->vector == 12) &&
		(uaccess || in_range(tf->rip, peek_start, peek_end))) {
		tf->rip = (uint64_t)uaccess_fault;
		return;
	}
	kernel_panic_trap(tf, "fault in the kernel");
}

void arch_trap_fatal(struct trapframe *tf)
{
	kernel_panic_trap(tf, tf->vector == VECTOR_DOUBLE_FAULT ? "double fault" : "machine check");
}
