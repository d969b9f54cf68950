/*
 * proc.c: what the program can read about its calls: /proc/gosolo and /proc/self/auxv.
 *
 * What:       /proc/gosolo/syscalls has one line "NAME COUNT calls" per system call that was made;
 *             /proc/gosolo/stats the kernel's counters, "NAME COUNT".
 * Invariants: none.
 * Locking:    none; generators may sleep.
 * Failure:    -ENOMEM.
 * Source:     fs/proc.h; kernel/stats.h.
 */
#include "fs/proc.h"

#include "abi/linux/start.h"
#include "abi/linux/start_priv.h"
#include "kernel/stats.h"

static void add_line(const char *text, void *arg)
{
	proc_print(arg, "%s\n", text);
}

static void make_syscalls(struct proc_text *t)
{
	syscalls_report(add_line, t);
}

static void make_stats(struct proc_text *t)
{
	for (int i = 0; i < STAT_COUNT; i++)
		proc_print(t, "%s %llu\n", stat_name((enum stat)i),
			(unsigned long long)stat_sum((enum stat)i));
}

int linux_proc_init(void)
{
	size_t bytes;
	const void *auxv = linux_auxv(&bytes);
	int err = proc_set_auxv(auxv, bytes);

	if (!err)
		err = proc_register("gosolo/syscalls", make_syscalls);
	if (!err)
		err = proc_register("gosolo/stats", make_stats);
	return err;
}
