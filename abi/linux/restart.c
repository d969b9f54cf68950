/*
 * restart.c: calls that a signal interrupted: ended, made again, or gone on with.
 *
 * What:       a call whose wait a signal ended says what is to become of it. Whoever delivers the
 *             signal knows whether a handler runs, and sets the frame: to EINTR, or back to the
 *             SYSCALL instruction. The deadline of a call that begins anew each time is kept:
 *
 *               none -> kept [linux_restart_until]   kept -> none [linux_take_deadline; a handler]
 *
 * Invariants: (1) a frame is restarted at most once: its number is forgotten then. (2) a deadline
 *             is kept from the end of a call until the same call begins again, with nothing of the
 *             program between them: a handler that would run there finds a call that is over.
 * Locking:    none; the thread's own frame and fields.
 * Failure:    none.
 * Source:     signal(7) on interrupted calls; Linux arch/x86/kernel/signal.c, restart_syscall(2).
 */
#include "abi/linux/restart_priv.h"

#include <asm/signal.h>

#include "arch/arch.h"
#include "base/errno.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"

enum { SYSCALL_BYTES = 2, NO_CALL = -1 };

long linux_restart_until(uint64_t deadline_ns)
{
	if (!deadline_ns)
		return -ERESTARTNOHAND;
	thread_current()->kept_deadline_ns = deadline_ns;
	return -ERESTART_RESTARTBLOCK;
}

bool linux_take_deadline(uint64_t *deadline_ns)
{
	struct thread *t = thread_current();

	if (likely(!t->kept_deadline_ns))
		return false;
	*deadline_ns = t->kept_deadline_ns;
	t->kept_deadline_ns = 0;
	return true;
}

/* A handler runs: the call is over, if it was set to go on and has not. */
static void end_kept(struct trapframe *tf)
{
	struct thread *t = thread_current();

	if (!t->kept_deadline_ns)
		return;
	t->kept_deadline_ns = 0;
	tf->rax = (uint64_t)-EINTR;
	tf->rip += SYSCALL_BYTES; /* (2) */
}

static bool is_restarted(long result, const struct signal_action *act)
{
	return !act || (result == -ERESTARTSYS && act->flags & SA_RESTART);
}

void linux_fix_restart(struct trapframe *tf, const struct signal_action *act)
{
	long result = (long)tf->rax;

	if (tf->vector != TRAP_CALL || tf->error == (uint64_t)NO_CALL) {
		if (act)
			end_kept(tf);
		return;
	}
	if (result > -ERESTARTSYS || result < -ERESTART_RESTARTBLOCK)
		return;
	if (is_restarted(result, act)) {
		tf->rax = tf->error; /* the number again */
		tf->rip -= SYSCALL_BYTES;
	} else {
		tf->rax = (uint64_t)-EINTR;
		thread_current()->kept_deadline_ns = 0;
	}
	tf->error = (uint64_t)NO_CALL; /* (1) */
}
