/*
 * sysargs.h: how a system-call handler gets its arguments, and the handlers' prototypes.
 *
 * Linux passes 32-bit arguments with undefined upper halves (Go zero-extends AT_FDCWD), so int
 * arguments are read through sysarg_int.
 */
#pragma once

#include "arch/arch.h"
#include "base/compiler.h"
#include "base/errno.h"
#include "base/types.h"

struct sysargs {
	uint64_t arg[6]; /* RDI RSI RDX R10 R8 R9 */
	struct trapframe *frame; /* the caller's registers: for clone, rt_sigreturn, sigaltstack */
};

static inline int32_t sysarg_int(const struct sysargs *a, unsigned i)
{
	return (int32_t)a->arg[i];
}

/* One prototype per handler, from the table: long sys_NAME(const struct sysargs *a). A handler
 * decodes first (may fail, changes nothing), then acts. Result: >= 0, or -errno. */
#define SYSCALL(number, name, args, support, note) long sys_##name(const struct sysargs *a);
#define ERRNO(number, name, error, note)
#include "abi/linux/syscalls.def"
#undef SYSCALL
#undef ERRNO
