/*
 * proc.c: what the program can read about its calls: /proc/gosolo, /proc/self/auxv and limits.
 *
 * What:       /proc/gosolo/calls has one line per system call that was made: syscalls_report.
 * Invariants: none.
 * Locking:    none; generators may sleep.
 * Failure:    -ENOMEM.
 * Source:     fs/proc.h.
 */
#include "fs/proc.h"

#include "abi/linux/limits_priv.h"
#include "abi/linux/start.h"
#include "abi/linux/start_priv.h"

static void add_line(const char *text, void *arg)
{
	proc_print(arg, "%s\n", text);
}

static void make_calls(struct proc_text *t)
{
	syscalls_report(add_line, t);
}

int linux_proc_init(void)
{
	size_t bytes;
	const void *auxv = linux_auxv(&bytes);
	static const struct proc_file files[] = {
		{ .path = "gosolo/calls", .generate = make_calls },
		{ .path = "1/limits", .generate = linux_make_limits },
	};
	static struct proc_table table = { files, ARRAY_LEN(files), NULL };

	proc_add(&table);
	return proc_set_auxv(auxv, bytes);
}
