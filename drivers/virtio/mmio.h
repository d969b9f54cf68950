/*
 * mmio.h: the transport: a virtio device behind memory-mapped registers.
 *
 * Modern devices only (version 2). Order of use: virtio_probe, virtio_negotiate,
 * virtio_add_queue for each queue, virtio_start. Nothing here sleeps or takes a lock.
 */
#pragma once

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/types.h"
#include "drivers/virtio/ring.h"
#include "kernel/options.h"

struct virtio_device {
	char *regs; /* [I] */
	uint32_t device_id; /* [I] VIRTIO_ID_* */
	uint32_t irq_line; /* [I] */
	uint64_t offered; /* [I] features that the device has */
	uint64_t features; /* [I] as negotiated */
	const char *name; /* [I] for messages; the driver's */
	_Atomic bool broken; /* [a] stopped for ever */
};

/* -ENODEV: nothing there. -EOPNOTSUPP: not a modern device (logged). -ENOMEM. */
int virtio_probe(struct virtio_device *d, const struct options_mmio *where) must_check;
/* Resets the device and agrees on required features and on those of wanted that it has.
 * -EOPNOTSUPP: not possible (logged). */
int virtio_negotiate(struct virtio_device *d, const char *name, uint64_t required,
	uint64_t wanted) must_check;
static inline bool virtio_has(const struct virtio_device *d, unsigned feature_bit)
{
	return (d->features >> feature_bit) & 1;
}
/* At most size entries. -ENODEV: the device has no such queue (logged). -ENOMEM. */
int virtio_add_queue(struct virtio_device *d, struct virtq *q, uint16_t index,
	uint16_t size) must_check;
/* Interrupts go to handler(arg), then the device runs. Errors of irq_register (logged). */
int virtio_start(struct virtio_device *d, void (*handler)(void *arg), void *arg) must_check;
void virtio_notify(struct virtio_device *d, const struct virtq *q);
/* virtq_publish, and the notification if it is wanted. */
void virtio_kick(struct virtio_device *d, struct virtq *q);

enum virtio_irq { VIRTIO_IRQ_QUEUES = 1u, VIRTIO_IRQ_CONFIG = 2u };
/* Which of enum virtio_irq are pending; silences the device. First act of a handler, which also
 * runs, with none pending, after the device was stopped. */
uint32_t virtio_irq_ack(struct virtio_device *d);

uint8_t virtio_config_u8(struct virtio_device *d, uint32_t offset);
uint16_t virtio_config_u16(struct virtio_device *d, uint32_t offset);
uint32_t virtio_config_u32(struct virtio_device *d, uint32_t offset);

/* The device did what it must not: it is reset, for ever, with one line in the log. */
void virtio_fail(struct virtio_device *d, const char *what);
/* The same where the log cannot be used (the log's own way out): silent. */
void virtio_stop(struct virtio_device *d);
bool virtio_is_broken(const struct virtio_device *d);
