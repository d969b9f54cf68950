/* sources: kernel/sched/runq.c test/unit/shim/host.c */
/*
 * runq_test.c: one CPU's scheduling, simulated: who runs when, and how much of the CPU each gets.
 *
 * What:       threads that always want the CPU and threads that sleep, in steps of 50 us, with the
 *             calls that the scheduler makes. Shares, turns and waits are counted.
 * Invariants: none.
 * Locking:    none: one thread.
 * Failure:    exit code 1 with what was counted.
 * Source:     kernel/sched/runq.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sched/runq.h"
#include "kernel/sched/thread.h"
#include "test/unit/shim/host.h"

enum { STEP_NS = 50000, THREADS_MAX = 40 };

#define S 1000000000ll

/* A thread that runs for run_ns, then sleeps for sleep_ns; run_ns 0: it always wants the CPU. */
struct actor {
	struct thread thread;
	int64_t run_ns, sleep_ns;
	int64_t left_ns; /* of this run */
	int64_t wakes_at_ns; /* asleep; 0: it is not */
	int64_t waits_since_ns;
	int64_t got_ns, worst_wait_ns;
	int turns;
};

static struct {
	struct runq q;
	struct actor actors[THREADS_MAX];
	int count;
	struct actor *running;
	int64_t since_ns, now_ns;
	int64_t shortest_cut_ns; /* of turns that others ended */
} sim;

static void begin(void)
{
	memset(&sim, 0, sizeof(sim));
	sim.shortest_cut_ns = S;
	runq_init(&sim.q);
}

static void raise_floor(void)
{
	runq_raise_floor(&sim.q, sim.running ? &sim.running->thread : NULL,
		sim.now_ns - sim.since_ns);
}

static struct actor *add(int64_t run_ns, int64_t sleep_ns)
{
	struct actor *a = &sim.actors[sim.count++];

	*a = (struct actor){ .run_ns = run_ns, .sleep_ns = sleep_ns, .left_ns = run_ns };
	a->thread.affinity = UINT64_MAX;
	a->thread.vtime_ns = RUNQ_DEBIT_NS;
	raise_floor();
	runq_arrive(&sim.q, &a->thread);
	runq_insert(&sim.q, &a->thread);
	a->waits_since_ns = sim.now_ns;
	return a;
}

static void charge(void)
{
	struct actor *a = sim.running;

	if (!a)
		return;
	a->thread.vtime_ns += runq_virtual_ns(&a->thread, sim.now_ns - sim.since_ns);
	sim.since_ns = sim.now_ns;
}

static void pick(void)
{
	struct thread *t = runq_first(&sim.q);

	sim.running = NULL;
	if (!t)
		return;
	runq_raise_floor(&sim.q, NULL, 0);
	runq_remove(&sim.q, t);
	sim.running = container_of(t, struct actor, thread);
	sim.running->worst_wait_ns = MAX(sim.running->worst_wait_ns,
		sim.now_ns - sim.running->waits_since_ns);
	sim.running->turns++;
	sim.since_ns = sim.now_ns;
}

static void wake_sleepers(void)
{
	for (int i = 0; i < sim.count; i++) {
		struct actor *a = &sim.actors[i];

		if (!a->wakes_at_ns || a->wakes_at_ns > sim.now_ns)
			continue;
		a->wakes_at_ns = 0;
		a->left_ns = a->run_ns;
		a->waits_since_ns = sim.now_ns;
		raise_floor();
		runq_leave(&sim.q, &a->thread);
		runq_arrive(&sim.q, &a->thread);
		runq_insert(&sim.q, &a->thread);
	}
}

