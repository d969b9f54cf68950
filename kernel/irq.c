/*
 * irq.c: device interrupts: lines to vectors to handlers, and to CPUs.
 *
 * What:       vectors are given out once, at boot, in order. When all CPUs are there, lines are
 *             dealt out among them; after that a line moves to where nothing is disturbed: when it
 *             interrupts a CPU that runs the program while another one idles, it goes to that one.
 *             A thread that is woken by the interrupt mostly runs on an idle CPU anyway, and on the
 *             interrupted one it costs no further interrupt. With all CPUs busy, or all idle,
 *             lines stay. (The controller's own choice by priority is not used: emulators take the
 *             first CPU that is allowed.)
 * Invariants: (1) a slot's handler is set before its line is routed, and never changes. (2) a line
 *             moves at most once in MOVE_NS: each move is an exit to the hypervisor.
 * Locking:    slots are written at boot only; irq.lock (LOCK_IRQ) for moves.
 * Failure:    -ENOSPC, -ENOENT. An interrupt nobody asked for is logged once per vector.
 * Source:     none.
 */
#include "kernel/irq.h"

#include "arch/arch.h"
#include "base/errno.h"
#include "base/units.h"
#include "kernel/log.h"
#include "kernel/sched/cpu.h"
#include "kernel/time/clock.h"
#include "kernel/trace.h"
#include "platform/platform.h"

enum { VECTOR_FIRST = 0x30, SLOTS = 32 };
#define MOVE_NS NS_PER_MS

struct slot {
	void (*handler)(void *arg); /* [I] */
	void *arg; /* [I] */
	const char *name; /* [I] */
	uint32_t line; /* [I] */
	_Atomic uint64_t looked_ns; /* [a] when it was last thought about: (2) */
	uint64_t counts[CPUS_MAX]; /* [c] */
};

static struct {
	struct spinlock lock;
	struct slot slots[SLOTS];
	uint32_t count; /* [I] after boot */
	bool complained[256];
} irq = { .lock = SPINLOCK_INIT(LOCK_IRQ) };

int irq_register(uint32_t line, const char *name, void (*handler)(void *arg), void *arg)
{
	struct slot *s = &irq.slots[irq.count];
	int err;

	if (irq.count == SLOTS)
		return -ENOSPC;
	s->handler = handler; /* (1) */
	s->arg = arg;
	s->name = name;
	s->line = line;
	irq.count++;
	err = platform_irq_route(line, VECTOR_FIRST + irq.count - 1);
	if (err)
		irq.count--;
	return err;
}

static void move(const struct slot *s, const struct cpu *c)
{
	spin_lock(&irq.lock);
	platform_irq_move(s->line, c->arch.apic_id);
	spin_unlock(&irq.lock);
}

void irq_spread(void)
{
	for (uint32_t i = 0; i < irq.count; i++)
		move(&irq.slots[i], &cpus[i % cpu_count]);
}

static bool is_idle(const struct cpu *c)
{
	return atomic_load_explicit(&c->arch.idle, memory_order_relaxed);
}

static void move_to_idle(struct slot *s, const struct cpu *self)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns - atomic_load_explicit(&s->looked_ns, memory_order_relaxed) < MOVE_NS)
		return;
	atomic_store_explicit(&s->looked_ns, now_ns, memory_order_relaxed);
	for (uint32_t i = 1; i < cpu_count; i++) {
		const struct cpu *c = &cpus[(self->arch.id + i) % cpu_count];

		if (!is_idle(c))
			continue;
		move(s, c);
		return;
	}
}

void irq_raise(uint32_t line)
{
	for (uint32_t i = 0; i < irq.count; i++)
		if (irq.slots[i].line == line)
			lapic_send_ipi(this_cpu()->arch.apic_id, VECTOR_FIRST + i);
}

void kernel_handle_irq(uint32_t vector)
{
	uint32_t i = vector - VECTOR_FIRST;
	struct cpu *self = this_cpu();

	stat_inc(STAT_interrupts);
	trace(TRACE_irq, vector, 0);
	if (i < irq.count) {
		struct slot *s = &irq.slots[i];

		s->counts[self->arch.id]++;
		if (!is_idle(self) && cpu_count > 1)
			move_to_idle(s, self);
		s->handler(s->arg);
		return;
	}
	if (!irq.complained[vector & 255])
		log_warn("irq: vector %#x has no handler", vector);
	irq.complained[vector & 255] = true;
}

bool irq_get_info(uint32_t slot, struct irq_info *out)
{
	if (slot >= irq.count)
		return false;
	*out = (struct irq_info){ irq.slots[slot].line, irq.slots[slot].name };
	return true;
}

uint64_t irq_count(uint32_t slot, uint32_t cpu)
{
	return irq.slots[slot].counts[cpu];
}
