/*
 * percpu.h: what the processor code keeps per CPU, and the offsets assembly uses.
 */
#pragma once

/* Offsets into struct arch_cpu; asserted in arch/x86_64/cpu.c. */
#define ARCH_CPU_SELF 0
#define ARCH_CPU_KSTACK_TOP 8
#define ARCH_CPU_SCRATCH 16

#ifndef __ASSEMBLER__
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* First member of struct cpu (kernel/sched/cpu.h); GS base points here. */
struct arch_cpu {
	struct arch_cpu *self; /* [I] */
	/* [c] kernel stack of the running thread: where entries build their frame */
	uint64_t kstack_top;
	uint64_t scratch; /* [c] program RSP while a call's entry switches stacks */
	uint32_t id; /* [I] 0 … cpu_count-1 */
	uint32_t apic_id; /* [I] */
	void *fpu_owner; /* [c] the thread whose vector state is in the registers, or NULL */
	void *tables; /* [I] its descriptor tables and interrupt stacks; boot CPU: NULL */
	_Atomic bool online; /* [a] runs kernel code */
	_Atomic bool may_run; /* [a] its time stamps agree with the boot CPU's, or will */
	int64_t tsc_adjust; /* what its time stamps are ahead; before may_run */
	_Atomic bool idle; /* [a] runs nothing of the program: its TLB may be stale */
	_Atomic uint32_t tlb_requested; /* [a] flushes that others asked for */
	_Atomic uint32_t tlb_done; /* [a] of these, answered; must be all before the program runs */
};

/* The CPU this code runs on. Stable only while interrupts are off, as they are in the kernel. */
static inline struct arch_cpu *arch_cpu_self(void)
{
	struct arch_cpu *c;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(c));
	return c;
}
#endif
