/*
 * net_pair.c: one pair of queues of a virtio-net device: frames in, frames out.
 *
 * What:       slices of 2 KiB, each with its own record, header and frame. Received frames are
 *             lent to the protocol code and go back into the ring when it frees them; when half
 *             of what the ring holds is lent, the rest is marked scarce. Frames to send are
 *             copied, so that their memory is free at once. Both sets grow under load.
 * Invariants: (1) a slice has one place: device, protocol code (receive), free list (send).
 *             (2) a queue has an entry for every slice, so adding cannot fail but on a broken
 *             device. (3) no lock is held while the protocol code is called. (4) one CPU at a time
 *             takes frames from a queue, or they would change places; it says under the lock that
 *             it is done, after a last look. (5) however long slices are kept, some stay in the
 *             ring: what would free them may have to be received. (6) however fast frames come, a
 *             third of the CPU's time stays for others.
 * Locking:    one LOCK_NETDEV lock per queue. The protocol code may call transmit and free with
 *             LOCK_NET held.
 * Failure:    -ENOBUFS: no room. A device that lies is stopped.
 * Source:     virtio 1.1 §5.1 (network device), linux/virtio_net.h.
 */
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "drivers/virtio/net_priv.h"
#include "kernel/mm/pmm.h"
#include "kernel/stats.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

enum {
	RX_AT_START = 64, /* slices: 128 KiB */
	RX_LOW = 16, /* fewer than this left in the ring: grow */
	RX_STEP = 32,
	RX_BATCH = 32, /* frames taken under one lock */
	RX_BUDGET = 256, /* frames per interrupt; then the program gets half as much time */
	SLICE_BYTES = 2048,
	SLICES_PER_PAGE = (int)(PAGE_SIZE / SLICE_BYTES),
};
#define RX_PAUSE_NS (20 * NS_PER_US) /* at least */

/* Record, header and frame lie in this order in one slice; the device sees the last two. */
struct rx_slice {
	struct netdev_rx frame; /* driver_private[0]: the pair */
	struct virtio_net_hdr_v1 header;
	uint8_t data[];
};
struct tx_slice {
	STAILQ_ENTRY(tx_slice) link;
	struct virtio_net_hdr_v1 header;
	uint8_t data[NETDEV_FRAME_MAX];
};
STATIC_ASSERT(sizeof(struct rx_slice) + NETDEV_FRAME_MAX <= SLICE_BYTES, "a frame fits its slice");
STATIC_ASSERT(sizeof(struct tx_slice) <= SLICE_BYTES, "a frame fits its slice");
STATIC_ASSERT(sizeof(struct virtio_net_hdr_v1) == 12, "virtio 1.1 5.1.6");
#define RX_HEADER_OFFSET __builtin_offsetof(struct rx_slice, header)
#define RX_DEVICE_BYTES (SLICE_BYTES - (uint32_t)RX_HEADER_OFFSET)

/* ------------------------------------------------------------------ receive */
static void post_rx_locked(struct net_pair *p, struct rx_slice *s)
{
	lock_assert_held(&p->rx_lock);
	if (virtq_add_in(&p->rx, &s->header, RX_DEVICE_BYTES, s) != 0)
		virtio_fail(&p->net->device, "receive queue"); /* (2) */
}

/* May be called with LOCK_NET held, from anywhere. */
static void free_rx(struct netdev_rx *frame)
{
	struct rx_slice *s = container_of(frame, struct rx_slice, frame);
	struct net_pair *p = frame->driver_private[0];

	spin_lock(&p->rx_lock);
	if (!virtio_is_broken(&p->net->device)) {
		post_rx_locked(p, s);
		virtio_kick(&p->net->device, &p->rx);
	}
	spin_unlock(&p->rx_lock);
}

