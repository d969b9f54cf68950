/*
 * dispatch_priv.h: the table of system calls, for dispatch.c and strace.c.
 */
#pragma once

#include "abi/linux/sysargs.h"

enum { SYSCALLS_END = 512 }; /* numbers from here on are no calls */

struct syscall_entry {
	const char *name; /* NULL: not in the table */
	const char *args; /* argument kinds, see syscalls.def; NULL for ERRNO lines */
	long (*handler)(const struct sysargs *a); /* NULL for ERRNO lines */
	int error; /* positive; ERRNO lines */
};

struct syscall_trace {
	const struct syscall_entry *entry;
	uint64_t start_ns;
	struct sysargs args; /* as they were at the call */
};

/* Boot: entries by number. Kinds of arguments that nobody can show are an ASSERT. */
void strace_init(const struct syscall_entry *entries, size_t count);
/* True when calls of that number are traced. */
bool strace_wants(uint64_t number);
/* Around a call; the line is written by strace_leave, or before calls that do not return. */
void strace_enter(struct syscall_trace *t, const struct syscall_entry *e, const struct sysargs *a);
void strace_leave(const struct syscall_trace *t, long result);
void strace_signal(int signo, int code, uint64_t addr);
const char *linux_error_name(int error); /* positive; NULL: none of that number */
