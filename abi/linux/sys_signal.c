/*
 * sys_signal.c: system calls on signals.
 *
 * What:       decodes Linux's structures and goes to kernel/signal; frames are sigframe.c's.
 * Invariants: (1) a call that changes the mask for its own duration leaves the old one in
 *             saved_mask with restore_mask set, so that a handler runs under the temporary one and
 *             returns to the old one.
 * Locking:    none; may sleep.
 * Failure:    -errno as documented in section 2 of the manual.
 * Source:     sigaction(2), sigprocmask(2), sigsuspend(2), sigwaitinfo(2), kill(2), tgkill(2).
 */
#include <linux/signal.h>

#include "abi/linux/sigframe_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/units.h"
#include "kernel/cred.h"
#include "kernel/process.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"

enum { SIGSET_BYTES = 8 };

static bool is_signal(int32_t signo)
{
	return signo >= 1 && signo <= SIGNALS_MAX;
}

/* ------------------------------------------------------------------ actions */
STATIC_ASSERT(sizeof(struct signal_action) == 32,
	"kernel's sigaction: handler, flags, restorer, mask");
STATIC_ASSERT(__builtin_offsetof(struct signal_action, restorer) == 16, "kernel's sigaction");

#define KNOWN_FLAGS \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | \
		SA_RESETHAND | SA_RESTORER)

long sys_rt_sigaction(const struct sysargs *a)
{
	int32_t signo = sysarg_int(a, 0);
	struct signal_action fresh, old;

	if (a->arg[3] != SIGSET_BYTES || !is_signal(signo))
		return -EINVAL;
	if (a->arg[1] && (signo == SIGKILL || signo == SIGSTOP))
		return -EINVAL;
	if (a->arg[1] && user_copy_in(&fresh, a->arg[1], sizeof(fresh)))
		return -EFAULT;
	signal_get_action(signo, &old);
	if (a->arg[1]) {
		fresh.flags &= KNOWN_FLAGS; /* a program finds out by asking which ones there are */
		signal_set_action(signo, &fresh);
	}
	if (a->arg[2] && user_copy_out(a->arg[2], &old, sizeof(old)))
		return -EFAULT;
	return 0;
}

long sys_rt_sigreturn(const struct sysargs *a)
{
	struct signal_info bad = { .signo = SIGSEGV, .code = SI_KERNEL };

	if (sigframe_load(a->frame)) {
		signal_send_fault(&bad);
		return 0;
	}
	return (long)a->frame->rax;
}

long sys_sigaltstack(const struct sysargs *a)
{
	struct thread *t = thread_current();
	uint64_t sp = a->frame->rsp;
	stack_t old = { .ss_sp = (void *)t->altstack_ua, .ss_size = t->altstack_bytes };
	stack_t fresh;
	int err;

	if (!t->altstack_bytes)
		old.ss_flags = SS_DISABLE;
	else
		old.ss_flags = (int)((altstack_holds(t, sp) ? SS_ONSTACK : 0) |
			(t->altstack_flags & SS_AUTODISARM));
	if (a->arg[0]) {
		if (user_copy_in(&fresh, a->arg[0], sizeof(fresh)))
			return -EFAULT;
		err = altstack_set(t, &fresh, sp);
		if (err)
			return err;
	}
	if (a->arg[1] && user_copy_out(a->arg[1], &old, sizeof(old)))
		return -EFAULT;
	return 0;
}

/* ------------------------------------------------------------------ masks */
long sys_rt_sigprocmask(const struct sysargs *a)
{
	uint64_t old = signal_get_mask(), set = 0;

	if (a->arg[3] != SIGSET_BYTES)
		return -EINVAL;
	if (a->arg[1]) {
		if (user_load_u64(&set, a->arg[1]))
			return -EFAULT;
		switch (sysarg_int(a, 0)) {
		case SIG_BLOCK:
			signal_set_mask(old | set);
			break;
		case SIG_UNBLOCK:
			signal_set_mask(old & ~set);
			break;
		case SIG_SETMASK:
			signal_set_mask(set);
			break;
		default:
			return -EINVAL;
		}
	}
	if (a->arg[2] && user_store_u64(a->arg[2], old))
		return -EFAULT;
	return 0;
}

