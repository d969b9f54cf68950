/*
 * clock_priv.h: Linux's clock numbers, for sys_time.c, alarm.c and sys_timer.c.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

enum clock_kind { CLOCK_KIND_REAL, CLOCK_KIND_MONOTONIC, CLOCK_KIND_PROCESS, CLOCK_KIND_THREAD };

struct linux_clock {
	enum clock_kind kind;
	bool user_only; /* CPU time of the program's own code only */
	int32_t tid; /* CLOCK_KIND_THREAD */
};

/* -EINVAL: no such clock, or of nobody. */
int linux_clock_decode(int32_t number, struct linux_clock *out) must_check;
/* False: the thread is gone. */
bool linux_clock_read(const struct linux_clock *c, uint64_t *ns) must_check;
static inline bool linux_clock_is_cpu_time(const struct linux_clock *c)
{
	return c->kind == CLOCK_KIND_PROCESS || c->kind == CLOCK_KIND_THREAD;
}
uint64_t linux_real_ns(void);
