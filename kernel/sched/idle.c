/*
 * idle.c: what a CPU does that has nothing to run.
 *
 * What:       it takes a waiting thread from another CPU; else it polls for work for a moment, if
 *             that has paid lately; else it halts until an interrupt. Whoever gives work to a CPU
 *             that polls need not interrupt it, and the CPU need not wake.
 *
 *             The moment is each CPU's own. A poll that finds work late makes it longer, one that
 *             finds none shorter, down to nothing. From there it comes back when the CPU was woken
 *             so soon that a poll would have met it; but after polls that were in vain only at the
 *             second such time, then the fourth, up to the 256th: on a host that does not run
 *             the CPU that would bring the work, polling only takes time from it.
 * Invariants: (1) after polling is cleared the queue is looked at once more before the CPU halts.
 *             (2) with one CPU there is no polling: only an interrupt can bring work.
 * Locking:    none; what it reads of others is a hint.
 * Failure:    none.
 * Source:     KVM's halt_poll_ns, Linux's haltpoll governor, for growing and shrinking.
 */
#include "kernel/sched/sched_priv.h"

#include "base/assert.h"
#include "kernel/dev/pagereport.h"
#include "kernel/sched/torture.h"
#include "kernel/time/clock.h"

enum {
	POLL_LEAST_NS = 5000,
	POLL_FIRST_NS = 20000,
	POLL_MOST_NS = 50000, /* about what a halt and a wake-up cost under emulation */
	POLL_MISSES_MAX = 8,
};

static bool has_work(const struct cpu *c)
{
	return *(volatile const uint32_t *)&c->runq.count || sched_can_steal(c);
}

static void note_hit(struct cpu *c, uint64_t took_ns)
{
	stat_inc(STAT_idle_poll_hits);
	c->poll.misses = 0;
	if (took_ns > c->poll.window_ns / 2)
		c->poll.window_ns = MIN(2 * c->poll.window_ns, (uint64_t)POLL_MOST_NS);
}

static void shrink(struct cpu *c)
{
	c->poll.window_ns /= 2;
	if (c->poll.window_ns >= POLL_LEAST_NS)
		return;
	c->poll.window_ns = 0;
	c->poll.misses = MIN(c->poll.misses + 1, (uint32_t)POLL_MISSES_MAX);
	c->poll.hold_off = 1u << c->poll.misses;
}

/* Work came after a halt, and after so long in all. */
static void note_halt(struct cpu *c, uint64_t took_ns)
{
	bool soon = took_ns <= POLL_MOST_NS;

	if (c->poll.window_ns && soon)
		c->poll.window_ns = MIN(2 * c->poll.window_ns, (uint64_t)POLL_MOST_NS);
	else if (c->poll.window_ns)
		shrink(c);
	else if (soon && c->poll.hold_off)
		c->poll.hold_off--;
	else if (soon)
		c->poll.window_ns = POLL_FIRST_NS;
}

/* True when there is work. */
static bool poll_for_work(struct cpu *c, uint64_t since_ns)
{
	uint64_t now = since_ns;
	bool found = false;

	if (!c->poll.window_ns)
		return false;
	stat_inc(STAT_idle_polls);
	atomic_store_explicit(&c->polling, true, memory_order_relaxed);
	while (!found && now - since_ns < c->poll.window_ns) {
		arch_irq_window();
		arch_pause();
		found = has_work(c);
		now = clock_now_ns();
	}
	atomic_store_explicit(&c->polling, false, memory_order_relaxed);
	/* Partner: the fence in sched_send_kicks. */
	atomic_thread_fence(memory_order_seq_cst);
	if (found)
		note_hit(c, now - since_ns);
	return found || has_work(c); /* (1) */
}

static bool run_something(struct cpu *c)
{
	struct thread *stolen = c->runq.count ? NULL : sched_steal(c);

	spin_lock(&c->rq_lock);
	if (stolen) {
		runq_arrive(&c->runq, stolen);
		sched_enqueue_locked(c, stolen);
	}
	if (!c->runq.count) {
		spin_unlock(&c->rq_lock);
		return false;
	}
	c->current->state = THREAD_RUNNABLE; /* not queued: it is the idle thread */
	sched_switch_locked(c, clock_now_ns());
	return true;
}

void sched_idle_loop(void)
{
	struct cpu *c = this_cpu();
	bool may_poll = cpu_count > 1; /* (2) */
	uint64_t since = clock_now_ns();

	arch_set_idle(true);
	for (;;) {
		sched_send_kicks(); /* sched.c (6) */
		if (run_something(c)) {
			since = clock_now_ns();
			may_poll = cpu_count > 1 && !torture_is_on();
			continue;
		}
		if (may_poll && poll_for_work(c, since))
			continue;
		may_poll = false; /* until it has run something */
		pagereport_poll();
		stat_inc(STAT_idle_waits);
		arch_idle_wait();
		if (c->runq.count && cpu_count > 1)
			note_halt(c, clock_now_ns() - since);
	}
}
