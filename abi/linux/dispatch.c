/*
 * dispatch.c: the one gate for system calls.
 *
 * What:       finds the handler by number, counts, traces, puts the result where the program looks
 *             for it.
 * Invariants: (1) only RAX changes, and what SYSCALL itself changes, unless the call's meaning is
 *             to change registers. (2) ERESTARTSYS and its kin never reach the program: a result of
 *             that kind leaves signal_work set, so signal_deliver, and with it restart.c, comes
 *             before the return.
 * Locking:    none.
 * Failure:    -ENOSYS for what is not in the table, logged once per number.
 * Source:     Linux arch/x86/entry (conventions).
 */
#include "abi/linux/dispatch_priv.h"
#include "abi/linux/start.h"
#include "abi/linux/sysargs.h"
#include "base/assert.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/sched/cputime.h"
#include "kernel/signal/signal.h"
#include "kernel/stats.h"
#include "kernel/time/clock.h"
#include "lib/fmt.h"

#define SYSCALL(nr, call, kinds, support, note) [nr] = { #call, kinds, sys_##call, 0 },
#define ERRNO(nr, call, error, note) [nr] = { #call, NULL, NULL, error },
static const struct syscall_entry entries[SYSCALLS_END] = {
#include "abi/linux/syscalls.def"
};
#undef SYSCALL
#undef ERRNO

/* A typo in the table's fourth column is an error here. */
#define SYSCALL(nr, call, kinds, support, note) SUPPORT_##nr = SUPPORT_##support,
#define ERRNO(nr, call, error, note)
enum {
	SUPPORT_PARTIAL,
	SUPPORT_FULL,
#include "abi/linux/syscalls.def"
};
#undef SYSCALL
#undef ERRNO

static struct {
	_Atomic uint64_t counts[SYSCALLS_END]; /* [a] the last one: all numbers beyond the table */
	_Atomic bool logged[SYSCALLS_END]; /* [a] unknown numbers */
	bool is_watched; /* [I] calls are traced or timed */
	_Atomic uint64_t errors[SYSCALLS_END], time_ns[SYSCALLS_END]; /* [a] only when watched */
} dispatch;

void syscalls_init(void)
{
	strace_init(entries, SYSCALLS_END);
	dispatch.is_watched = options.strace || options.stats;
}

static long refuse_unknown(uint64_t number)
{
	uint64_t slot = number < SYSCALLS_END ? number : SYSCALLS_END - 1;

	stat_inc(STAT_syscalls_unknown);
	if (!atomic_exchange_explicit(&dispatch.logged[slot], true, memory_order_relaxed))
		log_info("system call %llu is not known: answered with ENOSYS",
			(unsigned long long)number);
	return -ENOSYS;
}

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Apart, so that the way of other calls needs no register more. */
static __attribute__((noinline)) long call_watched(uint64_t number, const struct syscall_entry *e,
	const struct sysargs *a)
{
	bool is_traced = strace_wants(number);
	uint64_t start_ns = clock_now_ns();
	struct syscall_trace trace;
	long result;

	if (is_traced)
		strace_enter(&trace, e, a);
	result = e->handler ? e->handler(a) : -e->error;
	add(&dispatch.time_ns[number], clock_now_ns() - start_ns);
	if (result < 0 && result > -4096)
		add(&dispatch.errors[number], 1);
	if (is_traced)
		strace_leave(&trace, result);
	return result;
}

void linux_handle_syscall(struct trapframe *tf)
{
	uint64_t number = (uint32_t)tf->rax; /* the upper half does not count */
	uint64_t slot = number < SYSCALLS_END ? number : SYSCALLS_END - 1;
	const struct syscall_entry *e = &entries[slot];
	struct sysargs a = { { tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9 }, tf };
	struct thread *t = thread_current();
	uint64_t began = cputime_enter(t);
	long result;

	stat_inc(STAT_syscalls);
	atomic_fetch_add_explicit(&dispatch.counts[slot], 1, memory_order_relaxed);
	if (unlikely(!e->name || number >= SYSCALLS_END))
		result = refuse_unknown(number);
	else if (unlikely(dispatch.is_watched))
		result = call_watched(number, e, &a);
	else
		result = likely(e->handler != NULL) ? e->handler(&a) : -e->error;
	tf->rax = (uint64_t)result; /* (1) */
	if (unlikely(result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK)) /* (2) */
		atomic_store_explicit(&t->signal_work, true, memory_order_relaxed);
	cputime_leave(t, began);
}

/* When calls are watched, with their errors and time. */
void syscalls_report(void (*line)(const char *text, void *arg), void *arg)
{
	char text[128], number[16];

	for (uint32_t i = 0; i < SYSCALLS_END; i++) {
		uint64_t n = get(&dispatch.counts[i]);
		size_t used;

		if (!n)
			continue;
		fmt_snprintf(number, sizeof(number), "%u", i);
		used = (size_t)fmt_snprintf(text, sizeof(text), "call.%s %llu calls",
			entries[i].name ? entries[i].name : number, (unsigned long long)n);
		if (dispatch.is_watched)
			fmt_snprintf(text + used, sizeof(text) - used, " %llu errors %llu ns",
				(unsigned long long)get(&dispatch.errors[i]),
				(unsigned long long)get(&dispatch.time_ns[i]));
		line(text, arg);
	}
}

const char *syscalls_name(uint64_t number)
{
	return number < SYSCALLS_END ? entries[number].name : NULL;
}
