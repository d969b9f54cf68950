/*
 * torture.h: a scheduler that a seed drives mad, in debug builds: preemption at places and wake-ups
 * on CPUs that a quiet machine would never choose.
 *
 * The seed comes from torture= on the command line and is logged; the same seed makes the same
 * decisions on each CPU in the same order, so with one CPU and counted instructions a run repeats.
 */
#pragma once

#include "base/types.h"

#ifdef GOSOLO_DEBUG
/* seed 0: off. Boot. */
void torture_init(uint64_t seed);
/* True about once in n when on; each call is one decision of this CPU. Kernel context. */
bool torture_chance(uint32_t n);
/* One of the set bits of mask (not 0): its number. */
uint32_t torture_pick(uint64_t mask);
bool torture_is_on(void);
#else
static inline void torture_init(uint64_t seed)
{
	(void)seed;
}
static inline bool torture_chance(uint32_t n)
{
	(void)n;
	return false;
}
static inline uint32_t torture_pick(uint64_t mask)
{
	(void)mask;
	return 0;
}
static inline bool torture_is_on(void)
{
	return false;
}
#endif
