/*
 * smp.c: the other CPUs: bringing them up.
 *
 * What:       one CPU after the other is started by INIT and start-up IPIs at a page below 1 MiB.
 * Invariants: (1) a CPU is counted only when it runs kernel code and arch_cycles is right on it.
 *             (2) a counter that differs is set by TSC_ADJUST, and measured again; what that
 *             leaves, or all of it, arch_cycles takes off.
 * Locking:    none: the boot CPU starts one CPU at a time.
 * Failure:    a CPU that does not come up in time is left out: false. It is sent INIT once more, so
 *             that it does nothing with its stack and its structures, which the next CPU gets,
 *             should it come up late.
 * Source:     Intel SDM 3A 9.4.4.1, 10.6.
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/cpu_priv.h"
#include "arch/x86_64/regs.h"
#include "base/assert.h"
#include "lib/string.h"

enum {
	AP_PAGE = 0x8000, /* never RAM that is given out: the first MiB is a hole */
	INIT_WAIT_US = 100, /* hypervisors need none; hardware that needs 10 ms is not ours */
	START_TRIES = 2,
	TSC_ROUNDS_LEAST = 8,
	TSC_ROUNDS_MOST = 200, /* where the host does not run both CPUs at once, most are slow */
	TSC_ROUNDS_END = 1000,
	TSC_ROUND_CYCLES = 20000, /* a quick one, even under emulation */
	ONLINE_WAIT_MS = 200,
};

/* What a CPU that has come up waits for. */
enum order { ORDER_NOTHING, ORDER_MEASURE, ORDER_ADJUST, ORDER_RUN };

struct ap_mailbox {
	uint64_t cr3, stack, cpu, entry;
};

extern char ap_start_begin[], ap_start_end[], ap_start_mailbox[];

static struct {
	struct arch_cpu *online[ARCH_CPUS_MAX]; /* [I] after each CPU's start */
	_Atomic uint32_t count; /* [a] */
	void (*entry)(struct arch_cpu *self);
	_Atomic enum order order; /* [a] what the new CPU is to do; it puts NOTHING back */
	/* [a] rounds asked and answered while time stamps are compared */
	_Atomic uint32_t ping, pong;
	uint64_t answer; /* written before pong */
} smp;

uint32_t smp_cpu_count(void)
{
	return atomic_load_explicit(&smp.count, memory_order_acquire);
}

struct arch_cpu *smp_cpu(uint32_t id)
{
	return smp.online[id];
}

void arch_smp_init(struct arch_cpu *boot)
{
	boot->apic_id = lapic_id();
	smp.online[0] = boot;
	atomic_store_explicit(&smp.count, 1, memory_order_relaxed);
}

/* The new CPU's part: answers each round with its time stamp. */
static void answer_rounds(void)
{
	for (uint32_t round = 1;; round++) {
		uint32_t ping;

		/* Partner: the release in measure_skew. */
		while ((ping = atomic_load_explicit(&smp.ping, memory_order_acquire)) < round)
			arch_pause();
		if (ping == TSC_ROUNDS_END)
			return;
		smp.answer = arch_cycles();
		atomic_store_explicit(&smp.pong, round, memory_order_release);
	}
}

static void give_order(enum order order)
{
	/* Partner: the acquire in obey_orders. */
	atomic_store_explicit(&smp.order, order, memory_order_release);
}

static void await_obedience(void)
{
	while (atomic_load_explicit(&smp.order, memory_order_acquire) != ORDER_NOTHING)
		arch_pause();
}

/* How far off a counter is wants to be known well. */
static bool wants_round(uint32_t round, bool wrong, uint64_t best_cycles)
{
	return round <= TSC_ROUNDS_LEAST ||
		(round <= TSC_ROUNDS_MOST && wrong && best_cycles > TSC_ROUND_CYCLES);
}

/* How far the new CPU's time stamps are ahead (+) or behind (-): 0 when every answer fell between
 * question and receipt, else the middle of the quickest round. */
static int64_t measure_skew(void)
{
	uint64_t best = UINT64_MAX;
	int64_t skew = 0;
	bool wrong = false;

	atomic_store_explicit(&smp.ping, 0, memory_order_relaxed);
	atomic_store_explicit(&smp.pong, 0, memory_order_relaxed);
	give_order(ORDER_MEASURE);
	for (uint32_t round = 1; wants_round(round, wrong, best); round++) {
		uint64_t before = arch_cycles(), after;

		atomic_store_explicit(&smp.ping, round, memory_order_release);
		/* Partner: the release in answer_rounds. */
		while (atomic_load_explicit(&smp.pong, memory_order_acquire) < round)
			arch_pause();
		after = arch_cycles();
		wrong |= (int64_t)(smp.answer - before) < 0 || (int64_t)(after - smp.answer) < 0;
		if (after - before < best) {
			best = after - before;
			skew = (int64_t)(smp.answer - (before + best / 2));
		}
	}
	atomic_store_explicit(&smp.ping, TSC_ROUNDS_END, memory_order_release);
	await_obedience();
	return wrong ? skew : 0;
}

