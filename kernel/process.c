/*
 * process.c: the one process: its end, and the timeline of its beginning.
 *
 * What:       whoever ends the program first decides the exit record; later callers wait for the
 *             machine to go away.
 * Invariants: (1) hostchan_finish runs once.
 * Locking:    an atomic flag.
 * Failure:    none.
 * Source:     exit_group(2).
 */
#include "kernel/process.h"

#include <stdatomic.h>

#include "arch/arch.h"
#include "kernel/dev/hostchan.h"
#include "kernel/oom.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "lib/fmt.h"
#include "platform/platform.h"

enum { MARKS_MAX = 32 };

static struct {
	_Atomic bool ending; /* [a] */
	uint64_t start_ns; /* [I] */
	struct {
		const char *step;
		uint64_t cycles;
	} marks[MARKS_MAX]; /* [I] after boot */
	uint32_t mark_count;
} process;

bool process_is_ending(void)
{
	return atomic_load_explicit(&process.ending, memory_order_relaxed);
}

void process_wait_for_end(void)
{
	for (;;)
		sched_park(TIME_NEVER_NS, false);
}

static noreturn_fn void finish(enum gosolo_exit_kind kind, uint32_t value)
{
	const char *why = oom_text();

	if (atomic_exchange_explicit(&process.ending, true, memory_order_acq_rel)) /* (1) */
		process_wait_for_end();
	/* whoever runs the program now comes to kernel_return_to_program */
	sched_interrupt_others();
	if (why)
		hostchan_finish(GOSOLO_EXIT_NO_MEMORY, 0, why);
	else
		hostchan_finish(kind, value, "");
	platform_reset();
}

void process_exit(int code)
{
	finish(GOSOLO_EXIT_CODE, (uint32_t)code & 0xff);
}

void process_exit_signal(int signo)
{
	finish(GOSOLO_EXIT_SIGNAL, (uint32_t)signo);
}

uint64_t process_start_ns(void)
{
	return process.start_ns;
}

void process_set_started(void)
{
	process.start_ns = clock_now_ns();
}

void boot_mark(const char *step)
{
	if (process.mark_count == MARKS_MAX)
		return;
	process.marks[process.mark_count].step = step;
	process.marks[process.mark_count++].cycles = arch_cycles();
}

void boot_report(void (*line)(const char *text, void *arg), void *arg)
{
	char text[80];

	for (uint32_t i = 1; i < process.mark_count; i++) {
		uint64_t ns = clock_cycles_to_ns(process.marks[i].cycles -
			process.marks[i - 1].cycles);

		fmt_snprintf(text, sizeof(text), "boot.%s %llu ns", process.marks[i].step,
			(unsigned long long)ns);
		line(text, arg);
	}
}
