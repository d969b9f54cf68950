/*
 * thread_info.c: the program's threads as others see them, and the load averages.
 *
 * What:       walks over the list of threads. A timer samples every five seconds how many run or
 *             could, and lets the averages follow.
 * Invariants: none.
 * Locking:    LOCK_THREADS, inside thread_find. Averages are written by the timer only.
 * Failure:    none.
 * Source:     proc(5) loadavg; Linux kernel/sched/loadavg.c for period and weights.
 */
#include "kernel/sched/thread_info.h"

#include "base/units.h"
#include "kernel/sched/cputime.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/string.h"

#define PERIOD_NS (5004 * 1000000ull) /* Linux's: a little off, to fall in step with nothing */
#define ONE (1ull << LOAD_SHIFT)

/* e to the power of -5s/1min, -5s/5min, -5s/15min. */
static const uint64_t keep[3] = { 1884, 2014, 2037 };

static struct {
	struct timer timer;
	_Atomic uint64_t average[3]; /* [a] */
} load;

static bool is_program(const struct thread *t)
{
	return t->arch.fpu != NULL;
}

static bool is_active(const struct thread *t)
{
	return t->state == THREAD_RUNNING || t->state == THREAD_RUNNABLE ||
		t->state == THREAD_WAKING;
}

/* ------------------------------------------------------------------ one thread */
struct search {
	int32_t tid;
	struct thread_info *out;
};

static bool tell(struct thread *t, void *arg)
{
	struct search *s = arg;
	struct cputime cpu;

	if (t->tid != s->tid || !is_program(t))
		return false;
	strlcpy(s->out->name, t->name, sizeof(s->out->name));
	s->out->runs = is_active(t);
	cpu = cputime_of_thread(t);
	s->out->user_ns = cpu.user_ns;
	s->out->system_ns = cpu.system_ns;
	s->out->sleeps = t->sleeps;
	s->out->preemptions = t->preemptions;
	s->out->faults = t->faults;
	s->out->cpu = t->cpu;
	s->out->nice = t->nice;
	return true;
}

bool thread_get_info(int32_t tid, struct thread_info *out)
{
	struct search s = { tid, out };

	return thread_find(tell, &s) != NULL;
}

struct next {
	int32_t after, best; /* best 0: none yet */
};

static bool is_next(struct thread *t, void *arg)
{
	struct next *n = arg;

	if (is_program(t) && t->tid > n->after && (n->best == 0 || t->tid < n->best))
		n->best = t->tid;
	return false; /* the smallest of all */
}

int32_t thread_next_tid(int32_t after)
{
	struct next n = { .after = after };

	(void)thread_find(is_next, &n);
	return n.best;
}

/* ------------------------------------------------------------------ load */
static bool count_active(struct thread *t, void *arg)
{
	uint32_t *n = arg;

	*n += is_program(t) && is_active(t);
	return false;
}

static uint32_t active_threads(void)
{
	uint32_t n = 0;

	(void)thread_find(count_active, &n);
	return n;
}

static void sample(struct timer *timer)
{
	uint64_t now = active_threads() * ONE;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t old = atomic_load_explicit(&load.average[i], memory_order_relaxed);
		uint64_t fresh = old * keep[i] + now * (ONE - keep[i]);

		if (now >= old)
			fresh += ONE - 1; /* rounded towards what it goes to */
		atomic_store_explicit(&load.average[i], fresh / ONE, memory_order_relaxed);
	}
	timer_arm(timer, clock_now_ns() + PERIOD_NS);
}

void load_get(struct load *out)
{
	for (unsigned i = 0; i < 3; i++)
		out->average[i] = atomic_load_explicit(&load.average[i], memory_order_relaxed);
	out->running = active_threads();
}

void load_init(void)
{
	timer_init(&load.timer, sample);
	timer_arm(&load.timer, clock_now_ns() + PERIOD_NS);
}
