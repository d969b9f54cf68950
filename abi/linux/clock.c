/*
 * clock.c: Linux's clock numbers.
 *
 * What:       what a number stands for, and reading it. Negative numbers are the CPU time of a
 *             thread or process by its number, as pthread_getcpuclockid makes them.
 * Invariants: none.
 * Locking:    LOCK_THREADS to read another thread's time.
 * Failure:    -EINVAL.
 * Source:     clock_gettime(2), clock_getcpuclockid(3); Linux include/linux/posix-timers.h for the
 *             numbers: ~id << 3, 4 for a thread, 0 … 2 for which time.
 */
#include <linux/time.h>

#include "abi/linux/clock_priv.h"
#include "base/errno.h"
#include "kernel/process.h"
#include "kernel/sched/cputime.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"

enum { CPU_ALL = 0, CPU_USER = 1, CPU_SCHED = 2, CPU_THREAD = 4 };

uint64_t linux_real_ns(void)
{
	return clock_now_ns() + (uint64_t)clock_real_offset_ns();
}

struct cpu_reading {
	int32_t tid;
	struct cputime t;
};

static bool read_thread(struct thread *t, void *arg)
{
	struct cpu_reading *r = arg;

	if (t->tid != r->tid || !t->arch.fpu) /* the kernel's own have numbers, too */
		return false;
	r->t = cputime_of_thread(t);
	return true;
}

static int decode_cpu(int32_t number, struct linux_clock *out)
{
	int32_t id = ~number >> 3; /* as Linux: ~(number >> 3) */
	struct cpu_reading r;

	if ((number & 3) > CPU_SCHED)
		return -EINVAL;
	out->user_only = (number & 3) == CPU_USER;
	if (!(number & CPU_THREAD)) {
		out->kind = CLOCK_KIND_PROCESS;
		return id == 0 || id == PROCESS_PID ? 0 : -EINVAL;
	}
	out->kind = CLOCK_KIND_THREAD;
	out->tid = r.tid = id ? id : thread_current()->tid;
	return thread_find(read_thread, &r) ? 0 : -EINVAL;
}

int linux_clock_decode(int32_t number, struct linux_clock *out)
{
	*out = (struct linux_clock){ .kind = CLOCK_KIND_MONOTONIC };
	if (number < 0)
		return decode_cpu(number, out);
	switch (number) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI: /* no leap-second table: as on a Linux that was not told the offset */
		out->kind = CLOCK_KIND_REAL;
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME: /* the machine does not suspend */
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		out->kind = CLOCK_KIND_PROCESS;
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		out->kind = CLOCK_KIND_THREAD;
		out->tid = thread_current()->tid;
		return 0;
	default:
		return -EINVAL;
	}
}

bool linux_clock_read(const struct linux_clock *c, uint64_t *ns)
{
	struct cpu_reading r = { .tid = c->tid };

	switch (c->kind) {
	case CLOCK_KIND_REAL:
		*ns = linux_real_ns();
		return true;
	case CLOCK_KIND_MONOTONIC:
		*ns = clock_now_ns();
		return true;
	case CLOCK_KIND_PROCESS:
		r.t = cputime_of_process();
		break;
	case CLOCK_KIND_THREAD:
		if (!thread_find(read_thread, &r))
			return false;
		break;
	}
	*ns = c->user_only ? r.t.user_ns : r.t.user_ns + r.t.system_ns;
	return true;
}
