/*
 * oom.c: the end for want of memory, in words.
 *
 * What:       Linux would choose a process and kill it; here there is only one. The thread whose
 *             access cannot be satisfied gets SIGQUIT: Go's handler prints the stack of the
 *             goroutine that asked, then all others, and exits. A small reserve of frames, never
 *             given to the program before, is what it runs on. The other threads stop where they
 *             need a page. Whatever comes then, the exit record says that memory ran out.
 *               ok -> begun [oom_report] -> exit by the program | time is up | reserve is gone
 * Invariants: (1) one thread reports. (2) the machine ends at most LIMIT_NS after (1).
 * Locking:    atomics; no lock held by callers, since the report may sleep.
 * Failure:    the program ignores or handles SIGQUIT and goes on: the next page is its end.
 * Source:     Go runtime/signal_unix.go, sighandler.
 */
#include "kernel/oom.h"

#include <stdatomic.h>

#include "base/units.h"
#include "kernel/image.h"
#include "kernel/log.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/vm.h"
#include "kernel/panic.h"
#include "kernel/process.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/fmt.h"

#define LIMIT_NS 10000000000ull
enum { SIGQUIT = 3, SI_KERNEL = 0x80 };

static struct {
	_Atomic bool begun; /* [a] */
	struct thread *_Atomic reporter; /* [a] (1) */
	_Atomic bool is_told; /* [a] text is complete */
	struct timer limit;
	char text[200]; /* written once, before is_told */
} oom;

struct search {
	uint64_t addr;
	uint64_t bytes; /* of the mapping that holds it */
};

static int find_mapping(const struct vm_region *r, void *arg)
{
	struct search *s = arg;

	if (s->addr >= r->end)
		return 0;
	if (s->addr >= r->start)
		s->bytes = r->end - r->start;
	return 1;
}

static void describe(uint64_t addr)
{
	struct search s = { .addr = addr };
	struct vm_stats stats;

	vm_each(find_mapping, &s);
	vm_get_stats(&stats);
	fmt_snprintf(oom.text, sizeof(oom.text),
		"%s touched %#llx in a mapping of %llu KiB; of %llu MiB of memory it uses %llu "
		"MiB, "
		"%llu KiB are free",
		gosolo_image.program, (unsigned long long)addr, (unsigned long long)(s.bytes / KIB),
		(unsigned long long)(pmm_total_pages() * PAGE_SIZE / MIB),
		(unsigned long long)(stats.resident_pages * PAGE_SIZE / MIB),
		(unsigned long long)(pmm_free_pages() * PAGE_SIZE / KIB));
}

static noreturn_fn void give_up(void)
{
	panic_no_memory(oom.text);
}

static void time_is_up(struct timer *t unused_arg)
{
	give_up(); /* (2) */
}

void oom_check(void)
{
	if (likely(!atomic_load_explicit(&oom.begun, memory_order_relaxed)))
		return;
	if (atomic_load_explicit(&oom.reporter, memory_order_relaxed) != thread_current())
		process_wait_for_end();
}

void oom_report(uint64_t addr)
{
	struct signal_info quit = { .signo = SIGQUIT, .code = SI_KERNEL };

	if (atomic_exchange_explicit(&oom.begun, true, memory_order_acq_rel)) {
		if (atomic_load_explicit(&oom.reporter, memory_order_relaxed) == thread_current())
			give_up(); /* the reserve is gone, too */
		process_wait_for_end();
	}
	atomic_store_explicit(&oom.reporter, thread_current(), memory_order_relaxed);
	describe(addr);
	/* Pairs with oom_text. */
	atomic_store_explicit(&oom.is_told, true, memory_order_release);
	log_error("out of memory: %s", oom.text);
	timer_init(&oom.limit, time_is_up);
	timer_arm(&oom.limit, clock_now_ns() + LIMIT_NS);
	pmm_release_reserve();
	signal_send_fault(&quit);
}

const char *oom_text(void)
{
	return atomic_load_explicit(&oom.is_told, memory_order_acquire) ? oom.text : NULL;
}
