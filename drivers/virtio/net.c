/*
 * net.c: virtio-net: Ethernet frames.
 *
 * What:       the device: features, address, link, and as many pairs of queues (net_pair.c) as it
 *             offers and there are CPUs. A device starts with one pair; the control queue tells it
 *             of the others, and until it has agreed only the first is used to send.
 *             Frames of one flow always leave through the same pair, so that they stay in order;
 *             a TAP device sends the flow's answers back through it. The transport has one
 *             interrupt for all queues: whoever takes it looks at each pair that no other CPU is
 *             at work on. What several pairs gain is the host's: it serves them side by side.
 * Invariants: (1) a request on the control queue is answered before there is another one.
 * Locking:    those of net_pair.c; the control queue's lock (LOCK_NETDEV).
 * Failure:    -ENOBUFS: no room, the frame is dropped. A device that lies is stopped, and the link
 *             goes down. One that refuses further pairs goes on with one.
 * Source:     virtio 1.1 §5.1 (network device), §5.1.6.5 (control queue), linux/virtio_net.h.
 */
#include "drivers/virtio/net.h"

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "drivers/virtio/net_priv.h"
#include "kernel/entropy.h"
#include "kernel/log.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/smp.h"
#include "lib/string.h"

#define MTU_MAX (NETDEV_FRAME_MAX - ETH_HLEN)
#define MTU_MIN 68u /* RFC 791 */

/* The one request there is: so many pairs from now on. */
struct net_control {
	struct spinlock lock; /* LOCK_NETDEV */
	struct virtq queue; /* guarded by the lock */
	struct {
		struct virtio_net_ctrl_hdr header;
		struct virtio_net_ctrl_mq pairs;
	} __attribute__((packed)) request; /* [I] */
	virtio_net_ctrl_ack answer; /* the device's */
};

/* ------------------------------------------------------------------ transmit */
/* By addresses and ports of TCP and UDP over IP; all else through the first pair. */
static uint32_t choose_pair(struct net *n, const struct netdev_tx *tx)
{
	uint32_t count = atomic_load_explicit(&n->active_pairs, memory_order_relaxed), hash = 0;
	const uint8_t *p = tx->segs[0].data;
	uint32_t from = ETH_HLEN + 12, to = ETH_HLEN + sizeof(struct iphdr) + 4; /* IPv4 */

	if (count == 1 || tx->segs[0].bytes < to)
		return 0;
	if (p[12] == (ETH_P_IPV6 >> 8) && p[13] == (ETH_P_IPV6 & 0xff)) {
		from = ETH_HLEN + 8;
		to = ETH_HLEN + 40 + 4;
	} else if (p[12] != (ETH_P_IP >> 8) || p[13] != (ETH_P_IP & 0xff)) {
		return 0;
	}
	for (; from < MIN(to, tx->segs[0].bytes); from++)
		hash = (hash ^ p[from]) * 16777619u;
	return (hash >> 16) % count;
}

static int transmit(struct netdev *dev, const struct netdev_tx *tx)
{
	struct net *n = dev->driver;
	uint32_t pair = choose_pair(n, tx);
	uint64_t bytes = 0;
	int err;

	for (uint32_t i = 0; i < tx->seg_count; i++)
		bytes += tx->segs[i].bytes;
	if (NEVER(bytes < ETH_HLEN || bytes > NETDEV_FRAME_MAX) ||
		NEVER(tx->csum_partial && !(dev->caps & NETDEV_CAP_TX_CSUM)))
		return -EINVAL;
	err = net_pair_transmit(&n->pairs[pair], tx);
	if (!err)
		atomic_fetch_or_explicit(&n->unflushed, 1u << pair, memory_order_relaxed);
	return err;
}

static void flush(struct netdev *dev)
{
	struct net *n = dev->driver;
	uint32_t pairs = atomic_exchange_explicit(&n->unflushed, 0, memory_order_relaxed);

	for (; pairs; pairs &= pairs - 1)
		net_pair_flush(&n->pairs[__builtin_ctz(pairs)]);
}

/* ------------------------------------------------------------------ link */
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

/* ------------------------------------------------------------------ control queue */
static void request_pairs(struct net *n)
{
	struct net_control *c = n->control;
	int err;

	c->request.header.class = VIRTIO_NET_CTRL_MQ;
	c->request.header.cmd = VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET;
	c->request.pairs.virtqueue_pairs = (uint16_t)n->pair_count;
	c->answer = VIRTIO_NET_ERR;
	spin_lock(&c->lock);
	err = virtq_add_request(&c->queue, &c->request, sizeof(c->request), &c->answer,
		sizeof(c->answer), c);
	if (!err)
		virtio_kick(&n->device, &c->queue);
	spin_unlock(&c->lock);
}

