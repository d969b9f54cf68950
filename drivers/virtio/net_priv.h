/*
 * net_priv.h: what the two files of the network driver share: net.c (the device) and net_pair.c
 * (one pair of queues).
 *
 * Letters: [I] set at boot; [r] rx_lock; [t] tx_lock; [a] atomic.
 */
#pragma once

#include <stdatomic.h>

#include "base/tree.h"
#include "drivers/virtio/mmio.h"
#include "kernel/dev/netdev.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/timer.h"

enum { NET_PAIRS_MAX = 8, NET_QUEUE_SIZE = 256 };

struct net;
struct tx_slice;

struct net_pair {
	struct net *net; /* [I] */
	struct spinlock rx_lock, tx_lock; /* LOCK_NETDEV */
	struct virtq rx; /* [r] */
	uint32_t rx_slices; /* [r] made so far */
	bool is_polled; /* [r] somebody takes frames, or its timer will */
	struct timer poll_timer; /* goes on after a budget */
	struct virtq tx; /* [t] */
	STAILQ_HEAD(tx_slices, tx_slice) tx_free; /* [t] */
	uint32_t tx_slices; /* [t] made so far */
};

struct net {
	struct netdev netdev;
	struct virtio_device device;
	_Atomic uint32_t active_pairs; /* [a] that the device uses; at least 1 */
	_Atomic uint32_t
		unflushed; /* [a] bit per pair with frames that the device was not told of */
	uint32_t pair_count; /* [I] */
	struct net_pair *pairs; /* [I] */
	struct net_control *control; /* [I] NULL: no control queue */
};

void net_pair_init(struct net_pair *p, struct net *n);
/* The first slices of the receive queue; after the device was started. */
void net_pair_fill(struct net_pair *p);
/* Takes frames until there are none, or goes on later; nothing, if another CPU does it. */
void net_pair_poll(struct net_pair *p);
int net_pair_transmit(struct net_pair *p, const struct netdev_tx *tx); /* 0; -ENOBUFS */
void net_pair_flush(struct net_pair *p);
