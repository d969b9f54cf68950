/* sources: drivers/virtio/balloon.c drivers/virtio/ring.c kernel/dev/pagereport.c kernel/mm/pmm.c
 * kernel/mm/pmm_single.c test/unit/shim/host.c test/unit/shim/host_kmem.c test/unit/shim/host_ram.c
 * test/unit/shim/host_virtio.c */
/*
 * balloon_test.c: free memory that goes to the host.
 *
 * What:       the real page allocator, the contract and the driver against a device: which blocks
 *             are told of and which not, how often, what happens when memory is short, and when the
 *             device lies.
 * Invariants: (1) the host never hears of a page that is in use. (2) nothing is armed when nothing
 *             became free. (3) nothing is lost: all that was free is free again.
 * Locking:    one thread; host.c checks lock ranks.
 * Failure:    aborts with the failed check.
 * Source:     kernel/dev/pagereport.h, kernel/mm/pmm.h.
 */
#include "drivers/virtio/balloon.h"

#include <linux/virtio_balloon.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "host.h"
#include "host_virtio.h"
#include "kernel/dev/pagereport.h"
#include "kernel/log.h"
#include "kernel/mm/pmm.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"

enum { RAM_BYTES = 256 << 20, RAM_PAGES = RAM_BYTES / 4096, REPORTS = 3 };

static struct {
	uint64_t now_ns, deadline_ns;
	struct timer *armed;
	unsigned arms;
	uint8_t in_use[RAM_PAGES];
	uint64_t told_bytes;
	pfn_t pages[RAM_PAGES];
} test;

uint64_t clock_now_ns(void)
{
	return test.now_ns;
}

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
	*t = (struct timer){ .fire = fire };
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	CHECK(!test.armed);
	test.armed = t;
	test.deadline_ns = deadline_ns;
	test.arms++;
}

