/*
 * lapic.c: the local interrupt controller: end of interrupt, one-shot timer, messages to other
 * CPUs.
 *
 * What:       the same few registers through x2APIC MSRs where the CPU has them, else through
 *             memory. The timer counts down at a rate that emulators define (1 GHz in QEMU's TCG
 *             and in KVM) or, where there is a TSC deadline, compares with the time stamp counter.
 * Invariants: (1) the timer never fires early: delays are rounded up. A delay beyond the counter's
 *             range fires early in hardware; kernel/time re-arms it.
 * Locking:    none; every CPU has its own.
 * Failure:    -ENOMEM mapping the registers.
 * Source:     Intel SDM 3A 10; rates: QEMU hw/intc/apic.c, Linux Documentation/virt/kvm.
 */
#include "arch/arch.h"
#include "arch/x86_64/cpu_priv.h"
#include "arch/x86_64/regs.h"
#include "base/errno.h"

enum {
	LAPIC_PA = 0xfee00000,
	REG_ID = 0x20,
	REG_TPR = 0x80,
	REG_EOI = 0xb0,
	REG_SPURIOUS = 0xf0,
	REG_ICR_LOW = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320,
	REG_LVT_LINT0 = 0x350,
	REG_LVT_LINT1 = 0x360,
	REG_LVT_ERROR = 0x370,
	REG_TIMER_INITIAL = 0x380,
	REG_TIMER_CURRENT = 0x390,
	REG_TIMER_DIVIDE = 0x3e0,
	SPURIOUS_ENABLE = 1 << 8,
	LVT_MASKED = 1 << 16,
	LVT_NMI = 4 << 8,
	LVT_TSC_DEADLINE = 2 << 17,
	DIVIDE_BY_1 = 0xb,
	ICR_PENDING = 1 << 12,
	ICR_INIT = 5 << 8,
	ICR_STARTUP = 6 << 8,
	ICR_ASSERT = 1 << 14,
};

#define XAPIC_BROADCAST 0xffu /* also the first id that needs more than 8 bits */
#define X2APIC_BROADCAST UINT32_MAX

#define APIC_BASE_X2APIC (3ull << 10)
#define CPUID1_ECX_X2APIC (1u << 21)
#define CPUID1_ECX_TSC_DEADLINE (1u << 24)

static struct {
	volatile uint32_t *regs; /* NULL: x2APIC */
	bool ready;
	bool tsc_deadline;
	uint64_t hz; /* of the counter */
	uint64_t tsc_hz;
} lapic;

static void reg_write(unsigned reg, uint32_t v)
{
	if (lapic.regs)
		lapic.regs[reg / 4] = v;
	else
		msr_write(MSR_X2APIC + reg / 16, v);
}

static uint32_t reg_read(unsigned reg)
{
	return lapic.regs ? lapic.regs[reg / 4] : (uint32_t)msr_read(MSR_X2APIC + reg / 16);
}

/* Hypervisors that say what their counter's rate is, by CPUID 0x40000000 (and QEMU's TCG). */
static uint64_t known_rate(void)
{
	struct cpuid_regs r;

	if (!(cpuid(1, 0).ecx >> 31))
		return 0;
	r = cpuid(0x40000000, 0);
	if (r.ebx == 0x54474354 /* "TCGT" */ || r.ebx == 0x4b4d564b /* "KVMK" */)
		return 1000000000;
	return 0;
}

void lapic_init(void)
{
	if (!lapic.ready) {
		lapic.ready = true;
		lapic.hz = known_rate();
		if (!(cpuid(1, 0).ecx & CPUID1_ECX_X2APIC))
			lapic.regs = (uint32_t *)(uintptr_t)LAPIC_PA; /* boot/entry.S */
	}
	if (!lapic.regs)
		msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	reg_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	reg_write(REG_TPR, 0);
	reg_write(REG_LVT_LINT0, LVT_MASKED);
	reg_write(REG_LVT_LINT1, LVT_NMI); /* how a VMM sends one: as a PC's button would */
	reg_write(REG_LVT_ERROR, LVT_MASKED);
	reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
	reg_write(REG_LVT_TIMER, VECTOR_TIMER);
}

