/*
 * trap.c: what faults of the program mean, and the last step before it runs again.
 *
 * What:       a page fault is filled by the mapping it hits; everything else becomes the signal
 *             that Linux would send.
 * Invariants: (1) the program never resumes while a switch is due or a signal is deliverable.
 * Locking:    none held on entry; may sleep (filling a page, delivering a signal).
 * Failure:    no memory for a page: oom_report.
 * Source:     Linux arch/x86/kernel/traps.c for signal numbers and codes; sigaction(2).
 */
#include "arch/arch.h"
#include "base/assert.h"
#include "kernel/log.h"
#include "kernel/mm/vm.h"
#include "kernel/oom.h"
#include "kernel/process.h"
#include "kernel/sched/cputime.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/torture.h"
#include "kernel/signal/signal.h"
#include "kernel/trace.h"

/* Linux values (asm-generic/siginfo.h, asm/signal.h). */
enum {
	SIGILL = 4,
	SIGTRAP = 5,
	SIGBUS = 7,
	SIGFPE = 8,
	SIGSEGV = 11,
	SI_KERNEL = 0x80,
	SEGV_MAPERR = 1,
	SEGV_ACCERR = 2,
	BUS_ADRALN = 1,
	BUS_ADRERR = 2,
	FPE_INTDIV = 1,
	FPE_FLTDIV = 3,
	FPE_FLTOVF = 4,
	FPE_FLTUND = 5,
	FPE_FLTRES = 6,
	FPE_FLTINV = 7,
	ILL_ILLOPN = 2,
	TRAP_BRKPT = 1,
	TRAP_TRACE = 2,
};

/* SDM 3A 4.7 */
enum { PF_WRITE = 2, PF_FETCH = 16 };

static void send_fault(int signo, int code, uint64_t addr)
{
	struct signal_info info = { .signo = signo, .code = code, .addr = addr };

	signal_send_fault(&info);
}

bool kernel_handle_page_fault(struct trapframe *tf, uaddr_t addr, bool from_program)
{
	unsigned access = tf->error & PF_WRITE ? VM_PROT_WRITE
		: tf->error & PF_FETCH         ? VM_PROT_EXEC
					       : VM_PROT_READ;
	struct thread *t = thread_current();
	uint64_t began;
	enum vm_fault_result fault;

	oom_check();
	stat_inc(STAT_page_faults);
	t->faults++;
	trace(TRACE_fault, addr, tf->rip);
	began = from_program ? cputime_enter(t) : 0;
	fault = vm_fault(addr, access);
	cputime_leave(t, began);
	switch (fault) {
	case VM_FAULT_OK:
		return true;
	case VM_FAULT_MAPERR:
		if (from_program)
			send_fault(SIGSEGV, SEGV_MAPERR, addr);
		return false;
	case VM_FAULT_ACCERR:
		if (from_program)
			send_fault(SIGSEGV, SEGV_ACCERR, addr);
		return false;
	case VM_FAULT_BUS:
		if (from_program)
			send_fault(SIGBUS, BUS_ADRERR, addr);
		return false;
	case VM_FAULT_NO_MEMORY:
		break;
	}
	oom_report(addr);
	return true;
}

/* The bits are the same in the x87 status word and in MXCSR (SDM 1 8.1.3, 10.2.3). */
static int float_code(uint32_t exceptions)
{
	if (exceptions & 1)
		return FPE_FLTINV;
	if (exceptions & 4)
		return FPE_FLTDIV;
	if (exceptions & 8)
		return FPE_FLTOVF;
	if (exceptions & 0x12) /* underflow, denormal operand */
		return FPE_FLTUND;
	return FPE_FLTRES;
}

void kernel_handle_exception(struct trapframe *tf)
{
	stat_inc(STAT_exceptions);
	trace(TRACE_exception, tf->vector, tf->rip);
	switch (tf->vector) {
	case 0:
		send_fault(SIGFPE, FPE_INTDIV, tf->rip);
		break;
	case 1:
		send_fault(SIGTRAP, arch_debug_was_step() ? TRAP_TRACE : TRAP_BRKPT, tf->rip);
		break;
	case 3:
		send_fault(SIGTRAP, SI_KERNEL, 0);
		break;
	case 6:
		send_fault(SIGILL, ILL_ILLOPN, tf->rip);
		break;
	case 12:
		send_fault(SIGBUS, SI_KERNEL, 0);
		break;
	case 16:
	case 19:
		send_fault(SIGFPE, float_code(arch_fpu_exceptions(tf->vector == 19)), tf->rip);
		break;
	case 17:
		send_fault(SIGBUS, BUS_ADRALN, 0);
		break;
	default: /* 13: an address that is not canonical, or a privileged instruction gone wrong */
		send_fault(SIGSEGV, SI_KERNEL, 0);
	}
}

void kernel_return_to_program(struct trapframe *tf)
{
	struct thread *t = thread_current();

	lock_assert_none();
	sched_send_kicks();
	for (;;) { /* (1): each of the two may cause the other, and the end may come in both */
		if (unlikely(process_is_ending()))
			process_wait_for_end();
		else if (unlikely(this_cpu()->need_resched || torture_chance(8)))
			sched_return_to_program();
		else if (unlikely(atomic_load_explicit(&t->signal_work, memory_order_acquire)))
			signal_deliver(tf);
		else
			return;
	}
}
