/*
 * stats.c: counters, one array per CPU.
 *
 * What:       each CPU adds to its own; a reader sums.
 * Invariants: none.
 * Locking:    none: only its CPU writes a counter; a sum is a moment's view.
 * Failure:    none.
 * Source:     none.
 */
#include "kernel/stats.h"

#include "base/assert.h"
#include "kernel/sched/cpu.h"

static const char *const names[STAT_COUNT] = {
#define X(name) [STAT_##name] = #name,
	STATS_LIST(X)
#undef X
};

void stat_add(enum stat s, uint64_t n)
{
	this_cpu()->stats[s] += n;
}

uint64_t stat_sum(enum stat s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < cpu_count; i++)
		sum += cpus[i].stats[s];
	return sum;
}

const char *stat_name(enum stat s)
{
	ASSERT(s < STAT_COUNT);
	return names[s];
}
