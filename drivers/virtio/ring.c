/*
 * ring.c: split virtqueues.
 *
 * What:       descriptors, the available ring (ours) and the used ring (the device's), with
 *             private records of what is in flight.
 * Invariants: (1) a slot is either on the free list or in flight, as the first slot of
 *             a buffer or as the second of a request. (2) nothing is decided on
 *             shared memory that the device may change, save the used ring, and that is checked:
 *             id in range and in flight, length within the buffer, index not ahead of us.
 * Locking:    the owner's. The device is the other party of every atomic here: release of
 *             avail.idx pairs with its acquire, our acquire of used.idx with its release.
 * Failure:    -ENOMEM at the start; -ENOSPC; -EIO once for a lying device, which ends the queue.
 * Source:     virtio 1.1 §2.6 (split virtqueues), linux/virtio_ring.h.
 */
#include "drivers/virtio/ring.h"

#include <linux/virtio_ring.h>
#include <stdatomic.h>

#include "arch/arch.h"
#include "base/assert.h"
#include "base/errno.h"
#include "kernel/mm/kmem.h"
#include "lib/string.h"

/* used_event this far ahead is passed only after 32768 more buffers: in effect, never. */
#define EVENT_FAR 0x8000u

static inline _Atomic uint16_t *atomic_word(uint16_t *p)
{
	return (_Atomic uint16_t *)p;
}

static uint16_t load_used_idx(const struct virtq *q)
{
	return atomic_load_explicit(atomic_word(&q->used->idx), memory_order_acquire);
}

int virtq_init(struct virtq *q, uint16_t index, uint16_t size, bool event_idx)
{
	ASSERT(size > 0 && size <= VIRTQ_SIZE_MAX && (size & (size - 1)) == 0);
	*q = (struct virtq){ .size = size, .index = index, .event_idx = event_idx };
	/* Both rings end with one event word. */
	q->desc = kmem_zalloc(size * sizeof(struct vring_desc));
	q->avail = kmem_zalloc(sizeof(struct vring_avail) + (size + 1u) * sizeof(uint16_t));
	q->used = kmem_zalloc(sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) +
		sizeof(uint16_t));
	q->slots = kmem_zalloc(size * sizeof(struct virtq_slot));
	if (!q->desc || !q->avail || !q->used || !q->slots) {
		virtq_fini(q);
		return -ENOMEM;
	}
	for (uint16_t i = 0; i < size; i++)
		q->slots[i].next_free = (uint16_t)(i + 1);
	q->free_count = size;
	return 0;
}

void virtq_fini(struct virtq *q)
{
	kmem_free(q->desc);
	kmem_free(q->avail);
	kmem_free(q->used);
	kmem_free(q->slots);
	*q = (struct virtq){ .broken = true };
}

/* Takes the first free slot; the caller has seen that there is one. */
static uint16_t take_slot(struct virtq *q, const struct vring_desc *d)
{
	uint16_t id = q->free_head;

	DASSERT(!q->slots[id].in_flight); /* (1) */
	q->free_head = q->slots[id].next_free;
	q->free_count--;
	q->slots[id].has_second = false;
	q->desc[id] = *d;
	return id;
}

static void give_slot(struct virtq *q, uint16_t id)
{
	q->slots[id].in_flight = false;
	q->slots[id].next_free = q->free_head;
	q->free_head = id;
	q->free_count++;
}

static void make_available(struct virtq *q, uint16_t id, uint32_t in_bytes, void *cookie)
{
	struct virtq_slot *slot = &q->slots[id];

	slot->cookie = cookie;
	slot->in_bytes = in_bytes;
	slot->in_flight = true;
	q->avail->ring[q->avail_idx & (q->size - 1)] = id;
	q->avail_idx++;
}

static int add(struct virtq *q, paddr_t pa, uint32_t bytes, uint32_t in_bytes, void *cookie)
{
	struct vring_desc d = {
		.addr = pa,
		.len = bytes,
		.flags = in_bytes ? VRING_DESC_F_WRITE : 0,
	};

	if (q->broken)
		return -EIO;
	if (q->free_count == 0)
		return -ENOSPC;
	make_available(q, take_slot(q, &d), in_bytes, cookie);
	return 0;
}