int lapic_map(void)
{
	if (!lapic.regs)
		return 0;
	lapic.regs = arch_map_device(LAPIC_PA, PAGE_SIZE);
	return lapic.regs ? 0 : -ENOMEM;
}

uint32_t lapic_id(void)
{
	return lapic.regs ? reg_read(REG_ID) >> 24 : reg_read(REG_ID);
}

void lapic_eoi(void)
{
	reg_write(REG_EOI, 0);
}

uint64_t lapic_timer_hz(void)
{
	return lapic.hz;
}

void lapic_timer_set_hz(uint64_t hz)
{
	lapic.hz = hz;
}

bool lapic_timer_use_tsc(uint64_t tsc_hz)
{
	if (!(cpuid(1, 0).ecx & CPUID1_ECX_TSC_DEADLINE))
		return false;
	lapic.tsc_deadline = true;
	lapic.tsc_hz = tsc_hz;
	reg_write(REG_LVT_TIMER, VECTOR_TIMER | LVT_TSC_DEADLINE);
	return true;
}

void lapic_count_start(void)
{
	reg_write(REG_LVT_TIMER, VECTOR_TIMER | LVT_MASKED);
	reg_write(REG_TIMER_INITIAL, UINT32_MAX);
}

uint32_t lapic_count_read(void)
{
	return reg_read(REG_TIMER_CURRENT);
}

/* ns * hz / 10^9 rounded up, saturating at limit. */
static uint64_t ticks_of(uint64_t ns, uint64_t hz, uint64_t limit)
{
	unsigned __int128 t = ((unsigned __int128)ns * hz + NS_PER_S - 1);
	uint64_t q;

	if (ns > 1000 * NS_PER_S)
		return limit;
	/* 128 by 64 bits fits: ns <= 1000 s, so the quotient is below 1000 * hz. */
	__asm__("divq %2" : "=a"(q) : "a"((uint64_t)t), "r"(NS_PER_S), "d"((uint64_t)(t >> 64)));
	return MIN(q, limit);
}

void lapic_timer_arm(uint64_t delay_ns)
{
	uint64_t ticks;

	if (lapic.tsc_deadline) {
		msr_write(MSR_TSC_DEADLINE,
			cpu_raw_cycles() + ticks_of(delay_ns, lapic.tsc_hz, 1ull << 62));
		return;
	}
	ticks = ticks_of(delay_ns, lapic.hz, UINT32_MAX);
	reg_write(REG_LVT_TIMER, VECTOR_TIMER);
	reg_write(REG_TIMER_INITIAL, (uint32_t)MAX(ticks, 1ul));
}

void lapic_timer_stop(void)
{
	if (lapic.tsc_deadline)
		msr_write(MSR_TSC_DEADLINE, 0);
	else
		reg_write(REG_TIMER_INITIAL, 0);
}

bool lapic_can_reach(uint32_t apic_id)
{
	return apic_id < (lapic.regs ? XAPIC_BROADCAST : X2APIC_BROADCAST);
}

static void send(uint32_t apic_id, uint32_t command)
{
	if (!lapic.regs) {
		msr_write(MSR_X2APIC + REG_ICR_LOW / 16, (uint64_t)apic_id << 32 | command);
		return;
	}
	while (reg_read(REG_ICR_LOW) & ICR_PENDING)
		arch_pause();
	reg_write(REG_ICR_HIGH, apic_id << 24);
	reg_write(REG_ICR_LOW, command);
}

void lapic_send_ipi(uint32_t apic_id, uint32_t vector)
{
	send(apic_id, vector);
}

void lapic_send_init(uint32_t apic_id)
{
	send(apic_id, ICR_INIT | ICR_ASSERT);
}

void lapic_send_startup(uint32_t apic_id, uint32_t page)
{
	send(apic_id, ICR_STARTUP | ICR_ASSERT | page);
}
