/*
 * sigframe.c: entering a handler, and coming back.
 *
 * What:       the interrupted registers, mask and vector state go to the program's stack, where
 *             Linux would put them; rt_sigreturn loads them again.
 *
 *               higher   interrupted stack, or the altstack's top
 *                        vector state (XSAVE, standard format), 64-byte aligned, then MAGIC2
 *               lower    struct sigframe, 8 below a multiple of 16      <- RSP in the handler
 *
 * Invariants: (1) what rt_sigreturn loads is checked as if an enemy had written it: flags by a mask
 *             with IF forced on, the kernel's own selectors, canonical RIP, a vector state that
 *             XRSTOR takes. (2) nothing is changed before all has been checked. (3) a handler
 *             begins with initial vector state, as on Linux.
 * Locking:    none; the frame is the program's memory, so this may sleep.
 * Failure:    -EFAULT: no room for the frame, or a frame that is not good.
 * Source:     Linux arch/x86/kernel/signal.c and fpu/signal.c as the ABI shows them; Intel SDM 1
 *             13.4.
 */
#include "abi/linux/sigframe_priv.h"

#include <linux/signal.h>

#include "abi/linux/dispatch_priv.h"
#include "arch/arch.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "kernel/options.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"
#include "lib/string.h"

enum {
	FXSAVE_BYTES = 512,
	FXSAVE_MXCSR = 24,
	FXSAVE_MXCSR_MASK = 28,
	FXSAVE_ST = 32, /* eight x87 registers, then sixteen XMM */
	FXSAVE_XMM = 160,
	FXSAVE_XMM_END = 416,
	FXSAVE_SW = 464, /* bytes that the CPU leaves to software */
	XSAVE_HEADER = 512, /* XSTATE_BV, XCOMP_BV, six words that are zero */
	XSAVE_HEADER_WORDS = 8,
	XSAVE_HEADER_END = 576,
	XSTATE_X87 = 1,
	XSTATE_SSE = 2,
	DEFAULT_MXCSR_MASK = 0xffbf,
	DEFAULT_FCW = 0x37f,
	VECTOR_PAGE_FAULT = 14,
	PF_PRESENT = 1, /* SDM 3A 4.7 */
	PF_USER = 4,
	LINUX_USER_CS = 0x33,
	LINUX_USER_DS = 0x2b,
	FLAG_DF = 1 << 10,
	FLAG_RF = 1 << 16,
	NO_CALL = -1,
};

static struct {
	_Atomic uint32_t mxcsr_mask; /* [a] bits that may be set; 0: no state was saved yet */
} sigframe;

STATIC_ASSERT(sizeof(struct _fpx_sw_bytes) == FXSAVE_BYTES - FXSAVE_SW, "sw_reserved");

static uint64_t *header_of(void *area)
{
	return (uint64_t *)(void *)((char *)area + XSAVE_HEADER);
}

/* ------------------------------------------------------------------ altstack */
bool altstack_holds(const struct thread *t, uint64_t sp)
{
	if (t->altstack_flags & SS_AUTODISARM)
		return false;
	return sp > t->altstack_ua && sp - t->altstack_ua <= t->altstack_bytes;
}