long sys_rt_sigpending(const struct sysargs *a)
{
	uint64_t set = signal_pending_set() & signal_get_mask();

	if (a->arg[1] > SIGSET_BYTES)
		return -EINVAL;
	return user_copy_out(a->arg[0], &set, a->arg[1]);
}

static void wait_for_signal(void)
{
	while (!signal_is_deliverable(thread_current()))
		sched_park(TIME_NEVER_NS, true);
}

long sys_rt_sigsuspend(const struct sysargs *a)
{
	struct thread *t = thread_current();
	uint64_t set;

	if (a->arg[1] != SIGSET_BYTES)
		return -EINVAL;
	if (user_load_u64(&set, a->arg[0]))
		return -EFAULT;
	t->saved_mask = signal_get_mask();
	signal_set_mask(set);
	wait_for_signal();
	t->restore_mask = true; /* (1) */
	return -ERESTARTNOHAND;
}

long sys_pause(const struct sysargs *a unused_arg)
{
	wait_for_signal();
	return -ERESTARTNOHAND;
}

/* Waits until one of set is there; 0: none by the deadline or another signal came. */
static int wait_for_set(uint64_t set, uint64_t deadline_ns, struct signal_info *info)
{
	int signo;

	signal_wait_for(set);
	while (!(signo = signal_take_set(set, info)) && clock_now_ns() < deadline_ns &&
		!signal_is_deliverable(thread_current()))
		sched_park(deadline_ns, true);
	signal_wait_for(0);
	return signo;
}

long sys_rt_sigtimedwait(const struct sysargs *a)
{
	uint64_t set, ns, deadline = TIME_NEVER_NS;
	struct signal_info info;
	siginfo_t out;
	int signo, err;

	if (a->arg[3] != SIGSET_BYTES)
		return -EINVAL;
	if (user_load_u64(&set, a->arg[0]))
		return -EFAULT;
	if (a->arg[2]) {
		err = linux_load_timespec(a->arg[2], &ns);
		if (err)
			return err;
		deadline = linux_deadline_after(ns);
	}
	signo = wait_for_set(set, deadline, &info);
	if (!signo)
		return signal_is_deliverable(thread_current()) ? -EINTR : -EAGAIN;
	siginfo_to_linux(&out, &info);
	if (a->arg[1] && user_copy_out(a->arg[1], &out, sizeof(out)))
		return -EFAULT;
	return signo;
}

/* ------------------------------------------------------------------ sending */
long sys_kill(const struct sysargs *a)
{
	int32_t pid = sysarg_int(a, 0), signo = sysarg_int(a, 1);
	struct signal_info info = {
		.signo = signo,
		.code = SI_USER,
		.pid = PROCESS_PID,
		.uid = (int32_t)cred_current()->uid,
	};

	if (signo && !is_signal(signo))
		return -EINVAL;
	/* 0: the process group, which is this process alone. -1: all others, of which there are
	 * none; it is the group's number too, but Linux takes it as "all". */
	if (pid != PROCESS_PID && pid != 0)
		return -ESRCH;
	return signo ? signal_send_process(&info) : 0;
}

static long send_to_thread(int32_t tid, int32_t signo)
{
	struct signal_info info = {
		.signo = signo,
		.code = SI_TKILL,
		.pid = PROCESS_PID,
		.uid = (int32_t)cred_current()->uid,
	};

	if (tid <= 0 || (signo && !is_signal(signo)))
		return -EINVAL;
	return signal_send_tid(tid, &info);
}

long sys_tkill(const struct sysargs *a)
{
	return send_to_thread(sysarg_int(a, 0), sysarg_int(a, 1));
}

