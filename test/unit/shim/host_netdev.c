/*
 * host_netdev.c: the network driver's surroundings in a test.
 *
 * What:       a receiver that looks at frames and may keep them, a clock that stands still, the
 *             other end of the wire.
 * Invariants: (1) no lock is held while the receiver runs.
 * Locking:    one thread.
 * Failure:    ends the test.
 * Source:     kernel/dev/netdev.h.
 */
#include "host_netdev.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/virtio/net.h"
#include "kernel/entropy.h"
#include "kernel/log.h"
#include "kernel/mm/pmm.h"
#include "kernel/sched/smp.h"
#include "kernel/time/clock.h"

struct host_netdev test;
struct netdev *dev;

/* ------------------------------------------------------------------ the kernel around it */
uint64_t clock_now_ns(void)
{
	return 1;
}

void entropy_fill(void *out, size_t bytes)
{
	memset(out, 0xff, bytes);
}

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
	*t = (struct timer){ .fire = fire };
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	CHECK(deadline_ns > 1);
	test.armed = t;
}

uint32_t smp_count_possible(void)
{
	return test.cpus ? test.cpus : 1;
}

void klog(enum gosolo_log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

static void receive(struct netdev *d, struct netdev_rx *rx)
{
	CHECK(d == dev);
	CHECK_EQ(host_locks_held(), 0); /* (1) */
	CHECK(rx->bytes >= 14 && rx->bytes <= NETDEV_FRAME_MAX);
	memcpy(test.last, rx->data, rx->bytes);
	test.last_bytes = rx->bytes;
	test.last_ok = rx->csum_ok;
	test.frames++;
	if ((test.keeps || (test.hoards && !rx->is_scarce)) && test.kept_count < KEPT_MAX)
		test.kept[test.kept_count++] = rx;
	else
		rx->free(rx);
}

static void batch_end(struct netdev *d)
{
	CHECK(d == dev);
	test.batches++;
}

static void link_changed(struct netdev *d, bool up)
{
	CHECK(d == dev);
	test.link_up = up;
}

const struct netdev_receiver host_receiver = { receive, batch_end, link_changed };

/* ------------------------------------------------------------------ the device */
bool wire_in_on(unsigned queue, uint32_t frame_bytes, uint8_t flags, uint8_t mark)
{
	unsigned char buffer[2048];

	memset(buffer, mark, sizeof(buffer));
	memset(buffer, 0, HEADER);
	buffer[0] = flags;
	return host_queue_send(queue, buffer, HEADER + frame_bytes);
}

bool wire_in(uint32_t frame_bytes, uint8_t flags, uint8_t mark)
{
	return wire_in_on(RX, frame_bytes, flags, mark);
}

uint32_t wire_out_on(unsigned queue, unsigned char *frame, struct virtio_net_hdr_v1 *header)
{
	uint32_t bytes;
	uint16_t id;
	char *p;

	if (!host_queue_take(queue, &id))
		return 0;
	p = host_queue_buffer(queue, id, &bytes);
	CHECK(bytes > HEADER);
	memcpy(header, p, HEADER);
	memcpy(frame, p + HEADER, bytes - HEADER);
	host_queue_use(queue, id, 0);
	return bytes - HEADER;
}

uint32_t wire_out(unsigned char *frame, struct virtio_net_hdr_v1 *header)
{
	return wire_out_on(TX, frame, header);
}

unsigned posted(void)
{
	const struct host_queue *h = &host_device.queues[RX];

	return virtq_in_flight(h->q);
}

void start_memory(void)
{
	host_ram_init(RAM_BYTES);
	pmm_init(RAM_BYTES, 0);
	pmm_add_range(PAGE_SIZE, RAM_BYTES);
}

void start(uint64_t offers)
{
	struct virtio_device d = { .regs = (char *)&test };
	uint16_t status = VIRTIO_NET_S_LINK_UP;

	start_memory();
	host_device.offers = offers;
	memcpy(host_device.config, "\x52\x54\x00\x01\x02\x03", 6);
	memcpy(host_device.config + 6, &status, sizeof(status));
	virtio_net_init(&d);
	dev = netdev_first();
	CHECK(dev && !dev->next && dev->link_up);
	CHECK_EQ(dev->mtu, 1500);
	netdev_attach(dev, &host_receiver, NULL);
}

void run(void (*fn)(uint64_t seed), uint64_t seed)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		fn(seed);
		CHECK_EQ(host_locks_held(), 0);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
}
