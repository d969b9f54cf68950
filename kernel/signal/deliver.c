/*
 * deliver.c: signals taken out of the queues: by a handler, by a wait, or to end the process.
 *
 * What:       whoever returns to the program with signal_work set looks here what it is about.
 * Invariants: (1) a frame shows the instruction that faulted: a fault's signal is delivered before
 *             all others.
 * Locking:    signals.lock, as signal.c; signal_deliver may sleep.
 * Failure:    no room for the frame: SIGSEGV instead, or the end.
 * Source:     Linux kernel/signal.c (get_signal), as documented in signal(7), sigwaitinfo(2).
 */
#include <asm/signal.h>

#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/signal/signal_priv.h"
#include "kernel/stats.h"
#include "kernel/trace.h"

#define SYNCHRONOUS \
	(SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | \
		SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))

static int first_of(uint64_t set)
{
	if (set & SYNCHRONOUS)
		set &= SYNCHRONOUS; /* (1) */
	return set ? __builtin_ctzll(set) + 1 : 0;
}

static int take_locked(struct thread *t, uint64_t set, struct signal_info *info)
{
	int signo = first_of(t->sigpending & set);

	if (signo) {
		signal_queue_take(&t->sigpending, t->siginfo, signo, info);
		return signo;
	}
	signo = first_of(signals.pending & set);
	if (signo)
		signal_queue_take(&signals.pending, signals.info, signo, info);
	return signo;
}

int signal_take_set(uint64_t set, struct signal_info *info)
{
	struct thread *t = thread_current();
	int signo;

	do {
		spin_lock(&signals.lock);
		signo = take_locked(t, set & ~UNBLOCKABLE, info);
		signal_update_locked(t);
		spin_unlock(&signals.lock);
	} while (signo && !linux_signal_taken(info));
	return signo;
}

struct delivery {
	struct signal_info info;
	struct signal_action action;
	uint64_t mask_to_save;
};

/* A timer is asked about its signal without the lock, and the action may change meanwhile. */
static bool stands_locked(struct signal_info *info)
{
	bool stands;

	lock_assert_held(&signals.lock);
	if (!info->timer_setting)
		return true;
	spin_unlock(&signals.lock);
	stands = linux_signal_taken(info);
	spin_lock(&signals.lock);
	return stands && !signal_is_ignored_locked(info->signo);
}

/* 0: nothing is deliverable (any more). */
static int take_deliverable_locked(struct thread *t, struct signal_info *info)
{
	int signo;

	do {
		signal_update_locked(t);
		signo = take_locked(t, ~t->sigmask, info);
	} while (signo && !stands_locked(info));
	return signo;
}

/* False: nothing is deliverable. */
static bool take_next_locked(struct thread *t, struct delivery *d)
{
	int signo = take_deliverable_locked(t, &d->info);
	struct signal_action *action;

	if (!signo) {
		if (t->restore_mask) {
			t->restore_mask = false;
			signal_set_mask_locked(t, t->saved_mask);
		}
		return false;
	}
	action = &signals.actions[signo - 1];
	d->action = *action;
	if ((action->flags & SA_RESETHAND) && action->handler != HANDLER_DEFAULT)
		action->handler = HANDLER_DEFAULT;
	d->mask_to_save = t->restore_mask ? t->saved_mask : t->sigmask;
	t->restore_mask = false;
	return true;
}

/* The handler is going to run: it blocks what it asked for. */
static void block_for_handler(struct thread *t, const struct delivery *d)
{
	uint64_t mask = t->sigmask | d->action.mask;

	if (!(d->action.flags & SA_NODEFER))
		mask |= SIGNAL_BIT(d->info.signo);
	spin_lock(&signals.lock);
	signal_set_mask_locked(t, mask);
	spin_unlock(&signals.lock);
}

void signal_deliver(struct trapframe *tf)
{
	struct signal_info bad_stack = { .signo = SIGSEGV, .code = CODE_KERNEL };
	struct thread *t = thread_current();
	struct delivery d;
	bool any;

	spin_lock(&signals.lock);
	any = take_next_locked(t, &d);
	spin_unlock(&signals.lock);
	if (!any) {
		linux_fix_restart(tf, NULL);
		return;
	}
	stat_inc(STAT_signals_delivered);
	trace(TRACE_signal, (uint64_t)d.info.signo, (uint64_t)t->tid);
	if (d.action.handler == HANDLER_DEFAULT)
		process_exit_signal(d.info.signo);
	linux_fix_restart(tf, &d.action);
	if (!linux_deliver_signal(tf, &d.info, &d.action, d.mask_to_save)) {
		block_for_handler(t, &d);
		return;
	}
	log_warn("signal %d: no room for its frame on the stack at %#llx", d.info.signo,
		(unsigned long long)tf->rsp);
	if (d.info.signo == SIGSEGV)
		process_exit_signal(SIGSEGV);
	signal_send_fault(&bad_stack); /* its handler may have a stack of its own */
}
