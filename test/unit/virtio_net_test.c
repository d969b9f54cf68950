/* sources: drivers/virtio/net.c drivers/virtio/net_pair.c drivers/virtio/ring.c
 * kernel/dev/netdev.c test/unit/shim/host.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_netdev.c test/unit/shim/host_pmm.c test/unit/shim/host_ram.c
 * test/unit/shim/host_virtio.c */
/*
 * virtio_net_test.c: the network driver against a device.
 *
 * What:       frames both ways with their contents, a flood beyond the budget, buffers that the
 *             protocol code keeps or hoards, a full transmit ring, checksum flags, link changes,
 *             frames of impossible sizes, a device that writes garbage.
 * Invariants: (1) a lent frame is the receiver's until it frees it. (2) interrupts that matter are
 *             asked for.
 * Locking:    one thread; host.c checks lock ranks.
 * Failure:    aborts with the failed check.
 * Source:     kernel/dev/netdev.h.
 */
#include "drivers/virtio/net.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/errno.h"
#include "host_netdev.h"
#include "kernel/mm/pmm.h"

/* ------------------------------------------------------------------ cases */
static void test_receive(uint64_t seed unused_arg)
{
	start(ALL_OFFERS);
	CHECK(memcmp(dev->mac, "\x52\x54\x00\x01\x02\x03", 6) == 0);
	CHECK_EQ(dev->caps, NETDEV_CAP_TX_CSUM | NETDEV_CAP_RX_CSUM);
	CHECK_EQ(posted(), 64);
	CHECK(wire_in(60, 0, 0x11));
	CHECK(host_interrupt()); /* (2) */
	CHECK_EQ(test.frames, 1);
	CHECK_EQ(test.batches, 1);
	CHECK(test.last_bytes == 60 && test.last[0] == 0x11 && test.last[59] == 0x11);
	CHECK(!test.last_ok);
	CHECK_EQ(posted(), 64);
	CHECK(wire_in(NETDEV_FRAME_MAX, VIRTIO_NET_HDR_F_DATA_VALID, 0x22));
	CHECK(wire_in(100, VIRTIO_NET_HDR_F_NEEDS_CSUM, 0x33));
	CHECK(host_interrupt());
	CHECK_EQ(test.frames, 3);
	CHECK_EQ(test.batches, 2);
	CHECK(test.last_ok && test.last[0] == 0x33);
	/* Not frames: too short, too long. */
	CHECK(host_queue_send(RX, "", 0));
	CHECK(wire_in(13, 0, 0));
	CHECK(wire_in(NETDEV_FRAME_MAX + 1, 0, 0));
	CHECK(host_interrupt());
	CHECK_EQ(test.frames, 3);
	CHECK_EQ(posted(), 64);
	CHECK(!host_device.failure);
}

/* The receiver keeps everything: more slices are made, up to the ring's size. */
static void test_flood(uint64_t seed unused_arg)
{
	unsigned sent = 0;

	start(0);
	CHECK_EQ(dev->mac[0], 0xfe); /* a random one, marked as such */
	CHECK_EQ(dev->caps, 0);
	test.keeps = true;
	for (int round = 0; round < 100; round++) {
		while (wire_in(60, 0, (uint8_t)sent))
			sent++;
		while (host_interrupt() || test.armed) {
			struct timer *t = test.armed;

			test.armed = NULL;
			if (t)
				t->fire(t);
		}
	}
	CHECK_EQ(sent, 256);
	CHECK_EQ(test.frames, 256);
	CHECK_EQ(test.kept_count, 256);
	for (unsigned i = 0; i < 256; i++) { /* (1) */
		CHECK_EQ(((unsigned char *)test.kept[i]->data)[0], i & 255);
		test.kept[i]->free(test.kept[i]);
	}
	CHECK_EQ(posted(), 256);
	test.keeps = false;
	/* All at once: the budget ends the first turn, the timer takes the rest. */
	for (int i = 0; i < 256; i++)
		CHECK(wire_in(60, 0, 1));
	CHECK(host_interrupt());
	CHECK(test.armed);
	test.armed->fire(test.armed);
	CHECK_EQ(test.frames, 512);
	CHECK(wire_in(60, 0, 1));
	CHECK(host_interrupt()); /* (2) */
}

/* The receiver keeps what it may keep, and frames come one by one: there is always a buffer. */
static void test_hoard(uint64_t seed unused_arg)
{
	unsigned most = 0;

	start(0);
	test.hoards = true;
	for (unsigned i = 1; i <= 5000; i++) {
		CHECK(wire_in(1000, 0, (uint8_t)i));
		CHECK(host_interrupt());
		CHECK_EQ(test.frames, i);
		CHECK(posted() > 0);
		if (i % 1000 == 0)
			CHECK(test.kept_count > 100);
		most = test.kept_count > most ? test.kept_count : most;
		while (i % 1000 == 0 && test.kept_count > 0) {
			test.kept_count--;
			test.kept[test.kept_count]->free(test.kept[test.kept_count]);
		}
	}
	CHECK(most <= 129);
	CHECK(posted() >= 129);
}

