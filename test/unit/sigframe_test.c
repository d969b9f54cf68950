/* sources: abi/linux/sigframe.c test/unit/shim/host.c test/unit/shim/host_kmem.c */
/*
 * sigframe_test.c: the signal frame: laid out as on Linux, loaded back exactly, never believed.
 *
 * What:       delivers to a stack of the test's, reads the frame through libc's own types, returns
 *             from it, then forges every field that rt_sigreturn must check.
 * Invariants: none of its own.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     sigreturn(2), sigaltstack(2); libc's ucontext_t and siginfo_t; Intel SDM 1 13.4.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include "abi/linux/dispatch_priv.h"
#include "arch/arch.h"
#include "base/errno.h"
#include "host.h"
#include "kernel/options.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"

/* abi/linux/sigframe_priv.h, whose kernel types clash with libc's */
bool altstack_holds(const struct thread *t, uint64_t sp);
int altstack_set(struct thread *t, const stack_t *st, uint64_t sp);
int sigframe_load(struct trapframe *tf);

enum {
	XSAVE_BYTES = 832,
	STACK_BYTES = 64 << 10,
	MASK = 7,
	HANDLER = 0x401000,
	RESTORER = 0x402000
};

struct options options;
extern struct cpu host_cpus[2];

static struct {
	struct thread thread;
	char area[2688] aligned_to(64);
	size_t area_bytes;
	char stack[STACK_BYTES] aligned_to(64);
	char altstack[STACK_BYTES] aligned_to(64);
	uint64_t mask; /* last signal_set_mask */
	unsigned reloads;
	uint64_t bad_start, bad_end; /* addresses that fault */
} t;

/* ------------------------------------------------------------------ the kernel's surroundings */
static bool is_bad(uint64_t addr, size_t n)
{
	return addr < 0x10000 || addr >= ARCH_USER_END ||
		(addr < t.bad_end && addr + n > t.bad_start);
}

int user_copy_in(void *dst, uaddr_t src, size_t n)
{
	if (is_bad(src, n))
		return -EFAULT;
	memcpy(dst, (const void *)src, n);
	return 0;
}

int user_copy_out(uaddr_t dst, const void *src, size_t n)
{
	if (is_bad(dst, n))
		return -EFAULT;
	memcpy((void *)dst, src, n);
	return 0;
}

int user_load_u32(uint32_t *out, uaddr_t src)
{
	return user_copy_in(out, src, sizeof(*out));
}

int user_store_u32(uaddr_t dst, uint32_t v)
{
	return user_copy_out(dst, &v, sizeof(v));
}

size_t arch_fpu_bytes(void)
{
	return t.area_bytes;
}

uint64_t arch_fpu_mask(void)
{
	return t.area_bytes > 512 ? MASK : 3;
}

void arch_fpu_init_area(void *area)
{
	memset(area, 0, t.area_bytes);
	((uint32_t *)area)[6] = 0x1f80;
}

void arch_fpu_save_now(struct arch_thread *a)
{
	CHECK(a == &t.thread.arch); /* the area holds the registers already */
}

void arch_fpu_reload(struct arch_thread *a)
{
	CHECK(a == &t.thread.arch);
	t.reloads++;
}

void signal_set_mask(uint64_t mask)
{
	t.mask = mask;
}

void strace_signal(int signo, int code, uint64_t addr)
{
	(void)signo;
	(void)code;
	(void)addr;
}

/* ------------------------------------------------------------------ helpers */
static void fill_area(void)
{
	for (size_t i = 0; i < t.area_bytes; i++)
		t.area[i] = (char)(i * 7 + 1);
	((uint32_t *)(void *)t.area)[6] = 0x1fa0; /* MXCSR */
	((uint32_t *)(void *)t.area)[7] = 0xffff; /* its mask */
	if (t.area_bytes > 512) {
		memset(t.area + 512, 0, 64);
		t.area[512] = MASK;
	}
}

static struct trapframe start(size_t area_bytes)
{
	struct trapframe tf;

