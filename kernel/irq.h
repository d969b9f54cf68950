/*
 * irq.h: device interrupts: lines to handlers, and which CPU takes them.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

/* Routes the platform's interrupt line to handler (kernel entry context: any lock, no sleep; on any
 * CPU, but never on two at once for one line, save that a handler may begin while its last run on
 * another CPU ends). -ENOSPC: no vector left; -ENOENT: no such line. Level-triggered lines are
 * acknowledged after the handler, so it must have silenced the device. name: for reports. */
int irq_register(uint32_t line, const char *name, void (*handler)(void *arg), void *arg) must_check;
/* The line's handler runs soon on this CPU, as if the device had interrupted it; a line without a
 * handler: nothing. Any context, any lock. */
void irq_raise(uint32_t line);
/* Once, when all CPUs are there: gives each its share of the lines. */
void irq_spread(void);
/* How often a line interrupted a CPU, in the order of registration. False: no such slot. */
struct irq_info {
	uint32_t line;
	const char *name;
};
bool irq_get_info(uint32_t slot, struct irq_info *out) must_check;
uint64_t irq_count(uint32_t slot, uint32_t cpu);
