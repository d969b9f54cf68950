/*
 * balloon.h: the virtio-balloon driver's one entry.
 */
#pragma once

#include "drivers/virtio/mmio.h"

/* d: as probed; copied. A device that cannot be used is one log line. Boot only. */
void virtio_balloon_init(const struct virtio_device *d);