int altstack_set(struct thread *t, const stack_t *st, uint64_t sp)
{
	uint32_t flags = (uint32_t)st->ss_flags, mode = flags & ~SS_AUTODISARM;

	if (altstack_holds(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode != SS_DISABLE && st->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	t->altstack_flags = flags;
	t->altstack_ua = mode == SS_DISABLE ? 0 : (uint64_t)st->ss_sp;
	t->altstack_bytes = mode == SS_DISABLE ? 0 : st->ss_size;
	return 0;
}

/* ------------------------------------------------------------------ entering */
void siginfo_to_linux(siginfo_t *out, const struct signal_info *in)
{
	memset(out, 0, sizeof(*out));
	out->si_signo = in->signo;
	out->si_errno = in->error;
	out->si_code = in->code;
	if (in->code == SI_TIMER) {
		out->_sifields._timer._tid = in->timer_id;
		out->_sifields._timer._overrun = in->overrun;
		out->_sifields._timer._sigval.sival_ptr = (void *)in->value;
	} else if (in->code > 0) {
		out->si_addr = (void *)in->addr;
	} else {
		out->_sifields._rt._pid = in->pid;
		out->_sifields._rt._uid = (__kernel_uid32_t)in->uid;
		out->_sifields._rt._sigval.sival_ptr = (void *)in->value;
	}
}

static void fill_registers(struct sigcontext *sc, const struct trapframe *tf,
	const struct signal_info *info)
{
	*sc = (struct sigcontext){
		.r8 = tf->r8,
		.r9 = tf->r9,
		.r10 = tf->r10,
		.r11 = tf->r11,
		.r12 = tf->r12,
		.r13 = tf->r13,
		.r14 = tf->r14,
		.r15 = tf->r15,
		.rdi = tf->rdi,
		.rsi = tf->rsi,
		.rbp = tf->rbp,
		.rbx = tf->rbx,
		.rdx = tf->rdx,
		.rax = tf->rax,
		.rcx = tf->rcx,
		.rsp = tf->rsp,
		.rip = tf->rip,
		.eflags = tf->rflags,
		/* (1) only shown; rt_sigreturn does not load them */
		.cs = LINUX_USER_CS,
		.ss = LINUX_USER_DS,
	};
	if (tf->vector < TRAP_IRQ_FIRST) {
		sc->trapno = tf->vector;
		sc->err = tf->error;
	}
	if (tf->vector == VECTOR_PAGE_FAULT) {
		sc->cr2 = info->addr;
		/* as the CPU says in user mode; Linux tells nothing of what lies above */
		sc->err |= PF_USER | (info->addr >= ARCH_USER_END ? PF_PRESENT : 0);
	}
}

/* Components in their initial state are not written by XSAVEOPT: what a handler may look at is. */
static void complete_area(char *area)
{
	uint64_t *header = header_of(area);

	if (!(header[0] & XSTATE_X87)) {
		memset(area, 0, FXSAVE_MXCSR);
		*(uint16_t *)(void *)area = DEFAULT_FCW;
		memset(area + FXSAVE_ST, 0, FXSAVE_XMM - FXSAVE_ST);
	}
	if (!(header[0] & XSTATE_SSE))
		memset(area + FXSAVE_XMM, 0, FXSAVE_XMM_END - FXSAVE_XMM);
	header[0] |= XSTATE_X87 | XSTATE_SSE;
}

static int store_fpu(struct thread *t, uint64_t to)
{
	size_t bytes = arch_fpu_bytes();
	char *area = t->arch.fpu;
	struct _fpx_sw_bytes sw = { 0 };
	uint32_t mxcsr_mask;

	arch_fpu_save_now(&t->arch);
	memcpy(&mxcsr_mask, area + FXSAVE_MXCSR_MASK, sizeof(mxcsr_mask));
	atomic_store_explicit(&sigframe.mxcsr_mask, mxcsr_mask, memory_order_relaxed);
	if (bytes > FXSAVE_BYTES) {
		complete_area(area);
		sw.magic1 = FP_XSTATE_MAGIC1;
		sw.extended_size = (uint32_t)bytes + SIGFRAME_MAGIC2_BYTES;
		sw.xfeatures = arch_fpu_mask();
		sw.xstate_size = (uint32_t)bytes;
		if (user_store_u32(to + bytes, FP_XSTATE_MAGIC2))
			return -EFAULT;
	}
	memcpy(area + FXSAVE_SW, &sw, sizeof(sw)); /* the CPU ignores it when it loads the area */
	return user_copy_out(to, area, bytes);
}

static void reset_fpu(struct thread *t)
{
	arch_fpu_init_area(t->arch.fpu); /* (3) */
	arch_fpu_reload(&t->arch);
}

/* Where frame and vector state go. -EFAULT: the altstack is too small. */
static int place_frame(const struct thread *t, const struct trapframe *tf, bool use_altstack,
	uint64_t *frame, uint64_t *fpu)
{
	uint64_t sp = tf->rsp;
	bool on_altstack = altstack_holds(t, sp), enters = false;

	if (use_altstack && t->altstack_bytes && !on_altstack) {
		sp = t->altstack_ua + t->altstack_bytes;
		enters = true;
	} else {
		sp -= SIGFRAME_RED_ZONE;
	}
	*fpu = ROUND_DOWN(sp - arch_fpu_bytes() - SIGFRAME_MAGIC2_BYTES,
		(uint64_t)SIGFRAME_FPU_ALIGN);
	*frame = ROUND_DOWN(*fpu - sizeof(struct sigframe), 16ul) - 8;
	/* A frame that left the altstack would run over whatever lies below it. */
	if ((on_altstack || enters) && (*frame <= t->altstack_ua || *frame > sp))
		return -EFAULT;
	return 0;
}

static void fill_frame(struct sigframe *f, const struct thread *t, const struct trapframe *tf,
	const struct signal_info *info, const struct signal_action *act)
{
	memset(f, 0, sizeof(*f));
	f->pretcode = act->restorer;
	f->uc.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	if (arch_fpu_bytes() > FXSAVE_BYTES)
		f->uc.uc_flags |= UC_FP_XSTATE;
	f->uc.uc_stack.ss_sp = (void *)t->altstack_ua;
	f->uc.uc_stack.ss_flags = (int)(t->altstack_bytes ? t->altstack_flags : SS_DISABLE);
	f->uc.uc_stack.ss_size = t->altstack_bytes;
	fill_registers(&f->uc.uc_mcontext, tf, info);
	siginfo_to_linux(&f->info, info);
}

int linux_deliver_signal(struct trapframe *tf, const struct signal_info *info,
	const struct signal_action *act, uint64_t mask_to_save)
{
	struct thread *t = thread_current();
	struct sigframe f;
	uint64_t at, fpu;

	if (options.strace)
		strace_signal(info->signo, info->code, info->addr);
	if (act->handler >= ARCH_USER_END || place_frame(t, tf, act->flags & SA_ONSTACK, &at, &fpu))
		return -EFAULT;
	fill_frame(&f, t, tf, info, act);
	f.uc.uc_sigmask = mask_to_save;
	f.uc.uc_mcontext.oldmask = mask_to_save;
	f.uc.uc_mcontext.fpstate = (void *)fpu;
	if (store_fpu(t, fpu) || user_copy_out(at, &f, sizeof(f)))
		return -EFAULT;
	reset_fpu(t);
	if (t->altstack_flags & SS_AUTODISARM) {
		t->altstack_ua = t->altstack_bytes = 0;
		t->altstack_flags = SS_DISABLE;
	}
	tf->rdi = (uint64_t)info->signo;
	tf->rsi = at + __builtin_offsetof(struct sigframe, info);
	tf->rdx = at + __builtin_offsetof(struct sigframe, uc);
	tf->rax = 0; /* for handlers without prototype: no vector arguments */
	tf->rsp = at;
	tf->rip = act->handler;
	tf->rflags &= ~(FLAG_DF | FLAG_RF | RFLAGS_TF);
	tf->error = (uint64_t)NO_CALL;
	return 0;
}

/* ------------------------------------------------------------------ coming back */

/* The program's own description of the area: its length, or 0 when only the first 512 bytes
 * count. */
static size_t extended_bytes(const struct _fpx_sw_bytes *sw, uint64_t from, size_t bytes)
{
	uint32_t magic2;

	if (sw->magic1 != FP_XSTATE_MAGIC1 || sw->xstate_size < XSAVE_HEADER_END ||
		sw->xstate_size > bytes || sw->extended_size < sw->xstate_size)
		return 0;
	if (user_load_u32(&magic2, from + sw->xstate_size) || magic2 != FP_XSTATE_MAGIC2)
		return 0;
	return sw->xstate_size;
}

/* (1) XRSTOR faults on what this refuses. */
static int check_header(uint64_t *header, uint64_t xfeatures)
{
	if (header[0] & ~arch_fpu_mask())
		return -EFAULT;
	for (unsigned i = 1; i < XSAVE_HEADER_WORDS; i++)
		if (header[i])
			return -EFAULT;
	header[0] &= xfeatures;
	return 0;
}

static void mask_mxcsr(char *area)
{
	uint32_t mask = atomic_load_explicit(&sigframe.mxcsr_mask, memory_order_relaxed), mxcsr;

	memcpy(&mxcsr, area + FXSAVE_MXCSR, sizeof(mxcsr));
	mxcsr &= mask ? mask : DEFAULT_MXCSR_MASK;
	memcpy(area + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

/* Copies the program's area into area, arch_fpu_bytes() long, and makes it fit to be loaded. */
static int fetch_fpu(char *area, uint64_t from)
{
	size_t bytes = arch_fpu_bytes(), extended;
	struct _fpx_sw_bytes sw;

	memset(area, 0, bytes);
	if (user_copy_in(area, from, FXSAVE_BYTES))
		return -EFAULT;
	mask_mxcsr(area);
	if (bytes == FXSAVE_BYTES)
		return 0;
	memcpy(&sw, area + FXSAVE_SW, sizeof(sw));
	extended = extended_bytes(&sw, from, bytes);
	if (!extended) {
		header_of(area)[0] = XSTATE_X87 | XSTATE_SSE;
		return 0;
	}
	if (user_copy_in(area + FXSAVE_BYTES, from + FXSAVE_BYTES, extended - FXSAVE_BYTES))
		return -EFAULT;
	return check_header(header_of(area), sw.xfeatures);
}

static void load_registers(struct trapframe *tf, const struct sigcontext *sc)
{
	tf->r8 = sc->r8;
	tf->r9 = sc->r9;
	tf->r10 = sc->r10;
	tf->r11 = sc->r11;
	tf->r12 = sc->r12;
	tf->r13 = sc->r13;
	tf->r14 = sc->r14;
	tf->r15 = sc->r15;
	tf->rdi = sc->rdi;
	tf->rsi = sc->rsi;
	tf->rbp = sc->rbp;
	tf->rbx = sc->rbx;
	tf->rdx = sc->rdx;
	tf->rax = sc->rax;
	tf->rcx = sc->rcx;
	tf->rsp = sc->rsp;
	tf->rip = sc->rip;
	tf->rflags = (tf->rflags & ~RFLAGS_PROGRAM_MASK) | (sc->eflags & RFLAGS_PROGRAM_MASK) |
		RFLAGS_IF; /* (1) cs and ss stay what they are */
	tf->error = (uint64_t)NO_CALL;
}

int sigframe_load(struct trapframe *tf)
{
	struct thread *t = thread_current();
	uint64_t fpu_ua;
	struct sigframe f;
	char *area;
	int err;

	/* The handler's return has taken pretcode off the stack. */
	if (user_copy_in(&f, tf->rsp - sizeof(f.pretcode), sizeof(f)))
		return -EFAULT;
	if (f.uc.uc_mcontext.rip >= ARCH_USER_END)
		return -EFAULT;
	/* (2) A copy: copying from the program may sleep, and a switch overwrites t's area. */
	area = kmem_alloc(arch_fpu_bytes());
	if (!area)
		return -ENOMEM;
	fpu_ua = (uint64_t)f.uc.uc_mcontext.fpstate;
	err = fpu_ua ? fetch_fpu(area, fpu_ua) : 0;
	if (!err) {
		if (fpu_ua)
			memcpy(t->arch.fpu, area, arch_fpu_bytes());
		else
			arch_fpu_init_area(t->arch.fpu);
		arch_fpu_reload(&t->arch);
		load_registers(tf, &f.uc.uc_mcontext);
		signal_set_mask(f.uc.uc_sigmask);
		(void)altstack_set(t, &f.uc.uc_stack, tf->rsp); /* as Linux: a bad one is ignored */
	}
	kmem_free(area);
	return err;
}
