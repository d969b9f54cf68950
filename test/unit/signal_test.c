/* sources: kernel/signal/signal.c kernel/signal/deliver.c kernel/signal/queue.c
 * kernel/signal/watch.c kernel/sync/pollq.c test/unit/shim/host.c test/unit/shim/host_kmem.c */
/*
 * signal_test.c: who gets a signal, when, how often, with what.
 *
 * What:       the kernel's signal code over a list of threads that never run: the test looks at who
 *             was kicked, and plays the return to the program.
 * Invariants: (1) every kick is of a thread with signal_work set.
 * Locking:    one thread; host.c checks ranks.
 * Failure:    aborts with the failed check.
 * Source:     kernel/signal/signal.h; signal(7).
 */
#include "kernel/signal/signal.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "base/errno.h"
#include "host.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/process.h"
#include "kernel/sched/sched.h"

enum { THREADS = 4, HANDLER = 0x1000 };

static struct {
	struct thread threads[THREADS]; /* the last one is the kernel's */
	unsigned kicks[THREADS];
	struct spinlock list;
	jmp_buf *end; /* process_exit_signal */
	int ended_by;
	unsigned frames, restarts;
	struct signal_info frame_info;
	uint64_t frame_mask;
	int frame_result;
	unsigned lines; /* logged */
	uint32_t setting; /* of all timers */
	void (*while_asked)(void); /* what another thread does while a timer is asked */
} t;

/* ------------------------------------------------------------------ the kernel's surroundings */
void klog(enum gosolo_log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
	t.lines++;
}

void sched_kick(struct thread *thread)
{
	CHECK(atomic_load(&thread->signal_work)); /* (1) */
	t.kicks[thread - t.threads]++;
}

struct thread *thread_find(bool (*fn)(struct thread *thread, void *arg), void *arg)
{
	struct thread *found = NULL;

	spin_lock(&t.list);
	for (unsigned i = 0; i < THREADS && !found; i++)
		if (t.threads[i].tid && fn(&t.threads[i], arg))
			found = &t.threads[i];
	spin_unlock(&t.list);
	return found;
}

void process_exit_signal(int signo)
{
	CHECK_EQ(host_locks_held(), 0);
	t.ended_by = signo;
	CHECK(t.end != NULL);
	longjmp(*t.end, 1);
}

int linux_deliver_signal(struct trapframe *tf, const struct signal_info *info,
	const struct signal_action *act, uint64_t mask_to_save)
{
	CHECK_EQ(host_locks_held(), 0);
	t.frame_info = *info;
	t.frame_mask = mask_to_save;
	if (t.frame_result)
		return t.frame_result;
	t.frames++;
	tf->rip = act->handler;
	return 0;
}

bool linux_signal_taken(struct signal_info *info)
{
	CHECK_EQ(host_locks_held(), 0);
	CHECK(info->signo > 0);
	if (t.while_asked)
		t.while_asked();
	return !info->timer_setting || info->timer_setting == t.setting;
}

void linux_fix_restart(struct trapframe *tf, const struct signal_action *act)
{
	(void)tf;
	(void)act;
	t.restarts++;
}

/* ------------------------------------------------------------------ helpers */
extern struct cpu host_cpus[2];

static void be(unsigned i)
{
	host_cpus[0].current = &t.threads[i];
}

static void reset(void)
{
	static char vector_state;
	struct signal_action none = { 0 };

	for (unsigned i = 0; i < THREADS; i++) {
		kmem_free(t.threads[i].siginfo);
		t.threads[i] = (struct thread){ .tid = (int32_t)i + 1,
			.arch = { .fpu = &vector_state } };
	}
	t.threads[THREADS - 1].arch.fpu = NULL;
	memset(t.kicks, 0, sizeof(t.kicks));
	t.frames = t.restarts = t.lines = 0;
	t.frame_result = 0;
	t.ended_by = 0;
	t.setting = 1;
	t.while_asked = NULL;
	be(0);
	for (int s = 1; s <= SIGNALS_MAX; s++) {
		/* Ignoring a signal drops it where it is pending. */
		signal_set_action(s, &(struct signal_action){ .handler = 1 });
		signal_set_action(s, &none);
	}
}

static void handle(int signo, uint64_t flags, uint64_t mask)
{
	signal_set_action(signo, &(struct signal_action){ HANDLER, flags, 0, mask });
}

static void send_to(unsigned i, int signo)
{
	CHECK_EQ(signal_send_tid((int32_t)i + 1,
			 &(struct signal_info){ .signo = signo, .code = -6 }),
		0);
}

static void send_all(int signo)
{
	signal_send_process(&(struct signal_info){ .signo = signo });
}

