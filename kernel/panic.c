/*
 * panic.c: the end of the machine by our own fault, or for want of memory.
 *
 * What:       a report into the log (the command shows the log's tail), an exit record, a reset. It
 *             must work with any lock held: from here on locks are not waited for.
 * Invariants: (1) a panic inside a panic goes straight to the reset.
 * Locking:    none; see spinlock_ignore_all.
 * Failure:    what cannot be read is left out of the report.
 * Source:     none.
 */
#include "kernel/panic.h"

#include "arch/arch.h"
#include "base/assert.h"
#include "kernel/dev/hostchan.h"
#include "kernel/gosym.h"
#include "kernel/image.h"
#include "kernel/ksym.h"
#include "kernel/log.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "lib/fmt.h"
#include "platform/platform.h"

enum { FRAMES_MAX = 24, THREADS_REPORTED = 4 };

static bool panicking;

static void report_registers(const struct trapframe *tf)
{
#define U(x) ((unsigned long long)(x))
	log_error("  rip %016llx rsp %016llx rflags %08llx vector %llu error %llx", U(tf->rip),
		U(tf->rsp), U(tf->rflags), U(tf->vector), U(tf->error));
	log_error("  rax %016llx rbx %016llx rcx %016llx rdx %016llx", U(tf->rax), U(tf->rbx),
		U(tf->rcx), U(tf->rdx));
	log_error("  rsi %016llx rdi %016llx rbp %016llx r8  %016llx", U(tf->rsi), U(tf->rdi),
		U(tf->rbp), U(tf->r8));
	log_error("  r9  %016llx r10 %016llx r11 %016llx r12 %016llx", U(tf->r9), U(tf->r10),
		U(tf->r11), U(tf->r12));
	log_error("  r13 %016llx r14 %016llx r15 %016llx", U(tf->r13), U(tf->r14), U(tf->r15));
#undef U
}

/* pc: of an instruction; is_return: what a call left on the stack, so the call is before it, maybe
 * in another function. mark: how sure the frame is. */
static void report_address(uint64_t pc, bool is_return, const char *mark)
{
	char name[96];
	uint64_t offset, at = pc - is_return;

	if (ksym_find(at, name, sizeof(name), &offset) ||
		gosym_find(at, name, sizeof(name), &offset))
		log_error("  %s%#llx %s+%#llx", mark, (unsigned long long)pc, name,
			(unsigned long long)offset + is_return);
	else
		log_error("  %s%#llx", mark, (unsigned long long)pc);
}

static bool peek_u64(uint64_t *out, uint64_t at)
{
	uint32_t low, high;

	if (arch_peek_any_u32(&low, at) || arch_peek_any_u32(&high, at + 4))
		return false;
	*out = low | (uint64_t)high << 32;
	return true;
}

/* Return addresses along saved frame pointers. Memory is read only where it is mapped. A function
 * that calls none may have no frame: its caller is at sp then, and not in the chain; whether that
 * is so cannot be known. sp 0: nothing is there. */
static void report_stack(const char *whose, uint64_t pc, uint64_t fp, uint64_t sp)
{
	uint64_t up, caller;

	log_error("%s stack:", whose);
	for (unsigned i = 0; i < FRAMES_MAX && pc; i++) {
		report_address(pc, i > 0, "");
		if (i == 0 && sp && peek_u64(&caller, sp) && ksym_contains(caller))
			report_address(caller, true, "? ");
		if (!fp || (fp & 7) || !peek_u64(&up, fp) || !peek_u64(&pc, fp + 8))
			return;
		fp = up > fp ? up : 0; /* stacks grow down: a chain that does not go up has ended */
	}
}

/* Where a thread of the program is: its registers at the last entry to the kernel. */
static bool report_thread(struct thread *t, void *arg)
{
	const struct trapframe *program = arch_thread_frame(t->kstack);
	unsigned *left = arg;

	if (!t->arch.fpu)
		return false;
	log_error("program, thread %d:", t->tid);
	report_registers(program);
	report_stack("Go", program->rip, program->rbp, 0);
	return --*left == 0;
}

static noreturn_fn void report(const struct trapframe *tf, const char *what)
{
	struct thread *t = this_cpu()->current;
	unsigned threads_left = THREADS_REPORTED;
	char id[32];

	spinlock_ignore_all(); /* a second CPU's panic ends here: the first one's report goes on */
	if (panicking)
		platform_reset(); /* (1) */
	panicking = true;
	log_error("kernel fault: %s", what);
	ksym_build_id(id, sizeof(id));
	log_error("gosolo %s (build %s), program %s (%s), cpu %u, thread %d, up %llu ms",
		GOSOLO_VERSION, id, gosolo_image.program, gosolo_image.go_version,
		this_cpu()->arch.id, t ? t->tid : 0,
		(unsigned long long)(clock_now_ns() / 1000000));
	if (tf) {
		report_registers(tf);
		report_stack("kernel", tf->rip, tf->rbp, tf->rsp);
	} else {
		report_stack("kernel", (uint64_t)__builtin_return_address(0),
			(uint64_t)__builtin_frame_address(0), 0);
	}
	/* The thread that was in the kernel; else (idle, an interrupt) the first few. */
	if (t && t->arch.fpu)
		report_thread(t, &threads_left);
	else
		thread_find(report_thread, &threads_left);
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

void assert_failed(const char *file, int line, const char *what)
{
	panic("%s:%d: assertion failed: %s", file, line, what);
}

void panic_no_memory(const char *what)
{
	spinlock_ignore_all();
	log_error("out of memory: no frame left for %s", what);
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
