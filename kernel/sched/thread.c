/*
 * thread.c: threads: made, listed, ended.
 *
 * What:       a thread is its struct, a kernel stack and an area for vector state. A program thread
 *             begins as a copy of its creator's registers.
 * Invariants: (1) a thread is on the list from before its first run until thread_exit. (2) its
 *             memory is freed only after it has left its stack (sched.c, finish_switch). (3) the
 *             end of a thread touches no program memory but the word of clear_tid_ua: Go frees the
 *             stack it exits on before the call.
 * Locking:    threads.lock, LOCK_THREADS.
 * Failure:    -EAGAIN: no memory, or THREADS_MAX live.
 * Source:     clone(2); Go runtime/sys_linux_amd64.s clone, exitThread.
 */
#include "kernel/sched/thread.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"
#include "kernel/process.h"
#include "kernel/sched/cputimer.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/sync/futex.h"
#include "lib/string.h"

enum { THREADS_MAX = 32768, KSTACK_ORDER = 2 };
enum { SLACK_NS = 50000 }; /* Linux's: prctl(2), PR_SET_TIMERSLACK */

static struct {
	struct spinlock lock;
	TAILQ_HEAD(, thread) all; /* [lock] */
	uint32_t count; /* [lock] all */
	uint32_t program_count; /* [lock] the program's */
	int32_t next_tid; /* [lock] */
	uint64_t ended_cpu_ns, ended_system_ns; /* [lock] CPU time of threads that are gone */
} threads = { .lock = SPINLOCK_INIT(LOCK_THREADS) };

void thread_init(void)
{
	TAILQ_INIT(&threads.all);
	threads.next_tid = PROCESS_PID;
}

static bool has_tid(struct thread *t, void *arg)
{
	return t->tid == *(int32_t *)arg;
}

static struct thread *find_locked(bool (*fn)(struct thread *t, void *arg), void *arg)
{
	struct thread *t;

	lock_assert_held(&threads.lock);
	TAILQ_FOREACH(t, &threads.all, all_link)
		if (fn(t, arg))
			return t;
	return NULL;
}

struct thread *thread_find(bool (*fn)(struct thread *t, void *arg), void *arg)
{
	struct thread *t;

	spin_lock(&threads.lock);
	t = find_locked(fn, arg);
	spin_unlock(&threads.lock);
	return t;
}

uint32_t thread_count(void)
{
	return threads.program_count;
}

static bool is_program(const struct thread *t)
{
	return t->arch.fpu != NULL;
}

/* Numbers ascend; after 2^31 threads they begin again, past the ones still in use. */
static void list(struct thread *t)
{
	static bool wrapped;

	spin_lock(&threads.lock);
	do {
		t->tid = threads.next_tid;
		if (threads.next_tid == INT32_MAX)
			wrapped = true;
		threads.next_tid = threads.next_tid == INT32_MAX ? PROCESS_PID + 1
								 : threads.next_tid + 1;
	} while (wrapped && find_locked(has_tid, &t->tid));
	TAILQ_INSERT_TAIL(&threads.all, t, all_link);
	threads.count++;
	threads.program_count += is_program(t);
	spin_unlock(&threads.lock);
	stat_inc(STAT_threads_created);
}

void thread_free(struct thread *t)
{
	if (t->kstack)
		pmm_free(virt_to_phys(t->kstack) >> PAGE_SHIFT, KSTACK_ORDER);
	kmem_free(t->arch.fpu);
	signal_forget(t);
	cred_put(&t->cred);
	kmem_free(t);
}

static struct thread *alloc(bool program)
{
	struct thread *t = kmem_zalloc(sizeof(*t));
	pfn_t stack;

	if (!t)
		return NULL;
	stack = pmm_alloc(KSTACK_ORDER, PMM_KERNEL);
	if (stack != PFN_NONE)
		t->kstack = pfn_to_virt(stack);
	if (program)
		t->arch.fpu = kmem_alloc(arch_fpu_bytes());
	if (!t->kstack || (program && !t->arch.fpu)) {
		thread_free(t);
		return NULL;
	}
	t->kstack_canary = (uint64_t *)(void *)t->kstack;
	*t->kstack_canary = KSTACK_CANARY;
	t->affinity = UINT64_MAX;
	t->entries_left = t->entries_next = 1;
	t->slack_ns = t->slack_default_ns = SLACK_NS;
	cred_init(&t->cred);
	return t;
}

static void enter_program(void *arg)
{
	struct thread *t = arg;

	sched_first_run();
	arch_enter_program(arch_thread_frame(t->kstack));
}