/* What kernel_return_to_program does; true when the process ended instead. */
static bool return_to_program(void)
{
	struct trapframe tf = { 0 };
	jmp_buf here;
	bool ended = setjmp(here) != 0;

	t.end = &here;
	while (!ended && atomic_load(&host_cpus[0].current->signal_work))
		signal_deliver(&tf);
	t.end = NULL;
	return ended;
}

/* ------------------------------------------------------------------ cases */
static void test_one_thread(void)
{
	reset();
	handle(SIGUSR1, 0, 0);
	send_to(1, SIGUSR1);
	send_to(1, SIGUSR1); /* stays one */
	CHECK(t.kicks[1] >= 1 && !t.kicks[0] && !t.kicks[2]);
	CHECK(signal_is_deliverable(&t.threads[1]) && !signal_is_deliverable(&t.threads[0]));
	be(1);
	CHECK(!return_to_program());
	CHECK_EQ(t.frames, 1);
	CHECK_EQ(t.frame_info.code, -6);
	CHECK_EQ(t.frame_mask, 0);
	CHECK_EQ(signal_get_mask(), SIGNAL_BIT(SIGUSR1)); /* while the handler runs */
	CHECK(!signal_is_deliverable(&t.threads[1]));
	CHECK_EQ(signal_send_tid(77, &(struct signal_info){ .signo = SIGUSR1 }), -ESRCH);
	CHECK_EQ(signal_send_tid(THREADS, &(struct signal_info){ .signo = SIGUSR1 }), -ESRCH);
	CHECK_EQ(signal_send_tid(2, &(struct signal_info){ .signo = 0 }), 0);
}

static void test_blocked(void)
{
	reset();
	handle(SIGUSR1, 0, 0);
	signal_set_mask(UINT64_MAX);
	CHECK_EQ(signal_get_mask(), ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP)));
	send_to(0, SIGUSR1);
	CHECK(!signal_is_deliverable(&t.threads[0]));
	CHECK_EQ(signal_pending_set(), SIGNAL_BIT(SIGUSR1));
	signal_set_mask(0);
	CHECK(signal_is_deliverable(&t.threads[0]));
	CHECK(!return_to_program());
	CHECK_EQ(t.frames, 1);
	CHECK_EQ(signal_pending_set(), 0);
}

static void test_process_wide(void)
{
	reset();
	handle(SIGTERM, 0, 0);
	send_all(SIGTERM); /* the running thread takes it */
	CHECK(atomic_load(&t.threads[0].signal_work) && !t.kicks[1] && !t.kicks[2]);
	CHECK(!return_to_program());
	CHECK_EQ(t.frames, 1);

	reset();
	handle(SIGTERM, 0, 0);
	t.threads[0].sigmask = t.threads[1].sigmask = SIGNAL_BIT(SIGTERM);
	send_all(SIGTERM);
	CHECK_EQ(t.kicks[2], 1);
	CHECK_EQ(t.kicks[1], 0);
	be(2); /* it blocks the signal before it has looked: somebody else must be told */
	t.threads[1].sigmask = 0;
	signal_set_mask(SIGNAL_BIT(SIGTERM));
	CHECK_EQ(t.kicks[1], 1);
	be(1);
	CHECK(!return_to_program());
	CHECK_EQ(t.frames, 1);

	reset();
	handle(SIGTERM, 0, 0);
	t.threads[0].sigmask = SIGNAL_BIT(SIGTERM);
	t.threads[2].state = THREAD_PARKED;
	send_all(SIGTERM); /* one that sleeps is preferred */
	CHECK(t.kicks[2] == 1 && t.kicks[1] == 0);

	reset(); /* everybody blocks it: whoever unblocks it first takes it */
	handle(SIGTERM, 0, 0);
	for (unsigned i = 0; i < THREADS; i++)
		t.threads[i].sigmask = SIGNAL_BIT(SIGTERM);
	send_all(SIGTERM);
	CHECK(!t.kicks[1] && !t.kicks[2] && !t.kicks[3]);
	be(1);
	signal_set_mask(0);
	CHECK(!return_to_program());
	CHECK_EQ(t.frames, 1);
}

static void test_ignored(void)
{
	reset();
	send_to(1, SIGURG); /* ignored by default */
	send_all(SIGCHLD);
	CHECK(!t.kicks[1] && !signal_is_deliverable(&t.threads[0]) && !signal_pending_set());
	send_to(0, SIGTSTP); /* would stop us: said, and ignored */
	CHECK(t.lines == 1 && !signal_is_deliverable(&t.threads[0]));
	signal_set_mask(SIGNAL_BIT(SIGURG)); /* blocked: kept until the action is known */
	send_to(0, SIGURG);
	CHECK_EQ(signal_pending_set(), SIGNAL_BIT(SIGURG));
	signal_set_mask(0);
	CHECK(!signal_pending_set() && !signal_is_deliverable(&t.threads[0]));
	handle(SIGUSR1, 0, 0);
	signal_set_mask(SIGNAL_BIT(SIGUSR1));
	send_to(0, SIGUSR1);
	send_all(SIGUSR1);
	signal_set_action(SIGUSR1, &(struct signal_action){ .handler = 1 });
	CHECK_EQ(signal_pending_set(), 0);
}

