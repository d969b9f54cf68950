/*
 * sys_misc.c: who and where the program is: identity, limits, usage, names, randomness.
 *
 * What:       one process, number 1, that is its own session and group; that cannot change. What
 *             would need another process or another kernel says so.
 * Invariants: (1) no call answers success for a change that is not made.
 * Locking:    none.
 * Failure:    -EPERM for changes that this machine cannot make, -EINVAL for what it does not know.
 * Source:     section 2 of the manual, call by call; go-linux ABI: uname must parse as 5.3 or
 *             later.
 */
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/time_types.h>
#include <linux/utsname.h>

#include "abi/linux/cred_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/units.h"
#include "kernel/entropy.h"
#include "kernel/mm/pmm.h"
#include "kernel/mm/vm.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/sched/cputime.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/stats.h"
#include "kernel/time/clock.h"
#include "kernel/uio.h"
#include "lib/string.h"

/* ------------------------------------------------------------------ identity */
long sys_getpid(const struct sysargs *a unused_arg)
{
	return PROCESS_PID;
}

long sys_getppid(const struct sysargs *a unused_arg)
{
	return PROCESS_PPID;
}

static bool is_self(int32_t pid)
{
	return pid == 0 || pid == PROCESS_PID;
}

long sys_getpgrp(const struct sysargs *a unused_arg)
{
	return PROCESS_PID;
}

long sys_getpgid(const struct sysargs *a)
{
	return is_self(sysarg_int(a, 0)) ? PROCESS_PID : -ESRCH;
}

long sys_getsid(const struct sysargs *a)
{
	return is_self(sysarg_int(a, 0)) ? PROCESS_PID : -ESRCH;
}

/* ------------------------------------------------------------------ names */
long sys_uname(const struct sysargs *a)
{
	struct new_utsname u = {
		.sysname = "Linux",
		.release = "6.1.0-gosolo",
		.version = "#1 SMP gosolo " GOSOLO_VERSION,
		.machine = "x86_64",
		.domainname = "(none)",
	};

	strlcpy(u.nodename, options.hostname, sizeof(u.nodename));
	return user_copy_out(a->arg[0], &u, sizeof(u));
}

static long set_name(uaddr_t ua)
{
	struct thread *t = thread_current();
	char name[sizeof(t->name)];
	long n = user_copy_str(name, ua, sizeof(name));

	if (n < 0 && n != -ENAMETOOLONG)
		return n;
	name[sizeof(name) - 1] = '\0';
	strlcpy(t->name, name, sizeof(t->name));
	return 0;
}

long sys_prctl(const struct sysargs *a)
{
	struct thread *t = thread_current();

	switch (sysarg_int(a, 0)) {
	case PR_SET_NAME:
		return set_name(a->arg[1]);
	case PR_GET_NAME:
		return user_copy_out(a->arg[1], t->name, sizeof(t->name));
	case PR_SET_TIMERSLACK:
		t->slack_ns = a->arg[1] ? a->arg[1] : t->slack_default_ns;
		return 0;
	case PR_GET_TIMERSLACK:
		return (long)MIN(t->slack_ns, (uint64_t)INT64_MAX);
	case PR_GET_DUMPABLE: /* there are no core dumps and no tracers */
	case PR_GET_SECCOMP:
		return 0;
	default: /* PR_SET_VMA among them: Go then stops naming its mappings */
		return linux_prctl_cred(a);
	}
}

long sys_personality(const struct sysargs *a)
{
	return (uint32_t)a->arg[0] == UINT32_MAX || !a->arg[0] ? 0 : -EINVAL;
}

/* ------------------------------------------------------------------ usage */
long sys_getrusage(const struct sysargs *a)
{
	int32_t who = sysarg_int(a, 0);
	struct vm_stats vm;
	struct cputime cpu = { 0 };
	struct rusage r;

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return -EINVAL;
	memset(&r, 0, sizeof(r));
	if (who != RUSAGE_CHILDREN) {
		cpu = who == RUSAGE_SELF ? cputime_of_process()
					 : cputime_of_thread(thread_current());
		vm_get_stats(&vm);
		r.ru_maxrss = (long)(vm.resident_pages * (PAGE_SIZE / KIB));
	}
	if (who == RUSAGE_SELF) {
		r.ru_minflt = (long)stat_sum(STAT_page_faults);
		r.ru_nvcsw = (long)stat_sum(STAT_context_switches);
	}
	r.ru_utime.tv_sec = (long)(cpu.user_ns / NS_PER_S);
	r.ru_utime.tv_usec = (long)(cpu.user_ns % NS_PER_S / NS_PER_US);
	r.ru_stime.tv_sec = (long)(cpu.system_ns / NS_PER_S);
	r.ru_stime.tv_usec = (long)(cpu.system_ns % NS_PER_S / NS_PER_US);
	return user_copy_out(a->arg[1], &r, sizeof(r));
}

long sys_sysinfo(const struct sysargs *a)
{
	struct sysinfo s;

	memset(&s, 0, sizeof(s));
	s.uptime = (long)(clock_now_ns() / NS_PER_S);
	s.totalram = pmm_total_pages() * PAGE_SIZE;
	s.freeram = pmm_free_pages() * PAGE_SIZE;
	s.procs = (uint16_t)MIN(thread_count(), UINT16_MAX);
	s.mem_unit = 1;
	return user_copy_out(a->arg[0], &s, sizeof(s));
}

/* ------------------------------------------------------------------ randomness */
long sys_getrandom(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[2];
	uint64_t bytes = MIN(a->arg[1], (uint64_t)INT32_MAX), done = 0;
	struct uio_range range = { a->arg[0], bytes };
	uint8_t chunk[256];
	struct uio u;
	long moved = 0;

	if (flags & ~(uint32_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
		(flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if (!user_can_be(range.base, range.bytes))
		return -EFAULT;
	uio_init_range(&u, &range);
	while (done < bytes) {
		uint64_t n = MIN(bytes - done, sizeof(chunk));

		entropy_fill(chunk, n);
		moved = uio_copy_to(&u, chunk, n);
		if (moved < 0)
			break;
		done += (uint64_t)moved;
		if ((uint64_t)moved < n)
			break;
		if (done < bytes) {
			sched_relax(); /* gigabytes take a while */
			if (signal_is_deliverable(thread_current()))
				break;
		}
	}
	memset(chunk, 0, sizeof(chunk));
	compiler_barrier();
	return done || moved >= 0 ? (long)done : moved;
}