long sys_tgkill(const struct sysargs *a)
{
	int32_t pid = sysarg_int(a, 0);

	if (pid <= 0)
		return -EINVAL;
	if (pid != PROCESS_PID)
		return -ESRCH;
	return send_to_thread(sysarg_int(a, 1), sysarg_int(a, 2));
}

/* Linux reads so much of a siginfo_t; what follows must be 0 where it does not know the code. */
enum { INFO_BYTES = 48, CODES_POLL = 6, CODE_LAST = -7, CODE_ASYNCNL = -60 };

static int most_codes(int32_t signo)
{
	switch (signo) {
	case SIGILL:
		return NSIGILL;
	case SIGFPE:
		return NSIGFPE;
	case SIGSEGV:
		return NSIGSEGV;
	case SIGBUS:
		return NSIGBUS;
	case SIGTRAP:
		return NSIGTRAP;
	case SIGCHLD:
		return NSIGCHLD;
	case SIGSYS:
		return NSIGSYS;
	default:
		return CODES_POLL;
	}
}

static bool is_known_code(int32_t signo, int32_t code)
{
	if (code > 0)
		return code == SI_KERNEL || code <= most_codes(signo);
	return code >= CODE_LAST || code == CODE_ASYNCNL;
}

/* -E2BIG: there is more than this kernel knows. */
static int check_rest(uaddr_t ua)
{
	uint64_t rest[(sizeof(siginfo_t) - INFO_BYTES) / sizeof(uint64_t)];

	if (user_copy_in(rest, ua + INFO_BYTES, sizeof(rest)))
		return -EFAULT;
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		if (rest[i])
			return -E2BIG;
	return 0;
}

static int load_siginfo(struct signal_info *out, int32_t signo, uaddr_t ua)
{
	siginfo_t in;
	int err = 0;

	if (user_copy_in(&in, ua, INFO_BYTES))
		return -EFAULT;
	if (!is_known_code(signo, in.si_code))
		err = check_rest(ua);
	if (err)
		return err;
	*out = (struct signal_info){ .signo = signo, .code = in.si_code, .error = in.si_errno };
	out->value = (uint64_t)in._sifields._rt._sigval.sival_ptr;
	if (in.si_code == SI_TIMER) { /* where others have pid and uid */
		out->timer_id = in._sifields._timer._tid;
		out->overrun = in._sifields._timer._overrun;
	} else {
		out->pid = in._sifields._rt._pid;
		out->uid = (int32_t)in._sifields._rt._uid;
	}
	return 0;
}

/* To be the kernel, or kill: only the thread itself may be told so. */
static bool pretends(const struct signal_info *info)
{
	return info->code >= 0 || info->code == SI_TKILL;
}

long sys_rt_sigqueueinfo(const struct sysargs *a)
{
	int32_t signo = sysarg_int(a, 1);
	struct signal_info info;
	int err = load_siginfo(&info, signo, a->arg[2]);

	if (err)
		return err;
	if (pretends(&info) && sysarg_int(a, 0) != thread_current()->tid)
		return -EPERM;
	if (sysarg_int(a, 0) != PROCESS_PID)
		return -ESRCH;
	if (signo && !is_signal(signo))
		return -EINVAL;
	return signo ? signal_send_process(&info) : 0;
}

long sys_rt_tgsigqueueinfo(const struct sysargs *a)
{
	int32_t tid = sysarg_int(a, 1), signo = sysarg_int(a, 2);
	struct signal_info info;
	int err = load_siginfo(&info, signo, a->arg[3]);

	if (err)
		return err;
	if (sysarg_int(a, 0) <= 0 || tid <= 0 || (signo && !is_signal(signo)))
		return -EINVAL;
	if (pretends(&info) && tid != thread_current()->tid)
		return -EPERM;
	if (sysarg_int(a, 0) != PROCESS_PID)
		return -ESRCH;
	return signal_send_tid(tid, &info);
}