/* A stop and SIGCONT take each other away, whoever is to have them. */
static void test_cancel(void)
{
	const uint64_t both = SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGTSTP);

	reset();
	for (unsigned i = 0; i < THREADS; i++)
		t.threads[i].sigmask = both | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGUSR1);
	send_to(0, SIGUSR1);
	send_to(1, SIGCONT);
	send_all(SIGCONT);
	send_to(0, SIGTSTP);
	CHECK_EQ(t.threads[1].sigpending, 0);
	CHECK_EQ(signal_pending_set(), SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGUSR1));
	send_to(2, SIGTTIN);
	send_all(SIGTSTP);
	CHECK_EQ(t.threads[2].sigpending, SIGNAL_BIT(SIGTTIN));
	CHECK_EQ(signal_send_tid(77, &(struct signal_info){ .signo = SIGCONT }), -ESRCH);
	CHECK_EQ(t.threads[2].sigpending, SIGNAL_BIT(SIGTTIN)); /* nobody got it */
	signal_send_thread(&t.threads[1], &(struct signal_info){ .signo = SIGCONT });
	CHECK_EQ(t.threads[2].sigpending, 0);
	CHECK_EQ(t.threads[1].sigpending, SIGNAL_BIT(SIGCONT));
	CHECK_EQ(signal_pending_set(), SIGNAL_BIT(SIGUSR1));
}

static void test_default_ends(void)
{
	reset();
	send_to(0, SIGTERM);
	CHECK(return_to_program());
	CHECK_EQ(t.ended_by, SIGTERM);

	reset();
	for (unsigned i = 0; i < THREADS; i++)
		t.threads[i].sigmask = UINT64_MAX & ~SIGNAL_BIT(SIGKILL);
	send_all(SIGKILL);
	CHECK(t.kicks[1] && t.kicks[2] && !t.kicks[3]);
	CHECK(return_to_program());
	CHECK_EQ(t.ended_by, SIGKILL);
}

static bool fault(int signo)
{
	struct signal_info info = { .signo = signo, .code = 1, .addr = 0x123 };
	jmp_buf here;
	bool ended = setjmp(here) != 0;

	t.end = &here;
	if (!ended)
		signal_send_fault(&info);
	t.end = NULL;
	return ended;
}

static void test_faults(void)
{
	reset();
	handle(SIGSEGV, 0, UINT64_MAX);
	send_to(0, SIGSEGV); /* somebody's kill must not hide the fault's address */
	handle(SIGHUP, 0, 0);
	send_to(0, SIGHUP); /* lower number, but the fault goes first */
	CHECK(!fault(SIGSEGV));
	CHECK(!return_to_program());
	CHECK_EQ(t.frame_info.signo, SIGSEGV);
	CHECK_EQ(t.frame_info.addr, 0x123);
	CHECK(fault(SIGSEGV)); /* in its own handler, which blocks it */
	CHECK_EQ(t.ended_by, SIGSEGV);

	reset();
	signal_set_action(SIGFPE, &(struct signal_action){ .handler = 1 });
	CHECK(fault(SIGFPE));

	reset();
	handle(SIGBUS, 0, 0);
	host_fail_alloc(1);
	CHECK(fault(SIGBUS)); /* no memory for its details */
	host_fail_alloc(0);
}

static void test_actions(void)
{
	reset();
	handle(SIGUSR1, SA_RESETHAND | SA_NODEFER, SIGNAL_BIT(SIGUSR2));
	send_to(0, SIGUSR1);
	CHECK(!return_to_program());
	CHECK_EQ(signal_get_mask(), SIGNAL_BIT(SIGUSR2));
	send_to(0, SIGUSR1);
	CHECK(return_to_program()); /* the handler is gone */

	reset(); /* a mask for the duration of a call */
	handle(SIGUSR1, 0, 0);
	t.threads[0].saved_mask = SIGNAL_BIT(SIGINT);
	t.threads[0].restore_mask = true;
	send_to(0, SIGUSR1);
	CHECK(!return_to_program());
	CHECK_EQ(t.frame_mask, SIGNAL_BIT(SIGINT));
	CHECK(!t.threads[0].restore_mask);

	reset(); /* … whose signal another thread took */
	t.threads[0].saved_mask = SIGNAL_BIT(SIGINT);
	t.threads[0].restore_mask = true;
	atomic_store(&t.threads[0].signal_work, true);
	CHECK(!return_to_program());
	CHECK_EQ(signal_get_mask(), SIGNAL_BIT(SIGINT));
	CHECK(t.restarts >= 1 && t.frames == 0);

	reset(); /* no room for the frame: SIGSEGV instead, then the end */
	handle(SIGUSR1, 0, 0);
	handle(SIGSEGV, 0, 0);
	t.frame_result = -EFAULT;
	send_to(0, SIGUSR1);
	CHECK(return_to_program());
	CHECK_EQ(t.ended_by, SIGSEGV);
}