/* What the scheduler does at the end of a step of time. */
static void schedule(void)
{
	struct actor *a = sim.running;

	if (!a) {
		pick();
		return;
	}
	a->got_ns += STEP_NS;
	a->left_ns -= STEP_NS;
	if (a->run_ns && a->left_ns <= 0) {
		charge();
		a->wakes_at_ns = sim.now_ns + a->sleep_ns;
		pick();
		return;
	}
	if (!runq_first(&sim.q) || sim.now_ns - sim.since_ns < runq_turn_ns(&sim.q, &a->thread))
		return;
	sim.shortest_cut_ns = MIN(sim.shortest_cut_ns, sim.now_ns - sim.since_ns);
	charge();
	a->waits_since_ns = sim.now_ns;
	runq_insert(&sim.q, &a->thread);
	pick();
}

static void run_for(int64_t ns)
{
	int64_t end = sim.now_ns + ns;

	while (sim.now_ns < end) {
		sim.now_ns += STEP_NS;
		wake_sleepers();
		schedule();
	}
}

static void check(bool good, const char *what, int64_t value)
{
	if (good)
		return;
	printf("runq_test: %s: %lld\n", what, (long long)value);
	exit(1);
}

/* Threads that never sleep get the same, in turns of the length that is meant. */
static void spinners_share(void)
{
	for (int n = 2; n <= 16; n *= 2) {
		begin();
		for (int i = 0; i < n; i++)
			add(0, 0);
		run_for(4 * S);
		for (int i = 0; i < n; i++) {
			struct actor *a = &sim.actors[i];

			check(llabs(a->got_ns - 4 * S / n) <= 3 * RUNQ_TURN_NS, "a share",
				a->got_ns);
			check(a->got_ns / a->turns >= RUNQ_TURN_NS / 2, "a mean turn",
				a->got_ns / a->turns);
			check(a->worst_wait_ns <= 2 * n * RUNQ_TURN_NS, "a wait", a->worst_wait_ns);
		}
	}
}

/* One that sleeps is back within a granule, however many spin; and they lose only what it takes. */
static void sleeper_is_prompt(void)
{
	struct actor *sleeper;

	begin();
	for (int i = 0; i < 16; i++)
		add(0, 0);
	sleeper = add(100000, 1000000);
	run_for(4 * S);
	check(sleeper->turns > 2000, "turns of the sleeper", sleeper->turns);
	check(sleeper->worst_wait_ns <= 17 * RUNQ_TURN_NS, "its first wait",
		sleeper->worst_wait_ns);
	sleeper->worst_wait_ns = 0;
	run_for(S);
	check(sleeper->worst_wait_ns <= RUNQ_GRANULE_NS + 2 * STEP_NS, "a wait of the sleeper",
		sleeper->worst_wait_ns);
	check(sim.shortest_cut_ns >= RUNQ_GRANULE_NS, "a turn that was cut", sim.shortest_cut_ns);
}

/* A step of niceness is a factor of 1.25; and a sleeper is prompt beside whoever is nice. */
static void nice_ones_get_less(void)
{
	static const struct {
		int32_t nice;
		double share; /* of one of niceness 0, beside it */
	} cases[] = { { -20, 0.0115 }, { -5, 0.328 }, { 1, 1.25 }, { 5, 3.05 }, { 19, 69.4 } };
	struct actor *plain, *other;
	double share;

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		begin();
		plain = add(0, 0);
		other = add(0, 0);
		other->thread.nice = cases[i].nice;
		run_for(40 * S);
		share = (double)plain->got_ns / (double)other->got_ns;
		check(share > 0.9 * cases[i].share && share < 1.1 * cases[i].share,
			"a nice one's share", other->got_ns);
	}
	begin();
	for (int i = 0; i < 4; i++)
		add(0, 0)->thread.nice = 19;
	run_for(S);
	plain = add(100000, 1000000);
	run_for(S / 10);
	plain->worst_wait_ns = 0;
	run_for(S);
	check(plain->worst_wait_ns <= RUNQ_GRANULE_NS + 2 * STEP_NS, "a wait beside nice ones",
		plain->worst_wait_ns);
}

