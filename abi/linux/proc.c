/*
 * proc.c: what the program can read about its calls: /proc/gosolo and /proc/self/auxv.
 *
 * What:       /proc/gosolo/syscalls has one line "NAME COUNT calls" per system call that was made.
 * Invariants: none.
 * Locking:    none; generators may sleep.
 * Failure:    -ENOMEM.
 * Source:     fs/proc.h.
 */
#include "fs/proc.h"

#include "abi/linux/start.h"
#include "abi/linux/start_priv.h"

static void add_line(const char *text, void *arg)
{
	proc_print(arg, "%s\n", text);
}

static void make_syscalls(struct proc_text *t)
{
	syscalls_report(add_line, t);
}

int linux_proc_init(void)
{
	size_t bytes;
	const void *auxv = linux_auxv(&bytes);
	int err = proc_set_auxv(auxv, bytes);

	if (!err)
		err = proc_register("gosolo/syscalls", make_syscalls);
	return err;
}