static void test_queue(void)
{
	struct signal_info info;

	reset();
	signal_set_mask(UINT64_MAX);
	for (int i = 0; i < 100; i++) { /* real-time signals queue up, in order */
		info = (struct signal_info){ .signo = 40, .code = -1, .value = (uint64_t)i };
		CHECK_EQ(signal_send_tid(1, &info), 0);
	}
	send_to(0, 35);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(signal_take_set(SIGNAL_BIT(40), &info), 40);
		CHECK_EQ(info.value, i);
	}
	CHECK_EQ(signal_take_set(SIGNAL_BIT(40), &info), 0);
	CHECK_EQ(signal_take_set(UINT64_MAX, &info), 35);

	for (int i = 0; i < 5; i++) { /* a timer's signal only counts */
		info = (struct signal_info){
			.signo = SIGPROF, .code = -2, .timer_id = 7, .timer_setting = 1
		};
		info.overrun = i;
		signal_send_process(&info);
	}
	CHECK_EQ(signal_take_set(SIGNAL_BIT(SIGPROF), &info), SIGPROF);
	CHECK_EQ(info.overrun, 0 + 2 + 3 + 4 + 5);
	CHECK_EQ(signal_take_set(UINT64_MAX, &info), 0);
	CHECK_EQ(signal_pending_set(), 0);

	host_fail_alloc(1); /* pending all the same */
	send_to(0, 50);
	host_fail_alloc(0);
	CHECK_EQ(signal_take_set(UINT64_MAX, &info), 50);
}

static void timer_sends(int32_t id, uint32_t setting, int signo)
{
	signal_send_process(&(struct signal_info){
		.signo = signo, .code = -2, .timer_id = id, .timer_setting = setting });
}

static void ignore_profile(void)
{
	signal_set_action(SIGPROF, &(struct signal_action){ .handler = 1 });
}

/* What a timer sent before it was set or deleted is taken out, but not told. */
static void test_timers(void)
{
	struct signal_info info;

	reset();
	handle(SIGPROF, SA_RESETHAND, 0);
	t.threads[0].saved_mask = SIGNAL_BIT(SIGINT);
	t.threads[0].restore_mask = true;
	timer_sends(7, 2, SIGPROF);
	CHECK(!return_to_program());
	CHECK(t.frames == 0 && t.restarts == 1 && !signal_pending_set());
	CHECK_EQ(signal_get_mask(), SIGNAL_BIT(SIGINT));
	timer_sends(7, 2, SIGPROF);
	timer_sends(8, 1, SIGPROF); /* has a place of its own */
	CHECK(!return_to_program());
	CHECK(t.frames == 1 && t.frame_info.timer_id == 8);

	reset();
	signal_set_mask(UINT64_MAX);
	timer_sends(7, 2, 40);
	send_all(41);
	timer_sends(7, 1, 40); /* the setting that stands, in the place of the old one's */
	timer_sends(7, 1, 40);
	CHECK_EQ(signal_take_set(UINT64_MAX, &info), 40);
	CHECK(info.timer_setting == 1 && info.overrun == 1);
	timer_sends(7, 2, 40);
	CHECK_EQ(signal_take_set(UINT64_MAX, &info), 41);
	CHECK_EQ(signal_take_set(UINT64_MAX, &info), 0);
	CHECK_EQ(signal_pending_set(), 0);

	reset(); /* the signal comes to be ignored while its timer is asked */
	handle(SIGPROF, 0, 0);
	t.while_asked = ignore_profile;
	timer_sends(7, 1, SIGPROF);
	CHECK(!return_to_program());
	CHECK_EQ(t.frames, 0);
}

int main(void)
{
	spinlock_init(&t.list, LOCK_THREADS);
	signal_init();
	test_one_thread();
	test_blocked();
	test_process_wide();
	test_ignored();
	test_cancel();
	test_default_ends();
	test_faults();
	test_actions();
	test_queue();
	test_timers();
	reset();
	printf("signal_test: ok\n");
	return 0;
}
