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
/* What making others forget translations has cost this CPU. */
struct arch_tlb_counts {
	uint64_t shootdowns; /* with another CPU to tell */
	uint64_t ipis; /* CPUs that were interrupted */
	uint64_t spared; /* CPUs that were not, since they were away */
	uint64_t wait_cycles; /* until those interrupted had answered */
	uint64_t full; /* flushes of everything that others made it do */
	uint64_t ranges; /* flushes of a few pages that others made it do */
};

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
	int64_t tsc_offset; /* [I] what arch_cycles takes off this CPU's counter */
	int64_t tsc_skew; /* [I] what the counter was ahead of the boot CPU's */
	bool tsc_made_up; /* [I] it could not be set right: tsc_offset makes up for it */
	_Atomic bool idle; /* [a] has no thread to run */
	_Atomic bool away; /* [a] touches nothing of the program's: its TLB may be stale */
	_Atomic uint64_t tlb_requested; /* [a] the last flush that was asked of it */
	_Atomic uint64_t tlb_done; /* [a] the last it answered; the same before the program runs */
	struct arch_tlb_counts tlb; /* [c] */
};

/* The CPU this code runs on. Stable only while interrupts are off, as they are in the kernel. */
static inline struct arch_cpu *arch_cpu_self(void)
{
	struct arch_cpu *c;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(c));
	return c;
}

/* The time stamp counter itself, which may differ between CPUs. */
static inline uint64_t cpu_raw_cycles(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}
#endif
