/*
 * step.c: setting the wall clock, and who hears of it.
 *
 * What:       waits are by monotonic time. Who waits for a time of the wall clock has computed what
 *             that is by the monotonic one, and must do so again after a step: timers are told by
 *             how much, sleeping threads are woken and see for themselves (clock_deadline_ns).
 * Invariants: (1) listeners stay for ever. (2) a thread that computes its deadline before a step
 *             and parks after it is woken at once: the unpark is remembered.
 * Locking:    step.lock, LOCK_CLOCK, for the list; nothing is held while listeners run.
 * Failure:    none.
 * Source:     clock_nanosleep(2) and timerfd_create(2), on clocks that are set.
 */
#include "kernel/time/step.h"

#include "kernel/sched/sched.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/clock.h"

static struct {
	struct spinlock lock;
	struct step_listener *first; /* [lock] */
} step = { .lock = SPINLOCK_INIT(LOCK_CLOCK) };

void step_listen(struct step_listener *l)
{
	spin_lock(&step.lock);
	l->next = step.first;
	step.first = l;
	spin_unlock(&step.lock);
}

/* Waking without a reason is allowed, and clocks are set rarely: nobody is asked why it waits. */
static bool wake(struct thread *t, void *arg unused_arg)
{
	sched_unpark(t); /* (2) */
	return false;
}

void step_set_real(int64_t now_real_ns)
{
	int64_t before = clock_real_offset_ns(), delta;
	struct step_listener *l;

	clock_set_real_ns(now_real_ns);
	delta = clock_real_offset_ns() - before;
	spin_lock(&step.lock);
	l = step.first;
	spin_unlock(&step.lock);
	for (; l; l = l->next) /* (1) */
		l->stepped(delta);
	thread_find(wake, NULL);
}
