/*
 * stats.c: counters, one array per CPU.
 *
 * What:       each CPU adds to its own; a reader sums, or takes the largest.
 * Invariants: none.
 * Locking:    none: only its CPU writes a counter; a sum is a moment's view.
 * Failure:    none.
 * Source:     none.
 */
#include "kernel/stats.h"

#include "base/assert.h"
#include "base/units.h"
#include "kernel/sched/cpu.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

static const char *const names[STAT_COUNT] = {
#define X(name) [STAT_##name] = #name,
	STATS_LIST(X)
#undef X
};

void stat_add(enum stat s, uint64_t n)
{
	this_cpu()->stats[s] += n;
}

void stat_raise(enum stat s, uint64_t value)
{
	struct cpu *c = this_cpu();

	c->stats[s] = MAX(c->stats[s], value);
}

/* What the processor's room counts lies with it. */
static uint64_t value_on(const struct cpu *c, enum stat s)
{
	const struct arch_tlb_counts *tlb = &c->arch.tlb;

	switch (s) {
	case STAT_tlb_shootdowns:
		return tlb->shootdowns;
	case STAT_tlb_ipis:
		return tlb->ipis;
	case STAT_tlb_spared:
		return tlb->spared;
	case STAT_tlb_wait_ns:
		return clock_cycles_to_ns(tlb->wait_cycles);
	case STAT_tlb_full:
		return tlb->full;
	case STAT_tlb_ranges:
		return tlb->ranges;
	default:
		return c->stats[s];
	}
}

uint64_t stat_sum(enum stat s)
{
	bool is_maximum = strstr(stat_name(s), "_max_") != NULL;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < cpu_count; i++)
		sum = is_maximum ? MAX(sum, value_on(&cpus[i], s)) : sum + value_on(&cpus[i], s);
	return sum;
}

uint64_t stat_on(enum stat s, uint32_t cpu)
{
	return value_on(&cpus[cpu], s);
}

const char *stat_unit(enum stat s)
{
	const char *name = stat_name(s);

	if (strstr(name, "_bytes") != NULL)
		return "bytes";
	return strstr(name, "_ns") != NULL ? "ns" : "count";
}

const char *stat_name(enum stat s)
{
	ASSERT(s < STAT_COUNT);
	return names[s];
}
