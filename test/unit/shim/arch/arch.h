/*
 * arch.h: the processor's contract on the host: as arch/arch.h, but RAM is host_ram.
 */
#pragma once

#define phys_to_virt arch_phys_to_virt_unused
#define virt_to_phys arch_virt_to_phys_unused
#define arch_cpu_self arch_cpu_self_unused
#define arch_cycles arch_cycles_unused
#include "../../../../arch/arch.h"
#undef phys_to_virt
#undef virt_to_phys
#undef arch_cpu_self
#undef arch_cycles

uint64_t arch_cycles(void); /* the tests' that need it */

/* host.h */
extern char *host_ram;
struct arch_cpu *host_cpu_self(void);

static inline struct arch_cpu *arch_cpu_self(void)
{
	return host_cpu_self();
}

static inline void *phys_to_virt(paddr_t pa)
{
	return host_ram + pa;
}

static inline paddr_t virt_to_phys(const void *va)
{
	return (paddr_t)((const char *)va - host_ram);
}