static int send_frame(const char *text, uint32_t bytes)
{
	static unsigned char frame[NETDEV_FRAME_MAX];
	struct netdev_seg segs[3] = { { frame, 14 }, { frame + 14, 0 },
		{ frame + 14, bytes - 14 } };
	struct netdev_tx tx = { .segs = segs, .seg_count = 3 };

	memset(frame, 0, sizeof(frame));
	memcpy(frame, text, strlen(text));
	return dev->ops->transmit(dev, &tx);
}

static void test_transmit(uint64_t seed unused_arg)
{
	unsigned char frame[2048];
	struct virtio_net_hdr_v1 header;
	unsigned before, queued;

	start(ALL_OFFERS);
	before = host_device.notifications;
	CHECK_EQ(send_frame("one", 60), 0);
	CHECK_EQ(send_frame("two", NETDEV_FRAME_MAX), 0);
	CHECK_EQ(wire_out(frame, &header), 0); /* nothing before flush */
	dev->ops->flush(dev);
	CHECK_EQ(host_device.notifications, before + 1);
	CHECK_EQ(wire_out(frame, &header), 60);
	CHECK(memcmp(frame, "one", 3) == 0 && header.flags == 0);
	CHECK_EQ(wire_out(frame, &header), NETDEV_FRAME_MAX);
	CHECK(memcmp(frame, "two", 3) == 0);
	CHECK_EQ(wire_out(frame, &header), 0);

	struct netdev_seg seg = { frame, 60 };
	struct netdev_tx partial = { &seg, 1, true, 34, 16 };
	CHECK_EQ(dev->ops->transmit(dev, &partial), 0);
	dev->ops->flush(dev);
	CHECK_EQ(wire_out(frame, &header), 60);
	CHECK(header.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM && header.csum_start == 34 &&
		header.csum_offset == 16 && header.gso_type == 0);

	/* A device that takes nothing: the ring fills, frames are refused, then room comes back. */
	for (queued = 0; send_frame("x", 60) == 0; queued++)
		;
	CHECK_EQ(queued, 256);
	CHECK_EQ(send_frame("x", 60), -ENOBUFS);
	dev->ops->flush(dev);
	CHECK_EQ(wire_out(frame, &header), 60);
	CHECK_EQ(send_frame("y", 60), 0);
	CHECK_EQ(send_frame("z", 60), -ENOBUFS);
	CHECK(!host_device.irq_pending); /* sent frames interrupt nobody */
}

static void test_link(uint64_t seed unused_arg)
{
	uint16_t status = 0;

	start(ALL_OFFERS);
	memcpy(host_device.config + 6, &status, sizeof(status));
	host_device.irq_pending = true;
	host_device.irq_cause = VIRTIO_IRQ_CONFIG;
	test.link_up = true;
	CHECK(host_interrupt());
	CHECK(!dev->link_up && !test.link_up);
}

static void test_no_memory(void)
{
	unsigned long n = 0;
	int status;

	do {
		pid_t pid;

		n++;
		pid = fork();
		if (pid == 0) {
			struct virtio_device d = { .regs = (char *)&test };

			start_memory();
			host_fail_alloc(n);
			virtio_net_init(&d);
			dev = netdev_first();
			if (dev) { /* fewer slices, but it works */
				netdev_attach(dev, &host_receiver, NULL);
				CHECK(send_frame("a", 60) == 0 || send_frame("b", 60) == 0);
			}
			_exit(host_failed_alloc() ? 0 : 2);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) != 1);
	} while (WEXITSTATUS(status) == 0);
	CHECK(n > 30);
}

static void test_garbage(uint64_t seed)
{
	unsigned char frame[2048];
	struct virtio_net_hdr_v1 header;

	start(ALL_OFFERS);
	for (int step = 0; step < 2000; step++) {
		uint64_t r = host_random(&seed);
		uint16_t id;

		test.keeps = r & 1 << 20;
		if (test.kept_count && r & 1 << 21) {
			struct netdev_rx *rx = test.kept[--test.kept_count];

			rx->free(rx);
		}
		if (r % 512 == 0 && !host_device.failure)
			host_queue_use(r & 1 << 9 ? RX : TX, (uint32_t)(r >> 32) % 300,
				(uint32_t)r);
		if (r % 7 == 0 && host_queue_take(RX, &id))
			host_queue_use(RX, id, (uint32_t)(r >> 40) % 1700);
		if (r % 5 == 0)
			(void)send_frame("f", 14 + (uint32_t)(r >> 30) % 1500);
		if (r % 11 == 0)
			dev->ops->flush(dev);
		if (r % 3 == 0 && !host_device.queues[TX].q->broken)
			(void)wire_out(frame, &header);
		host_device.irq_pending = true;
		host_device.irq_cause = (uint32_t)(r >> 50) & 3;
		(void)host_interrupt();
		test.armed = NULL;
	}
}

int main(void)
{
	run(test_receive, 0);
	run(test_flood, 0);
	run(test_hoard, 0);
	run(test_transmit, 0);
	run(test_link, 0);
	test_no_memory();
	for (uint64_t seed = 1; seed <= 40; seed++)
		run(test_garbage, seed);
	return 0;
}
