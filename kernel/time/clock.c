/*
 * clock.c: monotonic and wall-clock time from the time stamp counter.
 *
 * What:       time is a base plus cycles since then, times a rate. The rate comes from the command
 *             line, from the hypervisor, or from the local APIC's counter, whose rate emulators
 *             define, while memory is set up; that first estimate is refined while the machine runs
 *             (clock_sample), by changing the rate from now on, so that time never jumps.
 * Invariants: (1) monotonic time never goes back: a change of rate takes the time reached so far as
 *             its new base. (2) it starts above 0. (3) readers see base and rate of one moment: seq
 *             is odd while they change. (4) where the CPUs' counters differ, nobody is told less
 *             than anybody was told before. (5) refining ends, however busy the host: where quick
 *             readings do not come, slower ones count.
 * Locking:    none for readers; writers hold clk.lock, LOCK_CLOCK: two at once would leave seq odd.
 * Failure:    none; without any reference 1 GHz is assumed and logged.
 * Source:     Linux vDSO's formula; QEMU hw/intc/apic.c for the counter's 1 GHz.
 */
#include "kernel/time/clock.h"

#include "arch/arch.h"
#include "base/assert.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/sync/spinlock.h"
#include "platform/platform.h"

enum {
	SHIFT = 32,
	CALIBRATE_NS = 100000, /* from clock_begin to clock_init, at least */
	FIRST_TRIES = 5, /* readings of the pair; the quickest counts */
	TRIES = 2, /* of later ones: the first finds its way cold */
	READ_MAX_NS = 20000, /* for one, at first: an emulator takes a microsecond or two */
	REFUSED_STEP = 256, /* so many that took longer, and twice the time is allowed */
	REFUSED_STEPS_MAX = 16, /* a second */
	REFINE_FIRST_NS = 200000000, /* of observed time until the first correction */
	REFINE_LAST_NS = 2000000000, /* then the estimate is good to about 1 ppm */
};

struct vdso_data vdso_data in_section(".vvar") = { .seq = ATOMIC_VAR_INIT(0) };

static struct {
	struct spinlock lock;
	struct vdso_data *data; /* [I] the same page, writable */
	uint64_t hz; /* [lock] */
	_Atomic bool refining; /* [a] */
	_Atomic uint32_t refused; /* [a] readings */
	uint64_t seen_ns, seen_cycles; /* [lock] by the reference, since boot, on any CPU */
	uint64_t next_refine_ns; /* [lock] */
	_Atomic uint64_t latest_ns; /* [a] that anybody was told, where counters differ */
	uint32_t count0; /* [I] of the local APIC, and cycles, at clock_begin */
	uint64_t cycles0; /* [I] */
} clk = { .lock = SPINLOCK_INIT(LOCK_CLOCK) };

static uint64_t scale(uint64_t cycles, uint64_t mult)
{
	return (uint64_t)((unsigned __int128)cycles * mult >> SHIFT);
}

static uint64_t mult_of(uint64_t hz)
{
	return (NS_PER_S << SHIFT) / hz;
}

/* (4) What arch_cycles cannot make up for, less than the way of a message, is cut off here. */
static __attribute__((noinline)) uint64_t never_back(uint64_t ns)
{
	uint64_t last = atomic_load_explicit(&clk.latest_ns, memory_order_relaxed);

	while (last < ns)
		if (atomic_compare_exchange_weak_explicit(&clk.latest_ns, &last, ns,
			    memory_order_relaxed, memory_order_relaxed))
			return ns;
	return last;
}

/* What has passed since the base was set, on another CPU perhaps, whose counter may be a little
 * ahead of this one's. */
static uint64_t cycles_since_base(const struct vdso_data *d)
{
	int64_t cycles = (int64_t)(arch_cycles() - d->base_tsc);

	return cycles > 0 ? (uint64_t)cycles : 0;
}

uint64_t clock_now_ns(void)
{
	const struct vdso_data *d = clk.data;
	uint64_t ns;
	uint32_t seq;

	do {
		/* Partner: the stores in publish. */
		seq = atomic_load_explicit(&d->seq, memory_order_acquire);
		ns = d->base_ns + scale(cycles_since_base(d), d->mult);
		atomic_thread_fence(memory_order_acquire);
	} while ((seq & 1) || seq != atomic_load_explicit(&d->seq, memory_order_relaxed));
	return unlikely(d->counters_differ) ? never_back(ns) : ns;
}

static void begin_write(struct vdso_data *d)
{
	atomic_store_explicit(&d->seq, d->seq + 1, memory_order_relaxed); /* (3) */
	atomic_thread_fence(memory_order_release);
}

static void end_write(struct vdso_data *d)
{
	atomic_store_explicit(&d->seq, d->seq + 1, memory_order_release);
}

/* (1) From this cycle on time runs at hz. */
static void set_rate(uint64_t hz)
{
	struct vdso_data *d = clk.data;
	uint64_t tsc = arch_cycles();
	uint64_t ns = d->base_ns + scale(MAX(tsc, d->base_tsc) - d->base_tsc, d->mult);

	begin_write(d);
	d->base_ns = ns;
	d->base_tsc = tsc;
	d->mult = mult_of(hz);
	end_write(d);
	clk.hz = hz;
}

/* The counter and the cycles at one moment, as near as some tries get: for how many cycles that is
 * uncertain. */
