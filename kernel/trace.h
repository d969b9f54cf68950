/*
 * trace.h: what each CPU did last: a ring of small binary records, always written.
 *
 * A record takes some twenty instructions and no lock: it may be written anywhere in kernel
 * context. Who reads it makes text of it: a report of the kernel, or /proc/gosolo/trace.
 */
#pragma once

#include "base/types.h"

#define TRACE_RECORDS 256u /* per CPU; a power of two */

/* event, and how its two numbers are shown */
/* clang-format off */
#define TRACE_LIST(X) \
	X(switch, "switch from thread %lld to %lld") \
	X(fault, "page fault at %#llx, rip %#llx") \
	X(exception, "exception %lld, rip %#llx") \
	X(irq, "interrupt, vector %lld") \
	X(signal, "signal %lld for thread %lld")
/* clang-format on */

enum trace_event {
#define X(name, format) TRACE_##name,
	TRACE_LIST(X)
#undef X
		TRACE_EVENTS
};

/* This CPU's next record; the oldest is forgotten. */
void trace(enum trace_event event, uint64_t a, uint64_t b);
/* Before a CPU runs; without memory it has no ring. */
void trace_init_cpu(uint32_t cpu);
/* The newest records of all CPUs, at most count (TRACE_LINES_MAX), oldest first: one line each with
 * the time since boot and the CPU. A moment's view; takes no lock. */
#define TRACE_LINES_MAX 256u
void trace_report(void (*line)(const char *text, void *arg), void *arg, uint32_t count);
