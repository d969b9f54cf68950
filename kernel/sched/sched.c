/*
 * sched.c: which thread runs where.
 *
 * What:       one queue of runnable threads per CPU, first in first out. A thread runs until it
 *             parks, or, when others wait for the CPU, until its slice is over. A woken thread goes
 *             to the CPU it ran on last if that is idle, else to an idle one, else it waits where
 *             it was and shortens the running thread's slice to a granule. An idle CPU takes
 *             threads from the queues of others before it halts.
 *
 *               RUNNABLE -> RUNNING   [schedule]        RUNNING -> PARKED    [sched_park]
 *               RUNNING  -> RUNNABLE  [yield, slice]    PARKED  -> WAKING    [sched_unpark]
 *               RUNNING  -> DEAD      [sched_exit]      WAKING  -> RUNNABLE  [place]
 *
 * Invariants: (1) a thread is on exactly one queue while RUNNABLE, on none else. (2) the queue lock
 *             of the CPU is held across a switch and released by the thread that arrives: so nobody
 *             takes a thread from a queue before it has left its stack. (3) an unpark is never
 *             lost: it either makes the thread runnable or sets wake_pending. (4) a thread's cpu
 *             changes only while it is WAKING, under the queue lock of the CPU that it leaves: so
 *             who holds the lock of thread.cpu knows that its state stays. (5) a thread that may
 *             not run where it runs has need_resched set there, and moves on return to the program.
 *             (6) a CPU that a thread was queued on is interrupted only when this one has let go of
 *             its locks: a waker's locks are what the woken thread takes first. Nothing returns to
 *             the program, switches, idles or opens a window before it has sent its kicks.
 * Locking:    cpu.rq_lock, LOCK_SCHED, one at a time. Never sleeps with it.
 * Failure:    none.
 * Source:     xv6's hand-off of the lock across the switch.
 */
#include "kernel/sched/sched.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/sched/torture.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"

enum {
	SLICE_NS = 4000000, /* how long a thread runs while others wait */
	GRANULE_NS = 500000, /* how long it runs at least once another wakes */
};

struct cpu cpus[CPUS_MAX];
uint32_t cpu_count = 1;

static void enqueue_locked(struct cpu *c, struct thread *t)
{
	lock_assert_held(&c->rq_lock);
	t->state = THREAD_RUNNABLE;
	t->cpu = c->arch.id;
	TAILQ_INSERT_TAIL(&c->runnable, t, run_link);
	c->runnable_count++;
}

/* When others wait, the running thread's slice ends some time. */
static void start_slice(struct cpu *c, uint64_t now_ns, uint64_t least_ns)
{
	uint64_t end = c->current->switched_in_ns + least_ns;

	if (c->current == c->idle)
		return; /* the idle loop looks at its queue by itself */
	end = MAX(end, now_ns);
	if (c->slice_end_ns && c->slice_end_ns <= end)
		return;
	c->slice_end_ns = end;
	if (end <= now_ns)
		c->need_resched = true;
	else
		timer_program_hardware();
}

static bool may_run_on(const struct thread *t, uint32_t cpu)
{
	return t->affinity >> cpu & 1;
}

static uint64_t online_mask(void)
{
	return cpu_count >= 64 ? UINT64_MAX : (1ull << cpu_count) - 1;
}

/* The last CPU if it is idle, else any idle one, else the last one (or the first allowed). */
static uint32_t choose_cpu(const struct thread *t)
{
	uint32_t last = t->cpu, allowed = UINT32_MAX;

	if (torture_is_on())
		return torture_pick(t->affinity & online_mask());
	if (may_run_on(t, last)) {
		if (atomic_load_explicit(&cpus[last].arch.idle, memory_order_relaxed))
			return last;
		allowed = last;
	}
	for (uint32_t i = 0; i < cpu_count; i++) {
		if (!may_run_on(t, i))
			continue;
		if (atomic_load_explicit(&cpus[i].arch.idle, memory_order_relaxed))
			return i;
		if (allowed == UINT32_MAX)
			allowed = i;
	}
	return allowed == UINT32_MAX ? last : allowed;
}

