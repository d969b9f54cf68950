/*
 * cputimer.c: callbacks after CPU time of a thread or of the process.
 *
 * What:       CPU time has no alarm of its own. A timer of the clock looks when the limit could be
 *             reached at the earliest; where nothing is running then, the look is put off until
 *             the scheduler says that it goes on.
 *
 *               idle -> ticking, waiting [cputimer_arm]   ticking -> idle [its callback]
 *               waiting -> ticking [cputimer_resume]      waiting -> idle [cputimer_forget]
 *               ticking, waiting -> idle [cputimer_cancel]
 *
 * Invariants: (1) what goes on while a cputimer waits for it makes that tick: of a thread, as the
 *             flag is set under the lock that a switch to it needs; of the process, as who waits
 *             says so before it looks at the CPUs, and a CPU leaves idleness before it looks for
 *             who waits. (2) one that is being cancelled does not begin to wait or tick.
 * Locking:    cputimers.lock, LOCK_CPUTIMER; LOCK_TIMER and LOCK_SCHED inside. LOCK_THREADS
 *             outside, while a thread is looked for.
 * Failure:    none.
 * Source:     timer_create(2); Linux looks at every tick, which a sleeping CPU has not.
 */
#include "kernel/sched/cputimer.h"

#include "kernel/sched/sched.h"
#include "kernel/sched/sched_priv.h"
#include "kernel/time/clock.h"

enum {
	LOOK_LEAST_NS = 100000, /* nearer ones are not worth their interrupt */
	/* All CPUs may run the process, but to look for that more often than Linux does would cost
	 * more than it tells. */
	LOOK_PROCESS_NS = 1000000,
};

static struct {
	struct spinlock lock;
	struct cputimer_list process; /* [lock] those that wait for it */
} cputimers = { .lock = SPINLOCK_INIT(LOCK_CPUTIMER) };

_Atomic bool cputimer_process_waits;

static void tick_locked(struct cputimer *ct, uint64_t left_ns)
{
	uint64_t now = clock_now_ns(), distance = left_ns;

	lock_assert_held(&cputimers.lock);
	if (!ct->tid)
		distance = MIN(left_ns, MAX(left_ns / cpu_count, (uint64_t)LOOK_PROCESS_NS));
	distance = MAX(distance, (uint64_t)LOOK_LEAST_NS);
	timer_arm(&ct->timer, now + MIN(distance, TIME_NEVER_NS - 1 - now));
}

static void begin_wait_locked(struct cputimer *ct, struct cputimer_list *list, uint64_t left_ns)
{
	lock_assert_held(&cputimers.lock);
	ct->left_ns = left_ns;
	ct->waits = true;
	LIST_INSERT_HEAD(list, ct, link);
}

static void end_wait_locked(struct cputimer *ct)
{
	lock_assert_held(&cputimers.lock);
	if (ct->waits)
		LIST_REMOVE(ct, link);
	ct->waits = false;
}

static void tick_all_locked(struct cputimer_list *list)
{
	struct cputimer *ct;

	while ((ct = LIST_FIRST(list))) {
		end_wait_locked(ct);
		tick_locked(ct, ct->left_ns);
	}
}

static void resume_process_locked(void)
{
	lock_assert_held(&cputimers.lock);
	atomic_store_explicit(&cputimer_process_waits, false, memory_order_relaxed);
	tick_all_locked(&cputimers.process);
}

/* ------------------------------------------------------------------ of the process */
static bool is_process_running(void)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		if (!atomic_load_explicit(&cpus[i].arch.idle, memory_order_seq_cst))
			return true;
	return false;
}

static void arm_for_process_locked(struct cputimer *ct, uint64_t left_ns)
{
	lock_assert_held(&cputimers.lock);
	if (is_process_running()) {
		tick_locked(ct, left_ns);
		return;
	}
	begin_wait_locked(ct, &cputimers.process, left_ns);
	/* Partner: cputimer_is_awaited. */
	atomic_store_explicit(&cputimer_process_waits, true, memory_order_seq_cst);
	if (is_process_running()) /* (1) */
		resume_process_locked();
}

/* ------------------------------------------------------------------ of a thread */
/* False: it runs. Else it says when it goes on. */
static bool must_wait(struct thread *t)
{
	struct cpu *c = sched_lock_home(t);
	bool waits = t->state != THREAD_RUNNING;

	if (waits)
		t->cputimers_wait = true; /* (1) */
	spin_unlock(&c->rq_lock);
	return waits;
}

struct search {
	struct cputimer *ct;
	uint64_t left_ns;
};

static bool arm_if_found(struct thread *t, void *arg)
{
	struct search *s = arg;

	if (t->tid != s->ct->tid || !t->arch.fpu) /* the kernel's own have numbers, too */
		return false;
	spin_lock(&cputimers.lock);
	if (!s->ct->stopped) { /* (2) */
		if (must_wait(t))
			begin_wait_locked(s->ct, &t->cputimers, s->left_ns);
		else
			tick_locked(s->ct, s->left_ns);
	}
	spin_unlock(&cputimers.lock);
	return true;
}

/* ------------------------------------------------------------------ for who waits */
void cputimer_arm(struct cputimer *ct, uint64_t left_ns)
{
	struct search s = { ct, left_ns };

	if (ct->tid) {
		(void)thread_find(arm_if_found, &s);
		return;
	}
	spin_lock(&cputimers.lock);
	if (!ct->stopped) /* (2) */
		arm_for_process_locked(ct, left_ns);
	spin_unlock(&cputimers.lock);
}

void cputimer_cancel(struct cputimer *ct)
{
	spin_lock(&cputimers.lock);
	end_wait_locked(ct);
	ct->stopped = true; /* (2) its callback may be about to arm */
	spin_unlock(&cputimers.lock);
	(void)timer_cancel(&ct->timer);
	spin_lock(&cputimers.lock);
	ct->stopped = false;
	spin_unlock(&cputimers.lock);
}

/* ------------------------------------------------------------------ for the scheduler */
void cputimer_resume(struct thread *t)
{
	spin_lock(&cputimers.lock);
	t->cputimers_wait = false;
	tick_all_locked(&t->cputimers);
	if (t != this_cpu()->idle)
		resume_process_locked();
	spin_unlock(&cputimers.lock);
}

void cputimer_forget(struct thread *t)
{
	struct cputimer *ct;

	spin_lock(&cputimers.lock);
	while ((ct = LIST_FIRST(&t->cputimers)))
		end_wait_locked(ct);
	spin_unlock(&cputimers.lock);
}