	for (size_t i = 0; i < sizeof(tf) / 8; i++)
		((uint64_t *)&tf)[i] = 0x1111111111111111ull * (i % 15 + 1);
	memset(t.stack, 0, sizeof(t.stack));
	t.area_bytes = area_bytes;
	t.thread = (struct thread){ .arch = { .fpu = t.area } };
	t.bad_start = t.bad_end = 0;
	host_cpus[0].current = &t.thread;
	fill_area();
	tf.vector = TRAP_CALL;
	tf.error = 1;
	tf.cs = 8;
	tf.ss = 16;
	tf.rip = 0x400123;
	tf.rflags = 0x246;
	tf.rsp = (uint64_t)t.stack + sizeof(t.stack) - 1000;
	return tf;
}

static int deliver(struct trapframe *tf, uint64_t flags)
{
	struct signal_info info = { .signo = SIGSEGV, .code = 2, .addr = 0xabcd };
	struct signal_action act = { HANDLER, flags | 0x04000000, RESTORER, 0 };

	return linux_deliver_signal(tf, &info, &act, 0x55aa);
}

static ucontext_t *context(const struct trapframe *in_handler)
{
	return (ucontext_t *)in_handler->rdx;
}

/* As the handler's return and the restorer do. */
static int come_back(struct trapframe *tf)
{
	CHECK_EQ(*(uint64_t *)tf->rsp, RESTORER);
	tf->rsp += 8;
	tf->vector = TRAP_CALL;
	tf->error = 15;
	return sigframe_load(tf);
}

/* ------------------------------------------------------------------ cases */
static void test_layout(size_t area_bytes)
{
	struct trapframe before = start(area_bytes), tf = before;
	const siginfo_t *info;
	const ucontext_t *uc;
	uint64_t fp;

	CHECK_EQ(deliver(&tf, SA_SIGINFO), 0);
	uc = context(&tf);
	info = (const siginfo_t *)tf.rsi;
	CHECK_EQ(tf.rip, HANDLER);
	CHECK_EQ(tf.rdi, SIGSEGV);
	CHECK_EQ(tf.rsp % 16, 8);
	CHECK_EQ(tf.rdx, tf.rsp + 8);
	CHECK_EQ(tf.rsi, tf.rsp + 8 + 304);
	CHECK_EQ(info->si_signo, SIGSEGV);
	CHECK_EQ(info->si_code, 2);
	CHECK_EQ((uint64_t)info->si_addr, 0xabcd);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_RIP], before.rip);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_RSP], before.rsp);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_EFL], before.rflags);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_R15], before.r15);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_RAX], before.rax);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_RDI], before.rdi);
	CHECK_EQ(uc->uc_stack.ss_flags, SS_DISABLE);
	CHECK_EQ(uc->uc_sigmask.__val[0], 0x55aa);
	fp = (uint64_t)uc->uc_mcontext.fpregs;
	CHECK_EQ(fp % 64, 0);
	CHECK(fp >= tf.rsp + 440 &&
		fp + area_bytes + 4 <= before.rsp - 128); /* red zone untouched */
	CHECK_EQ(uc->uc_mcontext.fpregs->mxcsr, 0x1fa0);
	CHECK_EQ(uc->uc_flags & 1, area_bytes > 512);
	if (area_bytes > 512) {
		CHECK_EQ(((uint32_t *)fp)[464 / 4], 0x46505853); /* FP_XSTATE_MAGIC1 */
		CHECK_EQ(((uint32_t *)fp)[464 / 4 + 1], area_bytes + 4);
		CHECK_EQ(((uint64_t *)fp)[464 / 8 + 1], MASK);
		CHECK_EQ(((uint32_t *)fp)[464 / 4 + 4], area_bytes);
		CHECK_EQ(((uint32_t *)fp)[area_bytes / 4], 0x46505845); /* FP_XSTATE_MAGIC2 */
	}
	CHECK_EQ(((uint32_t *)(void *)t.area)[6], 0x1f80); /* the handler's own state is initial */
}

static void test_round_trip(size_t area_bytes)
{
	struct trapframe before = start(area_bytes), tf = before;
	static char want[sizeof(t.area)];

	memcpy(want, t.area, area_bytes);
	CHECK_EQ(deliver(&tf, 0), 0);
	memset(&tf, 0x77, __builtin_offsetof(struct trapframe, vector)); /* what the handler left */
	tf.rflags = 0x202;
	CHECK_EQ(come_back(&tf), 0);
	CHECK_EQ(tf.error, -1ul);
	tf.error = before.error;
	CHECK(!memcmp(&tf, &before, sizeof(tf)));
	CHECK_EQ(t.mask, 0x55aa);
	CHECK(!memcmp(t.area, want, 464));
	CHECK(!memcmp(t.area + 512, want + 512, area_bytes - 512));
}

