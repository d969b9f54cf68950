/*
 * virtq_moves.c: a virtio device whose moves are chosen by a fuzzer's input.
 *
 * What:       see virtq_moves.h.
 * Invariants: (1) the device writes where a driver let it, and in the used ring: it is hostile, but
 *             memory that it was not given is not its own to write in this process.
 * Locking:    one thread.
 * Failure:    none of its own.
 * Source:     virtio 1.1 §2.6.
 */
#include "test/fuzz/virtq_moves.h"

#include <linux/virtio_ring.h>

#include "base/units.h"
#include "host.h"

static struct {
	const uint8_t *data;
	size_t left;
} input;

void moves_begin(const uint8_t *data, size_t size)
{
	input.data = data;
	input.left = size;
}

bool moves_are_left(void)
{
	return input.left != 0;
}

unsigned moves_next(void)
{
	if (input.left == 0)
		return 0;
	input.left--;
	return *input.data++;
}

/* What comes from kmem lies outside of host_ram. */
static char *at(uint64_t pa)
{
	return (char *)((uintptr_t)host_ram + pa);
}

void moves_write(unsigned queue, uint16_t id)
{
	const struct vring_desc *d = &host_device.queues[queue].q->desc[id];
	uint32_t bytes = moves_next();

	for (uint32_t i = 0; i < MIN(bytes, d->len) && (d->flags & VRING_DESC_F_WRITE); i++)
		at(d->addr)[i] = (char)moves_next(); /* (1) */
}

void moves_on_queue(unsigned move, unsigned queue, void (*write)(unsigned queue, uint16_t id))
{
	struct virtq *q = host_device.queues[queue].q;
	uint32_t used_id, bytes;
	uint16_t id;

	switch (move) {
	case 0:
		used_id = moves_next();
		used_id |= moves_next() << 8;
		used_id |= moves_next() << 24;
		bytes = moves_next();
		host_queue_use(queue, used_id, bytes | moves_next() << 8);
		break;
	case 1:
	case 2:
		if (!host_queue_take(queue, &id))
			break;
		if (write != NULL)
			write(queue, id);
		bytes = moves_next();
		host_queue_use(queue, id, bytes | (moves_next() & 7) << 8);
		break;
	case 3:
		q->used->idx = (uint16_t)(q->used->idx + moves_next());
		break;
	default:
		q->used->flags = (uint16_t)moves_next();
		bytes = moves_next();
		*(uint16_t *)(void *)&q->used->ring[q->size] = /* the device's event index */
			(uint16_t)(bytes | moves_next() << 8);
		break;
	}
}
