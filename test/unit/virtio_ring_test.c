/* sources: drivers/virtio/ring.c test/unit/shim/host.c test/unit/shim/host_kmem.c
 * test/unit/shim/host_ram.c */
/*
 * virtio_ring_test.c: virtqueues against an honest device, and against every lie.
 *
 * What:       a device in this process works on the shared rings: round trips past the wrap of
 *             the indices, notifications both ways, then each kind of lie, then random ones.
 * Invariants: (1) a buffer comes back exactly once. (2) after a lie nothing comes back.
 * Locking:    one thread.
 * Failure:    aborts with the failed check; ASan sees accesses outside the rings.
 * Source:     virtio 1.1 §2.6.
 */
#include "drivers/virtio/ring.h"

#include <linux/virtio_ring.h>
#include <string.h>

#include "arch/arch.h"
#include "base/errno.h"
#include "host.h"

enum { SIZE = 8, ROUNDS = 70000, LIES = 20000 };

static struct {
	char bytes[16];
} buffers[SIZE];

/* ------------------------------------------------------------------ the device */
static uint16_t device_seen; /* next available entry */
static unsigned notified;

static bool device_take(const struct virtq *q, uint16_t *id)
{
	if (device_seen == q->avail->idx)
		return false;
	*id = q->avail->ring[device_seen % q->size];
	device_seen++;
	return true;
}

static void device_use(const struct virtq *q, uint32_t id, uint32_t len)
{
	q->used->ring[q->used->idx % q->size] = (struct vring_used_elem){ .id = id, .len = len };
	q->used->idx++;
}

static uint16_t *avail_event(const struct virtq *q)
{
	return (uint16_t *)(void *)&q->used->ring[q->size];
}

static uint16_t used_event(const struct virtq *q)
{
	return q->avail->ring[q->size];
}

static void start(struct virtq *q, bool event_idx)
{
	CHECK_EQ(virtq_init(q, 3, SIZE, event_idx), 0);
	device_seen = 0;
}

static void publish(struct virtq *q)
{
	if (virtq_publish(q))
		notified++;
}

static void add_in(struct virtq *q, int i)
{
	CHECK_EQ(virtq_add_in(q, &buffers[i], sizeof(buffers[i]), &buffers[i]), 0);
}

/* ------------------------------------------------------------------ honest devices */
static void test_round_trips(bool event_idx)
{
	struct virtq q;
	uint32_t bytes;
	uint16_t ids[SIZE];
	void *cookie;

	start(&q, event_idx);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		int count = 1 + (int)(round % SIZE);

		for (int i = 0; i < count; i++)
			add_in(&q, i);
		CHECK_EQ(virtq_take(&q, &cookie, &bytes), 0);
		publish(&q);
		for (int i = 0; i < count; i++)
			CHECK(device_take(&q, &ids[i]));
		CHECK(!device_take(&q, &ids[0]));
		for (int i = count - 1; i >= 0; i--) { /* out of order */
			CHECK_EQ(q.desc[ids[i]].len, sizeof(buffers[0]));
			CHECK_EQ(q.desc[ids[i]].flags, VRING_DESC_F_WRITE);
			CHECK(phys_to_virt(q.desc[ids[i]].addr) == &buffers[i]);
			device_use(&q, ids[i], (uint32_t)i);
		}
		for (int i = count - 1; i >= 0; i--) {
			CHECK_EQ(virtq_take(&q, &cookie, &bytes), 1);
			CHECK(cookie == &buffers[i]);
			CHECK_EQ(bytes, i);
		}
		CHECK_EQ(virtq_take(&q, &cookie, &bytes), 0);
		CHECK_EQ(virtq_in_flight(&q), 0);
	}
	virtq_fini(&q);
}

static void test_full(void)
{
	struct virtq q;

	start(&q, true);
	for (int i = 0; i < SIZE; i++)
		CHECK_EQ(virtq_add_out(&q, &buffers[i], 4, NULL), 0);
	CHECK_EQ(virtq_add_out(&q, &buffers[0], 4, NULL), -ENOSPC);
	CHECK_EQ(virtq_in_flight(&q), SIZE);
	virtq_fini(&q);
}