/* Caller holds t's queue lock and has taken t off everything: it goes to the CPU returned. */
static struct cpu *send_away_locked(struct thread *t)
{
	lock_assert_held(&cpus[t->cpu].rq_lock);
	t->state = THREAD_WAKING;
	/* Partner: the look in lock_home. */
	__atomic_store_n(&t->cpu, choose_cpu(t), __ATOMIC_RELAXED); /* (4) */
	return &cpus[t->cpu];
}

/* Queues a thread that is on its way to c. No queue lock held. */
static void place(struct cpu *c, struct thread *t)
{
	spin_lock(&c->rq_lock);
	while (!may_run_on(t, c->arch.id)) { /* since it was sent here */
		struct cpu *other = send_away_locked(t);

		spin_unlock(&c->rq_lock);
		c = other;
		spin_lock(&c->rq_lock);
	}
	enqueue_locked(c, t);
	if (c == this_cpu())
		start_slice(c, clock_now_ns(), GRANULE_NS);
	spin_unlock(&c->rq_lock);
	if (c != this_cpu())
		this_cpu()->kicks |= 1ull << c->arch.id; /* (6) */
}

void sched_send_kicks(void)
{
	struct cpu *self = this_cpu();
	uint64_t kicks = self->kicks;

	if (likely(!kicks))
		return;
	self->kicks = 0;
	for (; kicks; kicks &= kicks - 1) {
		struct cpu *c = &cpus[__builtin_ctzll(kicks)];

		/* A hint is enough: we have queued there, so 0 says that the thread was taken. */
		if (c->runnable_count)
			lapic_send_ipi(c->arch.apic_id, VECTOR_RESCHEDULE);
	}
}

static void finish_switch(void)
{
	struct cpu *c = this_cpu();
	struct thread *dead = c->dead, *moving = c->moving;

	c->dead = NULL;
	c->moving = NULL;
	spin_unlock(&c->rq_lock); /* (2) */
	if (dead)
		thread_free(dead);
	if (moving)
		place(&cpus[moving->cpu], moving);
	sched_send_kicks(); /* (6) */
}

/* Switches to the next runnable thread, or the idle one. Caller holds rq_lock and has given the
 * current thread its new state; on return the lock is released. */
static void schedule_locked(struct cpu *c)
{
	struct thread *from = c->current, *to = TAILQ_FIRST(&c->runnable);
	uint64_t now = clock_now_ns();

	lock_assert_held(&c->rq_lock);
	if (to) {
		TAILQ_REMOVE(&c->runnable, to, run_link);
		c->runnable_count--;
	} else {
		to = c->idle;
	}
	ASSERT(from->kstack_canary == NULL || *from->kstack_canary == KSTACK_CANARY);
	from->cpu_time_ns += now - from->switched_in_ns;
	to->switched_in_ns = now;
	to->state = THREAD_RUNNING;
	to->wake_pending = false; /* it is about to test its condition anyway */
	c->need_resched = false;
	c->slice_end_ns = 0;
	if (to == from) {
		finish_switch();
		return;
	}
	if (from == c->idle)
		arch_set_idle(false); /* flushes what the idle CPU was spared */
	else if (to == c->idle)
		arch_set_idle(true);
	c->current = to;
	stat_inc(STAT_context_switches);
	if (c->runnable_count)
		start_slice(c, now, SLICE_NS);
	arch_switch(&from->arch, &to->arch, (uint64_t)to->kstack + ARCH_KSTACK_BYTES);
	finish_switch();
}

void sched_first_run(void)
{
	finish_switch();
}

static void park_timeout(struct timer *timer)
{
	sched_unpark(container_of(timer, struct thread, park_timer));
}

