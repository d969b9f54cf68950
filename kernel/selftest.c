/*
 * selftest.c: failures on purpose, so that tests can see the reports.
 *
 * What:       a machine that hangs, a kernel that faults in an interrupt, a CPU that never starts.
 * Invariants: none.
 * Locking:    none.
 * Failure:    that is its work.
 * Source:     none.
 */
#include "kernel/selftest.h"

#include "arch/arch.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/string.h"

enum { FAULT_DELAY_NS = 100000000, NO_APIC_ID = 250 };

static struct timer fault_timer;

static void fault_now(struct timer *t unused_arg)
{
	/* One below the direct map: never mapped. */
	*(volatile char *)(ARCH_DIRECT_MAP - 1) = 0;
}

void selftest_early(const char *name)
{
	if (!name || strcmp(name, "hang"))
		return;
	arch_halt_forever();
}

void selftest_late(const char *name)
{
	if (!name || strcmp(name, "fault"))
		return;
	timer_init(&fault_timer, fault_now);
	timer_arm(&fault_timer, clock_now_ns() + FAULT_DELAY_NS);
}

uint32_t selftest_add_cpu(const char *name, uint32_t *apic_ids, uint32_t count, uint32_t max)
{
	if (!name || strcmp(name, "absent-cpu") || count == max)
		return count;
	memmove(apic_ids + 1, apic_ids, count * sizeof(*apic_ids));
	apic_ids[0] = NO_APIC_ID;
	return count + 1;
}