int virtq_add_out(struct virtq *q, const void *data, uint32_t bytes, void *cookie)
{
	return add(q, virt_to_phys(data), bytes, 0, cookie);
}

int virtq_add_in(struct virtq *q, void *data, uint32_t bytes, void *cookie)
{
	ASSERT(bytes > 0);
	return add(q, virt_to_phys(data), bytes, bytes, cookie);
}

int virtq_add_request(struct virtq *q, const void *out, uint32_t out_bytes, void *in,
	uint32_t in_bytes, void *cookie)
{
	struct vring_desc answer = { virt_to_phys(in), in_bytes, VRING_DESC_F_WRITE, 0 };
	struct vring_desc request = { virt_to_phys(out), out_bytes, VRING_DESC_F_NEXT, 0 };
	uint16_t first;

	if (q->broken)
		return -EIO;
	if (q->free_count < 2)
		return -ENOSPC;
	request.next = take_slot(q, &answer);
	first = take_slot(q, &request);
	q->slots[first].has_second = true;
	q->slots[first].next_free = request.next;
	make_available(q, first, in_bytes, cookie);
	return 0;
}

bool virtq_publish(struct virtq *q)
{
	uint16_t old = q->published_idx, event;

	if (q->broken || old == q->avail_idx)
		return false;
	q->published_idx = q->avail_idx;
	atomic_store_explicit(atomic_word(&q->avail->idx), q->avail_idx, memory_order_release);
	/* The device does it the other way round: asks for notification, then looks at avail.idx.
	 * Without a full fence both could look too early, and the buffer would lie there. */
	arch_device_fence();
	if (!q->event_idx)
		return !(atomic_load_explicit(atomic_word(&q->used->flags), memory_order_relaxed) &
			VRING_USED_F_NO_NOTIFY);
	event = atomic_load_explicit((_Atomic uint16_t *)(void *)&q->used->ring[q->size],
		memory_order_relaxed);
	return vring_need_event(event, q->avail_idx, old);
}

int virtq_take(struct virtq *q, void **cookie, uint32_t *bytes)
{
	struct vring_used_elem element;
	struct virtq_slot *slot;
	uint16_t waiting;

	if (q->broken)
		return 0;
	waiting = (uint16_t)(load_used_idx(q) - q->used_idx);
	if (waiting == 0)
		return 0;
	/* Read once: the device could change it between check and use. */
	element.id = *(volatile uint32_t *)&q->used->ring[q->used_idx & (q->size - 1)].id;
	element.len = *(volatile uint32_t *)&q->used->ring[q->used_idx & (q->size - 1)].len;
	if (waiting > virtq_in_flight(q) || element.id >= q->size ||
		!q->slots[element.id].in_flight)
		goto lie;
	slot = &q->slots[element.id];
	if (slot->in_bytes && element.len > slot->in_bytes)
		goto lie;
	if (slot->has_second)
		give_slot(q, slot->next_free);
	give_slot(q, (uint16_t)element.id);
	q->used_idx++;
	*cookie = slot->cookie;
	*bytes = slot->in_bytes ? element.len : 0;
	return 1;
lie:
	q->broken = true;
	return -EIO;
}

static void set_used_event(struct virtq *q, uint16_t event)
{
	atomic_store_explicit(atomic_word(&q->avail->ring[q->size]), event, memory_order_relaxed);
}

bool virtq_interrupts_on(struct virtq *q)
{
	if (q->broken)
		return false;
	if (q->event_idx)
		set_used_event(q, q->used_idx);
	else
		atomic_store_explicit(atomic_word(&q->avail->flags), 0, memory_order_relaxed);
	/* As in virtq_publish, with the parts exchanged. */
	arch_device_fence();
	return load_used_idx(q) != q->used_idx;
}

void virtq_interrupts_off(struct virtq *q)
{
	if (q->broken)
		return;
	if (q->event_idx)
		set_used_event(q, (uint16_t)(q->used_idx + EVENT_FAR));
	else
		atomic_store_explicit(atomic_word(&q->avail->flags), VRING_AVAIL_F_NO_INTERRUPT,
			memory_order_relaxed);
}