static void grow_rx_locked(struct net_pair *p, uint32_t count)
{
	lock_assert_held(&p->rx_lock);
	for (uint32_t i = 0; i < count && p->rx_slices + SLICES_PER_PAGE <= p->rx.size;
		i += SLICES_PER_PAGE) {
		pfn_t pfn = pmm_alloc(0, PMM_KERNEL);
		char *page;

		if (pfn == PFN_NONE)
			return;
		page = pfn_to_virt(pfn);
		for (int j = 0; j < SLICES_PER_PAGE; j++) {
			struct rx_slice *s = (void *)(page + (long)j * SLICE_BYTES);

			s->frame = (struct netdev_rx){ .free = free_rx, .driver_private = { p } };
			post_rx_locked(p, s);
		}
		p->rx_slices += SLICES_PER_PAGE;
	}
}

/* What the device says of the frame's size and checksum. False: too short to be a frame. */
static bool describe_rx(struct rx_slice *s, uint32_t bytes, bool is_scarce)
{
	uint8_t flags = *(volatile uint8_t *)&s->header.flags;

	if (bytes < sizeof(s->header) + ETH_HLEN)
		return false;
	s->frame.data = s->data;
	s->frame.bytes = bytes - (uint32_t)sizeof(s->header);
	/* Partial: it came from this host and never was on a wire. */
	s->frame.csum_ok = flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
	s->frame.is_scarce = is_scarce;
	return s->frame.bytes <= NETDEV_FRAME_MAX;
}

/* (5) */
static bool is_scarce_locked(const struct net_pair *p)
{
	return p->rx_slices - virtq_in_flight(&p->rx) > p->rx.size / 2u;
}

static uint32_t take_rx(struct net_pair *p, struct rx_slice **batch)
{
	uint32_t count = 0, bytes, dropped = 0;
	void *cookie;
	int got = 0;

	spin_lock(&p->rx_lock);
	while (count < RX_BATCH && (got = virtq_take(&p->rx, &cookie, &bytes)) == 1) {
		struct rx_slice *s = cookie;

		if (p->net->netdev.receiver && describe_rx(s, bytes, is_scarce_locked(p))) {
			batch[count++] = s;
			continue;
		}
		dropped++;
		post_rx_locked(p, s);
	}
	if (got < 0)
		virtio_fail(&p->net->device, "bad used ring of the receive queue");
	if (virtq_in_flight(&p->rx) < RX_LOW)
		grow_rx_locked(p, RX_STEP);
	virtio_kick(&p->net->device, &p->rx); /* what was dropped or made */
	spin_unlock(&p->rx_lock);
	stat_add(STAT_net_rx_dropped, dropped);
	return count;
}

/* False: there is more. True: the next frame will interrupt, and this CPU is done. */
static bool arm_rx(struct net_pair *p)
{
	bool is_more;

	spin_lock(&p->rx_lock);
	is_more = virtq_interrupts_on(&p->rx);
	p->is_polled = is_more; /* (4) */
	spin_unlock(&p->rx_lock);
	return !is_more;
}

static void poll_rx(struct net_pair *p)
{
	struct netdev *dev = &p->net->netdev;
	struct rx_slice *batch[RX_BATCH];
	uint64_t began_ns = clock_now_ns(), now_ns;
	uint32_t total = 0, count;

	do {
		count = take_rx(p, batch);
		for (uint32_t i = 0; i < count; i++)
			dev->receiver->receive(dev, &batch[i]->frame); /* (3) */
		total += count;
		if (total >= RX_BUDGET) {
			now_ns = clock_now_ns();
			timer_arm(&p->poll_timer,
				now_ns + MAX(RX_PAUSE_NS, (now_ns - began_ns) / 2));
			break;
		}
	} while (count == RX_BATCH || !arm_rx(p));
	if (total)
		dev->receiver->batch_end(dev);
}

static void fire_poll(struct timer *t)
{
	poll_rx(container_of(t, struct net_pair, poll_timer));
}