static uint64_t read_pair(unsigned tries, uint32_t *count, uint64_t *cycles)
{
	uint64_t best = UINT64_MAX;

	*count = 0;
	*cycles = 0;
	for (unsigned i = 0; i < tries; i++) {
		uint64_t before = arch_cycles();
		uint32_t c = lapic_count_read();
		uint64_t after = arch_cycles();

		if (after - before >= best)
			continue;
		best = after - before;
		*count = c;
		*cycles = before + (after - before) / 2;
	}
	return best;
}

void clock_begin(void)
{
	if (!lapic_timer_hz())
		return;
	lapic_count_start();
	(void)read_pair(FIRST_TRIES, &clk.count0, &clk.cycles0);
}

static uint64_t calibrate(void)
{
	uint64_t lapic_hz = lapic_timer_hz(), cycles1;
	uint32_t count1, ticks;

	if (!lapic_hz) {
		lapic_timer_set_hz(NS_PER_S);
		log_warn(
			"clock: nobody tells a rate; 1 GHz assumed: time is wrong on this machine");
		return NS_PER_S;
	}
	ticks = (uint32_t)(CALIBRATE_NS * (lapic_hz / NS_PER_MS) / 1000);
	do { /* at 0 it has stopped: the host kept the machine for seconds */
		if (!lapic_count_read())
			clock_begin();
		while (clk.count0 - lapic_count_read() < ticks)
			arch_pause();
		(void)read_pair(FIRST_TRIES, &count1, &cycles1);
	} while (!count1);
	clk.refining = true;
	clk.next_refine_ns = REFINE_FIRST_NS;
	return (cycles1 - clk.cycles0) * (lapic_hz / 1000) / (clk.count0 - count1) * 1000;
}

static void sample_locked(uint64_t reference_ns, uint64_t cycles)
{
	lock_assert_held(&clk.lock);
	clk.seen_ns += reference_ns;
	clk.seen_cycles += cycles;
	if (clk.seen_ns < clk.next_refine_ns)
		return;
	set_rate((uint64_t)(clk.seen_cycles * 1000 / (clk.seen_ns / 1000)) * 1000);
	clk.next_refine_ns *= 2;
	if (clk.seen_ns >= REFINE_LAST_NS)
		atomic_store_explicit(&clk.refining, false, memory_order_relaxed);
	log_debug("clock: TSC refined to %llu kHz over %llu ms",
		(unsigned long long)(clk.hz / 1000), (unsigned long long)(clk.seen_ns / NS_PER_MS));
}

bool clock_read_reference(uint32_t *count, uint64_t *cycles)
{
	uint32_t refused = atomic_load_explicit(&clk.refused, memory_order_relaxed);
	uint32_t steps = MIN(refused / REFUSED_STEP, (uint32_t)REFUSED_STEPS_MAX); /* (5) */

	if (clock_cycles_to_ns(read_pair(TRIES, count, cycles)) < (uint64_t)READ_MAX_NS << steps)
		return true;
	atomic_store_explicit(&clk.refused, refused + 1, memory_order_relaxed);
	return false;
}

void clock_sample(uint64_t reference_ns, uint64_t cycles)
{
	if (!clock_wants_samples())
		return;
	spin_lock(&clk.lock);
	sample_locked(reference_ns, cycles);
	spin_unlock(&clk.lock);
}

bool clock_wants_samples(void)
{
	return atomic_load_explicit(&clk.refining, memory_order_relaxed);
}

void clock_init(void)
{
	const char *source = "command line";
	int64_t real_s;

	clk.data = phys_to_virt((paddr_t)&vdso_data); /* the image's own address is read-only */
	clk.data->shift = SHIFT;
	clk.data->base_ns = 1; /* (2) */
	clk.data->base_tsc = arch_cycles();
	clk.hz = options.tsc_khz * 1000;
	if (!clk.hz) {
		clk.hz = platform_tsc_hz();
		source = "hypervisor";
	}
	if (!clk.hz) {
		clk.hz = calibrate();
		source = "local APIC";
	}
	lapic_timer_stop();
	clk.data->mult = mult_of(clk.hz);
	if (!clk.refining)
		lapic_timer_use_tsc(clk.hz);
	real_s = platform_rtc_seconds();
	clk.data->real_offset_ns = real_s * (int64_t)NS_PER_S - (int64_t)clock_now_ns();
	log_debug("clock: TSC %llu kHz (%s)", (unsigned long long)(clk.hz / 1000), source);
}

void clock_set_counters_differ(void)
{
	clk.data->counters_differ = 1;
}

int64_t clock_real_offset_ns(void)
{
	return clk.data->real_offset_ns;
}

void clock_set_real_ns(int64_t now_real_ns)
{
	struct vdso_data *d = clk.data;
	int64_t offset = now_real_ns - (int64_t)clock_now_ns();

	spin_lock(&clk.lock);
	begin_write(d);
	d->real_offset_ns = offset;
	end_write(d);
	spin_unlock(&clk.lock);
}

uint64_t clock_deadline_ns(struct clock_deadline d)
{
	int64_t offset = d.real ? clock_real_offset_ns() : 0;

	if (d.ns >= (uint64_t)INT64_MAX)
		return d.ns; /* for ever, or so far that no offset matters */
	return offset > 0 && d.ns < (uint64_t)offset ? 0 : d.ns - (uint64_t)offset;
}

uint64_t clock_tsc_hz(void)
{
	return clk.hz;
}

uint64_t clock_cycles_to_ns(uint64_t cycles)
{
	return scale(cycles, clk.data->mult);
}
