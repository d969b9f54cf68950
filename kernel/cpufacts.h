/*
 * cpufacts.h: what the processor says of itself (CPUID), for those above that tell it.
 *
 * Of the CPU that asks; all are of one kind. Any context, never sleeps, no errors.
 */
#pragma once

#include "base/types.h"

struct cpu_facts {
	char vendor[13], model_name[49]; /* as the CPU spells them; the name may be empty */
	uint32_t family, model, stepping, level; /* level: the highest standard leaf */
	uint32_t cache_kib; /* of the second level; 0: not told */
	uint32_t physical_bits, virtual_bits; /* of addresses */
	uint32_t line_bytes; /* what CLFLUSH flushes */
};

void cpu_get_facts(struct cpu_facts *out);
/* Calls fn with the name of each feature, in Linux's order and words. */
void cpu_each_feature(void (*fn)(const char *name, void *arg), void *arg);
