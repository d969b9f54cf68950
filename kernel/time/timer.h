/*
 * timer.h: one-shot callbacks at a monotonic time. Tickless: the hardware is armed for the
 * earliest.
 */
#pragma once

#include "base/tree.h"
#include "base/types.h"

struct timer {
	RB_ENTRY(timer) node; /* [timer lock of its CPU] */
	uint64_t earliest_ns, deadline_ns; /* fires after the first, soon after the second */
	void (*fire)(struct
		/* [I] kernel entry context: any lock but LOCK_TIMER or above; no sleep */
		timer *t);
	uint32_t cpu;
	bool armed;
};

void timer_init(struct timer *t, void (*fire)(struct timer *t));
/* (Re)arms on this CPU; never fires early. */
void timer_arm(struct timer *t, uint64_t deadline_ns);
/* The same for who does not mind up to slack_ns more: fires with what else is due by then. */
void timer_arm_loosely(struct timer *t, uint64_t earliest_ns, uint64_t slack_ns);
/* After it returns fire is not running and will not run. True when it was armed. */
bool timer_cancel(struct timer *t);
/* Arms the hardware for the earlier of the first timer and the current slice's end. */
void timer_program_hardware(void);
void timer_setup(void);
