/*
 * fpu.c: vector state of program threads.
 *
 * What:       the kernel uses no vector registers, so they keep the program's values through calls
 *             and faults. Only a switch to another program thread saves and loads them. A thread
 *             that comes back to the CPU that still holds its registers loads nothing.
 * Invariants: (1) arch_cpu.fpu_owner is the thread whose registers this CPU holds, if its fpu_cpu
 *             says this CPU too. (2) A thread's area is current whenever it is not running.
 * Locking:    none; interrupts are off.
 * Failure:    none.
 * Source:     Intel SDM 1 13 (XSAVE); AMX and PKRU stay disabled in XCR0.
 */
#include "arch/arch.h"
#include "arch/x86_64/cpu_priv.h"
#include "arch/x86_64/regs.h"
#include "base/assert.h"
#include "lib/string.h"

enum {
	XCR0_X87_SSE = 3,
	XCR0_AVX = 1 << 2,
	XCR0_AVX512 = 7 << 5,
	FXSAVE_BYTES = 512,
	FXSAVE_FCW = 0,
	FXSAVE_MXCSR = 24,
	XSAVE_HEADER = 512, /* XSTATE_BV */
	NO_CPU = -1,
};

static struct {
	uint64_t mask; /* XCR0 */
	size_t bytes;
	bool xsave, xsaveopt;
	bool known;
} fpu;

static void find_features(void)
{
	struct cpuid_regs r;

	fpu.known = true;
	fpu.bytes = FXSAVE_BYTES;
	fpu.mask = XCR0_X87_SSE;
	if (!(cpuid(1, 0).ecx >> 26 & 1))
		return;
	fpu.xsave = true;
	r = cpuid(0xd, 0);
	fpu.mask = r.eax & (XCR0_X87_SSE | XCR0_AVX | XCR0_AVX512);
	if ((fpu.mask & XCR0_AVX512) != XCR0_AVX512 || !(fpu.mask & XCR0_AVX))
		fpu.mask &= ~(uint64_t)XCR0_AVX512;
	fpu.xsaveopt = cpuid(0xd, 1).eax & 1;
}

void fpu_init_cpu(void)
{
	static const uint32_t mxcsr = 0x1f80;
	uint64_t cr4;

	__asm__ volatile("fninit\n\tldmxcsr %0" : : "m"(mxcsr));
	if (!fpu.known)
		find_features();
	if (fpu.xsave) {
		__asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
		__asm__ volatile("movq %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
		__asm__ volatile("xsetbv" : : "a"((uint32_t)fpu.mask), "d"(0), "c"(0));
		fpu.bytes = cpuid(0xd, 0).ebx; /* of what XCR0 enables now */
	}
}

uint64_t fpu_read_xcr0(void)
{
	uint32_t lo = 0, hi = 0;

	if (fpu.xsave)
		__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

size_t arch_fpu_bytes(void)
{
	return fpu.bytes;
}

uint64_t arch_fpu_mask(void)
{
	return fpu.mask;
}

void arch_fpu_init_area(void *area)
{
	memset(area, 0, fpu.bytes);
	*(uint16_t *)((char *)area + FXSAVE_FCW) = 0x37f;
	*(uint32_t *)((char *)area + FXSAVE_MXCSR) = 0x1f80;
}

/* XSTATE_BV 0 would load MXCSR's initial value too; SSE is marked so that MXCSR is the area's. */
void arch_fpu_clone(struct arch_thread *to)
{
	uint32_t mxcsr;
	uint16_t fcw;

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(fcw));
	arch_fpu_init_area(to->fpu);
	*(uint16_t *)((char *)to->fpu + FXSAVE_FCW) = fcw;
	*(uint32_t *)((char *)to->fpu + FXSAVE_MXCSR) = mxcsr;
	*(uint64_t *)((char *)to->fpu + XSAVE_HEADER * fpu.xsave) |= fpu.xsave ? XCR0_X87_SSE : 0;
	to->fpu_cpu = (uint32_t)NO_CPU;
}

void fpu_save(struct arch_thread *t)
{
	uint32_t lo = (uint32_t)fpu.mask;

	if (fpu.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(t->fpu), "a"(lo), "d"(0) : "memory");
	else if (fpu.xsave)
		__asm__ volatile("xsave64 (%0)" : : "r"(t->fpu), "a"(lo), "d"(0) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(t->fpu) : "memory");
}

void fpu_load(struct arch_thread *t)
{
	struct arch_cpu *c = arch_cpu_self();
	uint32_t lo = (uint32_t)fpu.mask;

	if (c->fpu_owner == t && t->fpu_cpu == c->id)
		return; /* (1) */
	if (fpu.xsave)
		__asm__ volatile("xrstor64 (%0)" : : "r"(t->fpu), "a"(lo), "d"(0) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(t->fpu) : "memory");
	c->fpu_owner = t;
	t->fpu_cpu = c->id;
}

uint32_t arch_fpu_exceptions(bool sse)
{
	uint32_t mxcsr;
	uint16_t status, control;

	if (sse) {
		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		return mxcsr & ~(mxcsr >> 7) & 0x3f;
	}
	__asm__ volatile("fnstsw %0\n\tfnstcw %1" : "=m"(status), "=m"(control));
	return (uint32_t)(status & ~control) & 0x3f;
}

void arch_fpu_save_now(struct arch_thread *t)
{
	fpu_save(t);
}

void arch_fpu_reload(struct arch_thread *t)
{
	t->fpu_cpu = (uint32_t)NO_CPU;
	fpu_load(t);
}
