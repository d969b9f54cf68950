/* sources: kernel/sync/lockcheck.c kernel/sync/spinlock.c test/unit/shim/host.c lib/fmt.c */
/*
 * lockcheck_test.c: every rule of locks, broken once: the debug kernel's checks must stop each.
 *
 * What:       kernel/sync/spinlock.c and lockcheck.c on two CPUs that take turns, with a clock and
 *             an interrupt flag of ours. What is right passes; each wrong use must end in an
 *             assertion.
 * Invariants: none.
 * Locking:    the real ones; one host thread, so nothing is ever waited for.
 * Failure:    aborts with the failed check.
 * Source:     kernel/sync/spinlock.h.
 */
#include <stdarg.h>
#include <string.h>

#include "host.h"
#include "kernel/log.h"
#include "kernel/sched/cpu.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/clock.h"

struct cpu cpus[CPUS_MAX];
uint32_t cpu_count = 2;

static struct {
	unsigned cpu;
	uint64_t cycles;
	bool irqs_on, is_virtual;
	unsigned warnings;
	char report[200];
} machine;

struct arch_cpu *host_cpu_self(void)
{
	cpus[machine.cpu].arch.id = machine.cpu;
	return &cpus[machine.cpu].arch;
}

uint64_t arch_cycles(void)
{
	return machine.cycles;
}

bool arch_irqs_enabled(void)
{
	return machine.irqs_on;
}

bool arch_is_virtual(void)
{
	return machine.is_virtual;
}

bool arch_set_away(bool away)
{
	return away;
}

void arch_poll_requests(void)
{
}

void arch_halt_forever(void)
{
	abort();
}

uint64_t clock_cycles_to_ns(uint64_t cycles)
{
	return cycles;
}

void klog(enum gosolo_log_level level, const char *format, ...)
{
	(void)format;
	if (level == GOSOLO_LOG_WARN)
		machine.warnings++;
}

static struct spinlock low, high, high_too;

static void begin(void)
{
	memset(&machine, 0, sizeof(machine));
	memset(cpus, 0, sizeof(cpus));
	spinlock_init(&low, LOCK_FS);
	spinlock_init(&high, LOCK_VM);
	spinlock_init(&high_too, LOCK_VM);
}

static void right_use(void *unused_arg)
{
	spin_lock(&low);
	lock_assert_held(&low);
	spin_lock(&high);
	spin_unlock(&low); /* in any order */
	spin_lock(&(struct spinlock)SPINLOCK_INIT(LOCK_PMM));
	spin_unlock(&high);
}

static void lower_rank(void *unused_arg)
{
	spin_lock(&high);
	spin_lock(&low);
}

static void same_rank(void *unused_arg)
{
	spin_lock(&high);
	spin_lock(&high_too);
}

static void with_interrupts(void *unused_arg)
{
	machine.irqs_on = true;
	spin_lock(&low);
}

static void release_of_what_is_not_held(void *unused_arg)
{
	spin_lock(&low);
	spin_unlock(&high);
}

static void release_by_another_cpu(void *unused_arg)
{
	spin_lock(&low);
	machine.cpu = 1;
	spin_unlock(&low);
}

static void assert_of_another_cpus(void *unused_arg)
{
	spin_lock(&low);
	machine.cpu = 1;
	lock_assert_held(&low);
}

static void sleep_with_a_lock(void *unused_arg)
{
	spin_lock(&low);
	lock_assert_none();
}

static void no_rank(void *unused_arg)
{
	static struct spinlock forgotten;

	spin_lock(&forgotten);
}

static void too_deep(void *unused_arg)
{
	static struct spinlock locks[ARRAY_LEN(cpus[0].lock_stack) + 1];

	for (uint32_t i = 0; i < ARRAY_LEN(locks); i++) {
		spinlock_init(&locks[i], LOCK_FS + i);
		spin_lock(&locks[i]);
	}
}

static void trylock_out_of_order(void *unused_arg)
{
	spin_lock(&high);
	CHECK(spin_trylock(&low));
}

static void hold_for(uint64_t cycles)
{
	spin_lock(&low);
	machine.cycles += cycles;
	spin_unlock(&low);
	lock_assert_none();
}

static void remember(const char *text, void *unused_arg)
{
	CHECK(strlen(text) < sizeof(machine.report));
	strcpy(machine.report, text);
}

/* A hold above the bound is one warning, at the next place without locks; the longest is told. */
static void holds_are_measured(void)
{
	begin();
	hold_for(1000);
	CHECK_EQ(machine.warnings, 0);
	hold_for(100000000);
	CHECK_EQ(machine.warnings, 1);
	hold_for(1000);
	CHECK_EQ(machine.warnings, 1);
	lock_report(remember, NULL);
	CHECK_EQ(strcmp(machine.report, "lock_hold_max.fs 100000000 ns"), 0);
	machine.is_virtual = true; /* the host may have stopped the CPU meanwhile */
	hold_for(200000000);
	CHECK_EQ(machine.warnings, 1);
}

int main(void)
{
	static void (*const wrong[])(void *) = { lower_rank, same_rank, with_interrupts,
		release_of_what_is_not_held, release_by_another_cpu, assert_of_another_cpus,
		sleep_with_a_lock, no_rank, too_deep, trylock_out_of_order };

	begin();
	CHECK(!host_stops(right_use, NULL));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		begin();
		if (!host_stops(wrong[i], NULL))
			fprintf(stderr, "lockcheck_test: case %zu passes\n", i);
		begin();
		CHECK(host_stops(wrong[i], NULL));
	}
	holds_are_measured();
	printf("lockcheck_test: ok\n");
	return 0;
}
