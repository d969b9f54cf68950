/*
 * host_virtio.c: the other side of a driver's virtqueues.
 *
 * What:       mmio.h's functions over memory, and the device's moves for tests.
 * Invariants: (1) an interrupt is pending only by the event index rule (virtio 1.1 §2.6.7).
 * Locking:    one thread.
 * Failure:    a driver that breaks the order of set-up fails a check.
 * Source:     drivers/virtio/mmio.h; virtio 1.1 §2.6.
 */
#include "host_virtio.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "arch/arch.h"
#include "base/errno.h"
#include "host.h"
#include "kernel/log.h"
#include "kernel/stats.h"

struct host_device host_device;

/* ------------------------------------------------------------------ the device's moves */
bool host_queue_take(unsigned queue, uint16_t *id)
{
	struct host_queue *h = &host_device.queues[queue];

	if (!h->q || h->q->broken || h->seen == h->q->avail->idx)
		return false;
	*id = h->q->avail->ring[h->seen % h->q->size];
	CHECK(*id < h->q->size);
	h->seen++;
	/* Notify me of the next that I have not seen. */
	*(uint16_t *)(void *)&h->q->used->ring[h->q->size] = h->seen;
	return true;
}

void *host_queue_buffer(unsigned queue, uint16_t id, uint32_t *bytes)
{
	const struct vring_desc *d = &host_device.queues[queue].q->desc[id];

	*bytes = d->len;
	return phys_to_virt(d->addr);
}

void host_queue_use(unsigned queue, uint32_t id, uint32_t bytes)
{
	struct virtq *q = host_device.queues[queue].q;
	uint16_t old = q->used->idx;

	q->used->ring[old % q->size] = (struct vring_used_elem){ .id = id, .len = bytes };
	q->used->idx++;
	if (vring_need_event(q->avail->ring[q->size], q->used->idx, old)) { /* (1) */
		host_device.irq_pending = true;
		host_device.irq_cause |= VIRTIO_IRQ_QUEUES;
	}
}

bool host_queue_send(unsigned queue, const void *data, uint32_t bytes)
{
	uint32_t room;
	uint16_t id;
	void *to;

	if (!host_queue_take(queue, &id))
		return false;
	to = host_queue_buffer(queue, id, &room);
	CHECK(bytes <= room);
	memcpy(to, data, bytes);
	host_queue_use(queue, id, bytes);
	return true;
}

bool host_interrupt(void)
{
	if (!host_device.irq_pending)
		return false;
	host_device.irq_pending = false;
	host_device.handler(host_device.handler_arg);
	CHECK(host_locks_held() == 0);
	return true;
}

/* ------------------------------------------------------------------ mmio.h */
int virtio_negotiate(struct virtio_device *d, const char *name, uint64_t required, uint64_t wanted)
{
	d->offered = host_device.offers | 1ull << VIRTIO_F_VERSION_1 |
		1ull << VIRTIO_RING_F_EVENT_IDX;
	d->name = name;
	if ((d->offered & required) != required)
		return -EOPNOTSUPP;
	d->features = d->offered & (required | wanted | 1ull << VIRTIO_F_VERSION_1);
	return 0;
}

int virtio_add_queue(struct virtio_device *d, struct virtq *q, uint16_t index, uint16_t size)
{
	CHECK(index < HOST_QUEUES && !host_device.queues[index].q && !host_device.handler);
	host_device.queues[index].q = q;
	return virtq_init(q, index, size, virtio_has(d, VIRTIO_RING_F_EVENT_IDX));
}

int virtio_start(struct virtio_device *d, void (*handler)(void *arg), void *arg)
{
	(void)d;
	host_device.handler = handler;
	host_device.handler_arg = arg;
	return 0;
}

void virtio_notify(struct virtio_device *d, const struct virtq *q)
{
	if (virtio_is_broken(d))
		return;
	CHECK(host_device.handler && host_device.queues[q->index].q == q);
	host_device.notifications++;
	if (host_device.on_notify && !host_device.queues[q->index].is_asleep)
		host_device.on_notify(q->index);
}

void virtio_kick(struct virtio_device *d, struct virtq *q)
{
	if (virtq_publish(q))
		virtio_notify(d, q);
}

uint32_t virtio_irq_ack(struct virtio_device *d)
{
	uint32_t cause = host_device.irq_cause;

	(void)d;
	host_device.irq_cause = 0;
	return cause;
}

uint8_t virtio_config_u8(struct virtio_device *d, uint32_t offset)
{
	(void)d;
	return host_device.config[offset];
}

uint16_t virtio_config_u16(struct virtio_device *d, uint32_t offset)
{
	uint16_t v;

	(void)d;
	memcpy(&v, host_device.config + offset, sizeof(v));
	return v;
}

uint32_t virtio_config_u32(struct virtio_device *d, uint32_t offset)
{
	uint32_t v;

	(void)d;
	memcpy(&v, host_device.config + offset, sizeof(v));
	return v;
}

void virtio_stop(struct virtio_device *d)
{
	if (atomic_exchange_explicit(&d->broken, true, memory_order_relaxed))
		return;
	host_device.irq_pending = host_device.handler != NULL;
	if (!host_device.failure)
		host_device.failure = "stopped";
}

void virtio_fail(struct virtio_device *d, const char *what)
{
	if (virtio_is_broken(d))
		return;
	host_device.failure = what;
	virtio_stop(d);
	stat_inc(STAT_device_errors);
	log_error("%s: device stopped: %s", d->name, what);
}

bool virtio_is_broken(const struct virtio_device *d)
{
	return atomic_load_explicit(&d->broken, memory_order_relaxed);
}
