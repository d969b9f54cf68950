/*
 * host.c: the kernel's surroundings on the host: locks, ends, log, counters.
 *
 * What:       stands in for kernel/sync, panic, log, stats and sched_relax in unit tests.
 * Invariants: (1) a lock is taken only while all held ones rank lower, as in the kernel.
 * Locking:    one thread; a lock taken twice is a failure.
 * Failure:    a failed check ends the program with status 1 and one line.
 * Source:     kernel/sync/spinlock.h, kernel/panic.h, kernel/log.h, kernel/stats.h.
 */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/units.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/sched.h"
#include "kernel/stats.h"
#include "kernel/trace.h"
#include "lib/string.h"

#define weak __attribute__((weak)) /* a test may link the real one */

static struct {
	const struct spinlock *held[16];
	unsigned held_count;
	jmp_buf *catcher; /* of host_stops */
	unsigned long fail_in; /* allocations until the one that fails */
	bool failed;
} host;

struct cpu host_cpus[2];
unsigned host_cpu; /* which one runs */
void (*host_relax)(void);
unsigned long host_relax_count;

weak struct arch_cpu *host_cpu_self(void)
{
	host_cpus[host_cpu].arch.id = host_cpu;
	return &host_cpus[host_cpu].arch;
}

/* ------------------------------------------------------------------ ends */
void host_check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
	abort();
}

void host_check_equal(const char *file, int line, const char *what, long a, long b)
{
	if (a == b)
		return;
	fprintf(stderr, "%s:%d: check failed: %s (%ld, %ld)\n", file, line, what, a, b);
	abort();
}

static _Noreturn void stop(void)
{
	if (host.catcher)
		longjmp(*host.catcher, 1);
	abort();
}

void assert_failed(const char *file, int line, const char *what)
{
	if (!host.catcher)
		fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
	stop();
}

weak void panic(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (!host.catcher)
		vfprintf(stderr, format, ap);
	va_end(ap);
	stop();
}

weak void panic_no_memory(const char *what)
{
	panic("no memory: %s\n", what);
}

bool host_stops(void (*fn)(void *arg), void *arg)
{
	jmp_buf here;
	bool stopped = setjmp(here) != 0;

	if (!stopped) {
		host.catcher = &here;
		fn(arg);
	} else {
		host.held_count = 0;
	}
	host.catcher = NULL;
	return stopped;
}

weak void klog(enum gosolo_log_level level, const char *format, ...)
{
	va_list ap;

	if (level > GOSOLO_LOG_WARN)
		return;
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
}

static uint64_t stats[STAT_COUNT];

weak void stat_add(enum stat s, uint64_t n)
{
	stats[s] += n;
}

weak uint64_t stat_sum(enum stat s)
{
	return stats[s];
}

weak void stat_raise(enum stat s, uint64_t value)
{
	(void)s;
	(void)value;
}

/* ------------------------------------------------------------------ locks */
weak void spinlock_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock)SPINLOCK_INIT(rank);
}

weak void spin_lock(struct spinlock *l)
{
	CHECK(l->rank > LOCK_NONE && l->rank < LOCK_RANKS);
	CHECK(l->owner == 0 || host.held_count == 0);
	CHECK(host.held_count < ARRAY_LEN(host.held));
	CHECK(host.held_count == 0 || host.held[host.held_count - 1]->rank < l->rank); /* (1) */
	host.held[host.held_count++] = l;
	l->owner = 1;
}

weak void host_check_unlock(const struct spinlock *l)
{
	(void)l;
}

weak void spin_unlock(struct spinlock *l)
{
	CHECK(host.held_count > 0);
	CHECK(host.held[host.held_count - 1] == l);
	host_check_unlock(l);
	host.held_count--;
	l->owner = 0;
}

weak bool spin_trylock(struct spinlock *l)
{
	spin_lock(l);
	return true;
}

weak bool host_holds(enum lock_rank rank)
{
	for (unsigned i = 0; i < host.held_count; i++)
		if (host.held[i]->rank == rank)
			return true;
	return false;
}

weak unsigned host_locks_held(void)
{
	return host.held_count;
}

weak void lock_assert_held(const struct spinlock *l)
{
	for (unsigned i = 0; i < host.held_count; i++)
		if (host.held[i] == l)
			return;
	host_check_failed(__FILE__, __LINE__, "lock is held");
}

weak void lock_assert_none(void)
{
	CHECK(host.held_count == 0);
}

weak void sched_relax(void)
{
	CHECK(host.held_count == 0);
	host_relax_count++;
	if (host_relax)
		host_relax();
}

/* ------------------------------------------------------------------ allocation failures */
void host_fail_alloc(unsigned long n)
{
	host.fail_in = n;
	host.failed = false;
}

bool host_alloc_fails(void)
{
	if (host.fail_in == 0 || --host.fail_in != 0)
		return false;
	host.failed = true;
	return true;
}

bool host_failed_alloc(void)
{
	return host.failed;
}

/* ------------------------------------------------------------------ lib/string.h's own */
weak void page_zero(void *page)
{
	memset(page, 0, PAGE_SIZE);
}

weak void page_copy(void *restrict dst, const void *restrict src)
{
	memcpy(dst, src, PAGE_SIZE);
}

uint64_t host_random(uint64_t *state)
{
	/* splitmix64 */
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

weak void trace(enum trace_event event unused_arg, uint64_t a unused_arg, uint64_t b unused_arg)
{
}
