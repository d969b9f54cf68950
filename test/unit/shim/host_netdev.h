/*
 * host_netdev.h: the network driver's surroundings in a test: the protocol code above it, timers,
 * and the wire.
 */
#pragma once

#include <linux/virtio_net.h>

#include "host.h"
#include "host_virtio.h"
#include "kernel/dev/netdev.h"
#include "kernel/time/timer.h"

enum { RX, TX, RAM_BYTES = 16 << 20, HEADER = 12, KEPT_MAX = 300 };

/* What the protocol code saw and does. */
extern struct host_netdev {
	uint64_t frames, batches, last_bytes;
	unsigned char last[NETDEV_FRAME_MAX];
	bool last_ok, keeps, link_up;
	bool hoards; /* keeps what is not scarce */
	struct netdev_rx *kept[KEPT_MAX];
	unsigned kept_count;
	struct timer *armed;
	uint32_t cpus; /* 0: one */
} test;
extern struct netdev *dev; /* after start() */
extern const struct netdev_receiver host_receiver;

#define ALL_OFFERS \
	(1ull << VIRTIO_NET_F_MAC | 1ull << VIRTIO_NET_F_STATUS | 1ull << VIRTIO_NET_F_CSUM | \
		1ull << VIRTIO_NET_F_GUEST_CSUM)

void start_memory(void);
void start(uint64_t offers); /* memory, device, driver, protocol code */
/* A frame of so many bytes, all of them mark; false: no buffer. */
bool wire_in_on(unsigned queue, uint32_t frame_bytes, uint8_t flags, uint8_t mark);
bool wire_in(uint32_t frame_bytes, uint8_t flags, uint8_t mark);
/* The next frame that was sent: its bytes; 0: none. */
uint32_t wire_out_on(unsigned queue, unsigned char *frame, struct virtio_net_hdr_v1 *header);
uint32_t wire_out(unsigned char *frame, struct virtio_net_hdr_v1 *header);
unsigned posted(void);
/* Runs a case in a process of its own. */
void run(void (*fn)(uint64_t seed), uint64_t seed);
