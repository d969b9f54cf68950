/*
 * torture.c: decisions of the tortured scheduler.
 *
 * What:       one pseudo-random sequence per CPU (splitmix64), seeded from the one seed.
 * Invariants: (1) a CPU's sequence depends on the seed and its number only.
 * Locking:    none: each CPU has its own state.
 * Failure:    none.
 * Source:     Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014.
 */
#include "kernel/sched/torture.h"

#ifdef GOSOLO_DEBUG
#include "kernel/log.h"
#include "kernel/sched/cpu.h"

static struct {
	bool on; /* [I] */
	uint64_t state[CPUS_MAX]; /* [c] */
} torture;

static uint64_t next(void)
{
	uint64_t *s = &torture.state[this_cpu()->arch.id];
	uint64_t z = (*s += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

void torture_init(uint64_t seed)
{
	torture.on = seed != 0;
	for (uint32_t i = 0; i < CPUS_MAX; i++)
		torture.state[i] = seed + i * 0xd1342543de82ef95ull; /* (1) */
	if (torture.on)
		log_warn("scheduler torture: seed %llu", (unsigned long long)seed);
}

bool torture_is_on(void)
{
	return torture.on;
}

bool torture_chance(uint32_t n)
{
	return torture.on && next() % n == 0;
}

uint32_t torture_pick(uint64_t mask)
{
	uint32_t k, bits = 0;

	for (uint64_t m = mask; m; m &= m - 1) /* without libgcc's __popcountdi2 */
		bits++;
	k = (uint32_t)(next() % bits);
	while (k--)
		mask &= mask - 1;
	return (uint32_t)__builtin_ctzll(mask);
}
#endif
