/* sources: abi/linux/restart.c test/unit/shim/host.c */
/*
 * restart_test.c: what becomes of a call that a signal interrupted.
 *
 * What:       frames as the gate leaves them, with the results that calls have; then what signal
 *             delivery says: a handler runs, or none does, one after the other.
 * Invariants: none of its own.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     signal(7); Linux 6.18, restart_syscall(2).
 */
#include "abi/linux/restart_priv.h"

#include <signal.h>

#include "arch/arch.h"
#include "base/errno.h"
#include "host.h"
#include "kernel/sched/cpu.h"
#include "kernel/signal/signal.h"

enum { CALL = 35, RIP = 0x400002, NO_CALL = -1, DEADLINE = 12345 };

extern struct cpu host_cpus[2];

static struct thread thread;
static const struct signal_action plain = { .handler = 0x1000 };
static const struct signal_action restarts = { .handler = 0x1000, .flags = SA_RESTART };

/* A frame right after a call with that result. */
static struct trapframe after_call(long result)
{
	return (struct trapframe){
		.vector = TRAP_CALL, .error = CALL, .rax = (uint64_t)result, .rip = RIP
	};
}

static void check_again(const struct trapframe *tf)
{
	CHECK_EQ(tf->rax, CALL);
	CHECK_EQ(tf->rip, RIP - 2);
}

static void check_over(const struct trapframe *tf, long result)
{
	CHECK_EQ((long)tf->rax, result);
	CHECK_EQ(tf->rip, RIP);
}

static bool is_kept(void)
{
	uint64_t deadline_ns = 0;
	bool kept = linux_take_deadline(&deadline_ns);

	CHECK_EQ(deadline_ns, kept ? DEADLINE : 0);
	return kept;
}

static void test_kinds(void)
{
	struct trapframe tf;

	for (int i = 0; i < 3; i++) {
		const struct signal_action *act = i == 0 ? NULL : i == 1 ? &plain : &restarts;

		tf = after_call(-ERESTARTSYS);
		linux_fix_restart(&tf, act);
		i == 1 ? check_over(&tf, -EINTR) : check_again(&tf);
		tf = after_call(-ERESTARTNOHAND);
		linux_fix_restart(&tf, act);
		i == 0 ? check_again(&tf) : check_over(&tf, -EINTR);
		tf = after_call(linux_restart_until(DEADLINE));
		linux_fix_restart(&tf, act);
		i == 0 ? check_again(&tf) : check_over(&tf, -EINTR);
		CHECK_EQ(is_kept(), i == 0);
		tf = after_call(-EINTR); /* its own affair */
		linux_fix_restart(&tf, act);
		check_over(&tf, -EINTR);
		tf = after_call(7);
		linux_fix_restart(&tf, act);
		check_over(&tf, 7);
	}
}

/* One that only looks is made again, with nothing kept. */
static void test_no_deadline(void)
{
	struct trapframe tf = after_call(linux_restart_until(0));

	linux_fix_restart(&tf, NULL);
	check_again(&tf);
	CHECK(!is_kept());
}

/* A handler that comes when the call was set to go on, and has not: before the return, or by an
 * interrupt of the program. */
static void test_handler_between(void)
{
	struct trapframe tf = after_call(linux_restart_until(DEADLINE));

	linux_fix_restart(&tf, NULL);
	linux_fix_restart(&tf, NULL); /* nothing again */
	check_again(&tf);
	linux_fix_restart(&tf, &restarts);
	check_over(&tf, -EINTR);
	linux_fix_restart(&tf, &plain); /* and another one */
	check_over(&tf, -EINTR);
	CHECK(!is_kept());

	tf = after_call(linux_restart_until(DEADLINE));
	linux_fix_restart(&tf, NULL);
	tf.vector = 0x20;
	tf.error = 0;
	linux_fix_restart(&tf, NULL);
	check_again(&tf);
	linux_fix_restart(&tf, &plain);
	check_over(&tf, -EINTR);
	CHECK(!is_kept());

	tf.rip = RIP; /* any other interrupt */
	tf.rax = 99;
	linux_fix_restart(&tf, &plain);
	check_over(&tf, 99);

	tf = after_call(-ERESTARTSYS); /* the call itself is made again after such a handler */
	linux_fix_restart(&tf, NULL);
	linux_fix_restart(&tf, &plain);
	check_again(&tf);
}

int main(void)
{
	host_cpus[0].current = &thread;
	test_kinds();
	test_no_deadline();
	test_handler_between();
	printf("restart_test: ok\n");
	return 0;
}