static void see_control(struct net *n)
{
	struct net_control *c = n->control;
	bool agreed = false, refused = false;
	uint32_t bytes;
	void *cookie;
	int got;

	if (!c)
		return;
	spin_lock(&c->lock);
	do {
		while ((got = virtq_take(&c->queue, &cookie, &bytes)) == 1) {
			agreed = bytes == sizeof(c->answer) && c->answer == VIRTIO_NET_OK;
			refused = !agreed;
		}
		if (got < 0)
			virtio_fail(&n->device, "bad used ring of the control queue");
	} while (virtq_interrupts_on(&c->queue));
	spin_unlock(&c->lock);
	if (refused)
		log_warn("virtio-net: the device refuses %u pairs of queues", n->pair_count);
	if (!agreed)
		return;
	log_info("virtio-net: %u pairs of queues", n->pair_count);
	atomic_store_explicit(&n->active_pairs, n->pair_count, memory_order_relaxed);
}

static void handle_irq(void *arg)
{
	struct net *n = arg;
	uint32_t pending = virtio_irq_ack(&n->device);

	if (pending & VIRTIO_IRQ_QUEUES) {
		for (uint32_t i = 0; i < n->pair_count; i++)
			net_pair_poll(&n->pairs[i]);
		see_control(n);
	}
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

/* CAVEAT: a larger MTU than Ethernet's is not used. */
static void read_mtu(struct net *n)
{
	uint16_t mtu = MTU_MAX;

	if (virtio_has(&n->device, VIRTIO_NET_F_MTU))
		mtu = virtio_config_u16(&n->device,
			__builtin_offsetof(struct virtio_net_config, mtu));
	n->netdev.mtu = (uint16_t)(mtu < MTU_MIN ? MTU_MIN : MIN(mtu, MTU_MAX));
}

static uint32_t count_pairs(struct net *n, uint32_t *offered)
{
	*offered = 1;
	if (virtio_has(&n->device, VIRTIO_NET_F_MQ) && virtio_has(&n->device, VIRTIO_NET_F_CTRL_VQ))
		*offered = virtio_config_u16(&n->device,
			__builtin_offsetof(struct virtio_net_config, max_virtqueue_pairs));
	if (*offered == 0 || *offered > VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MAX)
		*offered = 1; /* it lies; the queues of the first pair are where they always are */
	return MIN(*offered, MIN(smp_count_possible(), (uint32_t)NET_PAIRS_MAX));
}

static int add_pairs(struct net *n)
{
	int err = 0;

	n->pairs = kmem_zalloc(n->pair_count * sizeof(*n->pairs));
	if (!n->pairs)
		return -ENOMEM;
	for (uint32_t i = 0; i < n->pair_count && !err; i++) {
		struct net_pair *p = &n->pairs[i];

		net_pair_init(p, n);
		err = virtio_add_queue(&n->device, &p->rx, (uint16_t)(2 * i), NET_QUEUE_SIZE);
		if (!err)
			err = virtio_add_queue(&n->device, &p->tx, (uint16_t)(2 * i + 1),
				NET_QUEUE_SIZE);
		if (!err) /* sent slices are collected when the next is wanted */
			virtq_interrupts_off(&p->tx);
	}
	return err;
}

static int add_control(struct net *n, uint32_t offered_pairs)
{
	struct net_control *c = kmem_zalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	spinlock_init(&c->lock, LOCK_NETDEV);
	n->control = c;
	return virtio_add_queue(&n->device, &c->queue, (uint16_t)(2 * offered_pairs), 4);
}

static int set_up(struct net *n)
{
	uint32_t offered;
	int err = virtio_negotiate(&n->device, "virtio-net", 0,
		1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_NET_F_MAC |
			1ull << VIRTIO_NET_F_STATUS | 1ull << VIRTIO_NET_F_CSUM |
			1ull << VIRTIO_NET_F_GUEST_CSUM | 1ull << VIRTIO_NET_F_MTU |
			1ull << VIRTIO_NET_F_CTRL_VQ | 1ull << VIRTIO_NET_F_MQ);

	if (err)
		return err;
	n->pair_count = count_pairs(n, &offered);
	err = add_pairs(n);
	if (!err && n->pair_count > 1)
		err = add_control(n, offered);
	if (err)
		return err;
	read_mac(n);
	read_mtu(n);
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
	n->netdev = (struct netdev){ .ops = &ops, .driver = n };
	atomic_init(&n->active_pairs, 1);
	err = set_up(n);
	if (err) {
		log_warn("virtio-net: not usable (error %d)", -err);
		virtio_stop(&n->device); /* n stays: its interrupt line may know it */
		return;
	}
	for (uint32_t i = 0; i < n->pair_count; i++)
		net_pair_fill(&n->pairs[i]);
	if (n->control)
		request_pairs(n);
	n->netdev.link_up = read_link(n);
	netdev_register(&n->netdev);
}