void klog(enum gosolo_log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

void sched_interrupt_others(void)
{
}

/* ------------------------------------------------------------------ the machine */
static void start(uint64_t offers)
{
	struct virtio_device d = { .regs = (char *)&test };

	host_ram_init(RAM_BYTES);
	pmm_init(RAM_BYTES, 2 * MIB);
	pmm_add_range(4 * MIB, RAM_BYTES);
	host_device.offers = offers;
	virtio_balloon_init(&d);
}

/* A CPU that idles for so long. */
static void idle(uint64_t ns)
{
	uint64_t end_ns = test.now_ns + ns;

	for (;;) {
		struct timer *t = test.armed;

		pagereport_poll();
		t = test.armed;
		if (!t || test.deadline_ns > end_ns)
			break;
		test.now_ns = test.deadline_ns;
		test.armed = NULL;
		t->fire(t);
		while (host_interrupt())
			;
	}
	test.now_ns = end_ns;
}

static void use(unsigned long pages)
{
	for (unsigned long i = 0; i < pages; i++) {
		test.pages[i] = pmm_alloc(0, PMM_PROGRAM);
		CHECK(test.pages[i] != PFN_NONE);
		test.in_use[test.pages[i]] = 1;
	}
}

static void give(unsigned long i)
{
	test.in_use[test.pages[i]] = 0;
	pmm_free(test.pages[i], 0);
}

/* ------------------------------------------------------------------ the host */
static void take_reports(unsigned queue)
{
	uint32_t bytes;
	uint16_t id;

	CHECK_EQ(queue, REPORTS);
	while (host_queue_take(queue, &id)) {
		char *p = host_queue_buffer(queue, id, &bytes);
		pfn_t first = virt_to_phys(p) >> PAGE_SHIFT;

		CHECK(bytes >= PAGE_SIZE << PMM_REPORT_ORDER && first % (bytes / PAGE_SIZE) == 0);
		for (pfn_t i = first; i < first + bytes / PAGE_SIZE; i++)
			CHECK(!test.in_use[i]); /* (1) */
		memset(p, 0, bytes);
		test.told_bytes += bytes;
		host_queue_use(queue, id, 0);
	}
}

#define OFFERS (1ull << VIRTIO_BALLOON_F_STATS_VQ | 1ull << VIRTIO_BALLOON_F_REPORTING)

/* ------------------------------------------------------------------ cases */
static void test_rounds(void)
{
	uint64_t free_pages;

	start(OFFERS);
	host_device.on_notify = take_reports;
	free_pages = pmm_free_pages();
	idle(100 * NS_PER_S);
	CHECK_EQ(test.arms, 0); /* (2) memory that was never used is not told of */
	use(100 * MIB / PAGE_SIZE);
	idle(100 * NS_PER_S);
	CHECK_EQ(test.arms, 0);
	for (unsigned long i = 0; i < 100 * MIB / PAGE_SIZE; i++)
		give(i);
	idle(NS_PER_S);
	CHECK_EQ(test.told_bytes, 0); /* not at once */
	idle(2 * NS_PER_S);
	CHECK(test.told_bytes >= 96 * MIB && test.told_bytes <= 104 * MIB);
	CHECK_EQ(test.arms, 1);
	CHECK_EQ(pmm_free_pages(), free_pages); /* (3) */
	idle(3600 * NS_PER_S);
	CHECK_EQ(test.arms, 1); /* (2) */
	/* Known to be free: what is used again is told again, and no more than its blocks. */
	test.told_bytes = 0;
	use(MIB / PAGE_SIZE);
	for (unsigned long i = 0; i < MIB / PAGE_SIZE; i++)
		give(i);
	idle(10 * NS_PER_S);
	CHECK(test.told_bytes <= 12 * MIB);
	CHECK_EQ(pmm_free_pages(), free_pages);
}

/* 64 MiB were used, and given back but for a page in each block. */
static void start_scattered(void)
{
	start(OFFERS);
	host_device.on_notify = take_reports;
	use(64 * MIB / PAGE_SIZE);
	for (unsigned long i = 0; i < 64 * MIB / PAGE_SIZE; i++)
		if (test.pages[i] % 512 != 7)
			give(i);
}

/* That page stays in use: nothing to tell. */
static void test_scattered(void)
{
	start_scattered();
	idle(100 * NS_PER_S);
	CHECK(test.told_bytes <= 4 * MIB);
}

/* … or stays with the CPU, which gives it back for the round. */
static void test_cached(void)
{
	start_scattered();
	for (unsigned long i = 0; i < 64 * MIB / PAGE_SIZE; i++)
		if (test.pages[i] % 512 == 7)
			give(i);
	idle(100 * NS_PER_S);
	CHECK(test.told_bytes >= 60 * MIB);
	CHECK_EQ(test.arms, 1);
}

/* When nearly all is in use, what is free stays here; and nobody asks again and again. */
static void test_short_memory(void)
{
	unsigned long n = pmm_free_pages();

	start(OFFERS);
	host_device.on_notify = take_reports;
	n = pmm_free_pages();
	use(n);
	for (unsigned long i = n - 16 * MIB / PAGE_SIZE; i < n; i++)
		give(i);
	idle(100 * NS_PER_S);
	CHECK_EQ(test.told_bytes, 0);
	CHECK(test.arms <= 1);
}

/* The device takes its time, and then says what cannot be. */
static void test_lies(void)
{
	uint64_t free_pages;
	uint16_t id;

	start(OFFERS);
	free_pages = pmm_free_pages();
	use(100 * MIB / PAGE_SIZE);
	for (unsigned long i = 0; i < 100 * MIB / PAGE_SIZE; i++)
		give(i);
	idle(10 * NS_PER_S);
	CHECK(pmm_free_pages() < free_pages &&
		pmm_free_pages() >= free_pages - 32 * MIB / PAGE_SIZE);
	CHECK(host_queue_take(REPORTS, &id));
	host_queue_use(REPORTS, id, 0);
	CHECK(host_interrupt());
	CHECK(!host_device.failure);
	host_queue_use(REPORTS, 31, 0);
	host_device.irq_pending = true;
	CHECK(host_interrupt());
	CHECK(host_device.failure);
	CHECK_EQ(pmm_free_pages(), free_pages); /* (3) */
	idle(3600 * NS_PER_S);
	CHECK(test.arms <= 2);
	use(free_pages); /* all of it can be had */
}

static void test_other_devices(void)
{
	start(1ull << VIRTIO_BALLOON_F_STATS_VQ); /* no reporting: not used */
	CHECK(!host_device.handler);
	use(64 * MIB / PAGE_SIZE);
	for (unsigned long i = 0; i < 64 * MIB / PAGE_SIZE; i++)
		give(i);
	idle(100 * NS_PER_S);
	CHECK_EQ(test.arms, 0);
}

static void test_queue_number(void)
{
	start(OFFERS | 1ull << VIRTIO_BALLOON_F_FREE_PAGE_HINT);
	CHECK(host_device.queues[REPORTS + 1].q && !host_device.queues[REPORTS].q);
}

static void run(void (*fn)(void))
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		fn();
		CHECK_EQ(host_locks_held(), 0);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
}

int main(void)
{
	run(test_rounds);
	run(test_scattered);
	run(test_cached);
	run(test_short_memory);
	run(test_lies);
	run(test_other_devices);
	run(test_queue_number);
	return 0;
}
