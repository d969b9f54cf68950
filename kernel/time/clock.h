/*
 * clock.h: monotonic and wall-clock time.
 *
 * Monotonic time starts above 0 at boot, never goes back on any CPU, and counts nanoseconds.
 * The same parameters are published to the program through the vDSO's data page (struct vdso_data),
 * with a sequence lock: odd while being changed.
 */
#pragma once

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/types.h"

/* Data page read by the vDSO (abi/linux/vdso). Layout shared with it; both compile this header.
 * ns = base_ns + ((tsc - base_tsc) * mult >> shift), the product in 128 bits; shift is 32;
 * real = ns + real_offset_ns. */
struct vdso_data {
	_Atomic uint32_t seq;
	uint32_t shift;
	uint64_t mult;
	uint64_t base_tsc;
	uint64_t base_ns;
	int64_t real_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	/* [I] Not the same on every CPU: only the kernel can make time of it, so the vDSO calls. */
	uint32_t counters_differ;
};

/* The page itself; symbol defined by kernel/time/clock.c in section ".vvar". */
extern struct vdso_data vdso_data;

void clock_begin(
	void); /* after lapic_init, as early as can be: what comes until clock_init is measured */
void clock_init(void); /* takes tsc_khz= from the options when given */
uint64_t clock_now_ns(void); /* monotonic; any context */
void clock_set_counters_differ(void); /* arch_cycles has to make up for a CPU. Boot */
/* kernel/time only: so many cycles passed while an independent reference counted reference_ns. */
void clock_sample(uint64_t reference_ns, uint64_t cycles);
bool clock_wants_samples(void);
/* kernel/time only: the local APIC's counter and the cycles at one moment. False: the host had
 * other work meanwhile, and what that took would be an error of the rate. */
bool clock_read_reference(uint32_t *count, uint64_t *cycles) must_check;
int64_t clock_real_offset_ns(void);
void clock_set_real_ns(int64_t now_real_ns); /* kernel/time/step.h is for everybody else */

/* A time to wait for: of the monotonic clock, or of the wall clock, which may be set meanwhile. */
struct clock_deadline {
	uint64_t ns; /* TIME_NEVER_NS: none */
	bool real;
};
uint64_t clock_deadline_ns(struct clock_deadline d); /* by the monotonic clock, as of now */
uint64_t clock_tsc_hz(void);
uint64_t clock_cycles_to_ns(uint64_t cycles);
