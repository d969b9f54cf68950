/*
 * step.h: setting the wall clock, and who hears of it.
 *
 * May sleep, no lock held: step_set_real. Any context: step_listen.
 */
#pragma once

#include "base/types.h"

struct step_listener {
	struct step_listener *next; /* [lock] */
	/* [I] thread context, no lock held: the wall clock went forward by delta_ns (or back). What
	 * waits for a time of it is due that much earlier by the monotonic clock. */
	void (*stepped)(int64_t delta_ns);
};

void step_listen(struct step_listener *l); /* for ever */
/* Sets the wall clock; tells listeners; every sleeping thread looks at its deadline again. */
void step_set_real(int64_t now_real_ns);
