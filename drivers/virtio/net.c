/*
 * net.c: virtio-net: Ethernet frames.
 *
 * What:       slices of 2 KiB, each with its own record, header and frame. Received frames are
 *             lent to the protocol code and go back into the ring when it frees them; frames to
 *             send are copied, so that their memory is free at once. Both sets grow under load.
 * Invariants: (1) a slice has one place: device, protocol code (receive), free list (send).
 *             (2) a queue has an entry for every slice, so adding cannot fail but on a broken
 *             device. (3) no lock is held while the protocol code is called.
 * Locking:    one LOCK_NETDEV lock per queue. The protocol code may call transmit and free with
 *             LOCK_NET held.
 * Failure:    -ENOBUFS: no room, frame dropped and counted. A device that lies is stopped, and
 *             the link goes down.
 * Source:     virtio 1.1 §5.1 (network device), linux/virtio_net.h.
 */
#include "drivers/virtio/net.h"

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "drivers/virtio/mmio.h"
#include "kernel/dev/netdev.h"
#include "kernel/entropy.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"
#include "kernel/stats.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/string.h"

enum {
	QUEUE_RX = 0,
	QUEUE_TX = 1,
	QUEUE_SIZE = 256,
	RX_AT_START = 64, /* slices: 128 KiB */
	RX_LOW = 16, /* fewer than this left in the ring: grow */
	RX_STEP = 32,
	RX_BATCH = 32, /* frames taken under one lock */
	RX_BUDGET = 256, /* frames per interrupt; then the program gets a turn */
	SLICE_BYTES = 2048,
	SLICES_PER_PAGE = (int)(PAGE_SIZE / SLICE_BYTES),
};
#define RX_PAUSE_NS (20 * NS_PER_US)

struct net;

