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

uint64_t stat_sum(enum stat s)
{
	bool is_maximum = strstr(stat_name(s), "_max_") != NULL;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < cpu_count; i++)
		sum = is_maximum ? MAX(sum, cpus[i].stats[s]) : sum + cpus[i].stats[s];
	return sum;
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
