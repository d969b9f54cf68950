/*
 * netdev.h: a network device, between its driver and the protocol code, which never meet.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

#define NETDEV_FRAME_MAX 1514u

enum netdev_cap {
	NETDEV_CAP_TX_CSUM = 1u, /* device completes TCP/UDP checksums (frame flag below) */
	NETDEV_CAP_RX_CSUM = 2u, /* received TCP/UDP checksums are known good when flagged */
};

/* A received frame in the driver's buffer. The receiver owns it until it calls free. */
struct netdev_rx {
	void *data; /* Ethernet header first */
	uint32_t bytes;
	bool csum_ok; /* L4 checksum verified, or never crossed a wire */
	bool is_scarce; /* many buffers are lent: copy this one and free it at once */
	void (*free)(struct netdev_rx
			*rx); /* any context; LOCK_NETDEV or lower held is not allowed */
	void *driver_private[4]; /* the driver's */
	void *receiver_private
		[12]; /* the receiver's: room for its own descriptor, such as a pbuf */
};

struct netdev_seg {
	const void *data; /* direct-map or kernel address, physically contiguous */
	uint32_t bytes;
};

struct netdev_tx {
	const struct netdev_seg *segs; /* Ethernet header first */
	uint32_t seg_count;
	bool csum_partial; /* L4 checksum field holds the pseudo-header sum; device completes it */
	uint16_t csum_start, csum_offset; /* bytes, from the frame's start; from csum_start */
};

struct netdev;
struct netdev_ops {
	/* Queues a copy of the frame (small) or the frame itself; data may be reused on return.
	 * -ENOBUFS: ring full, frame dropped and counted. Nothing is sent before flush. */
	int (*transmit)(struct netdev *dev, const struct netdev_tx *tx);
	void (*flush)(struct netdev *dev); /* one kick for all that was queued */
};

/* The protocol code's side; called in interrupt context or from netdev_poll. May take LOCK_NET. */
struct netdev_receiver {
	void (*receive)(struct netdev *dev, struct netdev_rx *rx); /* takes rx */
	void (*batch_end)(struct netdev *dev); /* after the last receive of a burst */
	void (*link_changed)(struct netdev *dev, bool up);
};

struct netdev {
	const struct netdev_ops *ops; /* [I] */
	const struct netdev_receiver *receiver; /* [I] set once by netdev_attach */
	uint8_t mac[6]; /* [I] */
	uint16_t mtu; /* [I] */
	uint32_t caps; /* [I] enum netdev_cap */
	bool link_up;
	void *driver; /* [I] */
	void *receiver_data; /* [I] the receiver's */
	struct netdev *next; /* [I] */
};

/* Driver, at boot. */
void netdev_register(struct netdev *dev);
/* First device, then ->next. NULL: none. */
struct netdev *netdev_first(void);
/* Protocol code: from now on frames arrive. */
void netdev_attach(struct netdev *dev, const struct netdev_receiver *r, void *data);
