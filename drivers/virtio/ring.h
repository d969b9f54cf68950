/*
 * ring.h: a split virtqueue: buffers out to the device, used ones back.
 *
 * The device is not trusted: what it writes is checked against records that it cannot reach, and
 * a contradiction ends the queue (-EIO, then nothing more). One buffer is one descriptor; a request
 * has two, one that the device reads and one that it writes.
 *
 * Locking: none inside; the owner's lock guards each queue. Never sleeps.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

#define VIRTQ_SIZE_MAX 1024u

struct virtq_slot {
	void *cookie; /* the owner's name for the buffer */
	uint32_t in_bytes; /* what the device may write; 0: it only reads */
	uint16_t next_free; /* in flight: the request's second slot */
	bool in_flight; /* the first slot of a buffer or request */
	bool has_second;
};

struct virtq {
	uint16_t size; /* [I] a power of two */
	uint16_t index; /* [I] the queue's number in its device */
	bool event_idx; /* [I] VIRTIO_RING_F_EVENT_IDX was negotiated */
	bool broken; /* the device contradicted itself: nothing is taken or added any more */
	uint16_t free_head, free_count;
	uint16_t avail_idx; /* next to fill */
	uint16_t published_idx; /* what the device has been told */
	uint16_t used_idx; /* next to take */
	struct vring_desc *desc; /* shared with the device: written here, never read */
	struct vring_avail *avail; /* shared; written here */
	struct vring_used *used; /* shared; the device writes, read with suspicion */
	struct virtq_slot *slots; /* private */
};

/* size: a power of two up to VIRTQ_SIZE_MAX. Interrupts start enabled. -ENOMEM. */
int virtq_init(struct virtq *q, uint16_t index, uint16_t size, bool event_idx) must_check;
void virtq_fini(struct virtq *q); /* the device has been reset */

/* data: direct-map memory, physically contiguous, owned by the device until it comes back through
 * virtq_take. Only recorded: the device learns of it by virtq_publish. -ENOSPC: full. -EIO. */
int virtq_add_out(struct virtq *q, const void *data, uint32_t bytes, void *cookie) must_check;
int virtq_add_in(struct virtq *q, void *data, uint32_t bytes, void *cookie) must_check;
/* A request: out to read, then in to write the answer to. Comes back as one. */
int virtq_add_request(struct virtq *q, const void *out, uint32_t out_bytes, void *in,
	uint32_t in_bytes, void *cookie) must_check;
/* Shows the device all that was added. True: it wants to be notified. */
bool virtq_publish(struct virtq *q) must_check;

/* The next used buffer: 1, cookie and the bytes that the device wrote; 0: none; -EIO: the device
 * has just contradicted itself (once; then 0). */
int virtq_take(struct virtq *q, void **cookie, uint32_t *bytes) must_check;
static inline uint16_t virtq_in_flight(const struct virtq *q)
{
	return (uint16_t)(q->size - q->free_count);
}

/* Asks for an interrupt when the next buffer is used. True: one already was, so look again. */
bool virtq_interrupts_on(struct virtq *q) must_check;
/* A hint: an interrupt may still come. */
void virtq_interrupts_off(struct virtq *q);
