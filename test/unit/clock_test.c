/* sources: kernel/time/clock.c test/unit/shim/host.c test/unit/shim/host_kmem.c */
/*
 * clock_test.c: the clock's rate on a busy host.
 *
 * What:       a counter of 1 GHz and a time stamp counter of another rate, read by a CPU that the
 *             host takes away now and then for milliseconds, also between two readings; and a
 *             counter that is always slow to read.
 * Invariants: none.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     kernel/time/clock.h.
 */
#include "kernel/time/clock.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/units.h"
#include "host.h"
#include "kernel/options.h"
#include "platform/platform.h"

#define TSC_KHZ 2445398u
#define LAPIC_HZ 1000000000ull

struct options options;
char *host_ram; /* at 0: what an address of the image is, its alias is, too */

static struct {
	uint64_t now_ns, count_began_ns;
	uint64_t count_slow_ns;
	unsigned seed, busy_percent;
} host = { .seed = 1 };

/* Some nanoseconds, or 1 to 15 ms when the host has other work. */
static void pass(uint64_t most_ns)
{
	host.now_ns += 1 + (uint64_t)rand_r(&host.seed) % most_ns;
	if ((unsigned)rand_r(&host.seed) % 100 < host.busy_percent)
		host.now_ns += NS_PER_MS * (1 + (uint64_t)rand_r(&host.seed) % 15);
}

uint64_t arch_cycles(void)
{
	pass(100);
	return host.now_ns * TSC_KHZ / 1000000;
}

void lapic_count_start(void)
{
	host.count_began_ns = host.now_ns;
}

uint32_t lapic_count_read(void)
{
	uint32_t count;

	pass(1000 + host.count_slow_ns);
	count = UINT32_MAX - (uint32_t)(host.now_ns - host.count_began_ns);
	pass(1000 + host.count_slow_ns);
	return count;
}

uint64_t lapic_timer_hz(void)
{
	return LAPIC_HZ;
}

void lapic_timer_set_hz(uint64_t hz)
{
	(void)hz;
}

void lapic_timer_stop(void)
{
}

bool lapic_timer_use_tsc(uint64_t hz)
{
	(void)hz;
	return false;
}

uint64_t platform_tsc_hz(void)
{
	return 0;
}

int64_t platform_rtc_seconds(void)
{
	return 0;
}

/* As timers do: between two of them the counter is set anew. Returns how many were of no use. */
static unsigned refine(void)
{
	unsigned refused = 0;

	while (clock_wants_samples()) {
		uint64_t from_cycles, to_cycles;
		uint32_t from, to;
		bool good;

		lapic_count_start();
		good = clock_read_reference(&from, &from_cycles);
		host.now_ns += NS_PER_MS * (1 + (uint64_t)rand_r(&host.seed) % 4);
		if (clock_read_reference(&to, &to_cycles) && good)
			clock_sample(from - to, to_cycles - from_cycles);
		else
			refused++;
	}
	return refused;
}

static void test_rate(unsigned busy_percent, uint64_t count_slow_ns, unsigned most_ppm)
{
	uint64_t hz, wrong;
	unsigned refused;

	host.busy_percent = busy_percent;
	host.count_slow_ns = count_slow_ns;
	clock_begin();
	clock_init();
	refused = refine();
	hz = clock_tsc_hz();
	wrong = hz > TSC_KHZ * 1000ull ? hz - TSC_KHZ * 1000ull : TSC_KHZ * 1000ull - hz;
	CHECK(wrong < TSC_KHZ * 1000ull / 1000000 * most_ppm);
	if (busy_percent >= 10 || count_slow_ns)
		CHECK(refused > 0);
	else if (!busy_percent)
		CHECK_EQ(refused, 0);
}

/* A machine has one clock, which is refined once: each in a process of its own. */
static void in_child(unsigned busy_percent, uint64_t count_slow_ns, unsigned most_ppm)
{
	pid_t child = fork();
	int status = 0;

	CHECK(child >= 0);
	if (!child) {
		test_rate(busy_percent, count_slow_ns, most_ppm);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

int main(void)
{
	in_child(0, 0, 50);
	in_child(1, 0, 50);
	in_child(30, 0, 50);
	in_child(0, 200 * NS_PER_US, 500); /* refining ends all the same */
	in_child(30, 200 * NS_PER_US, 500);
	return 0;
}
