/*
 * platform.h: the machine's contract: what differs between hypervisors and boards.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"
#include "boot_info.h"

void platform_init_early(const struct boot_info *info); /* before memory: only the debug output */
void platform_init(void); /* interrupt controllers; after paging, before devices */
void platform_debug_write(const char *s, size_t bytes); /* any context; may be lost */
/* Routes a line to a vector on the boot CPU. -ENOENT: no such line. */
int platform_irq_route(uint32_t line, uint32_t vector) must_check;
/* From now on the line, already routed, interrupts that CPU. One caller at a time. A CPU that the
 * controller cannot name is left out: nothing changes. */
void platform_irq_move(uint32_t line, uint32_t apic_id);
void platform_irq_done(uint32_t line); /* after its handler, where the board wants that */
/* Local APIC ids of the CPUs that may be used, the boot CPU's included; returns how many. 0: the
 * board does not say. Boot only. */
uint32_t platform_find_cpus(uint32_t *apic_ids, uint32_t max);
int64_t platform_rtc_seconds(void); /* UTC since 1970; 0: no clock */
/* Paravirtual clock: rate of the TSC in Hz when the hypervisor tells it; 0: it does not. */
uint64_t platform_tsc_hz(void);
noreturn_fn void platform_reset(
	void); /* by a reset: the VMM sees it and ends, or holds, the machine */