static bool has_tsc_adjust(void)
{
	return cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & CPUID7_EBX_TSC_ADJUST);
}

/* (2) */
static void make_time_agree(struct arch_cpu *c)
{
	bool planted = c->tsc_offset != 0;

	c->tsc_made_up = false;
	c->tsc_skew = measure_skew();
	if (!c->tsc_skew)
		return;
	if (!planted && has_tsc_adjust()) {
		give_order(ORDER_ADJUST);
		await_obedience();
		c->tsc_offset = measure_skew();
		c->tsc_made_up = c->tsc_offset != 0;
	} else {
		c->tsc_offset += c->tsc_skew;
		c->tsc_made_up = true;
	}
}

static void obey_orders(struct arch_cpu *self)
{
	for (;;) {
		/* Partner: the release in give_order. */
		switch (atomic_load_explicit(&smp.order, memory_order_acquire)) {
		case ORDER_NOTHING:
			arch_pause();
			continue;
		case ORDER_MEASURE:
			answer_rounds();
			break;
		case ORDER_ADJUST:
			msr_write(MSR_TSC_ADJUST,
				msr_read(MSR_TSC_ADJUST) - (uint64_t)self->tsc_skew);
			break;
		case ORDER_RUN:
			return;
		}
		atomic_store_explicit(&smp.order, ORDER_NOTHING, memory_order_release);
	}
}

static void ap_entry(struct arch_cpu *self)
{
	arch_cpu_init_secondary(self);
	lapic_init();
	self->apic_id = lapic_id();
	smp.online[self->id] = self;
	/* Partner: the acquire in arch_start_cpu. */
	atomic_store_explicit(&self->online, true, memory_order_release);
	obey_orders(self);
	smp.entry(self);
	arch_halt_forever();
}

static void wait_cycles(uint64_t cycles, const struct arch_cpu *until_online)
{
	uint64_t start = arch_cycles();

	while (arch_cycles() - start < cycles) {
		if (until_online &&
			atomic_load_explicit(&until_online->online, memory_order_acquire))
			return;
		arch_pause();
	}
}

/* Back to waiting for a start-up IPI, wherever it is. */
static void give_up_cpu(struct arch_cpu *c, uint32_t apic_id, uint64_t tsc_hz)
{
	lapic_send_init(apic_id);
	wait_cycles(tsc_hz / 1000000 * INIT_WAIT_US, NULL);
	smp.online[c->id] = NULL;
	atomic_store_explicit(&c->online, false, memory_order_relaxed);
}

/* Puts the start-up code and what it needs to know where the new CPU begins. */
static bool prepare_start(struct arch_cpu *c, char *stack_top)
{
	char *page = phys_to_virt(AP_PAGE);
	struct ap_mailbox *m = (void *)(page + (ap_start_mailbox - ap_start_begin));

	atomic_store_explicit(&smp.order, ORDER_NOTHING, memory_order_relaxed);
	memcpy(page, ap_start_begin, (size_t)(ap_start_end - ap_start_begin));
	*m = (struct ap_mailbox){ paging_root(), (uint64_t)stack_top, (uint64_t)c,
		(uint64_t)ap_entry };
	return !paging_map(AP_PAGE, AP_PAGE, PAGING_READ | PAGING_WRITE | PAGING_EXEC);
}

bool arch_start_cpu(struct arch_cpu *c, uint32_t apic_id, char *stack_top, uint64_t tsc_hz,
	void (*entry)(struct arch_cpu *self))
{
	uint64_t old_size;
	paddr_t old;

	ASSERT(c->id < ARCH_CPUS_MAX);
	smp.entry = entry;
	if (!lapic_can_reach(apic_id) || !prepare_start(c, stack_top))
		return false;
	lapic_send_init(apic_id);
	wait_cycles(tsc_hz / 1000000 * INIT_WAIT_US, NULL);
	for (unsigned i = 0; i < START_TRIES && !c->online; i++) {
		lapic_send_startup(apic_id, AP_PAGE >> PAGE_SHIFT);
		wait_cycles(tsc_hz / 1000 * ONLINE_WAIT_MS, c);
	}
	paging_unmap(AP_PAGE, &old, &old_size);
	if (!atomic_load_explicit(&c->online, memory_order_acquire)) {
		give_up_cpu(c, apic_id, tsc_hz);
		return false;
	}
	make_time_agree(c);
	shootdown_add_cpu(c);
	atomic_fetch_add_explicit(&smp.count, 1, memory_order_release); /* (1) */
	give_order(ORDER_RUN);
	paging_flush(AP_PAGE, AP_PAGE + PAGE_SIZE);
	return true;
}