static struct trapframe forged(void (*forge)(ucontext_t *uc, char *fp), int expected)
{
	struct trapframe tf = start(XSAVE_BYTES), at_call;
	unsigned reloads;

	CHECK_EQ(deliver(&tf, 0), 0);
	forge(context(&tf), (char *)context(&tf)->uc_mcontext.fpregs);
	reloads = t.reloads;
	tf.rsp += 8;
	tf.rflags = 0x202;
	at_call = tf;
	CHECK_EQ(sigframe_load(&tf), expected);
	if (expected) { /* nothing has been changed */
		CHECK(!memcmp(&tf, &at_call, sizeof(tf)));
		CHECK_EQ(t.reloads, reloads);
	}
	return tf;
}

static void evil_flags(ucontext_t *uc, char *fp)
{
	(void)fp;
	uc->uc_mcontext.gregs[REG_EFL] = -1;
	uc->uc_mcontext.gregs[REG_CSGSFS] = -1;
}

static void no_flags(ucontext_t *uc, char *fp)
{
	(void)fp;
	uc->uc_mcontext.gregs[REG_EFL] = 0;
}

static void kernel_rip(ucontext_t *uc, char *fp)
{
	(void)fp;
	uc->uc_mcontext.gregs[REG_RIP] = (long long)0xffff888000200000ull;
}

static void bent_rip(ucontext_t *uc, char *fp)
{
	(void)fp;
	uc->uc_mcontext.gregs[REG_RIP] = (long long)0x800000000000ull;
}

static void unknown_feature(ucontext_t *uc, char *fp)
{
	(void)uc;
	fp[513] = 2; /* PKRU's bit: XRSTOR would fault */
}

static void compacted(ucontext_t *uc, char *fp)
{
	(void)uc;
	fp[527] = (char)0x80;
}

static void reserved_word(ucontext_t *uc, char *fp)
{
	(void)uc;
	fp[570] = 1;
}

static void evil_mxcsr(ucontext_t *uc, char *fp)
{
	(void)fp;
	uc->uc_mcontext.fpregs->mxcsr = UINT32_MAX;
}

static void bad_pointer(ucontext_t *uc, char *fp)
{
	(void)fp;
	uc->uc_mcontext.fpregs = (void *)0x1000;
}

static void no_state(ucontext_t *uc, char *fp)
{
	(void)fp;
	uc->uc_mcontext.fpregs = NULL;
}

static void no_magic(ucontext_t *uc, char *fp)
{
	(void)uc;
	memset(fp + 464, 0, 48);
}

static void no_magic2(ucontext_t *uc, char *fp)
{
	(void)uc;
	memset(fp + XSAVE_BYTES, 0, 4);
}

static void huge_size(ucontext_t *uc, char *fp)
{
	(void)uc;
	((uint32_t *)(void *)fp)[464 / 4 + 4] = 1u << 31;
}

static void test_forgeries(void)
{
	struct trapframe tf = forged(evil_flags, 0);

	CHECK_EQ(tf.rflags, (RFLAGS_PROGRAM_MASK | 0x202));
	CHECK(tf.cs == 8 && tf.ss == 16);
	tf = forged(no_flags, 0);
	CHECK(tf.rflags & RFLAGS_IF);
	forged(kernel_rip, -EFAULT);
	forged(bent_rip, -EFAULT);
	forged(unknown_feature, -EFAULT);
	forged(compacted, -EFAULT);
	forged(reserved_word, -EFAULT);
	forged(bad_pointer, -EFAULT);
	forged(evil_mxcsr, 0);
	CHECK_EQ(((uint32_t *)(void *)t.area)[6], 0xffff);
	forged(no_state, 0);
	CHECK_EQ(((uint32_t *)(void *)t.area)[6], 0x1f80);
	forged(no_magic, 0); /* the old 512 bytes only: the rest is initial */
	CHECK(t.area[512] == 3 && t.area[600] == 0 && t.area[200] != 0);
	forged(no_magic2, 0);
	CHECK(t.area[512] == 3 && t.area[600] == 0);
	forged(huge_size, 0);
	CHECK(t.area[512] == 3 && t.area[600] == 0);
}