/* Record, header and frame lie in this order in one slice; the device sees the last two. */
struct rx_slice {
	struct netdev_rx frame; /* driver_private[0]: the struct net */
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

/* Letters: [I] set at boot; [r] rx_lock; [t] tx_lock; [h] interrupt handler and timer only. */
struct net {
	struct netdev netdev;
	struct virtio_device device;
	struct spinlock rx_lock, tx_lock;
	struct virtq rx; /* [r] */
	uint32_t rx_slices; /* [r] made so far */
	struct timer poll_timer; /* goes on after a budget */
	struct virtq tx; /* [t] */
	STAILQ_HEAD(tx_slices, tx_slice) tx_free; /* [t] */
	uint32_t tx_slices; /* [t] made so far */
};

/* ------------------------------------------------------------------ receive */
static void post_rx_locked(struct net *n, struct rx_slice *s)
{
	lock_assert_held(&n->rx_lock);
	if (virtq_add_in(&n->rx, &s->header, RX_DEVICE_BYTES, s) != 0)
		virtio_fail(&n->device, "receive queue"); /* (2) */
}

/* May be called with LOCK_NET held, from anywhere. */
static void free_rx(struct netdev_rx *frame)
{
	struct rx_slice *s = container_of(frame, struct rx_slice, frame);
	struct net *n = frame->driver_private[0];

	spin_lock(&n->rx_lock);
	if (!virtio_is_broken(&n->device)) {
		post_rx_locked(n, s);
		virtio_kick(&n->device, &n->rx);
	}
	spin_unlock(&n->rx_lock);
}

static void grow_rx_locked(struct net *n, uint32_t count)
{
	lock_assert_held(&n->rx_lock);
	for (uint32_t i = 0; i < count && n->rx_slices + SLICES_PER_PAGE <= n->rx.size;
		i += SLICES_PER_PAGE) {
		pfn_t pfn = pmm_alloc(0, PMM_KERNEL);
		char *page;

		if (pfn == PFN_NONE)
			return;
		page = pfn_to_virt(pfn);
		for (int j = 0; j < SLICES_PER_PAGE; j++) {
			struct rx_slice *s = (void *)(page + (long)j * SLICE_BYTES);

			s->frame = (struct netdev_rx){ .free = free_rx, .driver_private = { n } };
			post_rx_locked(n, s);
		}
		n->rx_slices += SLICES_PER_PAGE;
	}
}

/* What the device says of the frame's size and checksum. False: too short to be a frame. */
static bool describe_rx(struct rx_slice *s, uint32_t bytes)
{
	uint8_t flags = *(volatile uint8_t *)&s->header.flags;

	if (bytes < sizeof(s->header) + ETH_HLEN)
		return false;
	s->frame.data = s->data;
	s->frame.bytes = bytes - (uint32_t)sizeof(s->header);
	/* Partial: it came from this host and never was on a wire. */
	s->frame.csum_ok = flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
	return s->frame.bytes <= NETDEV_FRAME_MAX;
}

static uint32_t take_rx(struct net *n, struct rx_slice **batch)
{
	uint32_t count = 0, bytes, dropped = 0;
	void *cookie;
	int got = 0;

	spin_lock(&n->rx_lock);
	while (count < RX_BATCH && (got = virtq_take(&n->rx, &cookie, &bytes)) == 1) {
		struct rx_slice *s = cookie;

		if (n->netdev.receiver && describe_rx(s, bytes)) {
			batch[count++] = s;
			continue;
		}
		dropped++;
		post_rx_locked(n, s);
	}
	if (got < 0)
		virtio_fail(&n->device, "bad used ring of the receive queue");
	if (count == RX_BATCH && virtq_in_flight(&n->rx) < RX_LOW)
		grow_rx_locked(n, RX_STEP);
	virtio_kick(&n->device, &n->rx); /* what was dropped or made */
	spin_unlock(&n->rx_lock);
	stat_add(STAT_net_rx_dropped, dropped);
	return count;
}

static bool arm_rx(struct net *n)
{
	bool is_more;

	spin_lock(&n->rx_lock);
	is_more = virtq_interrupts_on(&n->rx);
	spin_unlock(&n->rx_lock);
	return is_more;
}

static void poll_rx(struct net *n)
{
	struct rx_slice *batch[RX_BATCH];
	uint32_t total = 0, count;
	uint64_t bytes = 0;

	do {
		count = take_rx(n, batch);
		for (uint32_t i = 0; i < count; i++) {
			bytes += batch[i]->frame.bytes;
			n->netdev.receiver->receive(&n->netdev, &batch[i]->frame); /* (3) */
		}
		total += count;
		if (total >= RX_BUDGET) {
			timer_arm(&n->poll_timer, clock_now_ns() + RX_PAUSE_NS);
			break;
		}
	} while (count == RX_BATCH || arm_rx(n));
	if (total)
		n->netdev.receiver->batch_end(&n->netdev);
	stat_add(STAT_net_rx_packets, total);
	stat_add(STAT_net_rx_bytes, bytes);
}

static void fire_poll(struct timer *t)
{
	poll_rx(container_of(t, struct net, poll_timer));
}

/* ------------------------------------------------------------------ transmit */
static void reap_tx_locked(struct net *n)
{
	uint32_t bytes;
	void *cookie;
	int got;

	while ((got = virtq_take(&n->tx, &cookie, &bytes)) == 1)
		STAILQ_INSERT_HEAD(&n->tx_free, (struct tx_slice *)cookie, link);
	if (got < 0)
		virtio_fail(&n->device, "bad used ring of the transmit queue");
}

static void grow_tx_locked(struct net *n)
{
	pfn_t pfn = PFN_NONE;
	char *page;

	if (n->tx_slices + SLICES_PER_PAGE <= n->tx.size)
		pfn = pmm_alloc(0, PMM_KERNEL);
	if (pfn == PFN_NONE)
		return;
	page = pfn_to_virt(pfn);
	for (int i = 0; i < SLICES_PER_PAGE; i++) {
		struct tx_slice *s = (void *)(page + (long)i * SLICE_BYTES);

		STAILQ_INSERT_HEAD(&n->tx_free, s, link);
	}
	n->tx_slices += SLICES_PER_PAGE;
}

/* NULL: the device has them all, or is broken. */
static struct tx_slice *take_slice_locked(struct net *n)
{
	struct tx_slice *s;

