/* sources: drivers/virtio/net.c drivers/virtio/net_pair.c drivers/virtio/ring.c
 * test/fuzz/virtq_moves.c test/unit/shim/host.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_netdev.c test/unit/shim/host_pmm.c test/unit/shim/host_ram.c
 * test/unit/shim/host_virtio.c */
/*
 * virtq_fuzz.c: whatever a virtio device writes, its driver lives.
 *
 * What:       the network driver with three pairs of queues and its control queue, against a device
 *             that the input plays: used entries with any id and length, indices that jump, buffers
 *             with any contents, configuration that changes, interrupts with any cause; between
 *             them frames are sent and received ones given back late.
 * Invariants: (1) no access outside of what the driver owns, no failed claim, no lock left held.
 *             (2) a frame that comes up is within its bounds. (3) a stopped device stays stopped.
 * Locking:    one thread; host.c checks lock ranks.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     drivers/virtio/ring.h, virtio 1.1 §2.6.
 */
#include <linux/virtio_ring.h>
#include <sanitizer/asan_interface.h>
#include <string.h>

#include "base/units.h"
#include "drivers/virtio/net.h"
#include "drivers/virtio/net_priv.h"
#include "host_netdev.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"
#include "test/fuzz/virtq_moves.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_RAM_BYTES = 2 << 20, PAIRS = 3, QUEUES = 2 * PAIRS + 1, CONTROL = 2 * PAIRS };

/* ------------------------------------------------------------------ in place of netdev.c */
void netdev_register(struct netdev *d)
{
	dev = d;
}

struct netdev *netdev_first(void)
{
	return dev;
}

void netdev_attach(struct netdev *d, const struct netdev_receiver *r, void *to)
{
	d->receiver_data = to;
	d->receiver = r;
}

/* ------------------------------------------------------------------ a machine for each input */
static void start_machine(void)
{
	struct virtio_device d = { .regs = (char *)&test };
	uint16_t pairs = PAIRS;

	memset(&host_device, 0, sizeof(host_device));
	memset(&test, 0, sizeof(test));
	if (host_ram != NULL)
		ASAN_UNPOISON_MEMORY_REGION(host_ram, host_ram_bytes); /* free pages of before */
	host_ram_init(FUZZ_RAM_BYTES);
	pmm_init(FUZZ_RAM_BYTES, 0);
	pmm_add_range(PAGE_SIZE, FUZZ_RAM_BYTES);
	test.cpus = PAIRS;
	host_device.offers = ALL_OFFERS | 1ull << VIRTIO_NET_F_MQ | 1ull << VIRTIO_NET_F_CTRL_VQ;
	memcpy(host_device.config + 8, &pairs, sizeof(pairs));
	dev = NULL;
	virtio_net_init(&d);
	CHECK(dev != NULL);
	netdev_attach(dev, &host_receiver, NULL);
}

static void end_machine(void)
{
	struct net *n = dev->driver;

	CHECK_EQ(host_locks_held(), 0); /* (1) */
	for (unsigned i = 0; i < QUEUES; i++)
		virtq_fini(host_device.queues[i].q);
	kmem_free(n->pairs);
	kmem_free(n->control);
	kmem_free(n);
	CHECK_EQ(host_kmem_objects(), 0);
}

/* ------------------------------------------------------------------ the device's moves */
/* What the control queue answers is a byte behind the request. */
static void write_buffer(unsigned queue, uint16_t id)
{
	const struct vring_desc *d = host_device.queues[queue].q->desc;

	if (queue != CONTROL) {
		moves_write(queue, id);
		return;
	}
	(void)moves_next(); /* as many bytes of an input as for another queue */
	CHECK(d[id].flags == VRING_DESC_F_NEXT);
	*(char *)((uintptr_t)host_ram + d[d[id].next].addr) = (char)moves_next();
}

static void send_frame(void)
{
	static uint8_t frame[NETDEV_FRAME_MAX];
	struct netdev_seg seg = { frame, 14 + (moves_next() | (moves_next() & 3) << 8) };
	struct netdev_tx tx = { .segs = &seg, .seg_count = 1 };

	frame[12] = (uint8_t)moves_next();
	frame[30] = (uint8_t)moves_next();
	(void)!dev->ops->transmit(dev, &tx);
}

static void interrupt(unsigned cause)
{
	host_device.irq_pending = true;
	host_device.irq_cause = cause;
	(void)host_interrupt();
}

static void fire_timer(void)
{
	struct timer *t = test.armed;

	test.armed = NULL;
	if (t != NULL)
		t->fire(t);
}

static void step(void)
{
	unsigned r = moves_next();

	switch (r >> 4) {
	case 8:
		send_frame();
		break;
	case 9:
		dev->ops->flush(dev);
		break;
	case 10:
		interrupt(r & 3);
		break;
	case 11:
		fire_timer();
		break;
	case 12:
		test.keeps = r & 1;
		break;
	case 13:
		if (test.kept_count != 0) {
			test.kept_count--;
			test.kept[test.kept_count]->free(test.kept[test.kept_count]);
		}
		break;
	case 14:
		host_device.config[moves_next() % sizeof(host_device.config)] = (uint8_t)
			moves_next();
		break;
	default:
		moves_on_queue(r & 7, (r >> 4) % QUEUES, write_buffer);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool was_stopped = false;

	moves_begin(data, size);
	start_machine();
	while (moves_are_left()) {
		step();
		CHECK(!was_stopped || host_device.failure != NULL); /* (3) */
		was_stopped = host_device.failure != NULL;
	}
	interrupt(VIRTIO_IRQ_QUEUES | VIRTIO_IRQ_CONFIG);
	end_machine();
	return 0;
}
