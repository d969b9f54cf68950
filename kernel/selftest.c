/*
 * selftest.c: failures on purpose, so that tests can see the reports.
 *
 * What:       a machine that hangs, a kernel that faults in an interrupt or stores to what is
 *             read-only, a reset without last words, a CPU that never starts.
 * Invariants: none.
 * Locking:    none.
 * Failure:    that is its work.
 * Source:     none.
 */
#include "kernel/selftest.h"

#include "arch/arch.h"
#include "kernel/image.h"
#include "kernel/log.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/string.h"
#include "platform/platform.h"

#define TSC_SKEW 60000000000ll /* cycles: ten seconds or more */

enum { FAULT_DELAY_NS = 1000000000, NO_APIC_ID = 250 };

static struct timer timer;
static const char constant[] = "the kernel's constants";

static uint64_t fault_va;

static void fault_now(struct timer *t unused_arg)
{
	*(volatile char *)fault_va = 0;
	log_error("selftest: %#lx could be written", fault_va);
}

static void drop_line(enum gosolo_log_level level unused_arg, const char *line unused_arg,
	uint32_t bytes unused_arg)
{
}

static void reset_now(struct timer *t unused_arg)
{
	log_set_sink(drop_line);
	log_error("selftest: words that nobody was told");
	platform_reset();
}

void selftest_early(const char *name)
{
	if (!name || strcmp(name, "hang"))
		return;
	arch_halt_forever();
}

void selftest_late(const char *name)
{
	/* Where a store must fault: below the direct map, where nothing ever is, and in what the
	 * direct map shows of pages that are read-only where they are used. */
	const struct {
		const char *name;
		uint64_t va;
	} faults[] = {
		{ "fault", ARCH_DIRECT_MAP - 1 },
		{ "alias-text", ARCH_DIRECT_MAP + gosolo_image.text_va },
		{ "alias-kernel", ARCH_DIRECT_MAP + (uint64_t)fault_now },
		{ "alias-constants", ARCH_DIRECT_MAP + (uint64_t)constant },
	};
	bool is_reset = name && !strcmp(name, "reset");

	for (unsigned i = 0; name && i < ARRAY_LEN(faults); i++)
		if (!strcmp(name, faults[i].name))
			fault_va = faults[i].va;
	if (!fault_va && !is_reset)
		return;
	timer_init(&timer, fault_va ? fault_now : reset_now);
	timer_arm(&timer, clock_now_ns() + FAULT_DELAY_NS);
}

uint32_t selftest_add_cpu(const char *name, uint32_t *apic_ids, uint32_t count, uint32_t max)
{
	if (!name || strcmp(name, "absent-cpu") || count == max)
		return count;
	memmove(apic_ids + 1, apic_ids, count * sizeof(*apic_ids));
	apic_ids[0] = NO_APIC_ID;
	return count + 1;
}

int64_t selftest_tsc_offset(const char *name)
{
	return name && !strcmp(name, "tsc-skew") ? -TSC_SKEW : 0;
}
