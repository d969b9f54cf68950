/*
 * sigframe_priv.h: the signal frame on the program's stack, as Linux on x86-64 lays it out.
 *
 * Source: Linux arch/x86/include/asm/sigframe.h by way of the ABI: asm/sigcontext.h,
 *         asm/ucontext.h,
 * asm/siginfo.h (linux-libc-dev). Go reads uc_mcontext at 40 of the ucontext.
 */
#pragma once

#include <asm/siginfo.h>
#include <asm/signal.h>

#include <asm/sigcontext.h>
#include <asm/ucontext.h>

#include "base/assert.h"
#include "base/types.h"

struct sigframe {
	uint64_t pretcode; /* the handler's return address: sa_restorer */
	struct ucontext uc;
	siginfo_t info;
	/* vector state: 64-byte aligned, somewhere above */
};

enum {
	SIGFRAME_RED_ZONE = 128, /* below RSP the program may keep data */
	SIGFRAME_FPU_ALIGN = 64,
	SIGFRAME_MAGIC2_BYTES = 4,
};

STATIC_ASSERT(sizeof(struct ucontext) == 304, "ucontext");
STATIC_ASSERT(sizeof(siginfo_t) == 128, "siginfo");
STATIC_ASSERT(sizeof(struct sigframe) == 440, "rt_sigframe");
STATIC_ASSERT(__builtin_offsetof(struct ucontext, uc_mcontext) == 40, "Go: uc_mcontext");
STATIC_ASSERT(__builtin_offsetof(struct ucontext, uc_sigmask) == 296, "ucontext");
STATIC_ASSERT(__builtin_offsetof(struct sigcontext, rsp) == 120, "Go: rsp");
STATIC_ASSERT(__builtin_offsetof(struct sigcontext, rip) == 128, "Go: rip");
STATIC_ASSERT(__builtin_offsetof(struct sigcontext, eflags) == 136, "Go: eflags");
STATIC_ASSERT(__builtin_offsetof(struct sigcontext, cs) == 144, "Go: cs");
STATIC_ASSERT(__builtin_offsetof(struct sigcontext, fpstate) == 184, "Go: fpstate");
STATIC_ASSERT(__builtin_offsetof(siginfo_t, si_addr) == 16, "Go: si_addr");

struct thread;
struct trapframe;
struct signal_info;

/* The altstack, for sys_signal.c and sigframe.c. */
bool altstack_holds(const struct thread *t, uint64_t sp);
/* As sigaltstack(2) with a new stack: -EPERM while on it, -EINVAL, -ENOMEM. */
int altstack_set(struct thread *t, const stack_t *st, uint64_t sp);
/* Loads the registers, mask, altstack and vector state of the frame below tf's stack pointer.
 * -EFAULT: it is not one that may be loaded; tf is unchanged. */
int sigframe_load(struct trapframe *tf);
void siginfo_to_linux(siginfo_t *out, const struct signal_info *in);
