/*
 * irq.c: device interrupts: lines to vectors to handlers.
 *
 * What:       vectors are given out once, at boot, in order.
 * Invariants: (1) a slot's handler is set before its line is routed, and never changes.
 * Locking:    none: written at boot only.
 * Failure:    -ENOSPC, -ENOENT. An interrupt nobody asked for is logged once per vector.
 * Source:     none.
 */
#include "kernel/irq.h"

#include "arch/arch.h"
#include "base/errno.h"
#include "kernel/log.h"
#include "kernel/sched/cpu.h"
#include "platform/platform.h"

enum { VECTOR_FIRST = 0x30, SLOTS = 64 };

static struct {
	struct {
		void (*handler)(void *arg);
		void *arg;
		uint32_t line;
	} slots[SLOTS]; /* [I] */
	uint32_t count;
	bool complained[256];
} irq;

int irq_register(uint32_t line, void (*handler)(void *arg), void *arg)
{
	uint32_t slot = irq.count;
	int err;

	if (slot == SLOTS)
		return -ENOSPC;
	irq.slots[slot].handler = handler; /* (1) */
	irq.slots[slot].arg = arg;
	irq.slots[slot].line = line;
	irq.count++;
	err = platform_irq_route(line, VECTOR_FIRST + slot);
	if (err)
		irq.count--;
	return err;
}

void kernel_handle_irq(uint32_t vector)
{
	uint32_t slot = vector - VECTOR_FIRST;

	stat_inc(STAT_interrupts);
	if (slot < irq.count) {
		irq.slots[slot].handler(irq.slots[slot].arg);
		return;
	}
	if (!irq.complained[vector & 255])
		log_warn("irq: vector %#x has no handler", vector);
	irq.complained[vector & 255] = true;
}
