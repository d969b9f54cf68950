/*
 * signal.c: signals of the one process: queueing, choosing a thread, delivering.
 *
 * What:       a signal is pending for one thread or for the process; any thread that does not block
 *             it may take the latter. thread.signal_work says that a look is worth while.
 *
 *               pending -> chosen thread: signal_work, kick -> signal_deliver -> handler or the end
 *
 * Invariants: (1) whoever makes a signal deliverable sets signal_work of a thread that may take it,
 *             after the pending bit, then kicks it; only the thread itself clears signal_work,
 *             under the lock. (2) a process-wide signal whose chosen thread comes to block it is
 *             offered to another one. (3) an ignored signal is pending only where it is blocked.
 *             (4) a thread found by thread_find is marked and kicked inside the callback: it may be
 *             gone after. (5) SIGCONT and signals that stop are never both pending: whichever is
 *             sent takes the other from all queues, also where nobody gets to see it.
 * Locking:    signals.lock, LOCK_SIGNAL; LOCK_THREADS, LOCK_SCHED and LOCK_KMEM inside. Sending
 *             works in any context with lower-ranked locks held; signal_deliver may sleep.
 * Failure:    without memory a signal comes without its details; a fault then ends the process.
 * Source:     Linux kernel/signal.c as documented in signal(7), sigaction(2), sigpending(2).
 */
#include "kernel/signal/signal.h"

#include <asm/signal.h>

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal_priv.h"
#include "kernel/signal/watch.h"

#define DEFAULT_IGNORED \
	(SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH))