/* Two descriptors, one answer; the second one's number is not the device's to give back. */
static void test_requests(void)
{
	struct virtq q;
	uint32_t bytes;
	uint16_t id;
	void *cookie;

	start(&q, true);
	for (int round = 0; round < 100; round++) {
		CHECK_EQ(virtq_add_request(&q, &buffers[0], 5, &buffers[1], 3, &buffers[2]), 0);
		CHECK_EQ(virtq_in_flight(&q), 2);
		add_in(&q, 3);
		publish(&q);
		CHECK(device_take(&q, &id));
		CHECK_EQ(q.desc[id].flags, VRING_DESC_F_NEXT);
		CHECK(q.desc[id].len == 5 && phys_to_virt(q.desc[id].addr) == &buffers[0]);
		CHECK_EQ(q.desc[q.desc[id].next].flags, VRING_DESC_F_WRITE);
		CHECK_EQ(q.desc[q.desc[id].next].len, 3);
		device_use(&q, id, 3);
		CHECK(device_take(&q, &id));
		device_use(&q, id, 16);
		CHECK_EQ(virtq_take(&q, &cookie, &bytes), 1);
		CHECK(cookie == &buffers[2] && bytes == 3);
		CHECK_EQ(virtq_take(&q, &cookie, &bytes), 1);
		CHECK(cookie == &buffers[3]);
		CHECK_EQ(virtq_in_flight(&q), 0);
	}
	for (int i = 0; i < SIZE / 2; i++)
		CHECK_EQ(virtq_add_request(&q, &buffers[0], 5, &buffers[1], 3, NULL), 0);
	CHECK_EQ(virtq_add_request(&q, &buffers[0], 5, &buffers[1], 3, NULL), -ENOSPC);
	publish(&q);
	CHECK(device_take(&q, &id));
	device_use(&q, q.desc[id].next, 0);
	CHECK_EQ(virtq_take(&q, &cookie, &bytes), -EIO);
	virtq_fini(&q);
}

