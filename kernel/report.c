/*
 * report.c: where things stand, into the log: registers, stacks, threads.
 *
 * What:       kernel addresses are named by the kernel's own table, the program's by Go's.
 * Invariants: (1) memory is read only where it is mapped. (2) waiting for room ends for good when
 *             the host does not take a line for a while.
 * Locking:    none; see spinlock_ignore_all.
 * Failure:    what cannot be read is left out; with many threads the last ones are only counted.
 * Source:     none.
 */
#include "kernel/report.h"

#include <stdarg.h>

#include "base/units.h"
#include "kernel/dev/hostchan.h"
#include "kernel/gosym.h"
#include "kernel/ksym.h"
#include "kernel/log.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "lib/fmt.h"

#define PATIENCE_NS NS_PER_S

enum { FRAMES_MAX = 24, THREADS_MAX = 48, LINE_BYTES = 200 };

static struct {
	const char *(*call_name)(uint64_t number); /* [I] */
	const struct trapframe *const *frames;
	unsigned threads;
	bool host_is_deaf;
} report;

void report_set_call_names(const char *(*name)(uint64_t number))
{
	report.call_name = name;
}

void report_begin(void)
{
	spinlock_ignore_all();
	hostchan_go_alone();
}

void report_line(const char *format, ...)
{
	uint64_t start_ns = clock_now_ns();
	char line[LINE_BYTES];
	va_list ap;

	va_start(ap, format);
	fmt_vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (!report.host_is_deaf)
		hostchan_await_log_room();
	report.host_is_deaf |= clock_now_ns() - start_ns > PATIENCE_NS; /* (2) */
	log_error("%s", line);
}

void report_registers(const struct trapframe *tf)
{
#define U(x) ((unsigned long long)(x))
	report_line("  rip %016llx rsp %016llx rflags %08llx vector %llu error %llx", U(tf->rip),
		U(tf->rsp), U(tf->rflags), U(tf->vector), U(tf->error));
	report_line("  rax %016llx rbx %016llx rcx %016llx rdx %016llx", U(tf->rax), U(tf->rbx),
		U(tf->rcx), U(tf->rdx));
	report_line("  rsi %016llx rdi %016llx rbp %016llx r8  %016llx", U(tf->rsi), U(tf->rdi),
		U(tf->rbp), U(tf->r8));
	report_line("  r9  %016llx r10 %016llx r11 %016llx r12 %016llx", U(tf->r9), U(tf->r10),
		U(tf->r11), U(tf->r12));
	report_line("  r13 %016llx r14 %016llx r15 %016llx", U(tf->r13), U(tf->r14), U(tf->r15));
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
		report_line("  %s%#llx %s+%#llx", mark, (unsigned long long)pc, name,
			(unsigned long long)offset + is_return);
	else
		report_line("  %s%#llx", mark, (unsigned long long)pc);
}

static bool peek_u64(uint64_t *out, uint64_t at)
{
	uint32_t low, high;

	if (arch_peek_any_u32(&low, at) || arch_peek_any_u32(&high, at + 4)) /* (1) */
		return false;
	*out = low | (uint64_t)high << 32;
	return true;
}

/* A function that calls none may have no frame: its caller is at sp then, and not in the chain;
 * whether that is so cannot be known. */
void report_stack(const char *whose, uint64_t pc, uint64_t fp, uint64_t sp)
{
	uint64_t up, caller;

	report_line("%s stack:", whose);
	for (unsigned i = 0; i < FRAMES_MAX && pc; i++) {
		report_address(pc, i > 0, "");
		if (i == 0 && sp && peek_u64(&caller, sp) && ksym_contains(caller))
			report_address(caller, true, "? ");
		if (!fp || (fp & 7) || !peek_u64(&up, fp) || !peek_u64(&pc, fp + 8))
			return;
		fp = up > fp ? up : 0; /* stacks grow down: a chain that does not go up has ended */
	}
}

void report_program(struct thread *t)
{
	const struct trapframe *program = arch_thread_frame(t->kstack);

	report_line("program, thread %d:", t->tid);
	report_registers(program);
	report_stack("Go", program->rip, program->rbp, 0);
}

/* ------------------------------------------------------------------ all threads */
static const struct trapframe *frame_of_cpu_running(const struct thread *t, uint32_t *cpu)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		if (cpus[i].current == t) {
			*cpu = i;
			return report.frames[i];
		}
	*cpu = CPUS_MAX;
	return NULL;
}

static const char *state_name(const struct thread *t, uint32_t cpu)
{
	if (cpu < CPUS_MAX)
		return "runs";
	return t->state == THREAD_PARKED ? "waits" : "is ready";
}

/* Why it is in the kernel, if it is. */
static void describe_entry(const struct thread *t, char *text, size_t size)
{
	const struct trapframe *program = arch_thread_frame(t->kstack);
	const char *name;

	text[0] = 0;
	if (!t->arch.fpu) {
		fmt_snprintf(text, size, ", of the kernel");
		return;
	}
	if (program->vector != TRAP_CALL) {
		fmt_snprintf(text, size, ", entered the kernel by vector %llu",
			(unsigned long long)program->vector);
		return;
	}
	name = report.call_name ? report.call_name(program->error) : NULL;
	fmt_snprintf(text, size, ", in call %llu %s(%#llx, %#llx, %#llx)",
		(unsigned long long)program->error, name ? name : "",
		(unsigned long long)program->rdi, (unsigned long long)program->rsi,
		(unsigned long long)program->rdx);
}

static bool report_thread(struct thread *t, void *arg unused_arg)
{
	const struct trapframe *program = arch_thread_frame(t->kstack), *now;
	uint64_t pc, fp;
	char entry[96];
	uint32_t cpu;

	if (report.threads++ >= THREADS_MAX)
		return false;
	now = frame_of_cpu_running(t, &cpu);
	describe_entry(t, entry, sizeof(entry));
	if (now && !ksym_contains(now->rip))
		entry[0] = 0; /* the last entry is over */
	if (cpu < CPUS_MAX)
		report_line("thread %d %s: runs on cpu %u%s", t->tid, t->name, cpu, entry);
	else
		report_line("thread %d %s: %s%s", t->tid, t->name, state_name(t, cpu), entry);
	if (now && !ksym_contains(now->rip)) {
		report_stack("Go", now->rip, now->rbp, 0);
		return false;
	}
	if (now)
		report_stack("kernel", now->rip, now->rbp, now->rsp);
	else if (cpu == CPUS_MAX && arch_thread_saved(&t->arch, &pc, &fp))
		report_stack("kernel", pc, fp, 0);
	if (t->arch.fpu)
		report_stack("Go", program->rip, program->rbp, 0);
	return false;
}

void report_threads(const struct trapframe *const *frames)
{
	report.frames = frames;
	report.threads = 0;
	for (uint32_t i = 0; i < cpu_count; i++) {
		if (!frames[i]) {
			report_line("cpu %u does not answer", i);
		} else if (cpus[i].current == cpus[i].idle) {
			report_line("cpu %u has no thread: it is idle, or boots", i);
			report_stack("kernel", frames[i]->rip, frames[i]->rbp, frames[i]->rsp);
		}
	}
	thread_find(report_thread, NULL);
	if (report.threads > THREADS_MAX)
		report_line("%u more threads are not shown", report.threads - THREADS_MAX);
}
