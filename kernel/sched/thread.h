/*
 * thread.h: a thread: what the scheduler runs.
 *
 * Letters: [I] set once before the thread runs; [t] the thread itself only; [s] run-queue lock of
 * the thread's CPU; [g] LOCK_SIGNAL; [l] LOCK_THREADS; [a] atomic.
 */
#pragma once

#include <stdatomic.h>

#include "arch/arch.h"
#include "base/tree.h"
#include "kernel/cred.h"
#include "kernel/sched/waitq.h"
#include "kernel/time/timer.h"

#define KSTACK_CANARY 0x676f736f6c6f7374ull

struct cputime { /* kernel/sched/cputime.h */
	uint64_t user_ns, system_ns; /* neither ever goes back */
};

enum thread_state {
	THREAD_RUNNING, /* on a CPU, or about to be */
	THREAD_RUNNABLE, /* on a run queue */
	THREAD_PARKED, /* waits for sched_unpark */
	THREAD_WAKING, /* on its way to a run queue */
	THREAD_DEAD, /* left its stack for ever; freed by thread_reap */
};

struct thread {
	struct arch_thread arch; /* [t] */
	char *kstack; /* [I] ARCH_KSTACK_BYTES */
	uint64_t *kstack_canary; /* [I] its lowest word, KSTACK_CANARY while intact; NULL: none */
	int32_t tid; /* [I] unique while it lives; the first is 1 */
	enum thread_state state; /* [s] */
	bool wake_pending; /* [s] an unpark that came before the park */
	uint32_t cpu; /* [s] where it runs, or ran last */
	RB_ENTRY(thread) run_link; /* [s] */
	int64_t vtime_ns; /* [s] what it has had of a CPU, as its queue counts: runq.h */
	int32_t nice; /* [s] RUNQ_NICE_MIN to _MAX; sched_set_nice */
	uint16_t io_priority; /* [l] as Linux has it: kept for who asks, there are no queues */
	TAILQ_ENTRY(thread) all_link; /* [l] */
	struct timer park_timer; /* [t] */
	uint64_t slack_ns, slack_default_ns; /* [t] by how much a sleep may be longer */
	uint64_t affinity; /* [s] bit per CPU */
	uint64_t cpu_time_ns; /* [s] up to the last switch */
	uint64_t switched_in_ns; /* [s] */
	uint32_t entries_left, entries_next; /* [t] until the next sample of CPU time, and in all */
	uint32_t sample_weight; /* [t] entries that the sample under way stands for */
	uint64_t system_ns; /* [t] CPU time in the kernel, by samples */
	uint64_t sleeps, preemptions; /* [s] switches away from it, by its own will and not */
	uint64_t faults; /* [t] page faults */
	struct cputime told; /* [t] */
	LIST_HEAD(cputimer_list, cputimer) cputimers; /* [cputimers lock] wait for it to run */
	bool cputimers_wait; /* [cputimers lock]; set with [s], too: kernel/sched/cputimer.h */
	char name[16]; /* [t] PR_SET_NAME */
	struct cred cred; /* [t] whom it acts as */

	/* signals: kernel/signal */
	uint64_t sigmask; /* [g] bit n-1: signal n is blocked */
	uint64_t sigwait; /* [g] blocked, but waited for: may come, and is never ignored */
	uint64_t sigpending; /* [g] */
	_Atomic bool signal_work; /* [a] something may be deliverable: looked at on return */
	struct signal_info *siginfo; /* [g] details of pending signals, see signal.h */
	uint64_t altstack_ua; /* [t] sigaltstack: base */
	uint64_t altstack_bytes; /* [t] 0: none */
	uint32_t altstack_flags; /* [t] */
	uint64_t clear_tid_ua; /* [t] set_tid_address, CLONE_CHILD_CLEARTID; 0: none */
	uint64_t robust_ua; /* [t] set_robust_list; 0: none */
	bool restore_mask; /* [t] sigsuspend, epoll_pwait: saved_mask is put back at delivery */
	uint64_t saved_mask; /* [t] */
	uint64_t kept_deadline_ns; /* [t] of an interrupted call that may go on; 0: none */
};

/* What a new program thread starts with; decoded from clone. */
struct thread_start {
	uint64_t stack_ua; /* RSP; 0: the caller's */
	uint64_t fs_base; /* CLONE_SETTLS; 0: the caller's */
	const struct trapframe *frame; /* registers to copy */
	uint64_t parent_tid_ua, child_tid_ua; /* 0: do not store */
	uint64_t clear_tid_ua;
};

static inline struct thread *thread_current(void);

/* A copy of the calling program thread, RAX 0, runnable at once. -EAGAIN: no memory or too many. */
int thread_clone(const struct thread_start *start, int32_t *tid) must_check;
/* Kernel-only thread. */
int thread_create_kernel(const char *name, void (*entry)(void *), void *arg) must_check;
/* Ends the calling thread; touches no program memory but clear_tid_ua. code: the process's, if it
 * is the program's last. */
noreturn_fn void thread_exit(int code);
/* Calls fn for every live thread under LOCK_THREADS; stops when it returns true. */
struct thread *thread_find(bool (*fn)(struct thread *t, void *arg), void *arg);
uint32_t thread_count(void); /* the program's */
/* The program's first thread, with the registers in frame; not started yet. -ENOMEM. */
int thread_create_first(const struct trapframe *frame, struct thread **out) must_check;
void thread_free(struct thread *t); /* kernel/sched only: a dead thread that has left its stack */
void thread_init(void);

#include "kernel/sched/cpu.h"
static inline struct thread *thread_current(void)
{
	return this_cpu()->current;
}