/* Components in their initial state hold stale bytes in the area: the frame must not. */
static void test_initial_components(void)
{
	struct trapframe tf = start(XSAVE_BYTES);
	const char *fp;

	t.area[512] = 0;
	CHECK_EQ(deliver(&tf, 0), 0);
	fp = (const char *)context(&tf)->uc_mcontext.fpregs;
	CHECK(((const uint16_t *)(const void *)fp)[0] == 0x37f && fp[40] == 0 && fp[200] == 0);
	CHECK_EQ(context(&tf)->uc_mcontext.fpregs->mxcsr, 0x1fa0);
	CHECK_EQ(fp[512], 3);
}

static void test_altstack(void)
{
	stack_t st = { .ss_sp = t.altstack, .ss_size = sizeof(t.altstack) }, bad = st;
	struct trapframe tf = start(XSAVE_BYTES), nested;
	uint64_t low = (uint64_t)t.altstack, high = low + sizeof(t.altstack), sp = tf.rsp;

	bad.ss_size = 100;
	CHECK_EQ(altstack_set(&t.thread, &bad, sp), -ENOMEM);
	bad = st;
	bad.ss_flags = 77;
	CHECK_EQ(altstack_set(&t.thread, &bad, sp), -EINVAL);
	CHECK_EQ(altstack_set(&t.thread, &st, sp), 0);
	CHECK(!altstack_holds(&t.thread, low) && altstack_holds(&t.thread, high));

	CHECK_EQ(deliver(&tf, 0), 0); /* not asked for */
	CHECK(tf.rsp < sp && tf.rsp > sp - 4096);
	tf.rsp = sp;
	CHECK_EQ(deliver(&tf, SA_ONSTACK), 0);
	CHECK(tf.rsp > low && tf.rsp < high && tf.rsp > high - 4096);
	CHECK_EQ((uint64_t)context(&tf)->uc_stack.ss_sp, low);
	CHECK_EQ(altstack_set(&t.thread, &st, tf.rsp), -EPERM);
	nested = tf;
	CHECK_EQ(deliver(&nested, SA_ONSTACK), 0); /* goes on below */
	CHECK(nested.rsp < tf.rsp - 128);
	while (!deliver(&nested, SA_ONSTACK)) /* until it would run over its end */
		CHECK(nested.rsp > low);
	CHECK(nested.rsp < low + 4096);
	CHECK_EQ(come_back(&tf), 0);
	CHECK_EQ(tf.rsp, sp);

	st.ss_flags = (int)(1u << 31); /* SS_AUTODISARM */
	CHECK_EQ(altstack_set(&t.thread, &st, sp), 0);
	CHECK_EQ(deliver(&tf, SA_ONSTACK), 0);
	CHECK_EQ(t.thread.altstack_bytes, 0);
	CHECK_EQ(come_back(&tf), 0);
	CHECK_EQ(t.thread.altstack_bytes, sizeof(t.altstack)); /* armed again */
}

static void test_bad_stacks(void)
{
	struct trapframe tf = start(XSAVE_BYTES);
	static const uint64_t bad[] = { 0, 100, 0x10000, 0x800000000000ull + 300, UINT64_MAX,
		0xffff888000001000ull };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		tf.rsp = bad[i];
		CHECK_EQ(deliver(&tf, 0), -EFAULT);
		CHECK_EQ(tf.rip, 0x400123); /* untouched */
		CHECK_EQ(sigframe_load(&tf), -EFAULT);
	}
	tf = start(XSAVE_BYTES);
	t.bad_end = tf.rsp - 300;
	t.bad_start = t.bad_end - 64;
	CHECK_EQ(deliver(&tf, 0), -EFAULT);
}

int main(void)
{
	static const size_t sizes[] = { 512, 576, XSAVE_BYTES, 2688 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		test_layout(sizes[i]);
		test_round_trip(sizes[i]);
	}
	test_forgeries();
	test_initial_components();
	test_altstack();
	test_bad_stacks();
	printf("sigframe_test: ok\n");
	return 0;
}