void sched_park(uint64_t deadline_ns, bool signals)
{
	struct cpu *c = this_cpu();
	struct thread *t = c->current;

	lock_assert_none();
	ASSERT(t != c->idle);
	sched_send_kicks(); /* (6) before the switch, which takes its time */
	if (signals && signal_is_deliverable(t))
		return;
	if (deadline_ns != TIME_NEVER_NS) {
		timer_init(&t->park_timer, park_timeout);
		timer_arm(&t->park_timer, deadline_ns);
	}
	spin_lock(&c->rq_lock);
	if (t->wake_pending) {
		t->wake_pending = false; /* (3) */
		spin_unlock(&c->rq_lock);
	} else {
		t->state = THREAD_PARKED;
		schedule_locked(c);
	}
	if (deadline_ns != TIME_NEVER_NS)
		timer_cancel(&t->park_timer);
}

/* The CPU that t runs on, waits for or ran on last, locked. */
static struct cpu *lock_home(const struct thread *t)
{
	for (;;) {
		uint32_t cpu = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);

		spin_lock(&cpus[cpu].rq_lock);
		if (cpu == __atomic_load_n(&t->cpu, __ATOMIC_RELAXED))
			return &cpus[cpu];
		spin_unlock(&cpus[cpu].rq_lock); /* it moved meanwhile */
	}
}

/* The CPU that runs t right now, or NULL. */
static struct cpu *unpark(struct thread *t)
{
	struct cpu *c = lock_home(t), *running = NULL;

	if (t->state != THREAD_PARKED) {
		t->wake_pending = true; /* (3) */
		if (t->state == THREAD_RUNNING)
			running = c;
		spin_unlock(&c->rq_lock);
		return running;
	}
	running = send_away_locked(t);
	spin_unlock(&c->rq_lock);
	place(running, t);
	return NULL;
}

void sched_unpark(struct thread *t)
{
	(void)unpark(t);
}

void sched_start(struct thread *t)
{
	struct cpu *c = this_cpu();

	spin_lock(&c->rq_lock);
	t->cpu = c->arch.id; /* nobody else has it yet, or not for waking it */
	c = send_away_locked(t);
	spin_unlock(&this_cpu()->rq_lock);
	place(c, t);
}

void sched_yield_cpu(void)
{
	struct cpu *c = this_cpu();

	lock_assert_none();
	if (c->current == c->idle)
		return;
	spin_lock(&c->rq_lock);
	if (!may_run_on(c->current, c->arch.id)) {
		(void)send_away_locked(c->current); /* (5) */
		c->moving = c->current;
	} else if (c->runnable_count) {
		enqueue_locked(c, c->current);
	} else {
		spin_unlock(&c->rq_lock);
		return;
	}
	schedule_locked(c);
}

void sched_relax(void)
{
	lock_assert_none();
	arch_irq_window();
	sched_send_kicks(); /* (6) */
	sched_return_to_program();
}

void sched_return_to_program(void)
{
	struct cpu *c = this_cpu();

	if (!c->need_resched && !torture_chance(16))
		return;
	c->need_resched = false;
	c->slice_end_ns = 0;
	sched_yield_cpu();
}

void sched_exit(void)
{
	struct cpu *c = this_cpu();

	spin_lock(&c->rq_lock);
	c->current->state = THREAD_DEAD;
	c->dead = c->current;
	schedule_locked(c);
	__builtin_unreachable();
}

void sched_kick(struct thread *t)
{
	/* Partner: sched_park's test of signal_is_deliverable; wake_pending closes the gap. A
	 * thread that is not running is switched to under the lock that unpark held, and looks
	 * after. */
	struct cpu *c = unpark(t);

	if (c && c != this_cpu())
		lapic_send_ipi(c->arch.apic_id, VECTOR_RESCHEDULE);
}

