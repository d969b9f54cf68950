/*
 * cpuid.h: two instructions that platforms need: feature leaves and model-specific registers.
 */
#pragma once

#include "base/types.h"

struct arch_cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

struct arch_cpuid_regs arch_cpuid(uint32_t leaf, uint32_t subleaf);
/* #GP for a register that does not exist: ask a feature leaf first. */
void arch_msr_write(uint32_t msr, uint64_t v);
