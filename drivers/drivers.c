/*
 * drivers.c: finds devices and gives each to its driver.
 *
 * What:       one pass over the transports named on the command line.
 * Invariants: none.
 * Locking:    none; boot only.
 * Failure:    a device that cannot be used is one log line; the machine goes on without it.
 * Source:     virtio 1.1 §5 (device types).
 */
#include "drivers/drivers.h"

#include <linux/virtio_ids.h>

#include "drivers/virtio/balloon.h"
#include "drivers/virtio/console.h"
#include "drivers/virtio/mmio.h"
#include "drivers/virtio/net.h"
#include "drivers/virtio/rng.h"
#include "kernel/dev/hostchan.h"
#include "kernel/log.h"
#include "kernel/options.h"

static void start_device(const struct virtio_device *d)
{
	switch (d->device_id) {
	case VIRTIO_ID_CONSOLE:
		virtio_console_init(d);
		break;
	case VIRTIO_ID_NET:
		virtio_net_init(d);
		break;
	case VIRTIO_ID_BALLOON:
		virtio_balloon_init(d);
		break;
	case VIRTIO_ID_RNG:
		virtio_rng_init(d);
		break;
	default:
		log_info("virtio: device type %u has no driver", d->device_id);
		break;
	}
}

void drivers_init(void)
{
	struct virtio_device d;

	for (uint32_t i = 0; i < options.mmio_count; i++)
		if (virtio_probe(&d, &options.mmio[i]) == 0)
			start_device(&d);
	if (!hostchan_is_connected())
		log_set_sink(NULL); /* nothing better will come than the debug output */
}