int thread_create_first(const struct trapframe *frame, struct thread **out)
{
	struct thread *t = alloc(true);

	if (!t)
		return -ENOMEM;
	*arch_thread_frame(t->kstack) = *frame;
	arch_fpu_clone(&t->arch);
	arch_thread_init(&t->arch, t->kstack, enter_program, t);
	list(t);
	*out = t;
	return 0;
}

/* Where a number cannot be stored the thread begins all the same, as on Linux. */
static void store_tids(const struct thread_start *start, int32_t tid)
{
	int err = 0;

	if (start->parent_tid_ua)
		err = user_store_u32(start->parent_tid_ua, (uint32_t)tid);
	if (start->child_tid_ua)
		err = user_store_u32(start->child_tid_ua, (uint32_t)tid);
	(void)err;
}

static void unlist(struct thread *t)
{
	spin_lock(&threads.lock);
	TAILQ_REMOVE(&threads.all, t, all_link);
	threads.count--;
	threads.program_count -= is_program(t);
	threads.ended_cpu_ns += sched_thread_cpu_ns(t);
	threads.ended_system_ns += t->system_ns;
	spin_unlock(&threads.lock);
	cputimer_forget(t);
}

int thread_clone(const struct thread_start *start, int32_t *tid)
{
	struct thread *self = thread_current(), *t;
	struct trapframe *frame;

	if (threads.count >= THREADS_MAX)
		return -EAGAIN;
	t = alloc(true);
	if (!t)
		return -EAGAIN;
	frame = arch_thread_frame(t->kstack);
	*frame = *start->frame;
	frame->rax = 0;
	if (start->stack_ua)
		frame->rsp = start->stack_ua;
	arch_fpu_clone(&t->arch);
	arch_thread_init(&t->arch, t->kstack, enter_program, t);
	t->arch.fs_base = start->fs_base ? start->fs_base : self->arch.fs_base;
	t->sigmask = self->sigmask;
	t->clear_tid_ua = start->clear_tid_ua;
	t->affinity = self->affinity;
	t->nice = self->nice;
	t->io_priority = self->io_priority;
	t->slack_ns = t->slack_default_ns = self->slack_ns;
	memcpy(t->name, self->name, sizeof(t->name));
	cred_clone(&t->cred, &self->cred);
	list(t);
	store_tids(start, t->tid);
	*tid = t->tid;
	sched_start(t);
	return 0;
}

/* What a kernel thread runs; handed over on the heap because its creator does not wait. */
struct kernel_start {
	void (*entry)(void *);
	void *arg;
};

static void enter_kernel(void *arg)
{
	struct kernel_start start = *(struct kernel_start *)arg;

	kmem_free(arg);
	sched_first_run();
	start.entry(start.arg);
	thread_exit(0);
}

int thread_create_kernel(const char *name, void (*entry)(void *), void *arg)
{
	struct thread *t = alloc(false);
	struct kernel_start *start = kmem_alloc(sizeof(*start));

	if (!t || !start) {
		if (t)
			thread_free(t);
		kmem_free(start);
		return -EAGAIN;
	}
	*start = (struct kernel_start){ entry, arg };
	strlcpy(t->name, name, sizeof(t->name));
	t->sigmask = UINT64_MAX;
	arch_thread_init(&t->arch, t->kstack, enter_kernel, start);
	list(t);
	sched_start(t);
	return 0;
}

void thread_exit(int code)
{
	struct thread *t = thread_current();

	if (t->clear_tid_ua && !user_store_u32(t->clear_tid_ua, 0)) /* (3) */
		futex_wake(t->clear_tid_ua, 1, UINT32_MAX);
	unlist(t); /* (1) */
	stat_inc(STAT_threads_exited);
	if (is_program(t) && !threads.program_count)
		process_exit(code); /* the last one's, as Linux does since 5.18 */
	sched_exit(); /* (2) */
}

static bool add_cpu_time(struct thread *t, void *arg)
{
	*(uint64_t *)arg += sched_thread_cpu_ns(t);
	return false;
}

uint64_t sched_process_cpu_ns(void)
{
	uint64_t ns;

	spin_lock(&threads.lock);
	ns = threads.ended_cpu_ns;
	find_locked(add_cpu_time, &ns);
	spin_unlock(&threads.lock);
	return ns;
}

static bool add_system_time(struct thread *t, void *arg)
{
	*(uint64_t *)arg += t->system_ns;
	return false;
}

uint64_t sched_process_system_ns(void)
{
	uint64_t ns;

	spin_lock(&threads.lock);
	ns = threads.ended_system_ns;
	find_locked(add_system_time, &ns);
	spin_unlock(&threads.lock);
	return ns;
}
