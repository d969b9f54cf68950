/*
 * thread.c: a thread's processor side: its first stack, its switches.
 *
 * What:       a kernel stack holds, from the top: the program's trapframe; below it whatever the
 *             kernel pushes; while the thread does not run, the callee-saved registers that
 *             switch_stacks left.
 * Invariants: (1) FS base belongs to the program: it is read back when a thread leaves, since with
 *             FSGSBASE the program may have changed it without a call.
 * Locking:    none; interrupts are off.
 * Failure:    none.
 * Source:     System V AMD64 ABI 3.2.1 (callee-saved registers).
 */
#include "arch/arch.h"
#include "arch/x86_64/cpu_priv.h"
#include "arch/x86_64/regs.h"

/* As switch_stacks pops it. */
struct switch_frame {
	uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

struct trapframe *arch_thread_frame(char *kstack)
{
	return (struct trapframe *)(void *)(kstack + ARCH_KSTACK_BYTES) - 1;
}

void arch_thread_init(struct arch_thread *t, char *kstack, void (*entry)(void *), void *arg)
{
	/* The trampoline calls entry: RSP must be 16-aligned after switch_stacks has returned. */
	struct switch_frame *f = (struct switch_frame *)(void *)((char *)arch_thread_frame(kstack) -
		sizeof(*f) - 8);

	f = (struct switch_frame *)(((uint64_t)f & ~15ul) + 8);
	*f = (struct switch_frame){
		.rbx = (uint64_t)entry,
		.r12 = (uint64_t)arg,
		.rip = (uint64_t)thread_trampoline,
	};
	t->ksp = (uint64_t)f;
	t->fpu_cpu = UINT32_MAX;
}

bool arch_thread_saved(const struct arch_thread *t, uint64_t *pc, uint64_t *fp)
{
	const struct switch_frame *f = (const struct switch_frame *)t->ksp;

	if (!f)
		return false;
	*pc = f->rip;
	*fp = f->rbp;
	return true;
}

static uint64_t read_fs_base(void)
{
	uint64_t v;

	if (!cpu_has_fsgsbase())
		return msr_read(MSR_FS_BASE);
	__asm__ volatile("rdfsbase %0" : "=r"(v));
	return v;
}

static void write_fs_base(uint64_t v)
{
	if (cpu_has_fsgsbase())
		__asm__ volatile("wrfsbase %0" : : "r"(v));
	else
		msr_write(MSR_FS_BASE, v);
}

void arch_set_fs_base(struct arch_thread *t, uint64_t base)
{
	t->fs_base = base;
	write_fs_base(base);
}

void arch_switch(struct arch_thread *from, struct arch_thread *to, uint64_t to_kstack_top)
{
	if (from->fpu) {
		fpu_save(from);
		from->fs_base = read_fs_base(); /* (1) */
	}
	if (to->fpu) {
		fpu_load(to);
		write_fs_base(to->fs_base);
		arch_cpu_self()->kstack_top = to_kstack_top;
	}
	switch_stacks(&from->ksp, to->ksp);
}