static void test_notifications(void)
{
	struct virtq q;
	uint32_t bytes;
	uint16_t id;
	void *cookie;

	start(&q, true);
	CHECK(!virtq_publish(&q)); /* nothing new */
	add_in(&q, 0);
	CHECK(virtq_publish(&q)); /* the event index starts at 0: tell me of the first */
	add_in(&q, 1);
	CHECK(!virtq_publish(&q)); /* still looking at the first */
	CHECK(device_take(&q, &id));
	*avail_event(&q) = 2;
	add_in(&q, 2);
	add_in(&q, 3);
	CHECK(virtq_publish(&q)); /* one kick for the batch */
	CHECK_EQ(q.avail->idx, 4);

	CHECK(!virtq_interrupts_on(&q));
	CHECK_EQ(used_event(&q), 0);
	device_use(&q, id, 1);
	CHECK(virtq_interrupts_on(&q)); /* it came meanwhile */
	CHECK_EQ(virtq_take(&q, &cookie, &bytes), 1);
	CHECK(!virtq_interrupts_on(&q));
	CHECK_EQ(used_event(&q), 1);
	virtq_interrupts_off(&q);
	CHECK(used_event(&q) > 1 + SIZE);
	virtq_fini(&q);

	start(&q, false);
	add_in(&q, 0);
	CHECK(virtq_publish(&q));
	q.used->flags = VRING_USED_F_NO_NOTIFY;
	add_in(&q, 1);
	CHECK(!virtq_publish(&q));
	virtq_interrupts_off(&q);
	CHECK_EQ(q.avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
	CHECK(!virtq_interrupts_on(&q));
	CHECK_EQ(q.avail->flags, 0);
	virtq_fini(&q);
}

/* ------------------------------------------------------------------ liars */
static void expect_lie(struct virtq *q)
{
	uint32_t bytes;
	void *cookie;

	CHECK_EQ(virtq_take(q, &cookie, &bytes), -EIO);
	CHECK_EQ(virtq_take(q, &cookie, &bytes), 0); /* (2) */
	CHECK_EQ(virtq_add_out(q, &buffers[0], 1, NULL), -EIO);
	CHECK(!virtq_publish(q));
	CHECK(!virtq_interrupts_on(q));
	virtq_fini(q);
}

static void test_lies(void)
{
	struct virtq q;
	uint32_t bytes;
	uint16_t id, other;
	void *cookie;

	start(&q, true); /* an id beyond the queue */
	add_in(&q, 0);
	device_use(&q, SIZE, 1);
	expect_lie(&q);

	start(&q, true); /* an id that is not in flight */
	add_in(&q, 0);
	publish(&q);
	CHECK(device_take(&q, &id));
	other = (uint16_t)((id + 1) % SIZE);
	device_use(&q, other, 1);
	expect_lie(&q);

	start(&q, true); /* the same one twice */
	add_in(&q, 0);
	add_in(&q, 1);
	publish(&q);
	CHECK(device_take(&q, &id));
	device_use(&q, id, 1);
	device_use(&q, id, 1);
	CHECK_EQ(virtq_take(&q, &cookie, &bytes), 1);
	expect_lie(&q);

	start(&q, true); /* more bytes than the buffer has */
	add_in(&q, 0);
	publish(&q);
	CHECK(device_take(&q, &id));
	device_use(&q, id, sizeof(buffers[0]) + 1);
	expect_lie(&q);

	start(&q, true); /* more used than available */
	add_in(&q, 0);
	q.used->idx = 2;
	expect_lie(&q);

	start(&q, true); /* an index that went back */
	q.used->idx = 0xffff;
	expect_lie(&q);
}

/* The device writes anything anywhere it can; we must stay inside our records. */
static void test_random_lies(void)
{
	uint64_t seed = 1;

	for (int run = 0; run < LIES; run++) {
		struct virtq q;
		unsigned back = 0, out = 0;
		uint32_t bytes;
		void *cookie;

		start(&q, host_random(&seed) & 1);
		for (int step = 0; step < 24; step++) {
			uint64_t r = host_random(&seed);

			if (r & 1 && virtq_add_in(&q, &buffers[0], 16, &buffers[r >> 8 & 7]) == 0)
				out++;
			if (r & 2)
				publish(&q);
			if (r & 4)
				device_use(&q, r >> 16 & 15, r >> 24 & 31);
			if ((r & 0xf00) == 0)
				q.used->idx = (uint16_t)(r >> 32);
			if ((r & 0xf000) == 0)
				memset(q.desc, (int)(r >> 40), SIZE * sizeof(struct vring_desc));
			while (virtq_take(&q, &cookie, &bytes) == 1) {
				back++;
				CHECK(bytes <= 16);
				CHECK(cookie >= (void *)buffers &&
					cookie < (void *)(buffers + SIZE));
			}
			CHECK(back <= out); /* (1) */
		}
		virtq_fini(&q);
	}
}

static void test_no_memory(void)
{
	struct virtq q;
	unsigned long n = 1;

	for (;; n++) {
		int err;

		host_fail_alloc(n);
		err = virtq_init(&q, 0, SIZE, true);
		host_fail_alloc(0);
		if (!err)
			break;
		CHECK_EQ(err, -ENOMEM);
		CHECK_EQ(host_kmem_objects(), 0);
	}
	CHECK_EQ(n, 5); /* four allocations */
	virtq_fini(&q);
}

int main(void)
{
	host_ram_init(1 << 20);
	test_round_trips(true);
	test_round_trips(false);
	test_full();
	test_requests();
	test_notifications();
	test_lies();
	test_random_lies();
	test_no_memory();
	CHECK_EQ(host_kmem_objects(), 0);
	CHECK_EQ(host_locks_held(), 0);
	return 0;
}
