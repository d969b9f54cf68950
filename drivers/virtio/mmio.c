/*
 * mmio.c: virtio over memory-mapped registers.
 *
 * What:       the register file of a modern device: probe, features, queues, notification,
 *             interrupts, configuration space.
 * Invariants: (1) a broken device has been reset, so it accesses memory no more, and is never
 *             notified again. (2) its driver's handler runs once more, without the locks under
 *             which it was found out: whoever waits for the device must hear of its end.
 * Locking:    none; set-up happens once, at boot. Single registers are written atomically.
 * Failure:    what the machine lacks or cannot do is one log line and an error to the driver.
 * Source:     virtio 1.1 §4.2 (MMIO), §3.1 (initialisation), linux/virtio_mmio.h.
 */
#include "drivers/virtio/mmio.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "arch/arch.h"
#include "base/errno.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/stats.h"

#define MAGIC 0x74726976u /* "virt" */
#define VERSION_MODERN 2u
#define REGISTERS_BYTES 0x200u /* what we use of them */

static uint32_t read_reg(const struct virtio_device *d, uint32_t offset)
{
	return *(volatile uint32_t *)(void *)(d->regs + offset);
}

static void write_reg(struct virtio_device *d, uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(void *)(d->regs + offset) = value;
}

int virtio_probe(struct virtio_device *d, const struct options_mmio *where)
{
	uint32_t version;

	*d = (struct virtio_device){ .irq_line = where->irq, .name = "virtio" };
	if (where->bytes < REGISTERS_BYTES)
		return -ENODEV;
	d->regs = arch_map_device(where->base_pa, REGISTERS_BYTES);
	if (!d->regs)
		return -ENOMEM;
	if (read_reg(d, VIRTIO_MMIO_MAGIC_VALUE) != MAGIC) {
		log_warn("virtio: no device registers at %#llx",
			(unsigned long long)where->base_pa);
		return -ENODEV;
	}
	d->device_id = read_reg(d, VIRTIO_MMIO_DEVICE_ID);
	if (d->device_id == 0)
		return -ENODEV; /* a transport with nothing behind it */
	version = read_reg(d, VIRTIO_MMIO_VERSION);
	if (version == VERSION_MODERN)
		return 0;
	log_warn("virtio: device %u at %#llx is not modern (version %u) and stays unused; QEMU "
		 "needs -global virtio-mmio.force-legacy=false",
		d->device_id, (unsigned long long)where->base_pa, version);
	return -EOPNOTSUPP;
}

static uint64_t device_features(struct virtio_device *d)
{
	uint64_t low;

	write_reg(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = read_reg(d, VIRTIO_MMIO_DEVICE_FEATURES);
	write_reg(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return low | (uint64_t)read_reg(d, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

int virtio_negotiate(struct virtio_device *d, const char *name, uint64_t required, uint64_t wanted)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	d->name = name;
	required |= 1ull << VIRTIO_F_VERSION_1;
	write_reg(d, VIRTIO_MMIO_STATUS, 0);
	write_reg(d, VIRTIO_MMIO_STATUS, status);
	d->offered = device_features(d);
	if ((d->offered & required) != required) {
		log_warn("%s: device lacks features %#llx and stays unused", name,
			(unsigned long long)(required & ~d->offered));
		virtio_stop(d);
		return -EOPNOTSUPP;
	}
	d->features = d->offered & (required | wanted);
	write_reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	write_reg(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)d->features);
	write_reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	write_reg(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(d->features >> 32));
	write_reg(d, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_FEATURES_OK);
	if (read_reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK)
		return 0;
	log_warn("%s: device refuses features %#llx and stays unused", name,
		(unsigned long long)d->features);
	virtio_stop(d);
	return -EOPNOTSUPP;
}

static void write_address(struct virtio_device *d, uint32_t low_offset, const void *p)
{
	paddr_t pa = virt_to_phys(p);

	write_reg(d, low_offset, (uint32_t)pa);
	write_reg(d, low_offset + 4, (uint32_t)(pa >> 32));
}

int virtio_add_queue(struct virtio_device *d, struct virtq *q, uint16_t index, uint16_t size)
{
	uint32_t max;
	int err;

	write_reg(d, VIRTIO_MMIO_QUEUE_SEL, index);
	max = read_reg(d, VIRTIO_MMIO_QUEUE_NUM_MAX);
	while (size > max)
		size /= 2;
	if (size == 0) {
		log_warn("%s: device has no queue %u", d->name, index);
		return -ENODEV;
	}
	err = virtq_init(q, index, size, virtio_has(d, VIRTIO_RING_F_EVENT_IDX));
	if (err)
		return err;
	write_reg(d, VIRTIO_MMIO_QUEUE_NUM, size);
	write_address(d, VIRTIO_MMIO_QUEUE_DESC_LOW, q->desc);
	write_address(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, q->avail);
	write_address(d, VIRTIO_MMIO_QUEUE_USED_LOW, q->used);
	write_reg(d, VIRTIO_MMIO_QUEUE_READY, 1);
	return 0;
}

int virtio_start(struct virtio_device *d, void (*handler)(void *arg), void *arg)
{
	int err = irq_register(d->irq_line, d->name, handler, arg);

	if (err) {
		log_warn("%s: no interrupt line %u (error %d); the device stays unused", d->name,
			d->irq_line, -err);
		virtio_stop(d);
		return err;
	}
	write_reg(d, VIRTIO_MMIO_STATUS,
		VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |
			VIRTIO_CONFIG_S_DRIVER_OK);
	return 0;
}

void virtio_notify(struct virtio_device *d, const struct virtq *q)
{
	if (!virtio_is_broken(d))
		write_reg(d, VIRTIO_MMIO_QUEUE_NOTIFY, q->index);
}

void virtio_kick(struct virtio_device *d, struct virtq *q)
{
	if (virtq_publish(q))
		virtio_notify(d, q);
}

uint32_t virtio_irq_ack(struct virtio_device *d)
{
	uint32_t pending = read_reg(d, VIRTIO_MMIO_INTERRUPT_STATUS);

	if (pending)
		write_reg(d, VIRTIO_MMIO_INTERRUPT_ACK, pending);
	if ((pending & VIRTIO_IRQ_CONFIG) && !virtio_is_broken(d) &&
		(read_reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET))
		virtio_fail(d, "it says that it needs a reset");
	return pending;
}

uint8_t virtio_config_u8(struct virtio_device *d, uint32_t offset)
{
	return *(volatile uint8_t *)(d->regs + VIRTIO_MMIO_CONFIG + offset);
}

uint16_t virtio_config_u16(struct virtio_device *d, uint32_t offset)
{
	return *(volatile uint16_t *)(void *)(d->regs + VIRTIO_MMIO_CONFIG + offset);
}

uint32_t virtio_config_u32(struct virtio_device *d, uint32_t offset)
{
	return read_reg(d, VIRTIO_MMIO_CONFIG + offset);
}

void virtio_stop(struct virtio_device *d)
{
	if (atomic_exchange_explicit(&d->broken, true, memory_order_relaxed))
		return;
	write_reg(d, VIRTIO_MMIO_STATUS, 0); /* (1) */
	irq_raise(d->irq_line); /* (2) */
}

void virtio_fail(struct virtio_device *d, const char *what)
{
	if (virtio_is_broken(d))
		return;
	virtio_stop(d);
	stat_inc(STAT_device_errors);
	log_error("%s: device stopped: %s", d->name, what);
}

bool virtio_is_broken(const struct virtio_device *d)
{
	return atomic_load_explicit(&d->broken, memory_order_relaxed);
}
