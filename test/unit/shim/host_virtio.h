/*
 * host_virtio.h: a virtio device in the test's own process, instead of drivers/virtio/mmio.c.
 *
 * The test plays the device: it takes what the driver made available and uses it. An interrupt is
 * pending only when the driver asked for one, by the rules of the event index: a driver that
 * forgets to ask hangs here as it would in a machine.
 */
#pragma once

#include "drivers/virtio/mmio.h"

#define HOST_QUEUES 16u

struct host_queue {
	struct virtq *q; /* the driver's; NULL: not set up */
	uint16_t seen; /* next available entry that the device has not taken */
	bool is_asleep; /* notifications are not answered */
};

struct host_device {
	uint64_t offers; /* feature bits beside VERSION_1 */
	uint8_t config[64];
	struct host_queue queues[HOST_QUEUES];
	void (*on_notify)(unsigned queue);
	void (*handler)(void *arg);
	void *handler_arg;
	unsigned notifications;
	bool irq_pending;
	uint32_t irq_cause; /* enum virtio_irq */
	const char *failure; /* what the driver said when it stopped the device; NULL: it did not */
};
extern struct host_device host_device;

/* The device's next available buffer. False: none. */
bool host_queue_take(unsigned queue, uint16_t *id);
/* Its memory. */
void *host_queue_buffer(unsigned queue, uint16_t id, uint32_t *bytes);
void host_queue_use(unsigned queue, uint32_t id, uint32_t bytes);
/* The driver's memory for one message: takes a buffer, copies, uses. False: no buffer. */
bool host_queue_send(unsigned queue, const void *data, uint32_t bytes);
/* Runs the handler if an interrupt is pending; false: none was. */
bool host_interrupt(void);
