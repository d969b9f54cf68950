/*
 * console.h: the virtio-console driver's one entry.
 */
#pragma once

#include "drivers/virtio/mmio.h"

/* d: as probed; copied. A device that cannot be used is one log line. Boot only. */
void virtio_console_init(const struct virtio_device *d);
