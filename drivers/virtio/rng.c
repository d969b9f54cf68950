/*
 * rng.c: virtio-rng: the host's random bytes for the generator.
 *
 * What:       one buffer is the device's; when it comes back it is mixed in, and given again only
 *             after a while, so that an idle machine stays idle.
 * Invariants: (1) the buffer is read only while it is ours.
 * Locking:    rng.lock (LOCK_DEVICE): interrupt and timer may run on two CPUs.
 * Failure:    a device that lies is stopped; the generator keeps what it has.
 * Source:     virtio 1.1 §5.4 (entropy device).
 */
#include "drivers/virtio/rng.h"

#include <linux/virtio_ring.h>

#include "base/units.h"
#include "kernel/entropy.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"

#define SEED_BYTES 64u
#define PERIOD_NS (600 * NS_PER_S)

static struct {
	struct virtio_device device;
	struct virtq queue;
	struct spinlock lock; /* guards the queue */
	char *seed; /* [I] */
	struct timer again;
} rng;

static void post_seed(void)
{
	if (virtq_add_in(&rng.queue, rng.seed, SEED_BYTES, rng.seed) != 0)
		return; /* it is out already, or the device is broken */
	virtio_kick(&rng.device, &rng.queue);
}

static void fire_again(struct timer *t unused_arg)
{
	spin_lock(&rng.lock);
	if (!virtio_is_broken(&rng.device))
		post_seed();
	spin_unlock(&rng.lock);
}

static void handle_irq(void *arg unused_arg)
{
	uint32_t bytes;
	void *cookie;
	int got;

	(void)virtio_irq_ack(&rng.device);
	spin_lock(&rng.lock);
	do {
		while ((got = virtq_take(&rng.queue, &cookie, &bytes)) == 1) {
			entropy_mix(cookie, bytes);
			timer_arm(&rng.again, clock_now_ns() + PERIOD_NS);
		}
		if (got < 0)
			virtio_fail(&rng.device, "bad used ring");
	} while (virtq_interrupts_on(&rng.queue));
	spin_unlock(&rng.lock);
}

void virtio_rng_init(const struct virtio_device *d)
{
	int err;

	if (rng.device.regs) {
		log_info("virtio-rng: a second device stays unused");
		return;
	}
	rng.device = *d;
	spinlock_init(&rng.lock, LOCK_DEVICE);
	timer_init(&rng.again, fire_again);
	rng.seed = kmem_alloc(SEED_BYTES);
	if (!rng.seed || virtio_negotiate(&rng.device, "virtio-rng", 0, 0))
		return;
	/* One entry: a second buffer cannot be posted while the first is out. */
	err = virtio_add_queue(&rng.device, &rng.queue, 0, 1);
	if (!err)
		err = virtio_start(&rng.device, handle_irq, NULL);
	if (err)
		virtio_stop(&rng.device);
	else
		fire_again(&rng.again);
}
