/*
 * balloon.c: virtio-balloon, for free page reporting only.
 *
 * What:       each buffer on the reporting queue is a free block of the machine. When it comes back
 *             the host has taken the memory behind it, and gives new memory at the next touch. A
 *             round tells of a few blocks at a time, until there are none.
 * Invariants: (1) a block is the host's from the kick until it comes back, and then free: nobody
 *             relies on what it reads as. (2) every round ends with pagereport_done. (3) nothing is
 *             taken from a stopped device: its blocks are free already.
 * Locking:    balloon.lock (LOCK_DEVICE): the round begins in a timer and goes on in interrupts.
 * Failure:    a device that lies is stopped; its blocks are free again, since a device that was
 *             reset touches nothing.
 * Source:     virtio 1.2 §5.5 (traditional memory balloon), §5.5.6.7 (free page reporting).
 */
#include "drivers/virtio/balloon.h"

#include <linux/virtio_balloon.h>
#include <linux/virtio_ring.h>

#include "base/errno.h"
#include "kernel/dev/pagereport.h"
#include "kernel/log.h"
#include "kernel/mm/pmm.h"
#include "kernel/stats.h"
#include "kernel/sync/spinlock.h"

enum {
	QUEUE_SIZE = 32,
	BLOCKS_MAX = 8, /* at a time: 32 MiB that nobody can have meanwhile */
};

static struct {
	struct virtio_device device;
	struct spinlock lock;
	struct virtq queue; /* [b] the lock above */
	pfn_t blocks[BLOCKS_MAX]; /* [b] the host's; PFN_NONE: unused */
	uint32_t count; /* [b] of them */
	bool is_round; /* [b] */
} balloon;

/* CAVEAT: the host's wishes for the machine's size (inflate, deflate) are not followed. */

/* True: at least one more block is the host's. */
static bool tell_locked(void)
{
	uint32_t before = balloon.count;
	unsigned order;

	lock_assert_held(&balloon.lock);
	for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
		pfn_t pfn;

		if (balloon.blocks[i] != PFN_NONE)
			continue;
		pfn = pmm_report_take(&order);
		if (pfn == PFN_NONE)
			break;
		if (virtq_add_in(&balloon.queue, pfn_to_virt(pfn), (uint32_t)PAGE_SIZE << order,
			    &balloon.blocks[i]) != 0) {
			pmm_report_give(pfn, false);
			break;
		}
		balloon.blocks[i] = pfn;
		balloon.count++;
	}
	virtio_kick(&balloon.device, &balloon.queue);
	return balloon.count != before;
}

/* The device is no more: (1). */
static void take_all_back_locked(void)
{
	for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
		if (balloon.blocks[i] != PFN_NONE)
			pmm_report_give(balloon.blocks[i], false);
		balloon.blocks[i] = PFN_NONE;
	}
	balloon.count = 0;
}

static void collect_locked(void)
{
	uint32_t bytes;
	void *cookie;
	int got = 0;

	/* (3): what it writes after its end names blocks that are no longer there. */
	while (!virtio_is_broken(&balloon.device) &&
		(got = virtq_take(&balloon.queue, &cookie, &bytes)) == 1) {
		pfn_t *block = cookie;

		stat_add(STAT_reported_bytes, (uint64_t)PAGE_SIZE << pmm_frame(*block)->order);
		pmm_report_give(*block, true);
		*block = PFN_NONE;
		balloon.count--;
	}
	if (got < 0)
		virtio_fail(&balloon.device, "bad used ring of the reporting queue");
	if (virtio_is_broken(&balloon.device))
		take_all_back_locked();
}

/* Takes what is done, tells of more, until the device has work or there is none: (2). */
static void go_on(void)
{
	bool is_done = false;

	spin_lock(&balloon.lock);
	do {
		collect_locked();
	} while (!virtio_is_broken(&balloon.device) &&
		(virtq_interrupts_on(&balloon.queue) || (balloon.is_round && tell_locked())));
	if (balloon.is_round && balloon.count == 0) {
		balloon.is_round = false;
		is_done = true;
	}
	spin_unlock(&balloon.lock);
	if (is_done)
		pagereport_done();
}

static void start_round(void)
{
	if (virtio_is_broken(&balloon.device))
		return; /* without an end: no round comes after this */
	spin_lock(&balloon.lock);
	balloon.is_round = true;
	spin_unlock(&balloon.lock);
	go_on();
}

static void handle_irq(void *arg unused_arg)
{
	(void)virtio_irq_ack(&balloon.device);
	go_on();
}

/* Queues are numbered by what the device offers, whatever the driver accepts: inflate, deflate,
 * statistics, hints, reports. */
static uint16_t reporting_queue(const struct virtio_device *d)
{
	return (uint16_t)(2 + (d->offered >> VIRTIO_BALLOON_F_STATS_VQ & 1) +
		(d->offered >> VIRTIO_BALLOON_F_FREE_PAGE_HINT & 1));
}

void virtio_balloon_init(const struct virtio_device *d)
{
	int err;

	if (balloon.device.regs) {
		log_info("virtio-balloon: a second device stays unused");
		return;
	}
	balloon.device = *d;
	spinlock_init(&balloon.lock, LOCK_DEVICE);
	err = virtio_negotiate(&balloon.device, "virtio-balloon",
		1ull << VIRTIO_BALLOON_F_REPORTING, 1ull << VIRTIO_RING_F_EVENT_IDX);
	if (err)
		return;
	err = virtio_add_queue(&balloon.device, &balloon.queue, reporting_queue(&balloon.device),
		QUEUE_SIZE);
	if (!err)
		err = virtio_start(&balloon.device, handle_irq, NULL);
	if (err)
		virtio_stop(&balloon.device);
	else
		pagereport_register(start_round);
}