void net_pair_poll(struct net_pair *p)
{
	bool is_mine;

	spin_lock(&p->rx_lock);
	is_mine = !p->is_polled;
	if (is_mine)
		virtq_interrupts_off(&p->rx);
	p->is_polled = true;
	spin_unlock(&p->rx_lock);
	if (is_mine) /* else whoever polls looks again before it is done: (4) */
		poll_rx(p);
}

void net_pair_fill(struct net_pair *p)
{
	spin_lock(&p->rx_lock);
	grow_rx_locked(p, RX_AT_START);
	virtio_kick(&p->net->device, &p->rx);
	spin_unlock(&p->rx_lock);
}

/* ------------------------------------------------------------------ transmit */
static void reap_tx_locked(struct net_pair *p)
{
	uint32_t bytes;
	void *cookie;
	int got;

	while ((got = virtq_take(&p->tx, &cookie, &bytes)) == 1)
		STAILQ_INSERT_HEAD(&p->tx_free, (struct tx_slice *)cookie, link);
	if (got < 0)
		virtio_fail(&p->net->device, "bad used ring of the transmit queue");
}

static void grow_tx_locked(struct net_pair *p)
{
	pfn_t pfn = PFN_NONE;
	char *page;

	if (p->tx_slices + SLICES_PER_PAGE <= p->tx.size)
		pfn = pmm_alloc(0, PMM_KERNEL);
	if (pfn == PFN_NONE)
		return;
	page = pfn_to_virt(pfn);
	for (int i = 0; i < SLICES_PER_PAGE; i++) {
		struct tx_slice *s = (void *)(page + (long)i * SLICE_BYTES);

		STAILQ_INSERT_HEAD(&p->tx_free, s, link);
	}
	p->tx_slices += SLICES_PER_PAGE;
}

/* NULL: the device has them all, or is broken. */
static struct tx_slice *take_slice_locked(struct net_pair *p)
{
	struct tx_slice *s;

	lock_assert_held(&p->tx_lock);
	if (STAILQ_EMPTY(&p->tx_free))
		reap_tx_locked(p);
	if (STAILQ_EMPTY(&p->tx_free))
		grow_tx_locked(p);
	s = virtio_is_broken(&p->net->device) ? NULL : STAILQ_FIRST(&p->tx_free);
	if (s)
		STAILQ_REMOVE_HEAD(&p->tx_free, link);
	return s;
}

static uint32_t fill_slice(struct tx_slice *s, const struct netdev_tx *tx)
{
	uint32_t bytes = 0;

	s->header = (struct virtio_net_hdr_v1){ .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	if (tx->csum_partial) {
		s->header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		s->header.csum_start = tx->csum_start;
		s->header.csum_offset = tx->csum_offset;
	}
	for (uint32_t i = 0; i < tx->seg_count; i++) {
		memcpy(s->data + bytes, tx->segs[i].data, tx->segs[i].bytes);
		bytes += tx->segs[i].bytes;
	}
	return bytes;
}

int net_pair_transmit(struct net_pair *p, const struct netdev_tx *tx)
{
	struct tx_slice *s;
	uint32_t bytes;
	int err = -ENOBUFS;

	spin_lock(&p->tx_lock);
	s = take_slice_locked(p);
	/* (2): it fails only when the device is broken, and then the slice is of no more use. */
	if (s) {
		bytes = fill_slice(s, tx);
		err = virtq_add_out(&p->tx, &s->header, (uint32_t)sizeof(s->header) + bytes, s);
	}
	spin_unlock(&p->tx_lock);
	return err ? -ENOBUFS : 0;
}

void net_pair_flush(struct net_pair *p)
{
	spin_lock(&p->tx_lock);
	virtio_kick(&p->net->device, &p->tx);
	spin_unlock(&p->tx_lock);
}

void net_pair_init(struct net_pair *p, struct net *n)
{
	p->net = n;
	spinlock_init(&p->rx_lock, LOCK_NETDEV);
	spinlock_init(&p->tx_lock, LOCK_NETDEV);
	STAILQ_INIT(&p->tx_free);
	timer_init(&p->poll_timer, fire_poll);
}
