/* sources: drivers/virtio/ring.c test/fuzz/virtq_moves.c test/unit/shim/host.c
 * test/unit/shim/host_kmem.c test/unit/shim/host_ram.c test/unit/shim/host_virtio.c */
/*
 * virtq_balloon_fuzz.c: whatever a balloon device writes, no free memory is lost to it.
 *
 * What:       free page reporting against a device that the input plays: used entries with any id
 *             and length, indices that jump, a device that asks for a reset, rounds that begin in
 *             between. A few blocks in place of the page allocator, each of which is free, taken
 *             or told.
 * Invariants: (1) no access outside of what the driver owns, no lock left held. (2) a block that
 *             was taken comes back, once: at the latest when the device is stopped. (3) a round
 *             ends when the device has worked through it. (4) a stopped device stays stopped; that
 *             is told once: a line and a counter.
 * Locking:    one thread; host.c checks lock ranks.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     virtio 1.2 §5.5.6.7; the driver is included, so that each input has one that was
 *             never used.
 */
#include "drivers/virtio/balloon.c"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "host.h"
#include "host_virtio.h"
#include "kernel/mm/kmem.h"
#include "test/fuzz/virtq_moves.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BLOCKS = 12, BLOCK_PAGES = 1 << PMM_REPORT_ORDER, REPORTS = 2 };

enum block { FREE, TAKEN, TOLD };

static struct {
	enum block blocks[BLOCKS];
	struct frame frame; /* of each block: its order */
	void (*start)(void);
	uint64_t errors_before;
	unsigned lines, rounds, ends;
} fuzz;

/* ------------------------------------------------------------------ the kernel around it */
void klog(enum gosolo_log_level level, const char *format, ...)
{
	if (level == GOSOLO_LOG_ERROR && strstr(format, "device stopped") != NULL)
		fuzz.lines++;
}

void pagereport_register(void (*start)(void))
{
	fuzz.start = start;
}

void pagereport_done(void)
{
	CHECK_EQ(host_locks_held(), 0);
	fuzz.ends++;
	CHECK(fuzz.ends <= fuzz.rounds);
}

static enum block *find_block(pfn_t pfn)
{
	CHECK(pfn != PFN_NONE && pfn % BLOCK_PAGES == 0 && pfn / BLOCK_PAGES <= BLOCKS);
	return &fuzz.blocks[pfn / BLOCK_PAGES - 1];
}

struct frame *pmm_frame(pfn_t pfn)
{
	(void)find_block(pfn);
	fuzz.frame.order = PMM_REPORT_ORDER;
	return &fuzz.frame;
}

pfn_t pmm_report_take(unsigned *order)
{
	*order = PMM_REPORT_ORDER;
	for (pfn_t i = 0; i < BLOCKS; i++)
		if (fuzz.blocks[i] == FREE) {
			fuzz.blocks[i] = TAKEN;
			return (i + 1) * BLOCK_PAGES;
		}
	return PFN_NONE;
}

void pmm_report_give(pfn_t pfn, bool is_reported)
{
	enum block *block = find_block(pfn);

	CHECK_EQ(*block, TAKEN); /* (2) */
	*block = is_reported ? TOLD : FREE;
}

static unsigned count(enum block state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BLOCKS; i++)
		n += fuzz.blocks[i] == state;
	return n;
}

/* ------------------------------------------------------------------ a machine for each input */
static void start_machine(void)
{
	struct virtio_device d = { .regs = (char *)&fuzz };

	memset(&host_device, 0, sizeof(host_device));
	memset(&balloon, 0, sizeof(balloon));
	memset(&fuzz, 0, sizeof(fuzz));
	fuzz.errors_before = stat_sum(STAT_device_errors);
	if (host_ram == NULL)
		host_ram_init(PAGE_SIZE << PMM_REPORT_ORDER);
	host_device.offers = 1ull << VIRTIO_BALLOON_F_REPORTING;
	virtio_balloon_init(&d);
	CHECK(fuzz.start != NULL && host_device.queues[REPORTS].q == &balloon.queue);
}

/* ------------------------------------------------------------------ moves */
static void interrupt(void)
{
	host_device.irq_pending = true;
	(void)host_interrupt();
}

/* The next round begins when the last one has ended. */
static void start_round_if_done(void)
{
	if (fuzz.ends != fuzz.rounds)
		return;
	fuzz.rounds++;
	fuzz.start();
}

static void use_memory(void)
{
	unsigned block = moves_next() % BLOCKS;

	if (fuzz.blocks[block] == TOLD)
		fuzz.blocks[block] = FREE; /* used, and free again: to be told again */
}

static void step(void)
{
	unsigned r = moves_next();

	switch (r >> 4) {
	case 8:
	case 9:
		start_round_if_done();
		break;
	case 10:
	case 11:
		interrupt();
		break;
	case 12:
	case 13:
		use_memory();
		break;
	case 14:
		virtio_fail(&balloon.device, "it says that it needs a reset"); /* as the ack does */
		interrupt();
		break;
	default: /* no bytes are written: the blocks are not this process's memory */
		moves_on_queue(r & 7, REPORTS, NULL);
		break;
	}
}

static void check(bool was_stopped)
{
	unsigned used = 0;

	CHECK_EQ(host_locks_held(), 0); /* (1) */
	CHECK_EQ(count(TAKEN), balloon.count); /* (2) */
	for (unsigned i = 0; i < BLOCKS_MAX; i++)
		used += balloon.blocks[i] != PFN_NONE;
	CHECK_EQ(used, balloon.count);
	CHECK(!was_stopped || virtio_is_broken(&balloon.device)); /* (4) */
	CHECK(fuzz.lines <= 1); /* (4) */
}

/* A device that is still believed does its work in the end: all blocks come back, told. */
static void finish(void)
{
	uint16_t id;

	interrupt();
	for (unsigned i = 0; !virtio_is_broken(&balloon.device) && i < 4 * BLOCKS; i++) {
		while (host_queue_take(REPORTS, &id))
			if (balloon.queue.slots[id].in_flight)
				host_queue_use(REPORTS, id, 0);
		interrupt();
	}
}

static void end_machine(bool was_stopped)
{
	bool is_stopped;

	finish();
	check(was_stopped);
	is_stopped = virtio_is_broken(&balloon.device);
	CHECK_EQ(count(TAKEN), 0); /* (2) */
	CHECK(fuzz.rounds == fuzz.ends || is_stopped); /* (3) */
	CHECK(!balloon.queue.broken || is_stopped);
	CHECK_EQ(fuzz.lines, is_stopped);
	CHECK_EQ(stat_sum(STAT_device_errors) - fuzz.errors_before, is_stopped);
	virtq_fini(&balloon.queue);
	CHECK_EQ(host_kmem_objects(), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool was_stopped = false;

	moves_begin(data, size);
	start_machine();
	while (moves_are_left()) {
		step();
		check(was_stopped);
		was_stopped = virtio_is_broken(&balloon.device);
	}
	end_machine(was_stopped);
	return 0;
}