#define DEFAULT_STOPS \
	(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
struct signal_state signals = { .lock = SPINLOCK_INIT(LOCK_SIGNAL) };

void signal_init(void)
{
	spinlock_init(&signals.lock, LOCK_SIGNAL);
}

static bool is_program(const struct thread *t)
{
	return t->arch.fpu != NULL; /* kernel threads take no signals */
}

/* What t would not take now. */
static uint64_t refused(const struct thread *t)
{
	return t->sigmask & ~t->sigwait;
}

bool signal_is_ignored_locked(int signo)
{
	uint64_t handler = signals.actions[signo - 1].handler;

	if (handler == HANDLER_IGNORE)
		return true;
	return handler == HANDLER_DEFAULT &&
		(SIGNAL_BIT(signo) & (DEFAULT_IGNORED | DEFAULT_STOPS));
}

static bool ignore_locked(int signo)
{
	if (!signal_is_ignored_locked(signo))
		return false;
	if (signals.actions[signo - 1].handler == HANDLER_DEFAULT &&
		(SIGNAL_BIT(signo) & DEFAULT_STOPS))
		log_info("signal %d would stop the program: ignored, nobody could continue it",
			signo);
	return true;
}

/* (1) Caller has set the pending bit. */
static void offer_locked(struct thread *t)
{
	/* Partner: signal_is_deliverable. */
	atomic_store_explicit(&t->signal_work, true, memory_order_release);
	if (t != thread_current())
		sched_kick(t);
}

/* Caller is t itself. Drops what is ignored (3) and brings signal_work up to date. */
void signal_update_locked(struct thread *t)
{
	uint64_t set = (t->sigpending | signals.pending) & ~refused(t);

	lock_assert_held(&signals.lock);
	for (uint64_t rest = set & ~t->sigwait; rest; rest &= rest - 1) {
		int signo = __builtin_ctzll(rest) + 1;

		if (!ignore_locked(signo))
			continue;
		signal_queue_drop(&t->sigpending, t->siginfo, signo);
		signal_queue_drop(&signals.pending, signals.info, signo);
		set &= ~SIGNAL_BIT(signo);
	}
	atomic_store_explicit(&t->signal_work, set != 0, memory_order_relaxed);
}

/* ------------------------------------------------------------------ choosing a thread */
struct choice {
	uint64_t bit;
	const struct thread *skip;
	bool parked_only;
};

static bool take_choice(struct thread *t, void *arg)
{
	const struct choice *c = arg;

	if (t == c->skip || !is_program(t) || (refused(t) & c->bit))
		return false;
	/* A racy look: it is only a preference. */
	if (c->parked_only && t->state != THREAD_PARKED)
		return false;
	offer_locked(t); /* (4) */
	return true;
}

static bool offer_everybody(struct thread *t, void *arg unused_arg)
{
	if (is_program(t))
		offer_locked(t);
	return false;
}

/* A thread that sleeps in a call takes the signal at once and disturbs nobody. */
static void offer_any_locked(int signo, const struct thread *skip)
{
	struct choice c = { .bit = SIGNAL_BIT(signo), .skip = skip, .parked_only = true };

	if (signo == SIGKILL) { /* the first one to look ends the process, whatever the others do */
		thread_find(offer_everybody, NULL);
		return;
	}
	if (thread_find(take_choice, &c))
		return;
	c.parked_only = false;
	thread_find(take_choice, &c);
}

/* (2) */
static void reoffer_locked(struct thread *self, uint64_t newly_blocked)
{
	for (uint64_t rest = signals.pending & newly_blocked; rest; rest &= rest - 1)
		offer_any_locked(__builtin_ctzll(rest) + 1, self);
}

static bool is_unblocked(struct thread *t, void *arg)
{
	return is_program(t) && !(t->sigmask & *(const uint64_t *)arg);
}

/* ------------------------------------------------------------------ places in queues */
bool signal_reserve(void)
{
	bool found;

	spin_lock(&signals.lock);
	found = signal_queue_reserve();
	spin_unlock(&signals.lock);
	return found;
}

void signal_unreserve(void)
{
	spin_lock(&signals.lock);
	signal_queue_unreserve();
	spin_unlock(&signals.lock);
}

void signal_forget(struct thread *t)
{
	if (!t->siginfo)
		return;
	spin_lock(&signals.lock);
	signal_queue_free(t->siginfo);
	t->siginfo = NULL;
	spin_unlock(&signals.lock);
}

/* ------------------------------------------------------------------ actions and masks */
void signal_get_action(int signo, struct signal_action *out)
{
	spin_lock(&signals.lock);
	*out = signals.actions[signo - 1];
	spin_unlock(&signals.lock);
}

static void drop_set_locked(uint64_t *pending, struct signal_info *list, uint64_t set)
{
	for (uint64_t rest = *pending & set; rest; rest &= rest - 1)
		signal_queue_drop(pending, list, __builtin_ctzll(rest) + 1);
}

static bool drop_of_thread(struct thread *t, void *arg)
{
	drop_set_locked(&t->sigpending, t->siginfo, *(const uint64_t *)arg);
	return false;
}

/* Of the process and of all its threads. */
static void drop_everywhere_locked(uint64_t set)
{
	lock_assert_held(&signals.lock);
	drop_set_locked(&signals.pending, signals.info, set);
	thread_find(drop_of_thread, &set);
}

void signal_set_action(int signo, const struct signal_action *act)
{
	spin_lock(&signals.lock);
	signals.actions[signo - 1] = *act;
	signals.actions[signo - 1].mask &= ~UNBLOCKABLE;
	if (signal_is_ignored_locked(signo))
		drop_everywhere_locked(SIGNAL_BIT(signo));
	spin_unlock(&signals.lock);
}

uint64_t signal_get_mask(void)
{
	return thread_current()->sigmask; /* only the thread itself changes it */
}

void signal_set_mask_locked(struct thread *t, uint64_t mask)
{
	uint64_t newly_blocked;

	mask &= ~UNBLOCKABLE;
	newly_blocked = mask & ~t->sigmask;
	t->sigmask = mask;
	if (signals.pending & newly_blocked)
		reoffer_locked(t, newly_blocked);
	signal_update_locked(t);
}

void signal_set_mask(uint64_t mask)
{
	spin_lock(&signals.lock);
	signal_set_mask_locked(thread_current(), mask);
	spin_unlock(&signals.lock);
}

void signal_wait_for(uint64_t set)
{
	struct thread *t = thread_current();
	uint64_t given_up;

	spin_lock(&signals.lock);
	given_up = t->sigwait & t->sigmask & ~set;
	t->sigwait = set & ~UNBLOCKABLE;
	if (signals.pending & given_up)
		reoffer_locked(t, given_up); /* (2) */
	signal_update_locked(t);
	spin_unlock(&signals.lock);
}

uint64_t signal_pending_set(void)
{
	uint64_t set;

	spin_lock(&signals.lock);
	set = thread_current()->sigpending | signals.pending;
	spin_unlock(&signals.lock);
	return set;
}

bool signal_is_deliverable(const struct thread *t)
{
	uint64_t set;

	/* Partner: offer_locked. No lock: callers hold locks of any rank, and a signal that comes
	 * during this look kicks t afterwards. */
	if (!atomic_load_explicit(&t->signal_work, memory_order_acquire))
		return false;
	set = __atomic_load_n(&t->sigpending, __ATOMIC_RELAXED) |
		__atomic_load_n(&signals.pending, __ATOMIC_RELAXED);
	return (set & ~refused(t)) != 0;
}

/* ------------------------------------------------------------------ sending */

/* Of a real-time signal each one counts, and the sender hears when one is lost; not of those that
 * the kernel itself or plain kill sends. */
static int queue_locked(uint64_t *pending, struct signal_info **list,
	const struct signal_info *info)
{
	bool whole = signal_queue_add(pending, list, info);

	return whole || info->signo < SIGRTMIN || info->code == 0 || info->code == CODE_KERNEL
		? 0
		: -EAGAIN;
}

/* (5) Not from within thread_find. */
static void cancel_opposite_locked(int signo)
{
	if (SIGNAL_BIT(signo) & DEFAULT_STOPS)
		drop_everywhere_locked(SIGNAL_BIT(SIGCONT));
	else if (signo == SIGCONT)
		drop_everywhere_locked(DEFAULT_STOPS);
}

static int send_thread_locked(struct thread *t, const struct signal_info *info)
{
	uint64_t bit = SIGNAL_BIT(info->signo);
	int err;

	if (!((t->sigmask | t->sigwait) & bit) && ignore_locked(info->signo))
		return 0; /* (3) */
	err = queue_locked(&t->sigpending, &t->siginfo, info);
	if (!(refused(t) & bit))
		offer_locked(t);
	return err;
}

void signal_send_thread(struct thread *t, const struct signal_info *info)
{
	spin_lock(&signals.lock);
	(void)send_thread_locked(t, info); /* the kernel's own: nobody could be told */
	cancel_opposite_locked(info->signo);
	spin_unlock(&signals.lock);
	signal_watch_tell();
}

struct send_request {
	int32_t tid;
	const struct signal_info *info;
	int result;
};

static bool send_if_tid(struct thread *t, void *arg)
{
	struct send_request *r = arg;

	if (t->tid != r->tid || !is_program(t))
		return false;
	if (r->info->signo)
		r->result = send_thread_locked(t, r->info); /* (4) */
	return true;
}

int signal_send_tid(int32_t tid, const struct signal_info *info)
{
	struct send_request r = { .tid = tid, .info = info };
	bool found;

	spin_lock(&signals.lock);
	found = thread_find(send_if_tid, &r) != NULL;
	if (found && info->signo)
		cancel_opposite_locked(info->signo);
	spin_unlock(&signals.lock);
	signal_watch_tell();
	return found ? r.result : -ESRCH;
}

int signal_send_process(const struct signal_info *info)
{
	struct thread *self = thread_current();
	uint64_t bit = SIGNAL_BIT(info->signo);
	int err = 0;

	spin_lock(&signals.lock);
	cancel_opposite_locked(info->signo);
	if (signal_is_ignored_locked(info->signo) && thread_find(is_unblocked, &bit)) {
		(void)ignore_locked(info->signo); /* (3), with its message */
	} else {
		err = queue_locked(&signals.pending, &signals.info, info);
		if (is_program(self) && !(refused(self) & bit) && info->signo != SIGKILL)
			offer_locked(self);
		else
			offer_any_locked(info->signo, NULL);
	}
	spin_unlock(&signals.lock);
	signal_watch_tell();
	return err;
}

void signal_send_fault(const struct signal_info *info)
{
	struct thread *t = thread_current();
	uint64_t bit = SIGNAL_BIT(info->signo);
	bool fatal;

	ASSERT(is_program(t));
	spin_lock(&signals.lock);
	fatal = (t->sigmask & bit) || signals.actions[info->signo - 1].handler == HANDLER_IGNORE;
	if (!fatal) {
		signal_queue_drop(&t->sigpending, t->siginfo, info->signo);
		/* Without its address and code the program would take it for another's signal and
		 * repeat the fault for ever. */
		fatal = !signal_queue_add(&t->sigpending, &t->siginfo, info);
		offer_locked(t);
	}
	spin_unlock(&signals.lock);
	if (fatal)
		process_exit_signal(info->signo);
}
