/* sources: drivers/virtio/net.c drivers/virtio/net_pair.c drivers/virtio/ring.c
 * kernel/dev/netdev.c test/unit/shim/host.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_netdev.c test/unit/shim/host_pmm.c test/unit/shim/host_ram.c
 * test/unit/shim/host_virtio.c */
/*
 * virtio_net_pairs_test.c: the network driver with several pairs of queues.
 *
 * What:       how many pairs are set up, what is asked on the control queue and what its answer
 *             changes, which frames leave where, two CPUs at one queue, the MTU.
 * Invariants: (1) all frames of a flow leave through one queue. (2) a device that refuses or lies
 *             about pairs is used with one.
 * Locking:    one thread; host.c checks lock ranks.
 * Failure:    aborts with the failed check.
 * Source:     virtio 1.1 §5.1.6.5.5 (automatic receive steering).
 */
#include "drivers/virtio/net.h"

#include <linux/virtio_ring.h>
#include <string.h>

#include "arch/arch.h"
#include "host_netdev.h"

enum { PAIRS_OFFERED = 4, CONTROL = 2 * PAIRS_OFFERED };
#define MQ_OFFERS (ALL_OFFERS | 1ull << VIRTIO_NET_F_MQ | 1ull << VIRTIO_NET_F_CTRL_VQ)

/* What the driver asks on the control queue: pairs, after the device answered; 0: nothing. */
static unsigned answer_control(uint8_t answer)
{
	struct vring_desc *d;
	unsigned char *p;
	uint32_t bytes;
	uint16_t id;

	if (!host_device.queues[CONTROL].q || !host_queue_take(CONTROL, &id))
		return 0;
	d = &host_device.queues[CONTROL].q->desc[id];
	p = host_queue_buffer(CONTROL, id, &bytes);
	CHECK(bytes == 4 && p[0] == VIRTIO_NET_CTRL_MQ && p[1] == VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET);
	CHECK_EQ(d->flags, VRING_DESC_F_NEXT);
	d = &host_device.queues[CONTROL].q->desc[d->next];
	CHECK(d->flags == VRING_DESC_F_WRITE && d->len == 1);
	*(uint8_t *)phys_to_virt(d->addr) = answer;
	host_queue_use(CONTROL, id, 1);
	return p[2] | (unsigned)p[3] << 8;
}

static void start_pairs(uint32_t cpus, uint16_t offered)
{
	uint16_t pairs = offered;

	test.cpus = cpus;
	memcpy(host_device.config + 8, &pairs, sizeof(pairs));
	start(MQ_OFFERS);
}

/* A TCP frame of flow number k. */
static int send_flow(unsigned k)
{
	static unsigned char frame[60];
	struct netdev_seg seg = { frame, sizeof(frame) };
	struct netdev_tx tx = { .segs = &seg, .seg_count = 1 };

	memset(frame, 0, sizeof(frame));
	frame[12] = 8;
	frame[14] = 0x45;
	frame[34] = (unsigned char)k; /* a port */
	return dev->ops->transmit(dev, &tx);
}

static void test_pairs(uint64_t seed unused_arg)
{
	unsigned char frame[2048];
	struct virtio_net_hdr_v1 header;
	unsigned used[PAIRS_OFFERED] = { 0 }, k, pair;

	start_pairs(3, PAIRS_OFFERED);
	for (k = 0; k < 6; k++)
		CHECK(host_device.queues[k].q); /* as many as there are CPUs */
	CHECK(!host_device.queues[6].q);
	/* Not yet agreed: all through the first. */
	for (k = 0; k < 32; k++)
		CHECK_EQ(send_flow(k), 0);
	dev->ops->flush(dev);
	for (k = 0; k < 32; k++)
		CHECK_EQ(wire_out(frame, &header), 60);
	CHECK_EQ(answer_control(VIRTIO_NET_OK), 3);
	CHECK(host_interrupt());
	for (k = 0; k < 64; k++) {
		CHECK_EQ(send_flow(k % 16), 0);
		dev->ops->flush(dev);
	}
	for (pair = 0; pair < 3; pair++) {
		uint64_t flows = 0;

		while (wire_out_on(2 * pair + 1, frame, &header)) {
			used[pair]++;
			flows |= 1ull << frame[34];
		}
		/* A flow's frames all leave here, or none does. */
		CHECK_EQ(used[pair], 4 * __builtin_popcountll(flows));
		CHECK(used[pair] > 0);
	}
	CHECK_EQ(used[0] + used[1] + used[2], 64);
	/* Frames come in through any of them. */
	for (pair = 0; pair < 3; pair++) {
		CHECK(wire_in_on(2 * pair, 60, 0, (uint8_t)pair));
		CHECK(host_interrupt());
		CHECK_EQ(test.frames, pair + 1);
		CHECK_EQ(test.last[0], pair);
	}
	CHECK(!host_device.failure);
}

/* One that refuses, one that lies about how many it has, one CPU. */
static void test_one_pair(uint64_t seed unused_arg)
{
	unsigned char frame[2048];
	struct virtio_net_hdr_v1 header;

	start_pairs(2, PAIRS_OFFERED);
	CHECK_EQ(answer_control(VIRTIO_NET_ERR), 2);
	CHECK(host_interrupt());
	for (unsigned k = 0; k < 32; k++)
		CHECK_EQ(send_flow(k), 0);
	dev->ops->flush(dev);
	for (unsigned k = 0; k < 32; k++)
		CHECK_EQ(wire_out(frame, &header), 60);
	CHECK(!host_device.failure);
}

static void test_no_pairs(uint64_t seed unused_arg)
{
	start_pairs(2, 0);
	CHECK(!host_device.queues[2].q && host_device.notifications == 1);
}

static void test_one_cpu(uint64_t seed unused_arg)
{
	start_pairs(1, PAIRS_OFFERED);
	CHECK(!host_device.queues[2].q && !host_device.queues[CONTROL].q);
}

/* Another CPU is at work on the queue: this one leaves it alone, and nothing is forgotten. */
static void test_polled_elsewhere(uint64_t seed unused_arg)
{
	unsigned char first;

	start(ALL_OFFERS);
	for (int i = 0; i < 256; i++)
		while (!wire_in(60, 0, (uint8_t)i))
			CHECK(host_interrupt() || test.armed);
	CHECK(host_interrupt() || test.armed);
	while (test.frames < 256) {
		struct timer *t = test.armed;

		CHECK(t);
		first = test.last[0];
		host_device.irq_pending = true;
		host_device.irq_cause = VIRTIO_IRQ_QUEUES;
		CHECK(host_interrupt());
		CHECK_EQ(test.last[0], first); /* its order is the timer's business */
		test.armed = NULL;
		t->fire(t);
	}
	CHECK(wire_in(60, 0, 7));
	CHECK(host_interrupt() || test.armed);
}

static void test_mtu(uint64_t seed unused_arg)
{
	uint16_t mtu = 1400;

	memcpy(host_device.config + 10, &mtu, sizeof(mtu));
	host_device.offers = 1ull << VIRTIO_NET_F_MTU;
	start_memory();
	virtio_net_init(&(struct virtio_device){ .regs = (char *)&test });
	CHECK_EQ(netdev_first()->mtu, 1400);
}

int main(void)
{
	run(test_pairs, 0);
	run(test_one_pair, 0);
	run(test_no_pairs, 0);
	run(test_one_cpu, 0);
	run(test_polled_elsewhere, 0);
	run(test_mtu, 0);
	return 0;
}
