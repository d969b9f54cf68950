/*
 * selftest.c: failures on purpose, so that tests can see the reports.
 *
 * What:       a machine that hangs, and a kernel that faults in an interrupt.
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

enum { FAULT_DELAY_NS = 100000000 };

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