	lock_assert_held(&n->tx_lock);
	if (STAILQ_EMPTY(&n->tx_free))
		reap_tx_locked(n);
	if (STAILQ_EMPTY(&n->tx_free))
		grow_tx_locked(n);
	s = virtio_is_broken(&n->device) ? NULL : STAILQ_FIRST(&n->tx_free);
	if (s)
		STAILQ_REMOVE_HEAD(&n->tx_free, link);
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

static int queue_frame(struct net *n, const struct netdev_tx *tx)
{
	struct tx_slice *s;
	uint32_t bytes;
	int err = -ENOBUFS;

	spin_lock(&n->tx_lock);
	s = take_slice_locked(n);
	/* (2): it fails only when the device is broken, and then the slice is of no more use. */
	if (s) {
		bytes = fill_slice(s, tx);
		err = virtq_add_out(&n->tx, &s->header, (uint32_t)sizeof(s->header) + bytes, s);
	}
	spin_unlock(&n->tx_lock);
	return err ? -ENOBUFS : 0;
}

static int transmit(struct netdev *dev, const struct netdev_tx *tx)
{
	uint64_t bytes = 0;
	int err;

	for (uint32_t i = 0; i < tx->seg_count; i++)
		bytes += tx->segs[i].bytes;
	if (NEVER(bytes < ETH_HLEN || bytes > NETDEV_FRAME_MAX) ||
		NEVER(tx->csum_partial && !(dev->caps & NETDEV_CAP_TX_CSUM)))
		return -EINVAL;
	err = queue_frame(dev->driver, tx);
	if (err) {
		stat_inc(STAT_net_tx_dropped);
		return err;
	}
	stat_inc(STAT_net_tx_packets);
	stat_add(STAT_net_tx_bytes, bytes);
	return 0;
}

static void flush(struct netdev *dev)
{
	struct net *n = dev->driver;

	spin_lock(&n->tx_lock);
	virtio_kick(&n->device, &n->tx);
	spin_unlock(&n->tx_lock);
}

/* ------------------------------------------------------------------ interrupts and link */
static bool read_link(struct net *n)
{
	if (virtio_is_broken(&n->device))
		return false;
	if (!virtio_has(&n->device, VIRTIO_NET_F_STATUS))
		return true;
	return virtio_config_u16(&n->device, __builtin_offsetof(struct virtio_net_config, status)) &
		VIRTIO_NET_S_LINK_UP;
}

static void update_link(struct net *n)
{
	bool is_up = read_link(n);

	if (is_up == n->netdev.link_up)
		return;
	n->netdev.link_up = is_up;
	log_info("virtio-net: link is %s", is_up ? "up" : "down");
	if (n->netdev.receiver)
		n->netdev.receiver->link_changed(&n->netdev, is_up);
}

static void handle_irq(void *arg)
{
	struct net *n = arg;
	uint32_t pending = virtio_irq_ack(&n->device);

	if (pending & VIRTIO_IRQ_QUEUES)
		poll_rx(n);
	if ((pending & VIRTIO_IRQ_CONFIG) || virtio_is_broken(&n->device))
		update_link(n);
}

/* ------------------------------------------------------------------ start */
static void read_mac(struct net *n)
{
	if (virtio_has(&n->device, VIRTIO_NET_F_MAC)) {
		for (uint32_t i = 0; i < ETH_ALEN; i++)
			n->netdev.mac[i] = virtio_config_u8(&n->device, i);
		return;
	}
	entropy_fill(n->netdev.mac, ETH_ALEN);
	n->netdev.mac[0] = (n->netdev.mac[0] & 0xfc) | 2; /* one station, locally administered */
}

static int set_up(struct net *n)
{
	int err = virtio_negotiate(&n->device, "virtio-net", 0,
		1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_NET_F_MAC |
			1ull << VIRTIO_NET_F_STATUS | 1ull << VIRTIO_NET_F_CSUM |
			1ull << VIRTIO_NET_F_GUEST_CSUM);

	if (!err)
		err = virtio_add_queue(&n->device, &n->rx, QUEUE_RX, QUEUE_SIZE);
	if (!err)
		err = virtio_add_queue(&n->device, &n->tx, QUEUE_TX, QUEUE_SIZE);
	if (err)
		return err;
	virtq_interrupts_off(&n->tx); /* sent slices are collected when the next is wanted */
	read_mac(n);
	if (virtio_has(&n->device, VIRTIO_NET_F_CSUM))
		n->netdev.caps |= NETDEV_CAP_TX_CSUM;
	if (virtio_has(&n->device, VIRTIO_NET_F_GUEST_CSUM))
		n->netdev.caps |= NETDEV_CAP_RX_CSUM;
	return virtio_start(&n->device, handle_irq, n);
}

static const struct netdev_ops ops = { .transmit = transmit, .flush = flush };

void virtio_net_init(const struct virtio_device *d)
{
	struct net *n = kmem_zalloc(sizeof(*n));
	int err;

	if (!n) {
		log_warn("virtio-net: no memory for a device");
		return;
	}
	n->device = *d;
	n->netdev = (struct netdev){ .ops = &ops, .mtu = NETDEV_FRAME_MAX - ETH_HLEN, .driver = n };
	spinlock_init(&n->rx_lock, LOCK_NETDEV);
	spinlock_init(&n->tx_lock, LOCK_NETDEV);
	STAILQ_INIT(&n->tx_free);
	timer_init(&n->poll_timer, fire_poll);
	err = set_up(n);
	if (err) {
		log_warn("virtio-net: not usable (error %d)", -err);
		virtio_stop(&n->device); /* n stays: its interrupt line may know it */
		return;
	}
	spin_lock(&n->rx_lock);
	grow_rx_locked(n, RX_AT_START);
	virtio_kick(&n->device, &n->rx);
	spin_unlock(&n->rx_lock);
	n->netdev.link_up = read_link(n);
	netdev_register(&n->netdev);
}
