/* sources: kernel/sched/cputime.c test/unit/shim/host.c test/unit/shim/host_kmem.c */
/*
 * cputime_test.c: what is told of CPU time.
 *
 * What:       the split of a thread's time into the program's and the kernel's: the sum is exact
 *             and neither part goes back, however the samples jump; and what a sample weighs.
 * Invariants: none.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     kernel/sched/cputime.h.
 */
#include "kernel/sched/cputime.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "kernel/sched/sched.h"

static struct {
	struct thread thread;
	uint64_t cpu_ns, cycles;
} t;

uint64_t sched_thread_cpu_ns(struct thread *thread)
{
	(void)thread;
	return t.cpu_ns;
}

uint64_t sched_process_cpu_ns(void)
{
	return t.cpu_ns;
}

uint64_t sched_process_system_ns(void)
{
	return t.thread.system_ns;
}

uint64_t arch_cycles(void)
{
	return t.cycles += 37;
}

static void test_split(void)
{
	struct cputime told = { 0 }, last = { 0 }, now;
	uint64_t total = 0, system_ns = 0;
	unsigned seed = 1;

	for (unsigned i = 0; i < 100000; i++) {
		total += (unsigned)rand_r(&seed) % 1000;
		system_ns += (unsigned)rand_r(&seed) % 2 ? 0 : (unsigned)rand_r(&seed) % 3000;
		now = cputime_split(total, system_ns, &told);
		CHECK_EQ(now.user_ns + now.system_ns, total);
		CHECK(now.user_ns >= last.user_ns && now.system_ns >= last.system_ns);
		last = now;
	}
	CHECK(last.system_ns > 0);
}

/* Every entry takes 10 of 30 ns: a third of the time is the kernel's, give or take. */
static void test_samples(void)
{
	memset(&t.thread, 0, sizeof(t.thread));
	t.thread.entries_left = t.thread.entries_next = 1;
	t.cpu_ns = 0;
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t began = cputime_enter(&t.thread);

		t.cpu_ns += 10;
		cputime_leave(&t.thread, began);
		t.cpu_ns += 20;
	}
	CHECK(t.thread.system_ns > t.cpu_ns / 3 - 1000 && t.thread.system_ns < t.cpu_ns / 3 + 1000);
}

int main(void)
{
	test_split();
	test_samples();
	puts("cputime_test: ok");
	return 0;
}