/* Another CPU queued a thread here, or wants the running one to look at its signals. */
void kernel_handle_reschedule(void)
{
	struct cpu *c = this_cpu();

	if (c->current != c->idle && !may_run_on(c->current, c->arch.id))
		c->need_resched = true; /* (5) */
	else if (c->runnable_count)
		start_slice(c, clock_now_ns(), GRANULE_NS);
}

void sched_interrupt_others(void)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		if (&cpus[i] != this_cpu())
			lapic_send_ipi(cpus[i].arch.apic_id, VECTOR_RESCHEDULE);
}

int sched_set_affinity(struct thread *t, uint64_t mask)
{
	struct cpu *c, *to = NULL;
	bool running;

	mask &= online_mask();
	if (!mask)
		return -EINVAL;
	c = lock_home(t);
	t->affinity = mask;
	running = t->state == THREAD_RUNNING;
	if (t->state == THREAD_RUNNABLE && !may_run_on(t, c->arch.id)) {
		TAILQ_REMOVE(&c->runnable, t, run_link);
		c->runnable_count--;
		to = send_away_locked(t);
	}
	spin_unlock(&c->rq_lock);
	if (to)
		place(to, t);
	else if (running && c != this_cpu())
		lapic_send_ipi(c->arch.apic_id, VECTOR_RESCHEDULE);
	else if (running && !may_run_on(t, c->arch.id))
		c->need_resched = true; /* (5) */
	return 0;
}

uint64_t sched_thread_cpu_ns(struct thread *t)
{
	uint64_t ns = t->cpu_time_ns;

	if (t->state == THREAD_RUNNING)
		ns += clock_now_ns() - t->switched_in_ns;
	return ns;
}

/* A thread from the longest-waiting end of another CPU's queue; NULL: nothing to take. */
static struct thread *steal(struct cpu *self)
{
	struct thread *t = NULL;

	for (uint32_t i = 1; i < cpu_count && !t; i++) {
		struct cpu *c = &cpus[(self->arch.id + i) % cpu_count];

		/* A hint; the lock decides. An idle CPU is about to run what it was just given. */
		if (!c->runnable_count || atomic_load_explicit(&c->arch.idle, memory_order_relaxed))
			continue;
		spin_lock(&c->rq_lock);
		TAILQ_FOREACH(t, &c->runnable, run_link)
			if (may_run_on(t, self->arch.id))
				break;
		if (t) {
			TAILQ_REMOVE(&c->runnable, t, run_link);
			c->runnable_count--;
			t->state = THREAD_WAKING;
			t->cpu = self->arch.id; /* (4) */
		}
		spin_unlock(&c->rq_lock);
	}
	return t;
}

static bool run_something(struct cpu *c)
{
	struct thread *stolen = c->runnable_count ? NULL : steal(c);

	spin_lock(&c->rq_lock);
	if (stolen)
		enqueue_locked(c, stolen);
	if (!c->runnable_count) {
		spin_unlock(&c->rq_lock);
		return false;
	}
	c->current->state = THREAD_RUNNABLE; /* not queued: it is the idle thread */
	schedule_locked(c);
	return true;
}

void sched_idle_loop(void)
{
	struct cpu *c = this_cpu();

	arch_set_idle(true);
	for (;;) {
		sched_send_kicks(); /* (6) */
		if (run_something(c))
			continue;
		stat_inc(STAT_idle_waits);
		arch_idle_wait();
	}
}

void sched_init(struct thread *boot_thread)
{
	for (uint32_t i = 0; i < CPUS_MAX; i++) {
		spinlock_init(&cpus[i].rq_lock, LOCK_SCHED);
		TAILQ_INIT(&cpus[i].runnable);
	}
	sched_adopt_idle(boot_thread);
}

void sched_adopt_idle(struct thread *idle)
{
	struct cpu *c = this_cpu();

	idle->state = THREAD_RUNNING;
	idle->cpu = c->arch.id;
	c->idle = idle;
	c->current = idle;
}
