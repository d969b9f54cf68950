/*
 * panic.c: the end of the machine by our own fault, or for want of memory.
 *
 * What:       a report into the log (the command shows the log's tail), an exit record, a reset. It
 *             must work with any lock held: from here on locks are not waited for. An NMI, which
 *             the command sends to a machine that is stuck, does the same for all threads.
 * Invariants: (1) a panic inside a panic goes straight to the reset.
 * Locking:    none; see spinlock_ignore_all.
 * Failure:    what cannot be read is left out of the report.
 * Source:     none.
 */
#include "kernel/panic.h"

#include "arch/arch.h"
#include "base/assert.h"
#include "base/units.h"
#include "kernel/dev/hostchan.h"
#include "kernel/image.h"
#include "kernel/ksym.h"
#include "kernel/log.h"
#include "kernel/report.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "kernel/trace.h"
#include "lib/fmt.h"
#include "platform/platform.h"

enum { THREADS_REPORTED = 4, TRACES_REPORTED = 32, CHECK_IN_NS = 100000000 };

static bool panicking;

static struct {
	_Atomic(const struct trapframe *) frames[CPUS_MAX]; /* [a] what each was doing at the NMI */
	_Atomic bool is_taken; /* [a] a CPU writes the report */
} nmi;

static bool report_some(struct thread *t, void *arg)
{
	unsigned *left = arg;

	if (!t->arch.fpu)
		return false;
	report_program(t);
	return --*left == 0;
}

static void report_trace(const char *text, void *arg unused_arg)
{
	report_line("  %s", text);
}

static void report_head(const char *what)
{
	struct thread *t = this_cpu()->current;
	char id[32];

	ksym_build_id(id, sizeof(id));
	report_line("%s", what);
	report_line("gosolo %s (build %s), program %s (%s), cpu %u, thread %d, up %llu ms",
		GOSOLO_VERSION, id, gosolo_image.program, gosolo_image.go_version,
		this_cpu()->arch.id, t ? t->tid : 0,
		(unsigned long long)(clock_now_ns() / NS_PER_MS));
}

static noreturn_fn void report(const struct trapframe *tf, const char *what)
{
	struct thread *t = this_cpu()->current;
	unsigned threads_left = THREADS_REPORTED;
	char head[220];

	report_begin(); /* a second CPU's panic ends here: the first one's report goes on */
	if (panicking)
		platform_reset(); /* (1) */
	panicking = true;
	fmt_snprintf(head, sizeof(head), "kernel fault: %s", what);
	report_head(head);
	if (tf) {
		report_registers(tf);
		report_stack("kernel", tf->rip, tf->rbp, tf->rsp);
	} else {
		report_stack("kernel", (uint64_t)__builtin_return_address(0),
			(uint64_t)__builtin_frame_address(0), 0);
	}
	/* The thread that was in the kernel; else (idle, an interrupt) the first few. */
	if (t && t->arch.fpu)
		report_program(t);
	else
		thread_find(report_some, &threads_left);
	report_line("trace, the newest last:");
	trace_report(report_trace, NULL, TRACES_REPORTED);
	hostchan_finish(GOSOLO_EXIT_KERNEL_FAULT, 0, what);
	platform_reset();
}

void panic(const char *format, ...)
{
	static char text[200];
	va_list ap;

	va_start(ap, format);
	fmt_vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	report(NULL, text);
}

void kernel_panic_trap(struct trapframe *tf, const char *what)
{
	report(tf, what);
}

/* All CPUs get it at once. The first one writes, when the others have said where they are. */
void kernel_handle_nmi(struct trapframe *tf)
{
	const struct trapframe *frames[CPUS_MAX];
	uint64_t start_ns;
	uint32_t missing;

	/* Release pairs with the acquire below: a frame is whole when its pointer is seen. */
	atomic_store_explicit(&nmi.frames[this_cpu()->arch.id], tf, memory_order_release);
	if (panicking || atomic_exchange_explicit(&nmi.is_taken, true, memory_order_acq_rel))
		arch_halt_forever();
	start_ns = clock_now_ns();
	do {
		missing = 0;
		for (uint32_t i = 0; i < cpu_count; i++) {
			frames[i] = atomic_load_explicit(&nmi.frames[i], memory_order_acquire);
			missing += !frames[i];
		}
		arch_pause();
	} while (missing && clock_now_ns() - start_ns < CHECK_IN_NS);
	report_begin();
	panicking = true;
	report_head("report: asked for by an NMI");
	report_threads(frames);
	report_line("trace, the newest last:");
	trace_report(report_trace, NULL, TRACES_REPORTED);
	hostchan_finish(GOSOLO_EXIT_REPORTED, 0, "");
	platform_reset();
}

void assert_failed(const char *file, int line, const char *what)
{
	panic("%s:%d: assertion failed: %s", file, line, what);
}

void panic_no_memory(const char *what)
{
	spinlock_ignore_all();
	log_error("no memory is left: %s", what);
	hostchan_finish(GOSOLO_EXIT_NO_MEMORY, 0, what);
	platform_reset();
}

void panic_bad_image(const char *format, ...)
{
	static char text[240];
	va_list ap;

	va_start(ap, format);
	fmt_vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_error("%s", text);
	hostchan_finish(GOSOLO_EXIT_BAD_IMAGE, 0, text);
	platform_reset();
}