/* Many that wake all the time, each of which would fill the CPU: nobody gets more than the rest. */
static void storm_starves_nobody(void)
{
	struct actor *spinner;

	begin();
	spinner = add(0, 0);
	for (int i = 0; i < 9; i++)
		add(300000 + 50000 * i, 100000);
	run_for(10 * S);
	check(spinner->got_ns > S * 8 / 10, "the spinner", spinner->got_ns);
	for (int i = 1; i < sim.count; i++)
		check(sim.actors[i].got_ns > S / 2 && sim.actors[i].got_ns < S * 3 / 2,
			"a thread of the storm", sim.actors[i].got_ns);
}

/* A long sleep is no claim: who comes back after it takes its credit, not what it slept. */
static void sleep_is_no_saving(void)
{
	struct actor *spinner, *late;

	begin();
	spinner = add(0, 0);
	late = add(STEP_NS, 5 * S);
	run_for(4 * S);
	late->run_ns = 0; /* spins from its next waking on */
	run_for(2 * S);
	spinner->got_ns = late->got_ns = 0;
	run_for(S);
	check(llabs(spinner->got_ns - late->got_ns) <= 4 * RUNQ_TURN_NS, "the difference",
		late->got_ns - spinner->got_ns);
}

/* New threads that come without end do not keep an old one waiting. */
static void newcomers_wait_too(void)
{
	struct actor *old;
	int64_t last = 0;

	begin();
	old = add(0, 0);
	add(0, 0);
	run_for(S / 100);
	add(1000000, 1000 * S); /* from now on one always waits */
	for (int i = 0; i < 30; i++) {
		add(1000000, 1000 * S);
		run_for(1000000);
		last = MAX(last, sim.running == old ? 0 : sim.now_ns - old->waits_since_ns);
	}
	check(last <= 4 * RUNQ_TURN_NS, "a wait behind newcomers", last);
}

static void order_is_kept(void)
{
	struct thread *t;

	begin();
	for (int i = 0; i < 5; i++)
		add(0, 0);
	sim.actors[4].thread.affinity = 2;
	check(runq_first_for(&sim.q, 1) == &sim.actors[0].thread, "the first of all", 0);
	for (int i = 0; i < 4; i++)
		sim.actors[i].thread.affinity = 1;
	check(runq_first_for(&sim.q, 1) == &sim.actors[4].thread, "the first for CPU 1", 0);
	t = runq_first(&sim.q);
	runq_remove(&sim.q, t);
	runq_fall_behind(&sim.q, t);
	runq_insert(&sim.q, t);
	for (int i = 1; i <= 5; i++) {
		t = runq_first(&sim.q);
		check(t == &sim.actors[i % 5].thread, "order", i);
		runq_remove(&sim.q, t);
	}
	check(!runq_first(&sim.q) && !sim.q.count, "empty", sim.q.count);
}

/* By virtual time, equal ones as they came, whoever is taken out of their middle. */
static void many_are_in_order(void)
{
	struct thread *last = NULL, *t;

	begin();
	for (int i = 0; i < THREADS_MAX; i++)
		add(0, 0);
	for (int round = 0; round < 1000; round++) {
		struct thread *moved = &sim.actors[round * 7 % THREADS_MAX].thread;

		runq_remove(&sim.q, moved);
		moved->vtime_ns = round * 13 % 8;
		moved->tid = round; /* when it came */
		runq_insert(&sim.q, moved);
	}
	for (int i = 0; i < THREADS_MAX; i++) {
		t = runq_first(&sim.q);
		check(t &&
				(!last || last->vtime_ns < t->vtime_ns ||
					(last->vtime_ns == t->vtime_ns && last->tid < t->tid)),
			"order among many", i);
		runq_remove(&sim.q, t);
		last = t;
	}
	check(!runq_first(&sim.q) && !sim.q.count, "empty", sim.q.count);
}

int main(void)
{
	spinners_share();
	sleeper_is_prompt();
	nice_ones_get_less();
	storm_starves_nobody();
	sleep_is_no_saving();
	newcomers_wait_too();
	order_is_kept();
	many_are_in_order();
	printf("runq_test: ok\n");
	return 0;
}
